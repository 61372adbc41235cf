"""ECRAM devices: open circuit, charges, currents in parts, what lasts of a pulse, bad input, the figures of a train."""

import numpy as np
import pytest
from scipy import constants

import fem
import ionsim
from ionsim.analysis.ecram_gate import hold, pulse, started
from ionsim.analysis.ecram_pulses import asymmetry, distinguishable, linearity, pulse_levels, update_figures
from ionsim.config import Device, load
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError
from ionsim.materials.intercalation import (
    FallingDiffusivity,
    FittedVoltage,
    HoppingMetal,
    RegularSolution,
    lithium_cobalt_oxide,
)

KT_EV = constants.k * 300.0 / constants.e
STACK = ("geometry.electrolyte_nm=10", "geometry.channel_nm=20")
#: A train of six pulses of 1 ns, one a second.
TRAIN = (
    'drive={kind="gate_pulses", amplitude_V=11.0, second_amplitude_V=-11.5, width_s=1e-9, rise_s=1e-9, period_s=1.0, '
    "count=3, rest_V=-0.2}",
)


def stack(*changes: str) -> Device:
    return load("ecram_retention", [*STACK, *changes])


def plane(*changes: str) -> Device:
    return load("psg_wo3_pulse_train", ["geometry.lateral_nm=20", "geometry.edge_nm=10", *changes])


# -- materials ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "law",
    [
        RegularSolution(0.02, -0.26),
        RegularSolution(0.02, -0.26, 2.0),
        FittedVoltage(lithium_cobalt_oxide, 0.4, 0.995, 0.0),
    ],
)
def test_the_excess_of_a_channel_is_its_voltage_and_has_the_right_slope(law):
    x, step = np.array([0.01, 0.3, 0.5, 0.9, 0.996, 0.9995]), 1e-8
    value, slope = law.excess(x, 1.0 - x, KT_EV)
    np.testing.assert_allclose(value + KT_EV * np.log(x), law.middle_V - law.voltage_V(x, KT_EV), atol=1e-14)
    up, down = (law.excess(x + s, 1.0 - x - s, KT_EV)[0] for s in (step, -step))
    np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-4, atol=1e-5)
    inside = np.linspace(0.41, 0.994, 200)
    assert np.all(np.diff(law.voltage_V(inside, KT_EV)) < 0.0)


def test_lithium_cobalt_oxide_has_its_plateau_at_three_point_nine_volts():
    np.testing.assert_allclose(
        lithium_cobalt_oxide(np.array([0.5, 0.7, 0.8, 0.9, 0.95]))[0], [4.186, 3.939, 3.913, 3.906, 3.721], atol=5e-4
    )


def test_a_bronze_is_an_insulator_below_the_transition_and_a_metal_above():
    law = HoppingMetal(1.86e28, 5e-6, 0.1, 0.32, 0.03)
    low, high = law.mobility(np.array([0.05, 0.5]), 300.0)
    assert low == pytest.approx(5e-6 * np.exp(-0.1 / KT_EV), rel=1e-3)
    assert high == pytest.approx(5e-6, rel=0.02)
    hot = law.mobility(np.array([0.05]), 330.0)[0]
    assert np.log(hot / low) == pytest.approx(0.1 / constants.k * constants.e * (1 / 300 - 1 / 330), rel=1e-3)
    holes = HoppingMetal(1e28, 5e-6, 0.1, 0.15, 0.03, holes=True)
    assert holes.conductivity(np.array([0.7]), 300.0) > 100 * holes.conductivity(np.array([0.99]), 300.0)


def test_a_falling_diffusivity_and_its_slope():
    law = FallingDiffusivity(1e-13, 1e-16, 0.3)
    x = np.array([0.0, 0.15, 0.4])
    value, slope = law(x)
    np.testing.assert_allclose(value, [1e-13, np.sqrt(1e-29), 1e-16])
    np.testing.assert_allclose(slope[:2], (law(x + 1e-7)[0] - value)[:2] / 1e-7, rtol=1e-5)
    assert slope[2] == 0.0


