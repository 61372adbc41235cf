"""Pictures of metal filaments from synthetic runs: touching atoms, clusters, ions, a barrier layer, quanta."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.lines import Line2D

from ionsim.plots import conductance_figure, filament_figure, plot_run
from ionsim.plots.conductance import G0_S
from ionsim.plots.pictures import _labels, metal_of

STEP = 0.2043
SPACING = STEP * np.sqrt(2)
LAYERS = 14
BOX = (8 * STEP, 8 * STEP, LAYERS * STEP)
DEVICE = """
[layers.bottom]
material = "Pt"
[layers.electrolyte]
material = "SiO2"
thickness_nm = 2.4
[layers.active]
material = "Ag"
"""
BARRIER = DEVICE + '[layers.barrier]\nmaterial = "Al2O3"\nthickness_nm = 0.5\n'
EMPTY, ION, ATOM = range(3)


def lattice():
    index = np.indices((9, 9, LAYERS)).reshape(3, -1).T
    positions = STEP * index[index.sum(axis=1) % 2 == 0].astype(float)
    return positions + np.array([0.0, 0.0, 0.5 * STEP])


def within(x, y, low, high, radius=0.33):
    """Sites of a column (all in nm)."""
    sites = lattice()
    across = np.hypot(sites[:, 0] - x, sites[:, 1] - y) < radius
    return across & (sites[:, 2] > low) & (sites[:, 2] < high)


def snapshot(*atoms, ions=()):
    occupation = np.zeros(len(lattice()), dtype=np.int8)
    occupation[list(ions)] = ION
    for chosen in atoms:
        occupation[chosen] = ATOM
    return SimpleNamespace(occupation=occupation, voltage_V=1.6, time_s=0.0, extra={})


ROOT = within(0.8, 0.8, 0.0, 1.2)
#: Two floating clusters that touch neither each other nor the root.
FLOATING = within(0.8, 0.8, 1.7, 2.4), within(0.1, 1.6, 1.2, 1.7, 0.25)


def series(high=3.0):
    voltage = np.tile([0.0, 0.0, 0.1, 0.1, 0.0], 40)
    channels = np.where(np.arange(200) < 100, high, 0.0)
    return {
        "time_s": 1e-6 * np.arange(1, 201), "voltage_V": voltage, "device_V": voltage,
        "current_A": 1e-5 * voltage, "temperature_peak_K": np.full(200, 300.0), "stage": np.repeat([0.0, 1.0], 100),
        "conductance_S": G0_S * np.where(channels > 0, 0.97 * channels, 1e-7), "channels": channels,
    }  # fmt: skip


def run(text=DEVICE, **snapshots):
    sites = SimpleNamespace(
        positions_nm=lattice(), region=np.zeros(len(lattice()), dtype=int), cell_nm=np.array(BOX),
        species=("empty", "ion", "atom"), filament=("atom",), regions=("electrolyte",), periodic=(False,) * 3,
    )  # fmt: skip
    return SimpleNamespace(
        name="silver", input_toml=text, stages=("forming", "reset"), series=series(), summary={}, sites=sites,
        snapshots=snapshots or {"formed": snapshot(ROOT, *FLOATING, ions=(3, 700 % len(lattice())))},
    )  # fmt: skip


def figure_of(example):
    states = {"formed": lattice()[example.snapshots["formed"].occupation == ATOM]}
    return filament_figure(states, BOX, electrodes=("Pt", "Ag"), metal=metal_of(example, {"formed": "formed"}))


def spheres(figure):
    (found,) = [item for item in figure.axes[0].collections if isinstance(item, EllipseCollection)]
    return found


class TestFilament:
    def test_distances_are_those_of_the_lattice(self):
        metal = metal_of(run(BARRIER), {"formed": "formed"})
        assert metal.spacing_nm == pytest.approx(SPACING)
        assert SPACING < metal.neighbour_nm < np.sqrt(2) * SPACING
        assert 0.5 * STEP < metal.touch_nm < 1.5 * STEP  # the first plane touches, the second does not
        assert metal.film == ("Al2O3", 0.5)
        assert metal_of(run(), {}).film is None

    def test_atoms_touch_and_ions_are_small(self):
        widths = 2 * spheres(figure_of(run()))._widths  # matplotlib keeps half widths; the first disc is the sphere
        spheres_nm = widths.reshape(-1, 6)[:, 0]
        atoms = np.count_nonzero(run().snapshots["formed"].occupation == ATOM)
        np.testing.assert_allclose(np.sort(spheres_nm), SPACING * np.array([0.42] * 2 + [1.0] * atoms))

    def test_floating_clusters_differ_and_the_legend_names_what_is_shown(self):
        figure = figure_of(run())
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["connected to bottom", "floating cluster", "ion"]
        colours = {line.get_markerfacecolor() for line in legend.findobj(Line2D)}
        assert len(colours) == 4  # root, two clusters, ions
        atoms = np.count_nonzero(run().snapshots["formed"].occupation == ATOM)
        assert f"{atoms} atoms, 2 ions" in [text.get_text() for text in figure.axes[0].texts]

    def test_a_lone_atom_is_pale(self):
        lone = np.zeros(len(lattice()), dtype=bool)
        lone[np.argmin(np.linalg.norm(lattice() - [0.8, 0.8, 1.4], axis=1))] = True
        (legend,) = figure_of(run(formed=snapshot(lone))).legends
        assert [text.get_text() for text in legend.get_texts()] == ["lone atom"]

    def test_an_empty_cell_has_no_legend(self):
        figure = figure_of(run(formed=snapshot()))
        assert not figure.legends
        figure.canvas.draw()

    def test_a_barrier_layer_is_drawn_and_named(self):
        bare, covered = figure_of(run()), figure_of(run(BARRIER))
        assert len(covered.axes[0].collections) == len(bare.axes[0].collections) + 1
        assert "Al$_{2}$O$_{3}$" in [text.get_text() for text in covered.axes[0].texts]
        covered.canvas.draw()

    def test_a_lateral_cell_lies_on_its_substrate_between_named_electrodes(self):
        states = {"formed": lattice()[ROOT]}
        metal = metal_of(run(BARRIER), {})
        figure = filament_figure(states, BOX, electrodes=("Pt", "Ag"), metal=metal, substrate="Si3N4")
        axes = figure.axes[0]
        figure.canvas.draw()
        place = {text.get_text(): text.get_position() for text in axes.texts if text.get_text()}
        below = place["Si$_{3}$N$_{4}$"]
        centres = spheres(figure).get_offsets().reshape(-1, 6, 2)[:, 0]
        assert place["Pt"][0] < centres[:, 0].mean() < 0.5 * (place["Pt"][0] + place["Ag"][0]) < place["Ag"][0]
        assert below[1] < place["Pt"][1]
        assert below[1] < centres[:, 1].min()
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["connected to Pt"]

    def test_an_empty_cell_gives_way_to_the_moment_with_ions(self):
        shown = {"virgin": snapshot(), "forming_peak": snapshot(ROOT, ions=(9,)), "formed": snapshot(ROOT)}
        assert _labels(run(**shown)) == {"forming, 1.60 V": "forming_peak", "formed": "formed"}
        seeded = {**shown, "virgin": snapshot(ROOT)}
        assert list(_labels(run(**seeded)).values()) == ["virgin", "formed"]


class TestConductance:
    def test_quanta_are_lines_and_channels_are_steps(self):
        wide, linear = conductance_figure(series(), ("forming", "reset")).axes
        assert (wide.get_yscale(), linear.get_yscale()) == ("log", "linear")
        lines = [line for line in linear.lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2]
        assert [line.get_ydata()[0] for line in lines] == [1, 2, 3]
        (steps,) = [line for line in linear.lines if line.get_label().startswith("channels")]
        assert steps.get_drawstyle() == "steps-pre"
        np.testing.assert_array_equal(steps.get_ydata(), series()["channels"])
        assert linear.get_xlabel() == "time (µs)"
        curve = np.concatenate([line.get_ydata() for line in linear.lines if len(line.get_xdata()) > 90])
        assert np.nanmax(curve) == pytest.approx(3.0)

    def test_one_axis_where_one_says_all(self):
        flat = {**series(), "conductance_S": np.full(200, 2.9 * G0_S)}
        (axes,) = conductance_figure(flat, ("forming", "reset")).axes
        assert axes.get_yscale() == "linear"
        insulating = {**series(), "conductance_S": G0_S * np.geomspace(1e-7, 1e-3, 200), "channels": np.zeros(200)}
        (axes,) = conductance_figure(insulating, ("forming", "reset")).axes
        assert axes.get_yscale() == "log"

    def test_retention_has_the_logarithm_of_time_and_a_point_for_each_read(self):
        data = {**series(), "stage": np.zeros(200)}
        figure = conductance_figure(data, ("read",), retention=True)
        assert {axes.get_xscale() for axes in figure.axes} == {"log"}
        (reads,) = [line for line in figure.axes[-1].lines if line.get_marker() == "o"]
        np.testing.assert_allclose(reads.get_xdata(), data["time_s"][3::5])
        assert reads.get_label() == "read at 0.1 V"
        figure.canvas.draw()

    def test_the_picture_is_made_for_metal_and_for_reads(self, tmp_path, monkeypatch):
        monkeypatch.setattr("ionsim.plots.pictures.save", lambda figure, path: path)
        names = [path.name for path in plot_run(run(BARRIER), tmp_path)]
        assert names == ["iv.png", "transient.png", "conductance.png", "filament.png"]
        vacancies = run(DEVICE + '[drive]\nkind = "read"\n')
        vacancies.sites = None
        del vacancies.series["channels"]
        assert "conductance.png" in {path.name for path in plot_run(vacancies, tmp_path / "read")}
        vacancies.input_toml = DEVICE
        assert "conductance.png" not in {path.name for path in plot_run(vacancies, tmp_path / "sweep")}
