"""The page of a run and of a study: what is on it, what it says where something is missing; a browser shows it."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from browser import browser, executable, faults, opened
from resume_checks import After
from resume_devices import DEVICES
from small_device import FROZEN, small_device

import ionsim
from ionsim.config import example_files, load
from ionsim.report import report
from ionsim.report.balance import stage_energy
from ionsim.report.curves import envelope, rows_of_pulse
from ionsim.report.drawing import device_figure
from ionsim.report.figures import chemical, packed, quantised, thinned, to_json
from ionsim.report.metrics import metrics_of, quench_K_per_s, ramp_note
from ionsim.report.moments import moments
from ionsim.report.origin import changed
from ionsim.report.origin import command as again
from ionsim.report.parts import drawing_of
from ionsim.report.slices import fields_of, hotter
from ionsim.report.texts import number, quantity
from ionsim.results import RUN_FILE, Recorder, Run, Snapshot

pytest.importorskip("plotly")

#: What every page of a run has.
ANCHORS = ("device", "curves", "scene", "slices", "metrics", "events", "energy", "parameters", "reproduce")
needs_browser = pytest.mark.skipif(executable() is None, reason="no Chromium here")


def made(name, folder, seed=1):
    """A run of one of the small devices."""
    return ionsim.Simulation(DEVICES[name][0](), seed=seed).run(folder)


def mushroom(folder):
    """A record as a phase-change cell leaves it, without solving anything: a dome that melts and stays glass."""
    device = load("gst_mushroom")
    recorder = Recorder(name=device.name, family="pcm", seed=1, input_toml=device.to_toml(), stages=("reset", "set"))
    for row in range(30):
        hot, time_s = (row % 15) / 15.0, 1e-8 * (row + 1)
        recorder.sample(
            time_s=time_s, voltage_V=0.1 + hot, device_V=0.1 + 0.5 * hot, current_A=1e-4 * (0.1 + hot),
            power_W=1e-5 * hot, conductance_S=1e-4, temperature_peak_K=300.0 + 900.0 * hot, limited=0.0,
            heat_out_W=9e-6 * hot, latent_W=0.0, stored_W=1e-6 * hot, balance_error=1e-9,
            crystalline_share=1.0 - 0.1 * hot, n_nuclei=0.0, n_steps=row, stage=float(row // 15),
        )  # fmt: skip
    x, z = np.linspace(0.5, 79.5, 80), np.linspace(-19.5, 79.5, 100)
    distance = np.hypot(*np.meshgrid(x, z))
    inside = np.broadcast_to(((z > 0.0) & (z < 60.0))[:, None], distance.shape).astype(float)
    for label, moment_s, radius in (("virgin", 0.0, 0.0), ("reset_pulse", 1e-7, 30.0), ("reset", 1.5e-7, 30.0)):
        hot = 700.0 * np.exp(-distance / 60.0) * (label == "reset_pulse")
        cut = {"crystalline": inside * (distance > radius), "inside": inside, "temperature_K": 300.0 + hot,
               "potential_V": 0.01 * np.broadcast_to(z[:, None], distance.shape), "x_nm": x, "z_nm": z}  # fmt: skip
        extra = {f"cut/{name}": values for name, values in cut.items()} | {"melting_K": np.array(900.0)}
        recorder.snapshot(Snapshot(label, moment_s, 1.0, *(np.empty(0),) * 3, extra=extra))
    recorder.summary = {"T_peak_K": 1140.0, "E_electrical_J": 3.7e-11, "E_out_J": 3.5e-11, "E_latent_J": -4e-14,
                        "E_residual_J": 7e-22, "E_total_J": 3.6e-11, "n_steps": 30,
                        "crystalline_share": 0.9}  # fmt: skip
    recorder.status = "complete"
    folder.mkdir()
    recorder.write(folder / RUN_FILE)
    return Run.open(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run with a lattice, one with phases and one with ions; tests leave them as they are."""
    folder = tmp_path_factory.mktemp("report")
    found = {name: made(name, folder / name) for name in ("vcm_crystal", "ecram_stack")}
    return found | {"pcm_mushroom": mushroom(folder / "pcm_mushroom")}


