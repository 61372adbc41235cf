"""What is scaled from one voltage to another equals what a solve at that voltage gives."""

import numpy as np

from ionsim.verification import figure
from ionsim.verification.lattice_filament import AMBIENT_K, lattice_fields, random_filament
from ionsim.verification.record import Record, case

#: Heat is solved to 1e-5 of the solution in the energy norm; the scaling itself is exact.
_HEAT = 1e-4


@case(
    "voltage-scaling", "VCM",
    problem=(
        "A random filament with a gap: what is solved at one voltage is scaled to another (0.2 to 0.9 V, -0.9 to "
        "-0.15 V) in place of a new solution."
    ),
    exact=(
        r"Both equations are linear: $\phi \propto V$, $T - T_0 \propto V^2$ (steady, coefficients held), against a "
        r"direct solution."
    ),
    quick=True,
)  # fmt: skip
def voltage_scaling() -> list[Record]:
    """Potential scaled from 1 V, and steady temperature rise scaled by V^2, equal direct solves at that voltage."""
    vacant = random_filament(gap_nm=0.4)
    scaled, direct = lattice_fields(), lattice_fields()
    records, volts, kelvins = [], [], []
    for start_V, stop_V in ((0.2, 0.9), (-0.9, -0.15)):
        scaled.solve_potential(vacant)
        scaled.solve_heat(vacant, start_V, None)
        first_K = scaled.temperature_K.copy()
        scaled.solve_heat(vacant, stop_V, None)
        direct.solve_potential(vacant)
        direct.solve_heat(vacant, stop_V, None)
        direct.conduction.potential_V = np.zeros_like(direct.conduction.potential_V)  # no scaled starting guess
        state = direct.conduction.solve({"top": stop_V, "bottom": 0.0})
        potential = np.abs(scaled.unit_potential * stop_V - direct.sites.sample(state.potential_V)).max()
        current = scaled.conductance_S * stop_V / state.currents_A["top"] - 1.0
        rise = float(direct.peak_K - AMBIENT_K)
        error = np.abs(scaled.temperature_K - direct.temperature_K).max() / rise
        name = f"{start_V:+g} to {stop_V:+g} V"
        volts.append((name, direct.sites.sample(state.potential_V), scaled.unit_potential * stop_V))
        kelvins.append((name, direct.temperature_K, scaled.temperature_K))
        records += [
            Record.below(f"potential, {name}", float(potential), 1e-9, "V"),
            Record.below(f"current, {name}, relative", float(current), 1e-10),
            Record.below(f"temperature rise, {name}, relative", float(error), _HEAT),
            Record.below(f"peak rise, {name}, relative", float((scaled.peak_K - AMBIENT_K) / rise - 1.0), _HEAT),
            Record.above(f"change of the temperature, {name}", float(np.ptp(scaled.temperature_K - first_K)), 1.0, "K"),
        ]
    figure.draw(
        figure.parity("potential of the sites", "potential (V)", volts, names=("solved", "scaled")),
        figure.parity("temperature of the sites", "temperature (K)", kelvins, names=("solved", "scaled")),
    )
    return records
