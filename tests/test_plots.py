"""Pictures from synthetic runs: what is drawn, what is left out, and that no display or pyplot state is needed."""

import subprocess
import sys
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
from small_device import small_device

from ionsim.analysis.switching import Event, summarise, switching_events
from ionsim.plots import (
    Cut,
    connectivity,
    cut_figure,
    filament_figure,
    iv_figure,
    plot_run,
    transient_figure,
)
from ionsim.plots.clusters import BOTTOM, BRIDGE, ISOLATED, TOP, cluster_labels, size_ranks
from ionsim.plots.curves import held_figure
from ionsim.plots.pictures import compliances, is_held, layer_names, saturations
from ionsim.plots.scene import Camera, box_corners
from ionsim.plots.style import formula, spans, stage_colours, time_unit
from ionsim.plots.vacancies import FIELDS, chosen

SPACING = 0.254
BOX = (8 * SPACING, 8 * SPACING, 10 * SPACING)
DEVICE = """
[layers.bottom]
material = "TiN"
[layers.oxide]
material = "HfO2"
[layers.cap]
material = "Ti"
[drive]
compliance_A = 1e-4
[[drive.stages]]
name = "forming"
compliance_A = 2e-5
"""


def lattice():
    return (np.indices((8, 8, 10)).reshape(3, -1).T + 0.5) * SPACING


def column(layers, x=4.5, y=4.5):
    return np.array([[x, y, layer + 0.5] for layer in layers]) * SPACING


def series():
    forming = [*np.linspace(0, 2, 41), *np.linspace(2, 0, 41)]
    reset = [*np.linspace(0, -1, 21), *np.linspace(-1, 0, 21)]
    voltage = np.array([*forming, *reset])
    stage = np.repeat([0.0, 1.0], [82, 42])
    current = np.where(np.arange(len(voltage)) < 41, 1e-9 * voltage, np.clip(2e-4 * voltage, None, 1e-4))
    return {
        "time_s": np.arange(len(voltage)) * 0.05,
        "voltage_V": voltage,
        "device_V": 0.9 * voltage,
        "current_A": current,
        "conductance_S": np.where(np.arange(len(voltage)) < 41, 1e-9, 2e-4),
        "limited": np.zeros(len(voltage)),
        "temperature_peak_K": 300 + 50 * voltage**2,
        "stage": stage,
    }


def after_the_turn():
    """A ramp whose current jumps one point after its largest voltage."""
    voltage = np.array([*np.linspace(0.05, 2, 40), *np.linspace(1.95, 0.05, 39)])
    current = np.where(np.arange(79) < 40, 1e-11 * voltage, 1e-4)
    return {
        "time_s": np.arange(79) * 0.05, "voltage_V": voltage, "current_A": current, "power_W": current * voltage,
        "conductance_S": current / voltage, "limited": np.zeros(79), "temperature_peak_K": np.full(79, 300.0),
        "stage": np.zeros(79),
    }  # fmt: skip


def cut_arrays():
    x, z = np.linspace(-5, 7, 25), np.linspace(-4, 6, 21)
    grid_x, grid_z = np.meshgrid(x, z)
    return {
        "cut/x_nm": x,
        "cut/z_nm": z,
        "cut/potential_V": np.clip(grid_z / BOX[2], 0, 1),
        "cut/temperature_K": 300 + 80 * np.exp(-((grid_x - 1) ** 2) - grid_z**2),
    }


def snapshot(layers, extra=None, voltage_V=0.5):
    occupation = np.zeros(len(lattice()), dtype=np.int8)
    if len(layers):
        wanted = column(layers)
        occupation[np.abs(lattice()[:, None] - wanted[None]).max(axis=2).min(axis=1) < 1e-9] = 1
    return SimpleNamespace(occupation=occupation, voltage_V=voltage_V, time_s=0.0, extra=extra or {})


def run(**changes):
    sites = SimpleNamespace(
        positions_nm=lattice(), region=np.zeros(len(lattice()), dtype=int), cell_nm=np.array(BOX),
        species=("oxygen", "vacancy"), filament=("vacancy",), regions=("oxide",), periodic=(True, True, False),
    )  # fmt: skip
    values = {
        "name": "example",
        "input_toml": DEVICE,
        "stages": ("forming", "reset"),
        "series": series(),
        "summary": {"V_form_V": 2.0, "V_reset_V": None, "V_set_V": None},
        "sites": sites,
        "snapshots": {
            "reset": snapshot(range(6), cut_arrays()),
            "virgin": snapshot([]),
            "formed": snapshot(range(10), cut_arrays()),
        },
    }
    return SimpleNamespace(**{**values, **changes})


