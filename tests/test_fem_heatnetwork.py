"""Heat that leaves through surfaces: exact profiles and decays, balance, interfaces, and what is refused."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import numpy as np
import pytest
from mpi4py import MPI

import meshes
from ionsim.verification.ion_line import line

KAPPA, CAPACITY = {"electrolyte": 1.2, "channel": 1.6}, {"electrolyte": 1.6e6, "channel": 2.0e6}  # chosen
METALS = {"source": 50.0, "drain": 50.0}
STACK = {"channel_nm": 8.0, "electrolyte_nm": 6.0}


def slab(length_nm=30.0, kappa=2.0, sinks=None):
    nodes = length_nm * np.sort(np.concatenate([[0.0, 0.5, 1.0], np.random.default_rng(2).random(20)]))
    cell = line(nodes, {"bar": (0.0, length_nm)})
    heat = fem.HeatNetwork(cell, {"bar": kappa}, {"bar": 2e6}, sinks or {"bottom": 1e8, "top": 3e7}, 310.0)
    x = np.asarray(heat.space.tabulate_dof_coordinates())[:, 0] * 1e-9
    edges = np.sort(x)
    width = np.diff(np.concatenate([edges[:1], 0.5 * (edges[1:] + edges[:-1]), edges[-1:]]))
    return heat, x, width[np.argsort(np.argsort(x))]


def test_heated_slab_has_its_parabola_between_two_sinks():
    heat, x, width = slab()
    density, length = 4e15, 30e-9  # W/m^3
    found = heat.solve(density * width)
    # -kappa T'' = density; kappa T' = h (T - ambient) at x = 0, and the same with the other h at the other end.
    down, up, kappa = 1e8, 3e7, 2.0
    slope = density * length * (0.5 * length / kappa + 1.0 / up) / (kappa * (1.0 / down + 1.0 / up) + length)
    rise = kappa * slope / down + slope * x - density * x**2 / (2.0 * kappa)
    np.testing.assert_allclose(found - 310.0, rise, rtol=1e-10)
    assert sum(heat.out_W().values()) == pytest.approx(density * length, rel=1e-10)
    assert heat.out_W()["bottom"] == pytest.approx(kappa * slope, rel=1e-10)


def test_thin_slab_cools_by_one_exponential():
    heat, _, _ = slab(kappa=2e6)
    heat.temperature_K = 350.0
    time_s = 2e6 * 30e-9 / 1.3e8
    assert heat.slowest_s == pytest.approx(time_s)
    for _ in range(400):
        found = heat.step(time_s / 400.0)
    np.testing.assert_allclose(found - 310.0, 40.0 * (1.0 + 1.0 / 400.0) ** -400, rtol=1e-5)
    assert heat.stored_J() == pytest.approx((found[0] - 310.0) * 2e6 * 30e-9, rel=1e-5)


def test_interface_of_a_stack_lets_the_temperature_jump_or_not():
    cell = meshes.ecram_stack(**STACK, comm=MPI.COMM_SELF)
    pairs_K = []
    for contact in (fem.Contact(), fem.Contact(thermal_W_per_m2K=5e7)):
        heat = fem.HeatNetwork(cell, KAPPA, CAPACITY, {"back": 1e8}, interfaces={"electrolyte/channel": contact})
        x = np.asarray(heat.space.tabulate_dof_coordinates())[:, 0]
        source = np.where(x == x.max(), 2e8, 0.0)  # W/m^2 at the gate, all of it through everything
        found = heat.solve(source)
        pair = np.sort(found[np.abs(x - 8.0) < 1e-9])
        pairs_K.append(np.diff(pair)[0])
        assert pair[0] == pytest.approx(300.0 + 2e8 * (1e-8 + 8e-9 / 1.6))
        assert found.max() == pytest.approx(pair[1] + 2e8 * 6e-9 / 1.2)
    np.testing.assert_allclose(pairs_K, [0.0, 4.0], atol=1e-9)


def vertical(sinks, metal_W_per_mK=50.0):
    cell = meshes.ecram_vertical(channel_length_nm=60.0, gate_length_nm=60.0, channel_nm=8.0, electrolyte_nm=6.0,
                                 contact_nm=8.0, comm=MPI.COMM_SELF)  # fmt: skip
    metals = dict.fromkeys(METALS, metal_W_per_mK)
    return cell, fem.HeatNetwork(cell, KAPPA | metals, CAPACITY | dict.fromkeys(METALS, 2.5e6), sinks)


def test_heat_in_is_stored_or_leaves():
    _, heat = vertical({"bottom": 2e7, "gate": 1e8, "source": 5e7, "drain": 5e7})
    rng, stored = np.random.default_rng(5), 0.0
    for dt_s in (1e-12, 1e-12, 3e-10, 1e-8, 2.0):
        source = rng.random(heat.temperature_K.size)
        heat.step(dt_s, source)
        gained, out = (heat.stored_J() - stored) / dt_s, sum(heat.out_W().values())
        assert gained + out == pytest.approx(source.sum(), rel=1e-10)
        stored = heat.stored_J()
    assert heat.out_W()["source"] + heat.out_W()["drain"] < source.sum()


def test_plane_without_ends_is_the_stack():
    # A contact that conducts would even out what differs along z at the channel's end.
    _, heat = vertical({"bottom": 2e7, "gate": 1e8}, metal_W_per_mK=1e-9)
    stack = fem.HeatNetwork(meshes.ecram_stack(**STACK, comm=MPI.COMM_SELF), KAPPA, CAPACITY,
                            {"back": 2e7, "gate": 1e8})  # fmt: skip
    x = np.asarray(heat.space.tabulate_dof_coordinates())
    z = np.asarray(stack.space.tabulate_dof_coordinates())[:, 0]
    ends = np.abs(x[:, 0])[np.isclose(x[:, 1], x[:, 1].max())]
    lines = np.unique(np.round(ends, 9))
    width = np.interp(np.abs(x[:, 0]), lines, np.concatenate([
        [lines[1]], 0.5 * (lines[2:] - lines[:-2]), [0.5 * (lines[-1] - lines[-2])]
    ])) * 1e-9  # fmt: skip
    for problem, at, per in ((stack, z, 1.0), (heat, x[:, 1], width)):
        problem.solve(np.where(np.isclose(at, 14.0), 3e8 * per, 0.0))
    straight = stack.temperature_K[np.argsort(z)]
    middle = heat.temperature_K[np.abs(x[:, 0]) < 1e-9]
    np.testing.assert_allclose(np.sort(middle), np.sort(straight), rtol=1e-9)


@pytest.mark.parametrize(("changes", "message"), [
    ({"thermal_W_per_mK": KAPPA}, "thermal_W_per_mK: region 'source' has no value"),
    ({"capacity_J_per_m3K": KAPPA | METALS | {"gate": 1.0}}, "capacity_J_per_m3K: region 'gate'"),
    ({"sinks_W_per_m2K": {}}, "heat needs a way out"),
    ({"sinks_W_per_m2K": {"botom": 1e7}}, "surface 'botom'"),
    ({"sinks_W_per_m2K": {"bottom": 0.0}}, "surface 'bottom' must be positive"),
    ({"ambient_K": -3.0}, "ambient_K"),
])  # fmt: skip
def test_bad_input_is_refused(changes, message):
    cell, _ = vertical({"bottom": 1e7})
    arguments = {"thermal_W_per_mK": KAPPA | METALS, "capacity_J_per_m3K": KAPPA | METALS,
                 "sinks_W_per_m2K": {"bottom": 1e7}} | changes  # fmt: skip
    with pytest.raises(fem.FemError, match=message):
        fem.HeatNetwork(cell, **arguments)


def test_a_part_without_sink_and_bad_steps_are_refused():
    cell, heat = vertical({"bottom": 1e7})
    blocked = {name: fem.Contact(thermal_W_per_m2K=0.0) for name in cell.interfaces}
    with pytest.raises(fem.FemError, match="touches no sink"):
        fem.HeatNetwork(cell, KAPPA | METALS, KAPPA | METALS, {"bottom": 1e7}, interfaces=blocked)
    with pytest.raises(fem.FemError, match="dt_s"):
        heat.step(0.0)
    with pytest.raises(fem.FemError, match="source_W must be a nodal array"):
        heat.step(1.0, [1.0])
    with pytest.raises(fem.FemError, match="temperature_K must be positive"):
        heat.temperature_K = 0.0
