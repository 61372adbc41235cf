"""Good conductors as short circuits: a better guess, the same solution."""

import numpy as np
import pytest
import scipy.sparse

import fem
import meshes
from fem.shorts import tree_power

VOLTAGE = {"top": 1.0, "bottom": 0.0}
FILM_S_PER_M, METAL_S_PER_M, BULK_S = 1e-3, 1e7, 1e-2


def problem(short_S: float | None, rtol: float = 1e-6) -> fem.Conduction:
    """Film between two electrodes, on a mesh that is too large for a direct solver."""
    x = np.linspace(0.0, 3.0, 17)
    z = np.concatenate([[-2.0, -1.0], np.linspace(0.0, 3.0, 17), [4.0, 5.0]])
    cell = meshes.tensor_box(x, x, z, {"below": (-2.0, 0.0), "film": (0.0, 3.0), "above": (3.0, 5.0)})
    sigma = {"below": METAL_S_PER_M, "film": FILM_S_PER_M, "above": METAL_S_PER_M}
    return fem.Conduction(cell, sigma, fem.SolverSettings(rtol=rtol, short_S=short_S))


def column(conduction: fem.Conduction, low_nm: float, high_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Bonds up the middle of the film, between these heights."""
    x = conduction.space.tabulate_dof_coordinates()
    line = np.flatnonzero((np.abs(x[:, :2] - 1.5).max(axis=1) < 1e-6) & (x[:, 2] > low_nm) & (x[:, 2] < high_nm))
    line = line[np.argsort(x[line, 2])]
    return line[:-1], line[1:]


@pytest.mark.parametrize("heights", [(0.7, 2.3), (-0.01, 2.0), (1.0, 3.01)])
def test_floating_and_grounded_metal_leave_nothing_for_the_iteration_that_follows(heights):
    near, plain = problem(1e-5, rtol=1e-4), problem(None, rtol=1e-9)
    for conduction in (near, plain):
        first, second = column(conduction, *heights)
        conduction.set_bonds(first, second, np.full(len(first), BULK_S))
    fast, exact = near.solve(VOLTAGE), plain.solve(VOLTAGE)
    assert fast.current_A == pytest.approx(exact.current_A, rel=1e-6)
    assert fast.power_W == pytest.approx(fast.current_A, rel=1e-9)
    assert np.abs(fast.potential_V - exact.potential_V).max() < 1e-4
    assert near.iterations == 0 < plain.iterations


def test_weak_bonds_between_shorts_are_no_shorts():
    """A tunnelling gap carries 1e4 times the current of the film; the film beside it is as well solved as before."""
    near, plain = problem(1e-5), problem(None, rtol=1e-10)
    states = []
    for conduction in (near, plain):
        first, second = column(conduction, -0.01, 3.01)
        strength = np.full(len(first), BULK_S)
        strength[7] = 1e-8
        conduction.set_bonds(first, second, strength)
        states.append(conduction.solve(VOLTAGE))
    fast, exact = states
    assert exact.current_A == pytest.approx(1e-8, rel=1e-2)
    assert fast.current_A == pytest.approx(exact.current_A, rel=1e-6)
    assert np.abs(fast.potential_V - exact.potential_V).max() < 1e-5


def test_the_film_beside_a_bridge_is_as_well_solved_as_without_it():
    """It carries 1e-9 of the current, so that the energy of all says nothing about it."""
    near, loose, exact = problem(1e-5, rtol=1e-3), problem(None, rtol=1e-3), problem(None, rtol=1e-11)
    states = []
    for conduction in (near, loose, exact):
        first, second = column(conduction, -0.01, 3.01)
        conduction.set_bonds(first, second, np.full(len(first), BULK_S))
        states.append(conduction.solve(VOLTAGE))
    error, without, _ = (np.abs(state.potential_V - states[2].potential_V).max() for state in states)
    assert error < 1e-3
    assert error < 0.2 * without
    assert states[0].current_A == pytest.approx(states[2].current_A, rel=1e-5)


def network(first, second, conductance, count):
    table = scipy.sparse.coo_array((conductance, (first, second)), shape=(count, count))
    return (table + table.T).tocsr()


def test_the_power_along_a_chain_is_exact():
    """1 A enters at nodes 3 and 5 of 0-1-2-3-4-5 and leaves at 0; node 6 has no conductor."""
    table = network(range(5), range(1, 6), [1.0, 2.0, 4.0, 5.0, 10.0], 7)
    current = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 3.0])
    roots = np.arange(7) == 0
    assert tree_power(table, roots, current) == pytest.approx(4.0 + 4.0 / 2.0 + 4.0 / 4.0 + 1.0 / 5.0 + 1.0 / 10.0)
    both = roots | (np.arange(7) == 5)  # node 3 is nearer to 5
    assert tree_power(table, both, current) == pytest.approx(1.0 / 5.0 + 1.0 / 10.0)


def test_no_way_of_the_current_dissipates_less_than_the_true_one():
    generator = np.random.default_rng(4)
    count = 40
    first, second = np.triu_indices(count, 1)
    some = (generator.uniform(size=first.size) < 0.1) | (second == first + 1)
    first, second = first[some], second[some]
    table = network(first, second, generator.uniform(0.1, 10.0, first.size), count)
    laplace = np.diag(table.sum(axis=1)) - table.toarray()
    for _ in range(5):
        roots = generator.uniform(size=count) < 0.1
        roots[0] = True
        current = np.where(roots, 0.0, generator.normal(size=count))
        exact = current[~roots] @ np.linalg.solve(laplace[np.ix_(~roots, ~roots)], current[~roots])
        assert exact <= tree_power(table, roots, current) < 100.0 * exact


def test_a_short_has_a_positive_conductance():
    with pytest.raises(fem.FemError, match=r"short_S must be above 0 S, or None, got 0\.0"):
        fem.SolverSettings(short_S=0.0)