class TestConnectivity:
    def test_classes(self):
        sites = np.vstack([column(range(10)), column([0, 1], x=1.5), column([9], x=1.5), column([5], x=7.5)])
        classes = connectivity(sites, 0.0, BOX[2])
        np.testing.assert_array_equal(classes, [BRIDGE] * 10 + [BOTTOM] * 2 + [TOP, ISOLATED])

    def test_gap_breaks_the_bridge(self):
        classes = connectivity(column([0, 1, 2, 3, 5, 6, 7, 8, 9]), 0.0, BOX[2])
        np.testing.assert_array_equal(classes, [BOTTOM] * 4 + [TOP] * 5)

    def test_neighbours_across_a_periodic_edge(self):
        low, high = column(range(5), x=0.5), column(range(5, 10), x=7.5)
        joined = connectivity(np.vstack([low, high]), 0.0, BOX[2], cell_nm=BOX, periodic=(True, True, False),
                              neighbour_nm=0.36)  # fmt: skip
        assert set(joined) == {BRIDGE}
        apart = connectivity(np.vstack([low, high]), 0.0, BOX[2], neighbour_nm=0.36)
        assert set(apart) == {BOTTOM, TOP}

    def test_an_electrode_may_be_touched_from_nearer_than_a_neighbour(self):
        sites = column(range(1, 9))
        assert set(connectivity(sites, 0.0, BOX[2])) == {ISOLATED}
        assert set(connectivity(sites, 0.0, BOX[2], touch_nm=1.6 * SPACING)) == {BRIDGE}
        assert set(connectivity(column(range(10)), 0.0, BOX[2], touch_nm=0.4 * SPACING)) == {ISOLATED}

    def test_clusters_are_ranked_by_size_and_lone_sites_are_not(self):
        sites = np.vstack([column([1]), column([4, 5], x=1.5), column([3, 4, 5], x=7.5), column(range(10))])
        labels = cluster_labels(sites)
        ranks = size_ranks(labels, connectivity(sites, 0.0, BOX[2]) == ISOLATED)
        np.testing.assert_array_equal(ranks, [-1, 1, 1, 0, 0, 0] + [-1] * 10)

    def test_no_sites(self):
        assert connectivity(np.zeros((0, 3)), 0.0, 1.0).shape == (0,)