@pytest.fixture(scope="module")
def pages(runs):
    return {name: run.report() for name, run in runs.items()}


def data_of(page):
    text = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), flags=re.DOTALL)[1]
    return json.loads(text.replace("<\\/", "</"))


# -- a run --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vcm_crystal", "pcm_mushroom", "ecram_stack"])
def test_a_page_is_whole_and_needs_nothing_else(runs, pages, name):
    page, run = pages[name], runs[name]
    text = page.read_text(encoding="utf-8")
    assert page == run.folder / "report.html"
    assert page.stat().st_size < 15e6
    for anchor in ANCHORS:
        assert f'id="the-{anchor}"' in text
    # all that a browser would fetch is in the file; the script of plotly.js only holds addresses as texts
    own = text[: text.index('id="data"')]
    assert re.findall(r'(?:src|href)="(?!#|data:)', own) == []
    assert f"--seed {run.seed}" in text
    assert all(version in text for version in run.versions.values())
    assert "<p class=\"missing\">" not in own or name == "ecram_stack"  # whose pulses make no I-V curve


def test_the_scene_and_the_slices_hold_what_the_snapshots_hold(runs, pages):
    run, data = runs["vcm_crystal"], data_of(pages["vcm_crystal"])
    labels = [moment.label for moment in moments(run.snapshots, 12)]
    assert [state["label"] for state in data["scene"]["states"]] == labels
    formed = data["scene"]["states"][labels.index("formed")]
    members = sum(int(trace["centres"]["shape"].split(",")[0]) for trace in formed["traces"])
    assert members == len(run.filament("formed").positions_nm)
    assert len(data["slices"]["moments"]) == len(labels)
    shape = data["slices"]["panels"][0]["shape"]
    assert shape == [len(labels), *run.snapshot("formed").extra["cut/potential_V"].shape]


def test_numbers_of_the_page_are_those_of_the_summary(runs, pages):
    run, text = runs["vcm_crystal"], pages["vcm_crystal"].read_text(encoding="utf-8")
    assert f'<td class="value">{quantity(run.summary["V_form_V"], "V")}</td>' in text
    assert f"<td>{number(run.summary['n_vacancy_hop'])}</td>" in text
    assert "calibrated" in text  # sources of parameters are there
    energy = pages["pcm_mushroom"].read_text(encoding="utf-8")
    for key in ("E_electrical_J", "E_out_J", "E_latent_J"):
        assert quantity(runs["pcm_mushroom"].summary[key], "J", 4) in energy


def test_a_potential_that_was_not_solved_is_not_drawn_as_0_V(runs):
    """The dielectric around a heater carries no current; the solver leaves zeros there, the page a gap."""
    run = runs["pcm_mushroom"]
    drawing = drawing_of(load("gst_mushroom"))
    fields, notes = fields_of(run, moments(run.snapshots, 12), drawing)
    potential = fields[0]
    radius = load("gst_mushroom").geometry.arguments()["heater_radius_nm"]
    dark = (potential.z_nm[:, None] < 0.0) & (np.abs(potential.x_nm) > radius)
    assert 0.05 < dark.mean() < 0.5
    for frame in potential.values:
        np.testing.assert_array_equal(np.isnan(frame), dark)
    assert any("not solved there (dielectric: no current flows there)" in note for note in notes)
    assert np.isfinite(fields[1].values).all()  # heat goes everywhere


def held(label, time_s, voltage_V, hottest_K):
    none = np.empty(0)
    return Snapshot(label, time_s, voltage_V, none, none, none, extra={"cut/temperature_K": np.array([[hottest_K]])})


