"""Universal metrics put together from loops, pulses, bakes and trains; runs for the spread of a card by family."""

import numpy as np
import pytest

from ionsim.compact.card import Card, make_card
from ionsim.compact.description import CompactError
from ionsim.compact.extraction.ensembles import N_DOWN, N_UP, spread_experiment, trains_of
from ionsim.compact.extraction.protocol import Measurement
from ionsim.compact.extraction.universal import WHY_NOT, retention_of, universal
from ionsim.config import load

MODELS = {"pcm": "ion_pcm", "ecm": "ion_ecm", "ecram": "ion_ecram"}


def bare(family: str, **more: object) -> Card:
    return make_card(
        {"name": "cell", "family": family, "model": MODELS[family], "parameters": {}, "validity": {}, **more}
    )


def pulsed(levels: dict[str, float], kelvin: float = 300.0, kind: str = "set", seed: int = 1) -> Measurement:
    """A run of pulses of PCM, two points each, with the conductance that is read at the end of each."""
    device = spread_experiment(load("gst_mushroom"), (1,), 1).device.replace({"ambient_K": kelvin})
    series = {
        "time_s": np.arange(1.0, 2 * len(levels) + 1),
        "stage": np.repeat(np.arange(float(len(levels))), 2),
        "voltage_V": np.full(2 * len(levels), 0.1),
        "conductance_S": np.repeat(list(levels.values()), 2),
    }
    return Measurement("run", "held_out", kind, seed, device, series, tuple(levels))


def test_states_of_pulses_are_those_furthest_apart() -> None:
    near, far = pulsed({"reset": 2e-6, "set": 4e-6}), pulsed({"reset": 1e-6, "set": 1e-3})
    warm = pulsed({"reset": 1e-7, "set": 1e-3}, kelvin=360.0)
    found = universal(bare("pcm"), [near, far, warm])
    assert found["E_fire_J"].value == pytest.approx(1.9**2 * 1e-3 * 40e-9)  # height and length of the RESET
    assert found["P_standby_W"].value == pytest.approx(1.9**2 * 1e-6)
    assert found["switching_decades_per_V"].note == WHY_NOT["pcm"]["switching_decades_per_V"]
    assert universal(bare("pcm")) == {}


def test_a_virgin_cell_is_open_on_the_way_out() -> None:
    """Written by the fastest SET under a constant voltage, 1.8 V in 30 us."""
    device = spread_experiment(load("ag_gese_kinetics"), (1,), 1).device
    volts = np.concatenate([np.arange(0.1, 1.01, 0.1), np.arange(0.9, -0.01, -0.1)])
    g = np.where(np.arange(len(volts)) < 8, 1e-12, 1e-6)
    series = {"voltage_V": volts, "conductance_S": g, "current_A": g * volts, "time_s": np.arange(float(len(volts))),
              "stage": np.zeros(len(volts)), "limited": (np.arange(len(volts)) == 8).astype(float)}  # fmt: skip
    one = Measurement("loop", "held_out", "sweep", 1, device, series, ("set",))
    times = [("stress_1.8V_300K", False, 3e-5, 3e-5), ("stress_1.2V_300K", False, 3e-3, 3e-3)]
    found = universal(bare("ecm"), [one], times)
    assert found["E_spike_J"].value == pytest.approx(1.8**2 * 1e-12 * 3e-5)
    assert found["E_fire_J"].value == pytest.approx(1.8**2 * 1e-6 * 3e-5)
    assert found["device_sd_ln_g_on"].value is None
    assert found["device_sd_ln_g_on"].note


def test_a_gated_cell_is_deterministic_and_read_through_its_channel() -> None:
    train = {"amplitude": 8.0, "width_s": 5e-9, "read_V": 0.1}
    up = {**train, "direction": "up", "conductances_S": [1e-7, 2e-7, 3e-7]}
    down = {**train, "direction": "down", "conductances_S": [3e-7, 2e-7, 1e-7]}
    found = universal(bare("ecram", pulses=[up, down]))
    assert found["E_action_J"].value is None
    assert found["P_standby_W"].value == pytest.approx(0.01 * 1e-7)
    assert "deterministic" in found["stochasticity"].note
    with pytest.raises(CompactError, match="deterministic"):
        spread_experiment(load("psg_wo3_pulse_train"), (1, 2), 3)


def test_bakes_are_kept_from_the_end_of_their_first_pulse() -> None:
    (kept,) = retention_of([pulsed({"reset": 1e-6, "read0": 2e-6, "read1": 4e-6}, 450.0, "bake")])
    assert (kept.temperature_K, kept.times_s, kept.conductances_S) == (450.0, (2.0, 4.0), (2e-6, 4e-6))


def test_trains_of_seeds_start_with_what_was_before() -> None:
    levels = {"reset": 1e-6, "set": 1e-3, "read": 9e-4}
    levels |= {f"down_{k}": 8e-4 / (k + 1) for k in range(3)} | {"open": 1e-6} | {f"up_{k}": 1e-5 for k in range(2)}
    device = spread_experiment(load("gst_mushroom"), (1,), 1).device
    one = pulsed(levels)
    pulses = [{**device.drive.pulses[0].model_dump(), "name": name} for name in levels]
    drive = device.drive.model_dump(exclude_none=True) | {"pulses": pulses}
    one = Measurement("run", "spread", "set", 7, device.replace({"drive": drive}), one.series, one.stages)
    down, up = sorted(trains_of([one]), key=lambda train: train.direction)
    np.testing.assert_allclose(down.conductances_S, [9e-4, 8e-4, 4e-4, 8e-4 / 3])
    np.testing.assert_allclose(up.conductances_S, [1e-6, 1e-5, 1e-5])


def test_ensembles_of_other_families() -> None:
    pulses = [pulse.name for pulse in spread_experiment(load("gst_mushroom"), (1,), 2).device.drive.pulses]
    assert pulses[:5] == ["reset", "set", "reset_2", "set_2", "read"]
    assert len(pulses) == 5 + N_DOWN + 1 + N_UP
    loops = spread_experiment(load("ag_gese_kinetics"), (1,), 2).device.drive.stages
    assert [stage.name for stage in loops] == ["set", "reset", "set_2", "reset_2"]
    assert all(stage.return_to_zero for stage in loops)
