"""The terminal current is the reaction at the electrode: it dissipates exactly the power in the device."""

import numpy as np
from mpi4py import MPI

import fem
import meshes
from fem.cell import surface_dofs
from ionsim.verification import figure
from ionsim.verification.filament_network import set_filament
from ionsim.verification.record import Record, case

_CORE_NM = (4.0, 4.0)
_OXIDE_NM = 4.0
_SIGMA = {"bottom": 1e6, "oxide": 1e-2, "top": 1e6}
_VOLTAGE = {"top": 1.5, "bottom": -0.3}


def _problem(gap_nm: float, rtol: float, method: str = "auto") -> fem.Conduction:
    cell = meshes.filament_cell(
        _OXIDE_NM,
        width_nm=14.0,
        size_nm=0.5,
        core_nm=_CORE_NM,
        bottom_nm=8.0,
        cap_nm=2.0,
        top_nm=8.0,
        comm=MPI.COMM_SELF,
    )
    problem = fem.Conduction(cell, _SIGMA, fem.SolverSettings(method=method, rtol=rtol))
    set_filament(problem, _CORE_NM, _OXIDE_NM, gap_nm)
    return problem


def _rounding(problem: fem.Conduction) -> float:
    """Current (A) that rounding of the potential makes at the electrodes: a volt's last digit on each edge there.

    Electrodes conduct eight decades better than an oxide with a gap, whose current is what is left of theirs.
    """
    operator, found = problem.operator, 0.0
    for surface in _VOLTAGE:
        there = np.zeros(operator.halo.local, dtype=bool)
        there[surface_dofs(problem.space, problem.cell, surface)] = True
        ends = there[operator.tail] ^ there[operator.head]
        found += float(((operator.edges[ends] * np.finfo(np.float64).eps) ** 2).sum())
    return float(np.sqrt(found))


@case(
    "terminal-current", "finite elements",
    problem=(
        "A filament of bonds over eight decades in 4 nm of oxide between electrodes, closed and with a gap of 1 nm, "
        "at 1.5 and -0.3 V."
    ),
    exact=(
        r"Conservation of energy: $\sum_s V_s I_s = u^T K u$, the power of all cells and bonds, with $I_s$ the "
        r"reaction at the electrode."
    ),
)  # fmt: skip
def terminal_current() -> list[Record]:
    """Reaction current times voltage is the dissipated power, with a filament of bonds in an insulator."""
    records, names, off, bounds, profiles = [], [], [], [], []
    for name, gap_nm in (("closed filament", 0.0), ("gap of 1 nm", 1.0)):
        problem = _problem(gap_nm, rtol=1e-13)
        tight = problem.solve(_VOLTAGE)
        power = problem.operator.energy(tight.potential_V)
        heat = float(tight.nodal_power_W.sum() + tight.bond_power_W.sum())
        reaction = sum(problem.reaction(surface) * voltage for surface, voltage in _VOLTAGE.items())
        loose = _problem(gap_nm, rtol=1e-8).solve(_VOLTAGE)
        supplied = sum(loose.currents_A[surface] * voltage for surface, voltage in _VOLTAGE.items())
        nodes = problem.space.tabulate_dof_coordinates()
        column = np.flatnonzero(np.hypot(*(nodes[:, :2] - 0.5 * _CORE_NM[0]).T) < 1e-6)
        profiles.append(figure.computed(name, nodes[column, 2], tight.potential_V[column]))
        short = name.partition(" ")[0]
        names += [f"{what}, {short}" for what in ("reaction V", "heat", "I V at 1e-8", "I at 1e-8")]
        bounds += [max(1e-10, 3.0 * _rounding(problem) / abs(tight.current_A)), 1e-12, 1e-10, 1e-10]
        off += [reaction / power - 1.0, heat / power - 1.0, supplied / loose.power_W - 1.0,
                loose.current_A / tight.current_A - 1.0]  # fmt: skip
        records += [
            Record(f"current, {name}", tight.current_A, "A"),
            Record.below(
                f"reaction V against u^T K u, {name}, relative", reaction / power - 1.0,
                max(1e-10, 3.0 * _rounding(problem) / abs(tight.current_A)),
            ),
            Record.below(f"heat of cells and bonds against u^T K u, {name}, relative", heat / power - 1.0, 1e-12),
            Record.below(f"I V against power, solved to 1e-8, {name}, relative", supplied / loose.power_W - 1.0, 1e-10),
            Record.below(
                f"I against a tight solution, {name}, relative", loose.current_A / tight.current_A - 1.0, 1e-10
            ),
            Record.above(f"least nodal power, {name}", float(tight.nodal_power_W.min()), 0.0, "W"),
        ]
    figure.draw(
        figure.Panel("potential along the axis", "z (nm)", "potential (V)", [
            *profiles, *(figure.other(f"electrode {name}", [0.0, _OXIDE_NM], [v, v]) for name, v in _VOLTAGE.items()),
        ]),
        figure.errors("power in against power out", names, off, bounds),
    )  # fmt: skip
    return records


@case(
    "bond-contrast", "finite elements",
    problem="Floating clusters of bonds up to 1e8 times as good as the oxide around them, at 1.5 and -0.3 V.",
    exact="The same system by a direct solver (LU): iterative ones agree to a microvolt, in at most 150 iterations.",
)  # fmt: skip
def contrast() -> list[Record]:
    """Floating clusters of bonds 1e8 times the insulator: iterative solvers agree with LU to a microvolt."""
    reference = _problem(1.0, 1e-8, "lu").solve(_VOLTAGE)
    records, found, gaps = [], [], []
    for method in ("icc", "gamg"):
        problem = _problem(1.0, 1e-8, method)
        state = problem.solve(_VOLTAGE)
        error = float(np.abs(state.potential_V - reference.potential_V).max())
        found.append((method, reference.potential_V, state.potential_V))
        gaps.append(figure.computed(method, reference.potential_V, np.maximum(np.abs(state.potential_V
                                    - reference.potential_V), 1e-17)))  # fmt: skip
        records += [
            Record.below(f"largest error of the potential, {method}", error, 1e-6, "V"),
            Record.below(f"error of the power, {method}, relative", state.power_W / reference.power_W - 1.0, 1e-12),
            Record.below(f"iterations from a zero guess, {method}", problem.iterations, 150),
        ]
    figure.draw(
        figure.parity("potential of all nodes", "potential (V)", found, names=("LU", "iterative")),
        figure.Panel("difference from LU", "potential (V)", "difference (V)", [
            *gaps, figure.limit("limit", [-0.3, 1.5], 1e-6)], y_log=True),
    )  # fmt: skip
    return records