@pytest.mark.parametrize("rows", [5, 8, 13])
def test_the_envelope_of_a_train_has_no_beat(rows):
    """A train whose points were thinned showed loops: every stretch must hold whole pulses, whatever their length."""
    pulses = 1600
    one = np.where(np.arange(rows) < rows // 2, 8.0, -0.2)
    voltage = np.tile(one, pulses)
    surface = 1e-4 * np.arange(voltage.size) + 1.5 * (voltage > 0.0)
    stage = np.zeros(voltage.size)
    pulse = rows_of_pulse({"voltage_V": voltage, "stage": stage})
    assert pulse == pytest.approx(rows, abs=1)
    time, low, high = envelope(np.arange(voltage.size) * 1.0, surface, pulse, stage)
    assert 100 < len(time) <= 500
    drift = 1e-4 * voltage.size / len(time)
    np.testing.assert_allclose(high - low, 1.5, atol=1.1 * drift)
    assert np.diff(low).min() > 0.0
    assert np.diff(high).min() > 0.0
    assert envelope(np.arange(voltage.size) * 1.0, np.linspace(0.0, 1.0, voltage.size), pulse, stage) is None


def test_a_long_ramp_is_no_train():
    ramp = np.concatenate([np.linspace(0.0, 2.0, 4000), np.linspace(2.0, 0.0, 4000)])
    assert rows_of_pulse({"voltage_V": ramp, "stage": np.zeros(8000)}) == 0


def test_a_stage_that_was_hotter_between_its_snapshots_says_so():
    """The recorded temperature is the largest within an interval, which a snapshot at its end does not hold."""
    series = {"time_s": np.array([1.0, 2.0, 3.0]), "stage": np.array([0.0, 0.0, 1.0]),
              "temperature_peak_K": np.array([310.0, 739.3, 440.0])}  # fmt: skip
    run = SimpleNamespace(series=series, stages=("forming", "reset"))
    taken = [held("virgin", 0.0, 0.0, 300.0), held("forming_peak", 2.0, 1.6, 431.0), held("reset", 3.0, -1.0, 439.0)]
    (note,) = hotter(run, taken)
    assert "forming 739 K in the recorded interval that ends at t = 2 s, 431 K in its hottest snapshot" in note
    assert "reset" not in note
    taken[1] = held("forming_peak", 2.0, 1.6, 735.0)
    assert hotter(run, taken) == []
    cold = [replace(one, extra={}) for one in taken]  # of devices without heat snapshots hold no temperature
    assert hotter(run, cold) == []


def test_a_moment_says_what_is_left_for_the_cell():
    snapshots = {"forming_peak": held("forming_peak", 2.0, 1.59, 431.0), "reset": held("reset", 3.0, -1.0, 300.0)}
    series = {"time_s": np.array([2.0, 3.0]), "device_V": np.array([0.488, -0.9999])}
    first, second = moments(snapshots, 12, series=series)
    assert first.title == "forming, largest power: t = 2 s, 1.59 V applied, 488 mV across the cell"
    assert second.title == "reset: t = 3 s, −1 V applied"


def test_parts_without_current_are_those_of_the_solver():
    cells = {part.name: part.conducts for part in drawing_of(load("pcm_array_3x3")).parts}
    assert {name for name, conducts in cells.items() if name.startswith("heater") and conducts} == {"heater 1,1"}
    assert not cells["dielectric"]
    assert cells["cell 0,0"]
    assert cells["word 0"]
    filament = {part.name: part.conducts for part in drawing_of(load("hfo2_continuum")).parts}
    assert [name for name, conducts in filament.items() if not conducts] == ["dielectric"]


def test_figures_are_valid_for_plotly(pages):
    """plotly's own schema knows every key of every figure that goes to it as it is."""
    from plotly.graph_objects import Figure

    for page in pages.values():
        for figure in data_of(page).values():
            if figure["kind"] == "plot":
                Figure({"data": figure["data"], "layout": figure["layout"]})
            elif figure["kind"] == "slices":
                Figure({"layout": figure["layout"]})
            else:
                Figure({"data": figure["base"], "layout": figure["layout"]})


def test_energies_of_stages_add_up_to_that_of_the_run(runs):
    for name in ("vcm_crystal", "ecram_stack"):
        run = runs[name]
        starts = np.flatnonzero(np.diff(run.series["stage"], prepend=-1.0))
        ends = [*starts[1:], len(run.series["stage"])]
        rows = {key: np.asarray(values) for key, values in run.series.items()}
        parts = [stage_energy({key: values[max(low - 1, 0) : high] for key, values in rows.items()}, low)
                 for low, high in zip(starts.tolist(), ends, strict=True)]  # fmt: skip
        assert sum(parts) == pytest.approx(run.summary["E_total_J"], rel=1e-6)


def test_the_case_that_the_page_names_exists(pages):
    (named,) = set(re.findall(r"--case ([a-z-]+)", pages["vcm_crystal"].read_text(encoding="utf-8")))
    files = (Path(ionsim.__file__).parent / "verification").glob("*.py")
    assert any(re.search(rf'@case\(\s*"{named}"', file.read_text(encoding="utf-8")) for file in files)


# -- what is missing ----------------------------------------------------------------------------------------------


def test_a_run_without_points_or_snapshots_says_so(tmp_path):
    device = small_device()
    recorder = Recorder(name=device.name, family="vcm", seed=3, input_toml=device.to_toml(), stages=("forming",))
    recorder.status = "failed"
    recorder.write(tmp_path / RUN_FILE)
    text = report(tmp_path).read_text(encoding="utf-8")
    assert "The run ended with an error" in text
    assert "recorded no point" in text
    assert "no snapshot" in text
    assert 'id="the-parameters"' in text


def test_a_stopped_run_has_a_page_of_what_there_is_and_an_old_one_goes(tmp_path):
    (tmp_path / "report.html").write_text("old")
    run = ionsim.Simulation(small_device(FROZEN), seed=1).run(tmp_path, stop=After(4))
    assert run.status == "stopped"
    assert not (tmp_path / "report.html").exists()
    text = run.report().read_text(encoding="utf-8")
    assert "ionsim resume goes on" in text
    assert data_of(tmp_path / "report.html")["scene"]["states"][0]["label"] == "virgin"


def test_a_device_that_is_not_understood_leaves_the_curves(runs, tmp_path):
    run = replace(runs["vcm_crystal"], input_toml='family = "memtransistor"\nname = "of <another> day"\n')
    text = run.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "cannot be read by this version" in text
    assert "iv" in data_of(tmp_path / "page.html")
    assert "of &lt;another&gt; day" in text


@pytest.mark.parametrize("kind", ["nothing", "empty", "broken", "unwritable"])
def test_a_bad_folder_is_one_message_and_exit_code_2(command, tmp_path, runs, kind):
    folder = tmp_path / "here"
    arguments = [folder]
    if kind != "nothing":
        folder.mkdir()
    if kind == "broken":
        (folder / RUN_FILE).write_bytes(b"no HDF5")
    if kind == "unwritable":
        arguments = [runs["vcm_crystal"].folder, "--out", tmp_path / "no" / "such" / "page.html"]
    result = command("report", *arguments)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.strip().splitlines()) == 1
    assert "Traceback" not in result.err


