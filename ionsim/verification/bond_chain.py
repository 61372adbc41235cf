"""A chain of bonds across an insulator: the series conductance, and the potential of every link."""

import numpy as np
from mpi4py import MPI

import fem
import meshes
from ionsim.verification import figure
from ionsim.verification.record import Record, case

_HEIGHT_NM = 6.0
_WIDTH_NM = 5.0


@case(
    "bond-chain", "finite elements",
    problem=(
        "A chain of twelve bonds from 1e-5 to 1e-3 S spans a film of 5 x 5 x 6 nm of 1e-6 S/m between two electrodes "
        "at 0 and 1 V; bonds and finite elements are one matrix. The same with equal bonds of 1.2e-5 S in a film of "
        "100 S/m."
    ),
    exact=(
        r"Resistances in series: $G = 1/\sum_i g_i^{-1}$, with the potential of link $n$ at $G \sum_{i \leq n} "
        r"g_i^{-1}$. Equal bonds follow the film's own straight potential, so both conductances add up: $G = \sigma "
        r"A/d + g/12$."
    ),
    sources=("G. Kirchhoff, Ann. Phys. 148, 497 (1847)",),
    quick=True,
)  # fmt: skip
def bond_chain() -> list[Record]:
    """A chain of unequal bonds has the series conductance; equal ones add exactly to the film's own."""
    axis = np.linspace(0.0, _WIDTH_NM, 11)
    heights = np.linspace(0.0, _HEIGHT_NM, 13)
    cell = meshes.tensor_box(axis, axis, heights, {"oxide": (0.0, _HEIGHT_NM)}, MPI.COMM_SELF)
    points = np.stack([np.full(13, 2.5), np.full(13, 2.0), heights], axis=1)

    def solve(sigma: float, bonds: np.ndarray) -> tuple[float, np.ndarray]:
        problem = fem.Conduction(cell, {"oxide": sigma}, fem.SolverSettings(method="icc", rtol=1e-12))
        sites = fem.SiteOperator(problem, points, kind="nearest")
        problem.set_bonds(sites.dofs[:-1], sites.dofs[1:], bonds)
        state = problem.solve({"top": 1.0, "bottom": 0.0})
        return state.current_A, sites.sample(state.potential_V)

    bonds = 1e-5 * np.logspace(0.0, 2.0, 12)
    series = 1.0 / np.sum(1.0 / bonds)
    current, potential = solve(1e-6, bonds)
    exact = np.concatenate([[0.0], np.cumsum(series / bonds)])
    film = 1e2 * (_WIDTH_NM**2 / _HEIGHT_NM) * 1e-9
    together, _ = solve(1e2, np.full(12, 1.2e-5))
    fine = np.linspace(0.0, _HEIGHT_NM, 13)
    figure.draw(figure.Panel("potential along the chain", "z (nm)", "potential (V)", [
        figure.exact("resistances in series", fine, exact),
        figure.computed("bonds and finite elements", fine, potential),
        figure.other("film without a chain", fine, fine / _HEIGHT_NM),
    ]))  # fmt: skip
    return [
        Record.below("series conductance in an insulator, relative", current / series - 1.0, 1e-8),
        Record.below("potential of the links", float(np.abs(potential - exact).max()), 1e-8, "V"),
        Record.below("equal bonds beside a film, relative", together / (film + 1e-6) - 1.0, 1e-10),
    ]
