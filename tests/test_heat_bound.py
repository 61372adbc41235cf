"""The bound of a temperature rise holds for any heat, is sharp for the worst, and spares solves only where it may."""

import numpy as np
import pytest
from small_device import small_device

import fem
import meshes
from ionsim.coupling.heat_bound import RiseBound
from ionsim.devices.vcm import Vcm

AMBIENT_K = 300.0


@pytest.fixture(scope="module")
def heat() -> fem.Heat:
    x, z = np.linspace(0.0, 4.0, 11), np.linspace(0.0, 3.0, 10)
    cell = meshes.tensor_box(x, x, z, {"below": (0.0, 1.0), "film": (1.0, 2.0), "above": (2.0, 3.0)})
    return fem.Heat(cell, {"below": 50.0, "film": 1.0, "above": 50.0}, {"bottom": AMBIENT_K, "top": AMBIENT_K})


@pytest.fixture(scope="module")
def bound(heat) -> RiseBound:
    return RiseBound(heat, np.array([[at, at, z] for at in (2.0, 0.0) for z in (1.0, 1.5, 2.0)]))


def rise(heat, source):
    return heat.solve(source).max() - AMBIENT_K


def test_it_is_sharp_for_heat_on_one_node(heat, bound):
    node = fem.SiteOperator(heat.space, np.array([[0.0, 0.0, 1.5]]), kind="nearest")
    source = node.deposit([1e-8])
    assert bound.rise_K(source) == pytest.approx(rise(heat, source), rel=1e-6)


@pytest.mark.parametrize("spread", [0.3, 1.0, 5.0])
def test_no_arrangement_of_heat_in_the_film_gets_hotter(heat, bound, spread):
    generator = np.random.default_rng(5)
    x = heat.space.tabulate_dof_coordinates()
    for _ in range(5):
        centre = generator.uniform([0.0, 0.0, 1.0], [4.0, 4.0, 2.0])
        inside = (x[:, 2] > 0.99) & (x[:, 2] < 2.01)
        source = np.exp(-(((x - centre) / spread) ** 2).sum(axis=1)) * generator.uniform(0.0, 1.0, len(x)) * inside
        source *= 1e-8 / source.sum()
        assert 0.0 < rise(heat, source) <= bound.rise_K(source)
        assert bound.least_K(source) <= bound.rise_K(source)


def test_heat_is_left_out_where_it_is_negligible_and_only_there(monkeypatch):
    fields = Vcm(small_device(), np.random.SeedSequence(1)).fields
    conducting = np.zeros(len(fields.unit_potential), dtype=bool)
    fields.solve_potential(conducting)
    solved = []
    solve, step = fields.heat.solve, fields.heat.step
    monkeypatch.setattr(fields.heat, "solve", lambda source: solved.append("steady") or solve(source))
    monkeypatch.setattr(fields.heat, "step", lambda time_s, source: solved.append("step") or step(time_s, source))
    fields.solve_heat(conducting, 1.0, None)
    rise_K = fields.peak_K - fields.heat_path.ambient_K
    assert rise_K > 0.0
    assert solved.pop() == "steady"
    weak_V = 0.1 * np.sqrt(0.01 / rise_K)  # a hundredth of the limit, and the bound is no more than ten times the rise
    fields.solve_heat(conducting, 1.0, None)
    fields.solve_heat(conducting, weak_V, 1e-12)  # still warm from before
    assert solved == ["step"]
    assert fields.peak_K > fields.heat_path.ambient_K
    fields.solve_heat(conducting, weak_V, None)
    assert solved == ["step"]
    assert np.all(fields.temperature_K == fields.heat_path.ambient_K)
    fields.solve_heat(conducting, 1.0, None)
    assert solved == ["step", "steady"]
    assert fields.peak_K - fields.heat_path.ambient_K == pytest.approx(rise_K, rel=0.01)