def test_the_command_writes_where_it_is_told(command, runs, tmp_path):
    result = command("report", runs["pcm_mushroom"].folder, "--out", tmp_path / "x.html")
    assert result.code == 0
    assert "x.html" in result.out


# -- parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(example_files()))
def test_every_example_has_a_drawing_whose_parts_have_no_gaps_on_the_axis(name):
    device = load(name)
    drawing = drawing_of(device)
    cut = [part.section(drawing.across, drawing.up, drawing.at_nm) for part in drawing.parts]
    spans = sorted({up for pieces in cut for across, up in pieces if across[0] <= 0.1 <= across[1]})
    reached = spans[0][0]
    for low, high in spans:
        assert low <= reached + 1e-9, f"{name}: nothing between {reached} and {low} nm"
        reached = max(reached, high)


def test_thicknesses_of_a_drawing_are_those_of_the_file():
    device = load("hfo2_ti_bipolar")
    found = {part.name: part.box.z for part in drawing_of(device).parts}
    for name in ("bottom", "oxide", "cap", "top"):
        low, high = found[name]
        assert high - low == pytest.approx(getattr(device.layers, name).thickness_nm)
    assert found["oxide"][0] == 0.0


@pytest.mark.parametrize("name", ["hfo2_ti_bipolar", "ag_sio2_memory", "hfo2_continuum"])
def test_no_name_of_a_part_lies_on_a_mark(name):
    drawing = drawing_of(load(name))
    assert drawing.marks
    for label in device_figure(drawing).content["layout"]["annotations"]:
        for mark in drawing.marks:
            inside = mark.across[0] < label["x"] < mark.across[1] and mark.up[0] < label["y"] < mark.up[1]
            assert label["showarrow"] or not inside, label["text"]


