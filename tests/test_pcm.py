"""Phase-change cells: energy, repeatability, checkpoints, corners of the drive, bad input, and a RESET pulse."""

import numpy as np
import pytest

import ionsim
from ionsim.analysis.pcm_pulses import Shape, power_law, pulse, resistance_ohm, started
from ionsim.config import load
from ionsim.drive import Circuit

#: A mushroom of some hundred nodes that runs a pulse of 8 ns in a second.
TINY = (
    "geometry.heater_radius_nm=8", "geometry.size_nm=4", "geometry.growth=2", "geometry.largest_nm=30",
    "geometry.fine_radius_nm=20", "geometry.phase_change_nm=30", "geometry.heater_nm=30", "geometry.bottom_nm=15",
    "geometry.top_nm=15", "geometry.outer_radius_nm=50", "crystallisation.front_width_nm=2.7", "steps.first_s=5e-11",
)  # fmt: skip
#: Melts the whole face of the heater.
MELT = Shape(1.5, rise_s=2e-9, width_s=4e-9, fall_s=2e-9, rest_s=4e-9)
OUTSIDE = Circuit(1000.0, None)


def tiny(*changes: str, seed: int = 1):
    return started(load("gst_mushroom", [*TINY, *changes]), seed)


@pytest.fixture(scope="module")
def melted():
    """A cell after a pulse, its resistance before it, and what was seen."""
    cell = tiny()
    before = resistance_ohm(cell, settle_s=1e-10)
    return cell, before, pulse(cell, MELT)


def test_a_pulse_leaves_an_amorphous_dome_over_the_heater(melted):
    _, before, seen = melted
    assert before < 2e3
    assert seen.resistance_ohm > 100.0 * before
    assert seen.covers == 1.0
    assert seen.radius_nm > 8.0
    assert 0.5 * seen.molten_nm3 < seen.left_nm3 < seen.molten_nm3  # the rim grows back in the quench
    assert seen.material_K > 900.0


def test_energy_is_kept(melted):
    cell, _, _ = melted
    lumped = cell.problem.volume_m3("phase_change") * 1.25e6
    for region, capacity in (("heater", 3.14e6),):
        lumped = lumped + cell.problem.volume_m3(region) * capacity
    stored_J = float((lumped * (cell.problem.temperature_K - 300.0)).sum())  # what is left after 4 ns is almost nothing
    assert abs(stored_J) < 1e-3 * cell.electrical_J
    # every step balances to the solver's tolerance; over a run BDF2 does, to its accuracy
    assert cell.residual_J < 1e-8 * cell.electrical_J
    assert cell.electrical_J + cell.latent_J == pytest.approx(cell.out_J + stored_J, abs=1e-3 * cell.electrical_J)
    glass_J = 625e6 * cell.disordered_m3
    born_J = float(cell._birth_J.sum())
    assert -cell.latent_J == pytest.approx(glass_J + born_J, rel=2e-3)


#: Long steps, and so many nuclei in the quench that the seed shows.
QUICK = ("steps.temperature_K=100", "steps.crystalline=0.5", "crystallisation.rate_factor=1e4")


def rows(seed: int) -> list[dict[str, float]]:
    cell, found = tiny(*QUICK, seed=seed), []
    for until_s, applied_V in ((1e-9, 1.4), (1.5e-9, 1.4), (2.5e-9, 0.1)):
        cell.advance(until_s, applied_V, OUTSIDE)
        found.append(cell.observe())
    return found


def test_the_same_seed_gives_the_same_rows():
    first, again, other = rows(1), rows(1), rows(2)
    assert first == again
    assert first[-1]["n_nuclei"] > 0.0
    assert first != other


def test_a_restored_checkpoint_goes_on_as_the_cell_did():
    cell, seen = tiny(*QUICK), []
    cell.advance(1e-9, 1.4, OUTSIDE)
    cell.advance(1.5e-9, 1.4, OUTSIDE)
    saved, other = cell.checkpoint(), tiny(*QUICK)
    other.restore(saved)
    for each in (cell, other):
        each.advance(2.5e-9, 0.1, OUTSIDE)
        seen.append(each.observe())
    assert seen[0] == seen[1]
    assert seen[0]["n_nuclei"] > 0.0
    assert [nucleus.position_nm for nucleus in cell.nuclei] == [nucleus.position_nm for nucleus in other.nuclei]


def test_no_step_crosses_a_corner_and_each_begins_anew():
    cell, steps = tiny(), []
    accept = cell._accept

    def record(result, dt_s):
        steps.append((cell.time_s, dt_s, cell.applied_V))
        accept(result, dt_s)

    cell._accept = record
    corners = [1e-9, 1.7e-9, 2.2e-9, 3e-9]
    for until_s, applied_V in zip(corners, (0.8, 0.8, 0.1, 0.1), strict=True):
        cell.advance(until_s, applied_V, OUTSIDE)
    begins, lengths = (np.array([step[k] for step in steps]) for k in (0, 1))
    ends = begins + lengths
    for corner in corners:
        assert not np.any((begins < corner * (1.0 - 1e-9)) & (ends > corner * (1.0 + 1e-9)))
        assert np.any(np.isclose(ends, corner, rtol=1e-9, atol=0.0))
    for corner in corners[:-1]:
        first = int(np.argmin(np.abs(begins - corner)))
        assert lengths[first] <= cell.device.steps.first_s


def test_a_run_records_the_corners_of_its_pulses(tmp_path):
    shape = "name='reset', amplitude_V=0.5, rise_s=1e-9, width_s=1e-9, fall_s=1e-9, rest_s=1e-9"
    device = load("gst_mushroom", [*TINY, "drive.points=1", f"drive.pulses=[{{{shape}}}]"])
    run = ionsim.Simulation(device, seed=1).run(tmp_path / "run")
    times_s, volts = run.series["time_s"], run.series["voltage_V"]
    for corner_s, applied_V in ((1e-9, 0.5), (2e-9, 0.5), (3e-9, 0.1), (4e-9, 0.1)):
        at = np.isclose(times_s, corner_s, rtol=1e-9, atol=0.0)
        assert at.any()
        assert volts[at] == pytest.approx(applied_V)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("phase_change.material='GST-226'", "phase_change.material"),
        ("geometry.heater_radius_nm=200", "geometry.heater_radius_nm"),
        ("surroundings.heater='Ti5'", "surroundings.heater"),
        ("steps.first_s=1e-14", "steps.first_s"),
    ],
)
def test_check_names_the_key_that_is_wrong(command, change, key):
    result = command("check", "gst_mushroom", "--set", change)
    assert result.code == 2
    assert key in result.err
    assert result.out == ""


def test_a_power_law_is_found_with_its_error():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    exponent, error, factor = power_law(x, 3.0 * x**1.5)
    assert (exponent, factor) == pytest.approx((1.5, 3.0))
    assert error == pytest.approx(0.0, abs=1e-7)
    _, error, _ = power_law(x, 3.0 * x**1.5 * np.array([1.1, 0.9, 1.1, 0.9]))
    assert 0.03 < error < 0.2