# -- a device -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "reservoir_V"), [("ecram_retention", 0.05), ("licoo2_channel", 0.0)])
def test_open_circuit_is_the_difference_of_the_chemical_potentials(name, reservoir_V):
    cell = started(load(name))
    x = float(cell.observe()["x_mean"])
    assert x == pytest.approx(cell.device.channel.initial, rel=0.02)  # double layers take or give some
    assert cell.device_V == pytest.approx(cell.cell.open_circuit_V(x), abs=1e-5)
    if name == "ecram_retention":
        channel_V = 0.019 - KT_EV * np.log(x / (1 - x)) + 0.265 * (1 - 2 * x)
        assert cell.device_V == pytest.approx(reservoir_V - channel_V, abs=1e-5)


def test_the_conductance_of_a_uniform_channel():
    for device in (stack("channel.initial=0.1"), plane("channel.initial=0.1")):
        cell = started(device)
        sigma = constants.e * 1.86e28 * 0.1 * 1.9e-6 * np.exp(-0.1 / KT_EV / (1 + np.exp((0.1 - 0.32) / 0.02)))
        assert cell.read().state_S == pytest.approx(sigma * 50.0 * 20.0 / 100.0 * 1e-9, rel=2e-3)


def test_contacts_are_in_series():
    bare, behind = (started(stack(f"channel.contact_ohm_m2={r}")).read().state_S for r in (0.0, 1e-9))
    assert 1.0 / behind - 1.0 / bare == pytest.approx(2.0 * 1e-9 / (50e-9 * 20e-9), rel=1e-6)
    bare, behind = (started(plane(f"channel.contact_ohm_m2={r}")).read().state_S for r in (0.0, 1e-9))
    assert 1.0 / behind - 1.0 / bare == pytest.approx(2.0 * 1e-9 / (50e-9 * 20e-9), rel=0.02)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of six short pulses in a plane, one a second."""
    device = plane("channel.initial=0.15", *TRAIN)
    return device, ionsim.Simulation(device).run(tmp_path_factory.mktemp("train") / "out")


def test_no_pulse_of_a_nanosecond_is_stepped_over(trained):
    device, run = trained
    levels = pulse_levels(run.series, device.drive)
    assert len(levels["level_S"]) == 6
    assert np.all(levels["charge_C"][:3] > 1e-19)
    assert np.all(levels["charge_C"][3:] < -1e-19)
    top = np.array([run.series["device_V"][np.searchsorted(run.series["time_s"], k + 1.5e-9)] for k in range(3)])
    np.testing.assert_allclose(top, 11.0)


def test_currents_add_up_and_charge_is_ions(trained):
    _, run = trained
    series = run.series
    largest = np.abs(series["current_A"]).max()
    parts = series["gate_displacement_A"] + series["gate_faradaic_A"]
    assert np.abs(series["current_A"] - parts).max() < 1e-10 * largest
    assert np.abs(series["current_A"] + series["source_A"] + series["drain_A"]).max() < 1e-10 * largest
    for end, sign in (("source", -1.0), ("drain", 1.0)):
        parts = sum(series[f"{end}_{name}_A"] for name in ("displacement", "field_effect", "faradaic"))
        assert np.abs(series[f"{end}_A"] - parts - sign * series["read_A"]).max() < 1e-10 * largest
    np.testing.assert_allclose(series["source_faradaic_A"], series["drain_faradaic_A"], atol=1e-6 * largest)


def test_gate_charge_is_ions_inserted():
    cell = started(stack("channel.initial=0.15"))
    begin, moved = cell.transport.amount("inserted"), 0.0
    ions = cell.transport.amount("ion")
    for amplitude in (11.0, 11.0, -11.5):
        before = cell.transport.amount("inserted")
        pulse(cell, amplitude, rest_s=1e-4)
        moved += abs(cell.transport.amount("inserted") - before)
    inserted = cell.transport.amount("inserted") - begin
    error = 1e-8 * constants.e * moved
    assert -cell.transport.faradaic_C["channel"] == pytest.approx(constants.e * inserted, abs=error)
    all_ions = inserted + cell.transport.amount("ion") - ions
    assert cell.transport.faradaic_C["gate"] == pytest.approx(constants.e * all_ions, abs=error)


def test_low_pulses_are_volatile_and_high_ones_last():
    cell = started(stack("channel.initial=0.15"))
    low, high = pulse(cell, 4.0), pulse(cell, 9.5)
    assert low.field_effect_S > 0.0
    assert abs(low.lasting_S) < 1e-3 * low.volatile_S
    assert high.lasting_S > 0.3 * high.field_effect_S
    assert high.inserted_C > 1e3 * abs(low.inserted_C)
    assert 0.1e-15 < high.energy_J < 2e-14


def test_a_plane_takes_up_what_a_stack_does():
    two, one = (pulse(started(device("channel.initial=0.15")), 9.5).inserted_C for device in (plane, stack))
    assert two == pytest.approx(one, rel=0.02)


def test_the_middle_of_a_poor_channel_follows_late():
    found = {}
    for mobility in (1.9e-6, 1.9e-2):
        for equipotential in ("true", "false"):
            keys = (f"channel.mobility_m2_per_Vs={mobility}", f"channel.equipotential={equipotential}")
            cell = started(plane(*keys))
            found[mobility, equipotential] = pulse(cell, 8.45).inserted_C, cell.largest_drop_V
    poor, one = found[1.9e-6, "false"], found[1.9e-6, "true"]
    assert 0.5 * one[0] < poor[0] < 0.8 * one[0]
    assert 0.5 < poor[1] < 1.5
    good, one = found[1.9e-2, "false"], found[1.9e-2, "true"]
    assert good[0] == pytest.approx(one[0], rel=1e-3)
    assert good[1] < 2e-3


def test_a_finer_mesh_and_shorter_steps_change_a_pulse_little():
    usual = pulse(started(stack("channel.initial=0.15")), 9.5).inserted_C
    fine = ("steps.first_s=1e-10", "steps.potential_V=0.3"), ("geometry.size_nm=0.2", "geometry.largest_nm=1")
    steps, mesh = (pulse(started(stack("channel.initial=0.15", *keys)), 9.5).inserted_C for keys in fine)
    assert usual == pytest.approx(steps, rel=0.05)
    assert usual == pytest.approx(mesh, rel=0.05)


def test_heat_is_what_the_gate_puts_in():
    keys = ("channel.initial=0.15", "heat.coupled=true", "steps.growth=1.5", "steps.first_s=1e-10")
    cell = started(plane(*keys))
    assert cell.cell.heat is not None
    before = cell.transport.amount("inserted")
    rise_K, out_J = 0.0, 0.0
    for seconds, gate_V in ((1e-9, 9.0), *((1e-9, 9.0),) * 5):
        hold(cell, seconds, gate_V, 0.5 * seconds)
        row = cell.observe()
        rise_K = max(rise_K, row["temperature_peak_K"] - 300.0)
        out_J += sum(cell.cell.heat.out_W().values()) * cell.cell.scale * seconds
    assert cell.transport.amount("inserted") > before
    assert 0.2 < rise_K < 20.0
    held_J = cell.cell.heat.stored_J() * cell.cell.scale
    assert out_J + held_J < cell.energy_J  # the rest is free energy of layers and ions
    assert out_J + held_J > 0.2 * cell.energy_J
    hold(cell, 1e-6, -0.2, 1e-9)
    assert cell.observe()["temperature_peak_K"] > 300.0
    hold(cell, 1e-6, -0.2, 1e-9)
    assert cell.cell.heat.temperature_K.max() == pytest.approx(300.0, abs=1e-3)


@pytest.mark.slow
def test_a_cell_in_3d_is_that_in_a_plane():
    """Electrolyte, gate and channel of one width: nothing changes across it."""
    keys = {"kind": "ecram_vertical_3d", "half": True, "lateral_nm": 25.0, "edge_nm": 12.0, "size_nm": 0.6}
    text = ", ".join(f'{name}={value!r}'.replace("'", '"').replace("True", "true") for name, value in keys.items())
    flat = text.replace("_3d", "").replace(", half=true", "")
    grown = "growth=1.6, largest_nm=2.5"
    three, two = (
        started(load("psg_wo3_pulse_train", [f"geometry={{{shape}, {grown}}}", "channel.initial=0.15"]))
        for shape in (text, flat)
    )
    assert three.read().state_S == pytest.approx(two.read().state_S, rel=1e-3)
    assert pulse(three, 9.5, rest_s=1e-8).inserted_C == pytest.approx(pulse(two, 9.5, rest_s=1e-8).inserted_C, rel=5e-3)


def test_a_gate_beside_the_channel_reaches_it_slowly(tmp_path):
    geometry = (
        'geometry={kind="ecram_lateral", gap_nm=20, gate_length_nm=40, edge_nm=8, lateral_nm=20, size_nm=0.6, '
        "growth=1.8}"
    )
    cell = started(load("psg_wo3_pulse_train", [geometry, "channel.initial=0.15"]))
    short, long = pulse(cell, 9.0, rest_s=1e-6), pulse(cell, 9.0, width_s=2e-7, rest_s=1e-6)
    assert abs(short.inserted_C) < 1e-3 * long.inserted_C
    view = cell.state()
    hole = view["cut/inside"] == 0.0  # the gate, and below it nothing; source and drain
    assert 0.02 < hole.mean() < 0.5
    assert np.all(view["cut/fraction"][view["cut/inside"] == 1.0] > 0.1)


@pytest.mark.slow
def test_a_surface_that_is_full_ends_the_run_with_an_error():
    cell = started(stack("channel.initial=0.15", "geometry.channel_length_nm=150"))

    def fill():
        for _ in range(20):
            pulse(cell, 10.0, width_s=5e-8, rest_s=1e-6)

    with pytest.raises(fem.FemError, match="surface is filled to"):
        fill()


def test_a_depleted_surface_does_not_block():
    """Electrons that the field takes away leave the layer below the surface: the reaction must not notice."""
    taken = []
    for share in (0.0, 1.0):
        cell = started(plane("channel.initial=0.03", f"channel.field_effect={share}"))
        taken.append(pulse(cell, -9.5, rest_s=1e-6).inserted_C)
    assert taken[1] == pytest.approx(taken[0], rel=0.05)


def test_an_open_gate_keeps_what_a_shorted_one_loses():
    cell = started(stack("channel.initial=0.05"))
    begin = cell.read().conductance_S
    hold(cell, 1e5, None)
    assert cell.read().conductance_S == pytest.approx(begin, rel=1e-6)
    hold(cell, 1e5, 0.0)
    assert cell.read().conductance_S > 2.0 * begin


def test_a_current_inserts_its_charge():
    cell = started(stack("channel.initial=0.1", "steps.first_s=1e-3"))
    for current_A, seconds in ((1e-15, 100.0), (0.0, 1e5)):
        cell.advance(cell.time_s + seconds, 0.0, Circuit(forced_A=(current_A, current_A)))
    assert cell.inserted_C == pytest.approx(1e-15 * 100.0, rel=2e-2)  # double layers keep some
    x = cell.transport.amount("inserted") / (1.86e28 * 20e-9)
    assert cell.device_V == pytest.approx(cell.cell.open_circuit_V(x), abs=1e-3)


@pytest.mark.parametrize("shape", [stack, plane])
def test_a_checkpoint_goes_on_as_if_nothing_had_happened(shape):
    cell = started(shape("channel.initial=0.15"))
    hold(cell, 6e-9, 9.0, 1e-9)
    saved = cell.checkpoint()
    hold(cell, 1e-6, -0.2, 1e-9)
    first = cell.observe()
    other = started(shape("channel.initial=0.15"))
    other.restore(saved)
    hold(other, 1e-6, -0.2, 1e-9)
    assert other.observe() == first


# -- figures --------------------------------------------------------------------------------------------------


def test_linearity_of_a_saturating_branch_gives_its_curvature():
    p = np.linspace(0.0, 1.0, 2001)
    for nu in (0.5, 3.0, 8.0):
        branch = 1.0 + np.expm1(-nu * p) / np.expm1(-nu)
        apart, found = linearity(branch)
        assert found == pytest.approx(nu, rel=1e-3)
        assert linearity(3.0 - branch)[1] == pytest.approx(nu, rel=1e-3)  # downwards
        assert linearity(branch[::-1])[1] == pytest.approx(-nu, rel=1e-3)
        assert apart > 0.0
    assert linearity(np.linspace(2.0, 1.0, 5)) == pytest.approx((0.0, 0.0), abs=1e-12)


def test_symmetric_updates_have_no_asymmetry():
    up = np.linspace(1.0, 2.0, 11)
    assert asymmetry(up, up[::-1]) == 0.0
    assert asymmetry(up, 2.0 - (up - 1.0) ** 0.5) == pytest.approx(0.25, abs=0.01)


def test_levels_closer_than_the_noise_are_one():
    levels = np.array([1.0, 1.01, 1.2, 1.4, 1.41])
    assert distinguishable(levels, np.full(5, 0.05)) == 3
    assert distinguishable(levels, np.full(5, 1e-4)) == 5


def test_figures_of_a_train(trained):
    device, run = trained
    figures = update_figures(pulse_levels(run.series, device.drive), device)
    assert figures.items() <= run.summary.items()
    assert figures["n_pulses"] == 6
    assert figures["on_off_ratio"] > 1.0
    assert figures["E_pulse_J"] == pytest.approx(run.series["energy_J"][-1] / 6, rel=1e-12)
    table = np.genfromtxt(run.folder / "pulses.csv", delimiter=",", names=True)
    np.testing.assert_allclose(table["level_S"], pulse_levels(run.series, device.drive)["level_S"], rtol=1e-9)
    assert [path.name for path in run.plot()] == ["train.png", "currents.png", "ions.png"]


# -- bad input ------------------------------------------------------------------------------------------------

BAD = {
    "missing reservoir": ('[reservoir]\nmaterial = "PdHx"\n', "", "reservoir", "missing"),
    "x above one": ("initial = 0.025", "initial = 1.2", "channel.initial = 1.2", "> 0 and < 1"),
    "x of zero": ("initial = 0.025", "initial = 0.0", "channel.initial = 0.0", "> 0 and < 1"),
    "pulse longer than its period": ("width_s = 5e-9", "width_s = 2.0", "drive.width_s = 2", "must be below period_s"),
    "no amplitude": ("\namplitude_V = 8.45", "", "drive.amplitude_V", "missing; needs amplitude_V or amplitude_A"),
    "unknown electrolyte": ('"PSG"', '"PSGG"', "electrolyte.material", "did you mean 'PSG'"),
    "another ion": ('"PdHx"', '"Li"', "reservoir.material", "holds Li+, but the electrolyte PSG H+"),
    "compliance": ("[drive]", "[drive]\ncompliance_A = 1e-6", "drive.compliance_A", "not with the family ecram"),
    "gate beyond the electrolyte": ("gate_length_nm = 100.0", "gate_length_nm = 200.0", "geometry.gate_length_nm",
                                    "must be at most"),
    "more ions than sites": ('"PSG"', '"PSG"\ndensity_per_m3 = 5e27', "electrolyte.density_per_m3", "must be below"),
    "no set for an interface": ('material = "PSG"', 'material = "LiPON"', "channel.material", "holds H+"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_input_names_the_key_and_gives_exit_code_2(case, tmp_path, command):
    old, new, key, words = case
    text = _example("psg_wo3_pulse_train").replace(old, new)
    assert text != _example("psg_wo3_pulse_train")
    path = tmp_path / "device.toml"
    path.write_text(text, encoding="utf-8")
    result = command("run", path, "--out", tmp_path / "out")
    assert result.code == 2
    assert key in result.err
    assert words in " ".join(result.err.split())
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_an_interface_without_a_set_needs_its_numbers():
    changes = ["electrolyte.material=Nafion", "reservoir.material=PdHx"]
    assert load("psg_wo3_pulse_train", changes).number("interfaces.channel.exchange_A_per_m2") == 1.0
    drive = 'drive={kind="gate_pulses", amplitude_V=1.0, width_s=1e-9, rise_s=1e-9, period_s=1.0, count=1}'
    with pytest.raises(DeviceFileError, match=r"drive.kind"):
        load("gst_mushroom", [drive])


def _example(name: str) -> str:
    from importlib.resources import files

    return (files("ionsim") / "examples" / f"{name}.toml").read_text(encoding="utf-8")