def test_no_line_to_a_contact_crosses_the_channel():
    labels = device_figure(drawing_of(load("psg_wo3_pulse_train"))).content["layout"]["annotations"]
    assert [label["showarrow"] for label in labels if "source" in label["text"]] == [False]


def test_every_panel_of_the_slices_has_its_numbers_and_a_title_in_its_middle(pages):
    layout = data_of(pages["vcm_crystal"])["slices"]["layout"]
    axes = [value for key, value in layout.items() if key.startswith("xaxis")]
    assert len(axes) == 3
    assert all(one["title"]["text"] and one.get("showticklabels", True) for one in axes)
    titles = [one for one in layout["annotations"] if one["text"].startswith("<b>")]
    assert [one["x"] for one in titles] == pytest.approx([sum(one["domain"]) / 2 for one in axes])
    assert all(one["xanchor"] == "center" for one in titles)  # else a text near a side begins or ends there


def test_how_to_make_a_run_again():
    device = load("hfo2_ti_bipolar")
    assert again(device, device.to_toml(), 7) == ("ionsim run hfo2_ti_bipolar --out DIR --seed 7", False)
    thick = device.replace({"layers.oxide.thickness_nm": 6.0})
    text, needs_file = again(thick, thick.to_toml(), 1)
    assert text.endswith("--set layers.oxide.thickness_nm=6.0")
    assert not needs_file
    other = device.replace({"name": "mine"})
    assert again(other, other.to_toml(), 1) == ("ionsim run mine.toml --out DIR --seed 1", True)


def test_a_changed_example_says_what_was_changed():
    device = load("hfo2_ti_bipolar")
    assert changed(device, device.to_toml()) == ""
    other = device.replace({"layers.oxide.thickness_nm": 4.0, "seed": 9})
    assert changed(other, other.to_toml()) == (
        "changed from the example hfo2_ti_bipolar: layers.oxide.thickness_nm 5 → 4"
    )
    keys = ("bottom", "oxide", "cap", "top")
    many = device.replace({f"layers.{key}.thickness_nm": 7.0 for key in keys}
                          | {"ambient_K": 310.0, "mesh.domain_width_nm": 40.0, "drive.compliance_A": 7e-5,
                             "drive.ramp_rate_V_per_s": 2.0})  # fmt: skip
    assert changed(many, many.to_toml()).endswith(", and 2 more")
    assert changed(many, many.to_toml()).count("→") == 6
    mine = device.replace({"name": "mine"})
    assert changed(mine, mine.to_toml()) == ""


def test_times_and_energies_of_a_ramp_are_said_to_be_of_a_ramp(pages):
    assert "1 V/s (a recorded step lasts 10 ms)" in ramp_note(load("hfo2_ti_bipolar"))
    assert ramp_note(load("ag_gese_kinetics")) == ""
    assert ramp_note(load("gst_mushroom")) == ""
    assert "Slow ramp." in pages["vcm_crystal"].read_text(encoding="utf-8")
    assert "Slow ramp." not in pages["pcm_mushroom"].read_text(encoding="utf-8")


def test_metrics_follow_their_definitions():
    summary = {"V_set_V": 2.0, "tau_set_s": 1e-3, "R_LRS_ohm": 1e3, "R_HRS_ohm": 1e5}
    rows = {row.name: row.value for row in metrics_of(None, "vcm", summary, {})}
    assert rows["E<sub>spike</sub>"] == quantity(2.0**2 / 1e5 * 1e-3, "J")
    assert rows["E<sub>fire</sub>"] == quantity(2.0**2 / 1e3 * 1e-3, "J")
    assert rows["E<sub>action</sub>"] == "–"
    series = {"time_s": np.array([0.0, 1.0, 2.0, 3.0]), "temperature_peak_K": np.array([300.0, 1000.0, 700.0, 300.0])}
    assert quench_K_per_s(series, 900.0) == 300.0  # the faster fall begins below the melting point
    assert quench_K_per_s(series, 1100.0) is None


