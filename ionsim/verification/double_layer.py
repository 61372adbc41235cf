"""The double layer at a planar electrode: potential and capacitance on paper, without and with crowding."""

import numpy as np
import scipy.constants
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.ion_line import graded, line
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]
TEMPERATURE_K = 298.15
EPS_R = 78.5  # water at 298 K, chosen
BULK_PER_M3 = 0.1 * fem.ONE_MOLAR_PER_M3
LENGTH_NM = 30.0
VOLTAGES_V = (0.02, 0.1, 0.25)
SITES_PER_M3 = 2e27  # chosen: crowded at 0.25 V
CROWDED_V = 1.5  # 1e-25 of the sites at the electrode are free: less than one minus the filled fraction can tell
_E = scipy.constants.elementary_charge
_EPS = EPS_R * scipy.constants.epsilon_0
_VT = scipy.constants.k * TEMPERATURE_K / _E
DEBYE_NM = 1e9 * float(np.sqrt(_EPS * _VT / (2.0 * _E * BULK_PER_M3)))


def electrolyte(excess: fem.Excess | None = None) -> fem.Transport:
    """A symmetric electrolyte between a blocking electrode ("bottom") and a bath ("top")."""
    cell = line(graded(5e-4, LENGTH_NM, 1.06), {"electrolyte": (0.0, LENGTH_NM)})
    sites = SITES_PER_M3 if excess else fem.ONE_MOLAR_PER_M3
    ions = {name: fem.Species("solution", charge, 1e-9, BULK_PER_M3) for name, charge in (("K", 1), ("Cl", -1))}
    bath = dict.fromkeys(ions, BULK_PER_M3)
    return fem.Transport(
        cell, {"electrolyte": EPS_R}, {"solution": fem.Phase(["electrolyte"], sites, excess)}, ions,
        {"bottom": fem.Terminal(["bottom"]), "top": fem.Terminal(["top"], densities_per_m3=bath)},
        temperature_K=TEMPERATURE_K,
    )  # fmt: skip


def capacitance(problem: fem.Transport, voltage_V: float, step_V: float = 1e-3) -> float:
    """Charge in F/m^2 that a small step of the electrode about ``voltage_V`` brings, a long time after it."""
    problem.steady({"bottom": voltage_V - 0.5 * step_V, "top": 0.0})
    for _ in range(3):
        problem.step(1.0, {"bottom": voltage_V + 0.5 * step_V, "top": 0.0})
    return problem.charge_C["bottom"] / step_V


def crowded_charge(voltage_V: float) -> float:
    """Charge (C/m^2) of the electrode with ions on a lattice (Kilic, Bazant and Ajdari, Phys. Rev. E 75, 021502)."""
    nu = 2.0 * BULK_PER_M3 / SITES_PER_M3
    root = np.sqrt(2.0 / nu * np.log1p(2.0 * nu * np.sinh(0.5 * voltage_V / _VT) ** 2))
    return float(np.sign(voltage_V) * 2.0 * _E * BULK_PER_M3 * DEBYE_NM * 1e-9 * root)


@case(
    "gouy-chapman", "ECRAM",
    problem=(
        "A planar electrode at 0.02, 0.1 and 0.25 V in 0.1 M of a symmetric electrolyte (water at 298 K); and on "
        "sites that ions can fill, up to 1.5 V."
    ),
    exact=(
        r"$\phi = \frac{4kT}{q}\,\mathrm{artanh}\left[\tanh\left(\frac{q\phi_0}{4kT}\right)e^{-z/\lambda}\right]$ and "
        r"$C = \frac{\epsilon}{\lambda}\cosh\frac{q\phi_0}{2kT}$; with crowding $Q = "
        r"2qc\lambda\sqrt{\frac{2}{\nu}\ln\left(1 + 2\nu\sinh^2\frac{q\phi_0}{2kT}\right)}$."
    ),
    sources=(
        "G. Gouy, J. Phys. Theor. Appl. 9, 457 (1910)",
        "D. L. Chapman, Phil. Mag. 25, 475 (1913)",
        "M. S. Kilic, M. Z. Bazant, A. Ajdari, Phys. Rev. E 75, 021502 (2007)",
    ),
)  # fmt: skip
def gouy_chapman() -> list[Record]:
    """Planar double layer: potential and capacitance within 1 % of Gouy-Chapman, and of the lattice gas."""
    records, found, crowded = [], [], []
    profiles: list[figure.Curve] = []
    problem = electrolyte()
    z_nm = problem.space.tabulate_dof_coordinates()[:, 0]
    for voltage in VOLTAGES_V:
        problem.steady({"bottom": voltage, "top": 0.0})
        exact = 4.0 * _VT * np.arctanh(np.tanh(0.25 * voltage / _VT) * np.exp(-z_nm / DEBYE_NM))
        error = np.abs(problem.potential_V - exact).max() / voltage
        boltzmann = BULK_PER_M3 * np.exp(-problem.potential_V / _VT)
        spread = np.abs(problem.density_per_m3("K") / boltzmann - 1.0).max()
        slope = _EPS / (DEBYE_NM * 1e-9) * np.cosh(0.5 * voltage / _VT)
        ranked = np.argsort(z_nm)
        profiles += [
            figure.exact("" if profiles else "Gouy and Chapman", z_nm[ranked], exact[ranked]),
            figure.computed(f"{voltage:g} V", z_nm[ranked][::6], problem.potential_V[ranked][::6]),
        ]
        found.append(capacitance(problem, voltage))
        records += [
            Record.below(f"potential at {voltage} V, relative", error, 0.01),
            Record.below(f"density over Boltzmann's at {voltage} V, relative", spread, 1e-7),
            Record.below(f"capacitance at {voltage} V, relative", found[-1] / slope - 1.0, 0.01),
        ]
    problem = electrolyte(fem.lattice_gas)
    for voltage in (*VOLTAGES_V, CROWDED_V):
        step = 1e-3
        slope = (crowded_charge(voltage + 0.5 * step) - crowded_charge(voltage - 0.5 * step)) / step
        crowded.append(capacitance(problem, voltage, step))
        error = crowded[-1] / slope - 1.0
        records.append(Record.below(f"with crowding: capacitance at {voltage} V, relative", error, 0.01))
    fine = np.linspace(1e-3, CROWDED_V, 400)
    charge = np.array([[crowded_charge(v + 5e-4), crowded_charge(v - 5e-4)] for v in fine])
    dilute = fine[fine < 0.3]
    figure.draw(
        figure.Panel("potential", "distance (nm)", "potential (V)", profiles, y_log=True),
        figure.Panel("capacitance", "electrode (V)", "capacitance (F/m$^2$)", [
            figure.exact("Gouy and Chapman", dilute, _EPS / (DEBYE_NM * 1e-9) * np.cosh(0.5 * dilute / _VT)),
            figure.exact("with crowding (Kilic et al.)", fine, (charge[:, 0] - charge[:, 1]) / 1e-3),
            figure.computed("finite volumes", VOLTAGES_V, found),
            figure.computed("finite volumes, crowding", (*VOLTAGES_V, CROWDED_V), crowded),
        ], y_log=True),
    )  # fmt: skip
    filled = problem.fraction("K") + problem.fraction("Cl")
    records.append(Record.below("with crowding: largest filled fraction", filled.max(), 1.0 + 1e-15))
    return records
