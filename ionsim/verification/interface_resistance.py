"""Heat and current through two blocks with a resistance between them, against the solution on paper."""

import numpy as np
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.split_blocks import Blocks, blocks

Array = NDArray[np.float64]
LOWER_NM, UPPER_NM = 12.0, 20.0
SIGMA = {"lower": 2e5, "upper": 4e4}
KAPPA = {"lower": 12.0, "upper": 0.5}
CONTACT = fem.Contact(thermal_W_per_m2K=6e7, electrical_S_per_m2=2e12)
_ACROSS = np.array([0.0, 3.0, 5.0, 10.0])


def exact(z_nm: Array, upper: NDArray[np.bool_], voltage_V: float, joule: bool = True) -> tuple[Array, Array, float]:
    """Potential, temperature and current density (A/m^2): 300 K at either end, the voltage on top.

    The Joule heat j^2 / g of the interface goes half to either side. ``upper`` tells the sides apart at the interface.
    """
    a, b = LOWER_NM * 1e-9, UPPER_NM * 1e-9
    s1, s2, k1, k2 = SIGMA["lower"], SIGMA["upper"], KAPPA["lower"], KAPPA["upper"]
    g, h = float(np.asarray(CONTACT.electrical_S_per_m2)), float(np.asarray(CONTACT.thermal_W_per_m2K))
    j = voltage_V / (a / s1 + 1.0 / g + b / s2)
    z = z_nm * 1e-9
    potential = np.where(upper, voltage_V - j / s2 * (a + b - z), j / s1 * z)
    q1, q2, q = (j * j / s1, j * j / s2, j * j / g) if joule else (0.0, 0.0, 0.0)
    # T1 = A z - q1 z^2 / (2 k1) below, T2 = B w - q2 w^2 / (2 k2) above with w = a + b - z. Heat that leaves each side
    # into the interface: f1 = -k1 T1'(a), f2 = -k2 dT2/dw(b); f1 + q/2 = h (T1 - T2) and f2 + q/2 = h (T2 - T1).
    matrix = np.array([[k1 + h * a, -h * b], [-h * a, k2 + h * b]])
    jump = h * (q1 * a * a / (2.0 * k1) - q2 * b * b / (2.0 * k2))
    rises = np.linalg.solve(matrix, [q1 * a + q / 2.0 + jump, q2 * b + q / 2.0 - jump])
    w = a + b - z
    temperature = np.where(upper, rises[1] * w - q2 * w * w / (2.0 * k2), rises[0] * z - q1 * z * z / (2.0 * k1))
    return potential, 300.0 + temperature, j


def sides(problem: fem.Transient, cell: Blocks) -> tuple[Array, NDArray[np.bool_]]:
    """Height (local dofs,) of each node in nm, and which nodes belong to the upper block."""
    return problem.space.tabulate_dof_coordinates()[:, cell.mesh.geometry.dim - 1], problem.volume_m3("upper") > 0.0


def _problem(cell: Blocks, cold_K: float = 300.0) -> fem.Transient:
    capacity = dict.fromkeys(cell.regions, 2e6)
    fixed = {"bottom": 300.0, "top": cold_K}
    contact = {"lower/upper": CONTACT}
    settings = fem.TransientSettings(rtol=1e-13)
    return fem.Transient(cell, SIGMA, KAPPA, capacity, fixed, interfaces=contact, settings=settings)


@case(
    "interface-resistance", "finite elements",
    problem=(
        "Two blocks of 12 and 20 nm with an electrical contact of 2e12 S/m^2 and a thermal one of 6e7 W/(m^2 K) "
        "between them, at 0.3 V and 300 K: in 1D, in a plane, in (r, z) and in 3D."
    ),
    exact=(
        r"Ohm's law in series, and a parabola of temperature in each block; half of the interface's heat $j^2/g$ goes "
        r"to either side, $f_1 + q/2 = h\,(T_1 - T_2)$. Worked out on paper in the case's file."
    ),
    sources=("H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 2nd ed., Oxford 1959",),
    quick=True,
)  # fmt: skip
def interface_resistance() -> list[Record]:
    """Two blocks with contact and boundary resistance: potential, temperature and current to 1e-8."""
    cell = blocks(LOWER_NM, UPPER_NM, (4, 7))
    problem = _problem(cell)
    state = problem.steady(0.3)
    potential, temperature, density = exact(*sides(problem, cell), 0.3)
    rise = np.abs(temperature - 300.0).max()
    z, above = sides(problem, cell)
    fine = np.concatenate([np.linspace(0.0, LOWER_NM, 60), np.linspace(LOWER_NM, LOWER_NM + UPPER_NM, 60)])
    smooth = exact(fine, np.arange(120) >= 60, 0.3)
    figure.draw(
        figure.Panel("temperature, 1D", "z (nm)", "temperature (K)", [
            figure.exact("on paper", fine, smooth[1]), figure.computed("lower block", z[~above],
                problem.temperature_K[~above]), figure.computed("upper block", z[above], problem.temperature_K[above]),
        ]),
        figure.Panel("potential, 1D", "z (nm)", "potential (V)", [
            figure.exact("on paper", fine, smooth[0]), figure.computed("lower block", z[~above],
                problem.potential_V[~above]), figure.computed("upper block", z[above], problem.potential_V[above]),
        ]),
    )  # fmt: skip
    records = [
        Record.below("1D: current, relative", state.current_A / density - 1.0, 1e-8),
        Record.below("1D: potential, relative", np.abs(problem.potential_V - potential).max() / 0.3, 1e-8),
        Record.below("1D: temperature, relative", np.abs(problem.temperature_K - temperature).max() / rise, 1e-8),
        Record.below("1D: energy balance, relative", state.balance.residual_W / state.balance.electrical_W, 1e-8),
    ]
    # With more dimensions the shares of the Joule heat differ from node to node, so fields linear in z are compared.
    for name, axisymmetric, across in (
        ("plane", False, [_ACROSS]), ("(r, z)", True, [_ACROSS]), ("3D", False, [_ACROSS, _ACROSS])
    ):  # fmt: skip
        cell = blocks(LOWER_NM, UPPER_NM, (4, 7), across, axisymmetric)
        problem = _problem(cell, 400.0)
        z, upper = sides(problem, cell)
        area = np.pi * (10e-9) ** 2 if axisymmetric else 10e-9 ** len(across)
        heat = problem.steady(0.0).balance
        resistance = LOWER_NM * 1e-9 / KAPPA["lower"] + 1.0 / 6e7 + UPPER_NM * 1e-9 / KAPPA["upper"]
        flow = 100.0 / resistance
        height = z * 1e-9
        total = (LOWER_NM + UPPER_NM) * 1e-9
        linear = np.where(
            upper, 400.0 - flow / KAPPA["upper"] * (total - height), 300.0 + flow / KAPPA["lower"] * height
        )
        error = float(np.abs(problem.temperature_K - linear).max()) / 100.0
        state = problem.steady(0.3)
        potential, _, density = exact(z, upper, 0.3)
        records += [
            Record.below(f"{name}: temperature without current, relative", error, 1e-8),
            Record.below(f"{name}: heat that enters and leaves, relative", heat.out_W / (flow * area), 1e-8),
            Record.below(f"{name}: current, relative", state.current_A / (density * area) - 1.0, 1e-8),
            Record.below(f"{name}: potential, relative", np.abs(problem.potential_V - potential).max() / 0.3, 1e-8),
        ]
    return records