def test_numbers_as_texts():
    assert quantity(1.014e-4, "A") == "101 µA"
    assert quantity(-3.2e-10, "J") == "−320 pJ"
    assert quantity(999.9999, "V") == "1 kV"
    assert quantity(0.0, "V") == "0 V"
    assert quantity(None, "V") == quantity(float("nan"), "V") == "–"
    assert quantity(869.6, "K") == "869.6 K"
    assert number(3.2e-7) == "3.2 × 10⁻⁷"
    assert number(12345) == "12,345"
    assert chemical("HfO2") == "HfO<sub>2</sub>"
    assert chemical("GST-225") == "GST-225"


def test_arrays_survive_packing():
    values = np.array([[1.0, np.nan], [2.5, -3.0]])
    found = quantised(values)
    codes = np.frombuffer(base64.b64decode(found["codes"]["bdata"]), dtype="<u2").reshape(2, 2)
    back = np.where(codes == found["missing"], np.nan, found["low"] + codes * found["step"])
    np.testing.assert_allclose(back, values, atol=1e-4)
    assert packed(values)["shape"] == "2, 2"
    assert to_json({"x": float("nan"), "y": "</script>"}) == '{"x":null,"y":"<\\/script>"}'


def test_thinning_keeps_ends_and_extremes():
    values = np.sin(np.linspace(0.0, 20.0, 50_000))
    values[33_333] = 5.0
    rows = thinned(values, 3000)
    assert {0, 33_333, 49_999} <= set(rows.tolist())
    assert len(rows) <= 3100
    assert thinned(values[:100]).tolist() == list(range(100))


def test_moments_of_one_time_are_one_and_peaks_go_first():
    def one(label, time_s):
        return Snapshot(label, time_s, 1.0, *(np.empty(0),) * 3)

    labels = {"virgin": 0.0, "a_peak": 1.0, "a_pulse": 2.0, "a": 2.0, "b_peak": 3.0, "b": 4.0}
    snapshots = {label: one(label, time_s) for label, time_s in labels.items()}
    every = ["virgin", "a, largest power", "a", "b, largest power", "b"]
    assert [each.label for each in moments(snapshots, 9)] == every
    assert [each.label for each in moments(snapshots, 3)] == ["virgin", "a", "b"]


# -- in a browser -------------------------------------------------------------------------------------------------


@needs_browser
def test_a_browser_shows_a_run(pages):
    pytest.importorskip("playwright")
    with browser() as chromium, opened(chromium, pages["vcm_crystal"]) as page:
        assert faults(page) == []


@needs_browser
def test_a_potential_of_one_sign_fills_its_scale(pages):
    """With one scale for forming and RESET, alike to both sides, a small voltage was nearly white."""
    pytest.importorskip("playwright")
    script = """() => { const trace = document.querySelector('[data-figure="slices"]').data[0];
        const all = trace.z.flatMap((row) => [...row]);
        return [trace.zmin, trace.zmax, Math.min(...all), Math.max(...all)]; }"""
    with browser() as chromium, opened(chromium, pages["vcm_crystal"]) as page:
        last = int(page.page.locator("#figure-slices input[type=range]").get_attribute("max"))
        found = []
        for index in range(last + 1):
            page.move(index)
            found.append(page.page.evaluate(script))
    ends = np.array([row for row in found if row[3] - row[2] > 1e-3])
    assert ends[:, 2].min() < -0.1  # the stages have both signs
    assert ends[:, 3].max() > 0.1
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], ends[:, 3] - ends[:, 2], rtol=0.05)


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DEVICES if name != "vcm_divided"])
def test_a_browser_shows_runs_of_every_kind(name, tmp_path):
    pytest.importorskip("playwright")
    run = made(name, tmp_path)
    with browser() as chromium, opened(chromium, run.report()) as page:
        assert faults(page) == []
    assert Run.open(tmp_path).report(tmp_path / "again.html").stat().st_size < 15e6