class TestCurves:
    def test_iv_has_one_colour_a_stage_and_a_ring_at_forming(self):
        data = series()
        figure = iv_figure(
            data["voltage_V"], data["current_A"], data["stage"], ("forming", "reset"), compliance_A=[1e-4],
            events={"V_form_V": Event("forming", 40, False)},
        )  # fmt: skip
        (axes,) = figure.axes
        colours = stage_colours(("forming", "reset"))
        drawn = [line.get_color() for line in axes.lines if len(line.get_xdata()) > 10]
        assert drawn == [colours["forming"], colours["reset"]]
        rings = [line for line in axes.lines if line.get_marker() == "o"]
        assert [float(ring.get_xdata()[0]) for ring in rings] == [2.0]
        assert [text.get_text() for text in figure.legends[0].get_texts()] == [
            "forming, $V_\\mathrm{form} = 2.00$ V", "reset",
        ]  # fmt: skip
        assert axes.get_yscale() == "log"
        assert "(V)" in axes.get_xlabel()
        assert "(A)" in axes.get_ylabel()
        assert any("compliance 100 µA" in text.get_text() for text in axes.texts)

    def test_no_current_at_all_is_an_empty_picture_not_an_error(self):
        voltage = np.linspace(0, 1, 20)
        events = {"V_form_V": Event("forming", 19, False)}
        figure = iv_figure(voltage, np.zeros(20), np.zeros(20), ("forming",), events=events)
        figure.canvas.draw()

    def test_a_jump_after_the_turn_has_its_ring_on_the_way_back(self):
        """The same voltage was passed on the way out, at a current millions of times smaller."""
        data = after_the_turn()
        summary = summarise(small_device(), data, ("forming",))
        events = switching_events(data, ("forming",), summary)
        event = events["V_form_V"]
        assert event.returning
        assert data["voltage_V"][event.row] == summary["V_form_V"] == pytest.approx(1.95)
        assert data["current_A"][event.row] == 1e-4
        assert np.isclose(data["voltage_V"][: event.row], summary["V_form_V"]).any()
        figure = iv_figure(data["voltage_V"], data["current_A"], data["stage"], ("forming",), events=events)
        (ring,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
        assert float(ring.get_ydata()[0]) == 1e-4
        assert figure.legends[0].get_texts()[0].get_text().endswith("(on the way back)")

    def test_a_voltage_that_is_not_that_of_its_row_has_no_ring(self):
        data = after_the_turn()
        summary = summarise(small_device(), data, ("forming",))
        assert switching_events(data, ("forming",), {**summary, "V_form_V": 1.2}) == {}
        assert switching_events(data, ("forming",), {**summary, "V_form_V": None}) == {}

    def test_a_held_voltage_has_its_current_against_time(self):
        """An I-V curve of one voltage is a vertical line."""
        time = np.logspace(-6, 2, 60)
        data = {"time_s": time, "voltage_V": np.full(60, 1.3), "current_A": 1e-12 * time**0.5, "stage": np.zeros(60)}
        (axes,) = held_figure(data, ("constant",), compliance_A=[1e-6]).axes
        assert (axes.get_xlabel(), axes.get_xscale(), axes.get_yscale()) == ("time (s)", "log", "log")
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), time)
        assert axes.lines[0].get_label() == "constant, 1.3 V"
        steady = {**data, "time_s": np.linspace(0.0, 1e-6, 60), "current_A": np.linspace(1e-6, 2e-6, 60)}
        (axes,) = held_figure(steady, ("constant",)).axes
        assert (axes.get_xlabel(), axes.get_xscale(), axes.get_yscale()) == ("time (µs)", "linear", "linear")
        assert is_held('[drive]\nkind = "constant"\n')
        assert not is_held('[drive]\nkind = "sweep"\n')

    def test_transient_shares_time(self):
        figure = transient_figure(series(), ("forming", "reset"))
        assert len(figure.axes) == 3
        assert len({axes.get_xlim() for axes in figure.axes}) == 1
        assert figure.axes[-1].get_xlabel() == "time (s)"

    def test_the_line_of_a_transistor_has_its_name(self):
        data = series()
        figure = iv_figure(data["voltage_V"], data["current_A"], data["stage"], ("a", "b"), saturation_A=[5e-5])
        assert [text.get_text() for text in figure.axes[0].texts if text.get_text()] == ["transistor 50 µA"]

    def test_short_runs_have_readable_times(self):
        data = {**series(), "time_s": series()["time_s"] * 1e-4}
        figure = transient_figure(data, ("forming", "reset"))
        assert figure.axes[-1].get_xlabel() == "time (ms)"
        assert figure.axes[-1].get_xlim()[1] == pytest.approx(1e3 * data["time_s"][-1])
        assert [time_unit(value) for value in (5.0, 3e-8, 0.0)] == [(1.0, "s"), (1e9, "ns"), (1.0, "s")]

    def test_names_of_stages_that_do_not_fit_stand_in_a_legend(self):
        data = {**series(), "stage": np.arange(124) // 4 % 2}
        top = transient_figure(data, ("first", "second")).axes[0]
        assert not [text for text in top.texts if text.get_text() in ("first", "second")]
        assert [text.get_text() for text in top.get_legend().get_texts()] == ["first", "second"]

    def test_spans(self):
        assert spans(np.array([0.0, 0.0, 1.0, 0.0])) == [(0, 0, 2), (1, 2, 3), (0, 3, 4)]
        assert spans(np.array([])) == []

    def test_unknown_stages_get_different_colours(self):
        colours = stage_colours(["read", "pulse", "forming", "rest"])
        assert len(set(colours.values())) == 4


class TestScene:
    def test_camera_is_a_rotation(self):
        points = np.random.default_rng(1).normal(size=(5, 3))
        screen, depth = Camera().project(points)
        np.testing.assert_allclose(np.hypot(np.hypot(*screen.T), depth), np.linalg.norm(points, axis=1))

    def test_far_bottom_corner_is_behind_all_others(self):
        corners = box_corners(np.zeros(3), np.ones(3))
        _, depth = Camera().project(corners)
        assert depth.argmin() == np.ravel_multi_index((0, 1, 0), (2, 2, 2))

    def test_one_panel_a_state(self):
        states = {"virgin": np.zeros((0, 3)), "formed": column(range(10)), "reset": column(range(6))}
        figure = filament_figure(states, BOX, electrodes=("TiN", "Ti"))
        titles = [axes.get_title() for axes in figure.axes]
        assert titles == ["(a) virgin", "(b) formed", "(c) reset"]
        figure.canvas.draw()


class TestCut:
    def test_view_is_around_the_lattice(self):
        arrays = {name.removeprefix("cut/").replace("x_nm", "across_nm"): value for name, value in cut_arrays().items()}
        figure = cut_figure(
            {"formed": Cut(voltage_V=1.0, **arrays)}, (0.0, BOX[2]), lattice_nm=(0.0, BOX[0]), margin_nm=2
        )
        potential, temperature = figure.axes[:2]
        assert potential.get_xlim() == pytest.approx((-2, BOX[0] + 2))
        assert potential.get_ylim() == pytest.approx((-2, BOX[2] + 2))
        assert temperature.get_xlabel() == "x (nm)"

    def test_a_lateral_cell_has_z_to_the_right_and_its_electrodes_at_the_sides(self):
        z, y = np.linspace(-3, 5, 9), np.linspace(-4, 3, 8)
        cut = Cut(y, z, np.repeat(z[:, None], 8, axis=1), np.repeat(y[None], 9, axis=0), 1.0)
        figure = cut_figure({"set": cut}, (0.0, 2.0), lattice_nm=(0.0, 1.0), electrodes=("Pt", "Ag"), lateral=True)
        potential, temperature = figure.axes[:2]
        assert (potential.get_xlim(), potential.get_ylim()) == ((-3.0, 5.0), (-4.0, 3.0))
        assert (temperature.get_xlabel(), temperature.get_ylabel()) == ("z (nm)", "y (nm)")
        names = [text.get_text() for text in sorted(potential.texts, key=lambda text: text.xy[0])]
        assert names == ["Pt", "oxide", "Ag"]
        shown = potential.collections[0].get_array()
        assert np.array_equal(np.ravel(shown).reshape(8, 9)[0], z)

    def test_field_without_contrast(self):
        cut = Cut(np.linspace(0, 2, 5), np.linspace(-1, 3, 6), np.zeros((6, 5)), np.full((6, 5), 300.0), 0.0)
        cut_figure({"formed": cut}, (0.0, 2.0)).canvas.draw()


class TestPlotRun:
    def test_all_pictures(self, tmp_path):
        written = plot_run(run(), tmp_path / "new")
        assert [path.name for path in written] == ["iv.png", "transient.png", "filament.png", "cut.png"]
        for path in written:
            image = matplotlib.image.imread(path)
            assert min(image.shape[:2]) > 400
            assert image.std() > 0.01
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in written)

    def test_what_is_missing_is_left_out(self, tmp_path):
        bare = {"formed": snapshot(range(10))}
        names = {path.name for path in plot_run(run(snapshots=bare), tmp_path)}
        assert names == {"iv.png", "transient.png", "filament.png"}
        assert plot_run(run(snapshots={}, sites=None, series={}), tmp_path) == []

    def test_cuts_without_bias_are_left_out(self, tmp_path):
        flat = {**cut_arrays(), "cut/potential_V": np.zeros((21, 25))}
        cold = {"formed": snapshot(range(10), flat, 0.0)}
        assert "cut.png" not in {path.name for path in plot_run(run(snapshots=cold), tmp_path)}
        warm = {**cold, "forming_peak": snapshot(range(10), cut_arrays(), 1.0)}
        assert "cut.png" in {path.name for path in plot_run(run(snapshots=warm), tmp_path)}

    def test_device_file_gives_names_and_limits(self):
        assert layer_names(DEVICE) == ("TiN", "HfO2", "Ti")
        assert layer_names("") == ("bottom", "oxide", "top")
        assert compliances(DEVICE) == [2e-5, 1e-4]
        assert compliances("") == []

    def test_lines_of_a_transistor_are_those_of_positive_stages(self):
        keys = "transistor = {gate_V = 1.5, threshold_V = 0.5, transconductance_A_per_V2 = 4e-4}"
        stages = "stages = [{stop_V = 2.0}, {stop_V = -1.0, gate_V = 3.0}, {stop_V = 1.0, gate_V = 1.0}]"
        assert saturations(f"[drive]\n{keys}\n{stages}") == pytest.approx([5e-5, 2e-4])
        assert saturations(f"[drive]\n{keys}") == pytest.approx([2e-4])
        assert saturations(DEVICE) == []

    def test_formula(self):
        assert formula("HfO2") == "HfO$_{2}$"
        assert formula("bottom") == "bottom"

    def test_pyplot_is_not_imported(self):
        code = "import sys, ionsim.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_vacancies_of_a_whole_cycle_are_drawn_with_the_largest_power_of_each_stage():
    labels = ["virgin", "forming_peak", "formed", "reset_peak", "reset", "set_peak", "set"]
    extra = {f"cut/{name}": np.ones(1) for name in FIELDS}
    taken = {label: SimpleNamespace(extra=extra, time_s=float(at)) for at, label in enumerate(labels)}
    assert list(chosen(taken)) == [label.replace("_peak", ", largest power") for label in labels]
