"""The phase front: speed, curvature, melting, what stands still, latent heat; and two ranks against one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fem
import meshes
from ionsim.materials.crystallisation import GST_225
from ionsim.verification import stefan
from ionsim.verification.planar_front import (
    REGION,
    ball_travel,
    box,
    front_curvature,
    planar_front,
    planar_speed,
    radius_nm,
)
from ionsim.verification.serial_parallel import launch


@dataclass(frozen=True)
class Axisymmetric:
    """A mesh in (r, z)."""

    plane: meshes.LabelledMesh
    axisymmetric: bool = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plane, name)


def constant(speed_m_per_s: float) -> Any:
    return lambda kelvin: np.full(kelvin.shape, speed_m_per_s)


def kelvin(front: fem.PhaseFront, value: float = 300.0) -> np.ndarray:
    return np.full(front.halo.local, value)


@pytest.mark.parametrize("size_nm", [1.5, 2.0])
def test_a_plane_front_moves_at_the_speed_given_in_growth_and_melting(size_nm: float) -> None:
    for temperature in (600.0, 920.0):
        exact = float(GST_225.velocity_m_per_s(temperature))
        assert planar_speed(GST_225.velocity_m_per_s, temperature, 1.0, size_nm) == pytest.approx(exact, rel=2e-3)


def test_in_a_gradient_it_moves_at_the_local_speed_for_a_thin_front() -> None:
    # u = (T - 500 K)/100 K nm/ns and T = 600 K + 2 K/nm x: x(t) + 50 = (x0 + 50) exp(t/50 ns)
    errors = []
    for width in (2.0, 1.0):  # the speed is that somewhat ahead, see PhaseFront
        front = fem.PhaseFront(box((80.0, 2.0 * width), 1.5 * width), REGION, lambda T: (T - 500.0) / 100.0, width)
        front.set_distance(lambda x: 20.0 - x[:, 0])
        front.advance(20e-9, 600.0 + 2.0 * front.elements.x_nm[:, 0])
        moved = front.crystalline_m3 / (2e-9 * width) * 1e9 - 20.0
        errors.append(moved / (70.0 * np.expm1(20.0 / 50.0)) - 1.0)
    assert abs(errors[1]) < 0.01
    assert errors[1] < 0.7 * errors[0]


def test_curvature_is_cancelled_or_kept() -> None:
    assert ball_travel(2, 4.0, 6.0, True, size_nm=1.5) == pytest.approx(6.0, rel=0.01)
    assert ball_travel(2, 12.0, 8.0, False, size_nm=1.5) == pytest.approx(8.0, rel=0.01)
    kept = ball_travel(2, 10.0, 8.0, True, curvature=0.0, size_nm=1.5)  # 1 - 1.5/R
    assert kept + 1.5 * np.log((8.5 + kept) / 8.5) == pytest.approx(8.0, rel=0.01)


@pytest.mark.parametrize("growing", [True, False])
def test_a_sphere_on_an_axisymmetric_mesh(growing: bool) -> None:
    front = fem.PhaseFront(Axisymmetric(box((24.0, 24.0), 1.5)), REGION, constant(1.0 if growing else -1.0), 1.0)
    start = 5.0 if growing else 16.0
    front.set_distance(lambda x: start - np.linalg.norm(x, axis=1))
    assert front.volume_m3.sum() == pytest.approx(np.pi * 24e-9**3)
    before = radius_nm(front)
    front.advance(8e-9, kelvin(front))
    assert radius_nm(front) - before == pytest.approx(8.0 if growing else -8.0, rel=0.01)
    end = start + (8.0 if growing else -8.0)
    half_ball = 2.0 * np.pi / 3.0 * (end**3 + np.pi**2 * end)  # with the front's profile
    assert front.crystalline_m3 * 1e27 == pytest.approx(half_ball, rel=0.02)


def test_crystals_that_meet_cover_the_union() -> None:
    front = fem.PhaseFront(box((60.0, 60.0), 1.5, 0.2), REGION, constant(1.0), 1.0)
    x = front.elements.x_nm[:, :2]
    centres = np.random.default_rng(1).uniform(0.0, 60.0, (9, 2))
    away = np.min([np.linalg.norm(x - centre, axis=1) for centre in centres], axis=0)
    front.set_distance(3.0 - away)
    for reach in (7.0, 11.0, 15.0):
        front.advance(4e-9, kelvin(front))
        share = front.volume_m3 / front.volume_m3.sum()
        union = share @ (1.0 / (1.0 + np.exp(away - reach)))
        assert share @ front.value == pytest.approx(union, abs=0.02)  # the error falls with the width
    slope = np.einsum("ca,cak->ck", front.distance_nm[front.elements.dofs], front.elements.gradient)
    assert np.linalg.norm(slope, axis=1).max() < 2.5  # no wiggles


def test_what_stands_still_costs_nothing_and_does_not_move() -> None:
    front = fem.PhaseFront(box((40.0, 12.0), 2.0), REGION, GST_225.velocity_m_per_s, 1.0)
    front.set_distance(lambda x: 20.3 - x[:, 0])
    before = front.value
    assert front.advance(1e4, kelvin(front, 300.0)).sub_steps == 0
    np.testing.assert_array_equal(front.value, before)
    front.set_value(0.0)
    assert front.advance(1.0, kelvin(front, 800.0)) == fem.FrontStep(0, 0.0, 0.0)
    front.set_value(1.0)
    assert front.advance(1.0, kelvin(front, 800.0)) == fem.FrontStep(0, 0.0, 0.0)


def test_a_jump_from_crystal_to_liquid_moves_as_well() -> None:
    front = fem.PhaseFront(box((48.0, 6.0), 1.5), REGION, constant(1.0), 1.0)
    front.set_value(lambda x: x[:, 0] < 15.5)
    front.advance(10e-9, kelvin(front))
    before = front.crystalline_m3
    front.advance(10e-9, kelvin(front))
    assert front.crystalline_m3 - before == pytest.approx(10e-9 * 6e-9, rel=0.01)


def test_the_front_comes_to_rest_where_it_melts() -> None:
    front = fem.PhaseFront(box((40.0, 6.0), 1.5), REGION, GST_225.velocity_m_per_s, 1.5)
    temperature = 900.0 + 10.0 * (front.elements.x_nm[:, 0] - 20.0)
    for start in (16.0, 24.0):
        front.set_distance(lambda x, start=start: start - x[:, 0])
        front.advance(20e-9, temperature)
        assert front.crystalline_m3 / 6e-9 * 1e9 == pytest.approx(20.0, abs=0.75)  # half an element


def test_crystal_above_melting_melts_from_its_grain_boundaries() -> None:
    cell = box((12.0, 12.0), 2.0)
    whole = fem.PhaseFront(cell, REGION, constant(-2.0), 1.0)
    whole.advance(5e-9, kelvin(whole))
    assert whole.value.min() == 1.0
    grains = fem.PhaseFront(cell, REGION, constant(-2.0), 1.0, grain_boundaries_per_nm=0.1)
    for time_ns in (5.0, 10.0):
        grains.advance(5e-9, kelvin(grains))
        np.testing.assert_allclose(grains.value, np.exp(-0.1 * 2.0 * time_ns), rtol=1e-9)
    grains.set_value(1.0)
    for _ in range(1000):  # also in steps that each melt less than c can show
        grains.advance(1e-11 / 1000.0, kelvin(grains))
    np.testing.assert_allclose(grains.value, np.exp(-0.002), atol=2e-5)
    cold = fem.PhaseFront(cell, REGION, constant(2.0), 1.0, grain_boundaries_per_nm=0.1)
    cold.advance(5e-9, kelvin(cold))
    assert cold.value.min() == 1.0


def test_a_step_can_be_taken_back_and_cut() -> None:
    front = fem.PhaseFront(box((40.0, 12.0), 1.5), REGION, GST_225.velocity_m_per_s, 1.5)
    front.set_distance(lambda x: 15.0 - x[:, 0])
    saved = front.save()
    begin, end = kelvin(front, 400.0), kelvin(front, 800.0)
    front.advance(8e-9, begin, end)
    once = front.value
    front.restore(saved)
    front.advance(8e-9, begin, end)
    np.testing.assert_array_equal(front.value, once)
    front.restore(saved)
    for part in range(4):
        front.advance(2e-9, begin + 100.0 * part, begin + 100.0 * (part + 1))
    # the exact travel: integral of u over the ramp
    ramp = np.linspace(400.0, 800.0, 2001)
    travel = 8.0 * float(np.mean(GST_225.velocity_m_per_s(ramp)))
    assert np.abs(front.value - once).max() < 0.01
    assert front.crystalline_m3 / 12e-9 * 1e9 - 15.0 == pytest.approx(travel, rel=0.01)


def test_only_the_region_has_a_phase() -> None:
    cell = box((10.0, 10.0), 2.0)
    layers = meshes.label_layers(cell.mesh, {"below": (0.0, 4.0), "above": (4.0, 10.0)})
    front = fem.PhaseFront(layers, "above", constant(1.0), 1.0)
    z = front.elements.x_nm[:, 1]
    np.testing.assert_array_equal(front.value, np.where(z > 3.9, 1.0, 0.0))
    assert front.crystalline_m3 == pytest.approx(60e-18)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"region": "fim"}, "nearest: 'film'"),
        ({"width_nm": 0.0}, "width_nm"),
        ({"mobility": 1.0}, "mobility"),
        ({"curvature": 2.0}, "curvature"),
        ({"grain_boundaries_per_nm": -1.0}, "grain_boundaries"),
    ],
)
def test_wrong_arguments(change: dict[str, Any], message: str) -> None:
    given = {"region": REGION, "velocity_m_per_s": constant(1.0), "width_nm": 1.0, **change}
    with pytest.raises(fem.FemError, match=message):
        fem.PhaseFront(box((4.0, 4.0), 2.0), **given)


def test_wrong_calls() -> None:
    front = fem.PhaseFront(box((10.0, 10.0), 2.0), REGION, lambda T: T * np.nan, 1.0)
    with pytest.raises(fem.FemError, match="between 0 and 1"):
        front.set_value(1.5)
    front.set_distance(lambda x: 5.0 - x[:, 0])
    with pytest.raises(fem.FemError, match="finite"):
        front.advance(1e-9, kelvin(front))
    with pytest.raises(fem.FemError, match="time in s"):
        front.advance(-1.0, kelvin(front))
    with pytest.raises(fem.FemError, match="shape"):
        front.advance(1.0, np.ones(3))
    squares = meshes.tensor_rectangle([0.0, 1.0], [0.0, 1.0], {"film": (0.0, 1.0)})
    with pytest.raises(fem.FemError, match="simplices"):
        fem.PhaseFront(squares, "film", constant(1.0), 1.0)


def test_latent_heat_is_conserved_and_sets_the_speed() -> None:
    found = stefan.solidify(8.0, stefan.MELTING_K)
    assert abs(found.energy) < 1e-4
    assert found.iterations_per_step < 7.0
    assert found.front_nm == pytest.approx(stefan.END_NM, rel=0.01)


def test_a_coupled_step_that_fails_leaves_the_phase_as_it_was() -> None:
    front = fem.PhaseFront(box((60.0,), 2.0), REGION, GST_225.velocity_m_per_s, 2.0)
    front.set_distance(lambda x: 30.0 - x[:, 0])
    before = front.value
    latent = fem.LatentHeat(front, 625e6, max_iterations=3)
    with pytest.raises(fem.FemError, match="did not agree in 3 iterations"):
        latent.step(1e-9, kelvin(front, 800.0), lambda source, slope, about: about + 1.0)
    np.testing.assert_array_equal(front.value, before)


@pytest.mark.slow
def test_two_ranks_equal_one(tmp_path: Path) -> None:
    script = Path(__file__).parent / "mpi" / "phase_front.py"
    stored = []
    for ranks in (1, 2):
        launch(ranks, [str(script), str(tmp_path / f"{ranks}.npz")])
        with np.load(tmp_path / f"{ranks}.npz") as results:
            stored.append(dict(results))
    one, two = stored
    assert (one.pop("ranks"), two.pop("ranks")) == (1, 2)
    assert len(one["nuclei"]) > 3
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-9, atol=1e-9 * np.abs(value).max(), err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("case", [planar_front, front_curvature, stefan.one_phase, stefan.two_phases])
def test_verification(case: Any) -> None:
    for record in case():
        assert record.passed is not False, record


@pytest.mark.slow
@pytest.mark.parametrize("hot_K", [900.0, 1000.0])
def test_the_finest_stefan_problem(hot_K: float) -> None:
    found = stefan.solidify(1.0, hot_K)
    assert found.front_nm == pytest.approx(stefan.END_NM, rel=0.006)
