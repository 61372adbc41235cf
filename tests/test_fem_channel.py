"""Conduction of a channel, exact answers; and the geometries of ECRAM under fem.Transport: conservation, 2D is 1D."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import functools

import numpy as np
import pytest
import scipy.constants
from mpi4py import MPI

import meshes
from fem.halo import Halo
from fem.scharfetter import region_network
from ionsim.verification.channel_conduction import channel_conduction
from ionsim.verification.ion_line import line
from ionsim.verification.split_blocks import blocks

E_C = scipy.constants.elementary_charge
LENGTH_M, THICK_M = 60e-9, 8e-9
SHAPE = {"channel_length_nm": 60.0, "gate_length_nm": 60.0, "channel_nm": 8.0, "contact_nm": 8.0, "lateral_nm": 8.0}


@functools.cache
def bar():
    """A channel with contacts at its ends, its conduction, and the coordinates of its dofs in m."""
    cell = meshes.ecram_vertical(**SHAPE, comm=MPI.COMM_SELF)
    channel = fem.ChannelConduction(cell)
    return cell, channel, channel.space.tabulate_dof_coordinates() * 1e-9


def everywhere(channel, value):
    return np.full(channel.space.dofmap.index_map.size_local, value)


def heights(channel, x):
    """Nodes by height (levels,) in m, the level of each node of the channel, and the thickness (levels,) of each."""
    z, level = np.unique(np.round(x[channel.nodes, 1], 20), return_inverse=True)
    edges = np.concatenate([z[:1], 0.5 * (z[1:] + z[:-1]), z[-1:]])
    return z, level, np.diff(edges)


def test_uniform_bar_has_its_resistance_and_a_straight_potential():
    _, channel, x = bar()
    state = channel.solve(everywhere(channel, 40.0))
    assert state.conductance_S == pytest.approx(40.0 * THICK_M / LENGTH_M, rel=1e-12)
    share = state.source_share
    np.testing.assert_allclose(share[channel.nodes], 0.5 - x[channel.nodes, 0] / LENGTH_M, atol=1e-12)
    outside = np.setdiff1d(np.arange(share.size), channel.nodes)
    np.testing.assert_array_equal(share[outside], np.where(x[outside, 0] < -0.5 * LENGTH_M - 1e-12, 1.0, 0.0))
    density = channel.current_density(state, 0.5)
    wanted = [40.0 * 0.5 / LENGTH_M, 0.0]
    np.testing.assert_allclose(density[channel.nodes], np.tile(wanted, (channel.nodes.size, 1)), atol=1e-9 * wanted[0])


def test_layers_in_parallel_are_exact_however_much_they_differ():
    _, channel, x = bar()
    z, level, thickness = heights(channel, x)
    of_level = np.where(np.arange(z.size) % 2, 1e-3, 1e4)
    sigma = everywhere(channel, np.nan)
    sigma[channel.nodes] = of_level[level]
    exact = float(of_level @ thickness) / LENGTH_M
    assert channel.solve(sigma).conductance_S == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("contact_ohm_m2", [None, 2e-12])
def test_layers_in_series_are_exact_however_much_they_differ(contact_ohm_m2):
    cell, _, x = bar()
    channel = fem.ChannelConduction(cell, contact_ohm_m2=contact_ohm_m2)
    column, at = np.unique(np.round(x[channel.nodes, 0], 20), return_inverse=True)
    edges = np.concatenate([column[:1], 0.5 * (column[1:] + column[:-1]), column[-1:]])
    of_column = np.where(np.arange(column.size) % 2, 1e-3, 1e2)
    sigma = everywhere(channel, np.nan)
    sigma[channel.nodes] = of_column[at]
    state = channel.solve(sigma)
    ohms = np.concatenate([[contact_ohm_m2 or 0.0], np.diff(edges) / of_column])
    assert 1.0 / state.conductance_S == pytest.approx((ohms.sum() + (contact_ohm_m2 or 0.0)) / THICK_M, rel=1e-10)
    steps = 0.5 * np.diff(column) * (1.0 / of_column[1:] + 1.0 / of_column[:-1])
    passed = np.cumsum([contact_ohm_m2 or 0.0, *steps])
    share = 1.0 - passed / (ohms.sum() + (contact_ohm_m2 or 0.0))
    np.testing.assert_allclose(state.source_share[channel.nodes], share[at], atol=1e-9)


@pytest.mark.parametrize("sheet_S", [3e-7, -2e-9, -1.4e-7])
def test_sheet_adds_and_depletion_goes_as_deep_as_it_must(sheet_S):
    _, channel, x = bar()
    state = channel.solve(everywhere(channel, 40.0), everywhere(channel, sheet_S))
    assert state.conductance_S == pytest.approx((40.0 * THICK_M + sheet_S) / LENGTH_M, rel=1e-11)
    inside = state.sigma_S_per_m[channel.nodes]
    assert inside.min() > 0.0
    if sheet_S == -1.4e-7:  # 3.5 nm of the 8 nm
        np.testing.assert_allclose(inside[x[channel.nodes, 1] > THICK_M - 3.2e-9], 0.04, rtol=1e-9)
        np.testing.assert_allclose(inside[x[channel.nodes, 1] < THICK_M - 4.4e-9], 40.0)


def test_depletion_of_all_leaves_a_thousandth():
    _, channel, _ = bar()
    state = channel.solve(everywhere(channel, 40.0), everywhere(channel, -1.0))
    assert state.conductance_S == pytest.approx(1e-3 * 40.0 * THICK_M / LENGTH_M, rel=1e-9)


def rough(channel, seed=3):
    rng = np.random.default_rng(seed)
    zero = everywhere(channel, 0.0)
    return np.exp(rng.normal(zero, 2.0)), rng.normal(zero, 1e-8)


def test_shares_of_source_and_drain_sum_to_one_and_are_where_currents_go():
    cell, channel, _ = bar()
    sigma, sheet = rough(channel)
    state = channel.solve(sigma, sheet)
    other = fem.ChannelConduction(cell, source="drain", drain="source").solve(sigma, sheet)
    inside = channel.nodes
    np.testing.assert_allclose((state.source_share + other.source_share)[inside], 1.0, atol=1e-11)
    assert other.conductance_S == pytest.approx(state.conductance_S, rel=1e-11)
    assert np.all((state.source_share >= -1e-12) & (state.source_share <= 1.0 + 1e-12))
    node = inside[np.argmin(np.abs(state.source_share[inside] - 0.3))]
    currents = everywhere(channel, 0.0)
    currents[node] = 1e-6
    volts = channel.potential_V(currents)
    net = channel.network
    mean = 2.0 / (1.0 / state.sigma_S_per_m[net.tail] + 1.0 / state.sigma_S_per_m[net.head])
    flow = mean * net.weight * (volts[net.tail] - volts[net.head])
    source = channel._contacts[0].nodes
    leaves = flow[np.isin(net.head, source)].sum() - flow[np.isin(net.tail, source)].sum()
    assert leaves == pytest.approx(1e-6 * state.source_share[node], rel=1e-9)


def test_mirrored_channel_has_mirrored_shares():
    _, channel, x = bar()
    inside = channel.nodes
    mirror = inside[np.lexsort([np.round(-x[inside, 0], 20), np.round(x[inside, 1], 20)])]
    straight = inside[np.lexsort([np.round(x[inside, 0], 20), np.round(x[inside, 1], 20)])]
    sigma, sheet = rough(channel)
    turned, turned_sheet = sigma.copy(), sheet.copy()
    turned[mirror], turned_sheet[mirror] = sigma[straight], sheet[straight]
    one, two = channel.solve(sigma, sheet), channel.solve(turned, turned_sheet)
    np.testing.assert_allclose(two.source_share[mirror], 1.0 - one.source_share[straight], atol=1e-11)


def test_current_all_along_a_line_makes_an_eighth_of_current_times_resistance():
    # sigma V'' = -I / (A L) with V = 0 at both ends: V = I x (L - x) / (2 sigma A L), I L / (8 sigma A) in the middle.
    nodes = np.sort(np.concatenate([[25.0], 50.0 * np.random.default_rng(1).random(30), [0.0, 50.0]]))
    channel = fem.ChannelConduction(line(nodes, {"bar": (0.0, 50.0)}), "bar", "bottom", "top", None)
    state = channel.solve(everywhere(channel, 7.0))
    assert state.conductance_S == pytest.approx(7.0 / 50e-9)
    currents = 2e6 * channel.network.volume / 50e-9
    assert channel.drop_V(currents) == pytest.approx(2e6 / state.conductance_S / 8.0, rel=1e-12)
    x = channel.space.tabulate_dof_coordinates()[:, 0] * 1e-9
    np.testing.assert_allclose(channel.potential_V(currents), 2e6 * x * (50e-9 - x) / (2 * 7.0 * 50e-9), atol=1e-14)


@pytest.mark.parametrize("across", [[], [(0.0, 2.0, 5.0, 9.0)], [(0.0, 2.0, 5.0), (0.0, 1.0, 4.0)]])
def test_contacts_are_surfaces_or_regions_and_have_their_resistance(across):
    cell = blocks(5.0, 2.0, (5, 2), [np.array(axis) for axis in across], split=False)
    channel = fem.ChannelConduction(cell, "lower", "bottom", "upper", None, contact_ohm_m2=3e-10)
    state = channel.solve(everywhere(channel, 20.0))
    area = float(np.prod([axis[-1] * 1e-9 for axis in across]))
    assert 1.0 / state.conductance_S == pytest.approx((2 * 3e-10 + 5e-9 / 20.0) / area)
    assert np.sum(state.source_share == 0.0) > 0  # the metal of the drain


@pytest.mark.parametrize(("arguments", "message"), [
    ({"channel": "canal"}, "region 'canal'"),
    ({"source": "sauce"}, "source: region or surface 'sauce'"),
    ({"drain": "gate"}, "drain: 'gate' has no face in common"),
    ({"drain": "source"}, "touch each other"),
    ({"interface": "electrolyte/chanel"}, "interface 'electrolyte/chanel'"),
    ({"contact_ohm_m2": 0.0}, "contact_ohm_m2 must be positive"),
])  # fmt: skip
def test_bad_names_and_values_are_refused(arguments, message):
    cell, _, _ = bar()
    with pytest.raises(fem.FemError, match=message):
        fem.ChannelConduction(cell, **arguments)


def test_bad_conductivities_are_refused():
    cell, _, _ = bar()
    channel = fem.ChannelConduction(cell, interface=None)
    with pytest.raises(fem.FemError, match="call solve first"):
        channel.drop_V(everywhere(channel, 0.0))
    with pytest.raises(fem.FemError, match="sigma_S_per_m must be positive"):
        channel.solve(everywhere(channel, 0.0))
    with pytest.raises(fem.FemError, match="needs an interface"):
        channel.solve(everywhere(channel, 1.0), everywhere(channel, 1.0))
    with pytest.raises(fem.FemError, match="must be a nodal array"):
        channel.solve(np.ones(3))


def test_case_passes():
    records = channel_conduction()
    assert [(record.name, record.value) for record in records if record.passed is False] == []
    assert any(record.passed for record in records)


# -- the geometries under fem.Transport -----------------------------------------------------------------------


def transport(cell):
    """Protons between a gate that takes them up and a channel, with compact layers at every metal; all chosen."""
    law = fem.ChargeTransfer("ion", fem.insertion_exchange(1e4), "inserted")
    return fem.Transport(
        cell, {"electrolyte": 4.0},
        {"electrolyte": fem.Phase(["electrolyte"], 1e28, fem.lattice_gas, -1e27),
         "channel": fem.Phase(["channel"], 1.86e28, fem.regular_solution(-0.2))},
        {"ion": fem.Species("electrolyte", 1, 1e-12, 1e27, hop_nm=0.35),
         "inserted": fem.Species("channel", 1, 1e-13, 0.1 * 1.86e28)},
        {"gate": fem.Terminal(["gate"], reactions=[fem.ChargeTransfer("ion", 1e4)], capacitance_F_per_m2=0.07),
         "channel": fem.Terminal(regions=[name for name in ("channel", "source", "drain") if name in cell.regions])},
        {name: fem.Junction([law] if name == "electrolyte/channel" else [], 0.07) for name in cell.interfaces},
    )  # fmt: skip


def pulse(problem):
    """3 V for 4 ns after 33 ns of rest, in steps that are always the same.

    Returns the charge of both wires, that of the ions which reached the channel, and the last step.
    """
    for volts, steps in ((0.0, 15), (3.0, 12)):
        problem.restart()
        before, ions = dict(problem.charge_C), problem.amount("inserted")
        for k in range(steps):
            state = problem.step(1e-12 * 2.0**k, {"gate": volts, "channel": 0.0})
    charge = {name: value - before[name] for name, value in problem.charge_C.items()}
    return charge, E_C * (problem.amount("inserted") - ions), state


GEOMETRIES = [
    (meshes.ecram_stack, {"channel_nm": 8.0}), (meshes.ecram_vertical, SHAPE),
    (meshes.ecram_vertical, SHAPE | {"overlap_nm": 10.0, "gate_length_nm": 50.0, "edge_nm": 4.0}),
    (meshes.ecram_lateral, {"channel_length_nm": 40.0, "gap_nm": 15.0, "gate_length_nm": 20.0, "size_nm": 0.6,
                            "gate_nm": 10.0, "edge_nm": 6.0}),
]  # fmt: skip


@pytest.mark.parametrize(("build", "shape"), GEOMETRIES)
def test_charge_is_conserved_over_a_pulse(build, shape):
    problem = transport(build(**shape, comm=MPI.COMM_SELF))
    charge, inserted, state = pulse(problem)
    assert charge["gate"] > 0.0
    assert charge["gate"] == pytest.approx(-charge["channel"], rel=1e-11)
    assert 0.0 < inserted < charge["gate"]
    for part in (state.metal_displacement_A, state.metal_ions_A):
        assert np.all(np.isfinite(part))
    total = state.metal_displacement_A.sum() + state.metal_ions_A.sum()
    assert abs(total) < 1e-9 * np.abs(state.metal_displacement_A).sum()


def test_vertical_cell_without_overlap_is_the_stack_everywhere_along_it():
    results = []
    for build, shape in GEOMETRIES[:2]:
        problem = transport(build(**shape, comm=MPI.COMM_SELF))
        charge, _, state = pulse(problem)
        pairs, area = problem.interface("electrolyte/channel")
        x = problem.fraction("inserted")
        surface = np.where(np.isfinite(x[pairs[:, 0]]), pairs[:, 0], pairs[:, 1])
        results.append((charge["gate"], x[surface], problem.metal_charge_C[surface] / area,
                        state.metal_ions_A[surface]))  # fmt: skip
    (stack, x, held, _), (cell, along, sheet, _) = results
    assert cell == pytest.approx(stack * LENGTH_M, rel=1e-10)
    np.testing.assert_allclose(along, x[0], rtol=1e-9)
    np.testing.assert_allclose(sheet, held[0], rtol=1e-9)


def test_vertical_cell_in_3d_is_that_of_the_plane():
    coarse = {"size_nm": 0.8, "largest_nm": 2.5, "growth": 2.0, "lateral_nm": 15.0, "edge_nm": 6.0}
    plane = SHAPE | coarse
    solid = plane | {"width_nm": 30.0, "electrolyte_width_nm": 30.0, "gate_width_nm": 30.0, "half": True}
    results = []
    for build, shape, width in ((meshes.ecram_vertical, plane, 15e-9), (meshes.ecram_vertical_3d, solid, 1.0)):
        cell = build(**shape, comm=MPI.COMM_SELF)
        problem = transport(cell)
        charge, inserted, _ = pulse(problem)
        assert charge["gate"] == pytest.approx(-charge["channel"], rel=1e-11)
        x = problem.fraction("inserted")
        conduction = fem.ChannelConduction(cell).solve(np.where(np.isfinite(x), 1e3 * x, 0.0))
        results.append([width * value for value in (charge["gate"], inserted, conduction.conductance_S)])
    np.testing.assert_allclose(results[1], results[0], rtol=5e-4)  # of bricks cut in six; half with half the edges


@pytest.mark.parametrize("across", [(60.0,), (60.0, 13.0)])
def test_control_volumes_on_grid_lines_do_not_depend_on_how_rectangles_are_cut(across):
    axes = [np.array([0.0, 0.1, 0.5, 1.0]) * length for length in across]
    cell = blocks(5.0, 3.0, (5, 4), axes, split=False)
    space = fem.scalar_space(cell)
    x = np.asarray(space.tabulate_dof_coordinates())
    network = region_network(cell, "lower", space, Halo(space))
    grid = [*axes, np.linspace(0.0, 5.0, 6)]
    dual = [np.diff(np.concatenate([axis[:1], 0.5 * (axis[1:] + axis[:-1]), axis[-1:]])) for axis in grid]
    exact = np.prod([part[np.searchsorted(axis, x[network.nodes, k] - 1e-9)]
                     for k, (axis, part) in enumerate(zip(grid, dual, strict=True))], axis=0)  # fmt: skip
    found = network.volume[network.nodes] * 1e9 ** len(grid)
    assert found.sum() == pytest.approx(exact.sum())
    if len(grid) == 2:
        np.testing.assert_allclose(found, exact, rtol=1e-12)
    else:  # of a brick in six, two corners of the eight have 1/6 of it, the others 1/9
        inner = np.all([(x[network.nodes, k] > 1e-9) & (x[network.nodes, k] < axis[-1] - 1e-9)
                        for k, axis in enumerate(grid)], axis=0)  # fmt: skip
        assert np.all(found > 0.0)
        assert np.abs(found / exact - 1.0)[inner].max() < 0.4
