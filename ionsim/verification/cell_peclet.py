"""Drift and diffusion in a constant field at cell Peclet numbers far above 2, against the solution on paper."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.ion_line import line
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]
PECLET = (0.1, 10.0, 1000.0)
CELLS = 20
D_M2_PER_S = 1e-10
LOW_PER_M3, HIGH_PER_M3 = 1e14, 3e14  # so few that they do not bend the potential
STEP_NM = 1.0


def steady_error(peclet: float) -> tuple[float, float]:
    """Errors of density and current, relative to the largest, with densities held at both ends."""
    length = CELLS * STEP_NM
    problem = _problem(length, {"bottom": HIGH_PER_M3, "top": LOW_PER_M3})
    total = peclet * CELLS
    voltage = total * problem.thermal_voltage_V
    state = problem.steady({"bottom": voltage, "top": 0.0})
    s = problem.space.tabulate_dof_coordinates()[:, 0] / length
    # n = a + b exp(P s) in 0 < s < 1, with exponents that cannot overflow
    rise = (np.exp(total * (s - 1.0)) - np.exp(-total)) / -np.expm1(-total)
    exact = HIGH_PER_M3 + (LOW_PER_M3 - HIGH_PER_M3) * rise
    density = problem.density_per_m3("ion")
    drift = D_M2_PER_S * total / (length * 1e-9)
    flux = drift * (HIGH_PER_M3 - LOW_PER_M3 * np.exp(-total)) / -np.expm1(-total)
    current = state.currents_A["bottom"] / (1.602176634e-19 * flux)
    fine = np.linspace(0.0, 1.0, 400)
    rising = (np.exp(total * (fine - 1.0)) - np.exp(-total)) / -np.expm1(-total)
    figure.draw(figure.Panel(f"cell Peclet number {peclet:g}", "z (nm)", "density (1/m$^3$)", [
        figure.exact("drift and diffusion", length * fine, HIGH_PER_M3 + (LOW_PER_M3 - HIGH_PER_M3) * rising),
        figure.computed("finite volumes", length * s, density),
    ]))  # fmt: skip
    return float(np.abs(density - exact).max() / HIGH_PER_M3), float(current - 1.0)


def travelling(peclet: float, order: int) -> tuple[float, float]:
    """Lowest density, relative to the highest at the start, and lost ions of a cloud that drifts onto a wall."""
    length = CELLS * STEP_NM
    problem = _problem(length, {}, order)
    s = problem.space.tabulate_dof_coordinates()[:, 0] / length
    problem.set_density("ion", HIGH_PER_M3 * np.where(np.abs(s - 0.3) < 0.12, 1.0, 1e-9))
    voltage = {"bottom": peclet * CELLS * problem.thermal_voltage_V, "top": 0.0}
    crossing = (length * 1e-9) ** 2 / (D_M2_PER_S * peclet * CELLS)
    begin, lowest = problem.amount("ion"), np.inf
    for first, second in pairwise(np.linspace(0.0, 1.5 * crossing, 61)):
        problem.step(second - first, voltage)
        lowest = min(lowest, float(problem.density_per_m3("ion").min()))
    return lowest / HIGH_PER_M3, problem.amount("ion") / begin - 1.0


def _problem(length_nm: float, held: dict[str, float], order: int = 2) -> fem.Transport:
    cell = line(np.linspace(0.0, length_nm, CELLS + 1), {"film": (0.0, length_nm)})
    terminals = {
        name: fem.Terminal([name], densities_per_m3={"ion": held[name]} if name in held else {})
        for name in ("bottom", "top")
    }
    ion = fem.Species("film", 1, D_M2_PER_S, LOW_PER_M3)
    return fem.Transport(
        cell, {"film": 10.0}, {"film": fem.Phase(["film"], HIGH_PER_M3)}, {"ion": ion}, terminals, order=order
    )


@case(
    "cell-peclet", "ECRAM",
    problem=(
        "Ions of one kind drift and diffuse along 20 nm of 20 cells in a constant field of 0.1, 10 and 1000 kT/q a "
        "cell. First with densities of 3e14 and 1e14 per m^3 held at the ends (so few that they do not bend the "
        "potential); then a cloud that drifts onto a closed wall, with backward Euler."
    ),
    exact=(
        r"Steady drift and diffusion: $n(s) = n_0 + (n_1 - n_0)\,\frac{e^{P s} - 1}{e^{P} - 1}$ with $P = qV/kT$; "
        r"exponential fitting is exact at the nodes. Of the cloud: positive throughout, and no ion lost."
    ),
    sources=("D. L. Scharfetter, H. K. Gummel, IEEE Trans. Electron Devices 16, 64 (1969)",),
    quick=True,
)  # fmt: skip
def cell_peclet() -> list[Record]:
    """Drift and diffusion at cell Peclet numbers 0.1, 10 and 1000: exact at the nodes, positive, conserving."""
    records, shown = [], []
    for peclet in PECLET:
        density, current = steady_error(peclet)
        lowest, lost = travelling(peclet, 1)
        shown.append((density, current, lost))
        records += [
            Record.below(f"Peclet {peclet:g}: density, relative", density, 1e-6),
            Record.below(f"Peclet {peclet:g}: current, relative", current, 1e-6),
            Record.above(f"Peclet {peclet:g}: lowest density of a cloud, relative", lowest, 1e-300),
            Record.below(f"Peclet {peclet:g}: ions lost on the way, relative", lost, 1e-12),
        ]
    figure.draw(figure.errors(
        "errors", [f"{what}, {peclet:g}" for peclet in PECLET for what in ("density", "current", "ions lost")], shown,
        1e-6,
    ))  # fmt: skip
    return records
