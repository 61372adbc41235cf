"""What a film of a run shows: the device on the left, its curve with a moving point on the right, the moment above."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ionsim.plots.curves import quantity
from ionsim.plots.filament import FilamentPanel
from ionsim.plots.film_curves import MomentLike, curve, two_rows
from ionsim.plots.phases import PHASES, axisymmetric, frame, phases
from ionsim.plots.pictures import ION, is_metal, layer_names, metal_of, oxide_box, substrate
from ionsim.plots.style import (
    INK,
    MUTED,
    ORANGE,
    PALE,
    VERMILLION,
    new_figure,
    stage_colours,
    styled,
    time_unit,
)
from ionsim.plots.vacancies import UNIT_PER_M3, mirrored

Floats = NDArray[np.float64]

#: Inches of a frame.
SIZE_IN = (9.6, 5.4)
#: Share of cells whose temperature the scale covers: one hot bond does not darken all the rest.
_COVERED = 99.9
#: Per cent of cells of an electrolyte that a scale covers: its double layer is one cell thin, and would hide the rest.
_DOUBLE_LAYER = 97.0
#: Places whose share changes by less than this part of the largest change are left out of a profile.
_CHANGED = 0.02


class Film:
    """A figure that shows one moment after the other: ``film.show(moment)`` changes ``film.figure``."""

    def __init__(self, run: Any, moments: Sequence[MomentLike]) -> None:
        self.moments = moments
        with styled():
            self.figure = new_figure(*SIZE_IN)
            self.figure.set_layout_engine("constrained", rect=(0.0, 0.0, 1.0, 0.9))
            grid = self.figure.add_gridspec(1, 2, width_ratios=(1.4, 1.0))
            self._parts: list[Callable[[MomentLike], None]] = [
                _device(self.figure, grid[0], run, moments),
                curve(self.figure, grid[1], run, moments),
                self._words(run),
            ]
            self.show(moments[-1])
            self.figure.draw_without_rendering()
            self.figure.set_layout_engine("none")  # from now on nothing moves but what is meant to

    def show(self, moment: MomentLike) -> None:
        """Draw a moment."""
        with styled():
            for part in self._parts:
                part(moment)

    def _words(self, run: Any) -> Callable[[MomentLike], None]:
        """Name of the run and figures of the moment, each at a place of its own, so that none jumps."""
        places = {"stage": 0.30, "time": 0.45, "volts": 0.61, "amperes": 0.73, "kelvin": 0.87}
        options: dict[str, Any] = {"va": "center", "fontsize": 11}
        self.figure.text(0.015, 0.95, run.name, color=MUTED, **options)
        texts = {name: self.figure.text(x, 0.95, "", color=INK, **options) for name, x in places.items()}
        texts["stage"].set_fontweight("bold")
        colours = stage_colours(run.stages)
        factor, unit = time_unit(max(moment.row["time_s"] for moment in self.moments))
        digits = _digits([moment.row["time_s"] * factor for moment in self.moments])

        def show(moment: MomentLike) -> None:
            row = moment.row
            texts["stage"].set(text=moment.stage, color=colours[moment.stage])
            texts["time"].set_text(f"{row['time_s'] * factor:.{digits}f} {unit}")
            texts["volts"].set_text(f"{row['voltage_V']:+.2f} V".replace("-", "−"))
            texts["amperes"].set_text(quantity(row["current_A"], "A").replace("-", "−"))
            texts["kelvin"].set_text(f"{row['temperature_peak_K']:.0f} K")

        return show


def _digits(times: Sequence[float]) -> int:
    """Decimals that tell neighbouring moments apart: most of them, at most 6."""
    steps = np.diff(np.unique(times))
    if not len(steps):
        return 2
    return int(np.clip(np.ceil(-np.log10(np.quantile(steps, 0.2))), 0, 6))


# -- the device -----------------------------------------------------------------------------------------------------


def _device(
    figure: Figure, place: SubplotSpec, run: Any, moments: Sequence[MomentLike]
) -> Callable[[MomentLike], None]:
    extra = moments[0].snapshot.extra
    if run.sites is not None:
        return _lattice(figure, place, run, moments)
    if "cut/crystalline" in extra:
        return _phase_maps(figure, place, run, moments)
    if "cut/vacancies_per_m3" in extra:
        return _vacancy_maps(figure, place, run, moments)
    return _ion_maps(figure, place, run, moments)


def _lattice(
    figure: Figure, place: SubplotSpec, run: Any, moments: Sequence[MomentLike]
) -> Callable[[MomentLike], None]:
    """Sites of the filament and its ions in their box, and a cut with the temperature."""
    sites, names, metal = run.sites, layer_names(run.input_toml), is_metal(run)
    below = substrate(run.input_toml)
    panel = FilamentPanel(
        oxide_box(sites), periodic=sites.periodic, electrodes=(names[0], names[2]),
        metal=metal_of(run, {}) if metal else None, substrate=below,
    )  # fmt: skip
    grid = place.subgridspec(1, 2, width_ratios=(1.3, 1.0)) if below is None else place.subgridspec(2, 1)
    scene, around = (figure.add_subplot(grid[part]) for part in range(2))
    positions = np.asarray(sites.positions_nm)
    codes = {name: code for code, name in enumerate(sites.species)}
    kept, ions = [codes[name] for name in sites.filament], codes.get(ION, -1)
    across = "y_nm" if "cut/y_nm" in moments[0].snapshot.extra else "x_nm"
    x, z = (np.asarray(moments[0].snapshot.extra[f"cut/{name}"]) for name in (across, "z_nm"))
    box = oxide_box(sites)
    near = _near(z, box[2]), _near(x, box[1 if below is not None else 0])

    def heat(moment: MomentLike) -> Floats:
        found = np.asarray(moment.snapshot.extra["cut/temperature_K"], dtype=float)[near]
        return found.T if below is not None else found

    x, z = x[near[1]], z[near[0]]
    flat = (z, x) if below is not None else (x, z)
    show_heat = _map(figure, around, flat, heat, "inferno", _range(moments, heat), "temperature (K)")
    for edge in (0.0, float(box[2])):
        (around.axvline if below is not None else around.axhline)(edge, color="white", linewidth=0.6, linestyle=":")
    labels = ("z (nm)", "y (nm)") if below is not None else (f"{across[0]} (nm)", "z (nm)")
    around.set(xlabel=labels[0], ylabel=labels[1])
    handles = _legend(panel, metal)
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), fontsize=8, handletextpad=0.2,
                  columnspacing=1.0)  # fmt: skip

    def show(moment: MomentLike) -> None:
        scene.clear()
        occupation = moment.snapshot.occupation
        chosen = np.isin(occupation, kept)
        moving = positions[occupation == ions] if metal else None
        _, count = panel.draw(scene, positions[chosen], moving, dimension=True)
        scene.set_title(count, fontsize=9, color=MUTED)
        show_heat(moment)

    return show


def _near(places: Floats, length_nm: float) -> slice:
    """Places of a cut within half a length of the lattice, which goes from 0 to ``length_nm``."""
    inside = np.flatnonzero((places > -0.5 * length_nm) & (places < 1.5 * length_nm))
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _legend(panel: FilamentPanel, metal: bool) -> list[Line2D]:
    """Classes of sites; of metal the isolated ones are clusters of many colours, and there are ions."""
    entries = list(panel.classes.values())
    if metal:
        entries = [*entries[:-1], ("floating cluster", "#CC79A7"), ("lone atom", entries[-1][1]), (ION, INK)]
    return [
        Line2D([], [], marker="o", linestyle="none", markersize=3.5 if name == ION else 5.5, markerfacecolor=colour,
               markeredgecolor="none", label=name)
        for name, colour in entries
    ]  # fmt: skip


def _phase_maps(
    figure: Figure, place: SubplotSpec, run: Any, moments: Sequence[MomentLike]
) -> Callable[[MomentLike], None]:
    """Crystal, glass and melt above, temperature below, with the isotherm of the melting point."""
    both = axisymmetric(run.input_toml)
    first = frame(moments[0].snapshot, both)
    melting_K = float(moments[0].snapshot.extra["melting_K"])
    upper, lower = _two_maps(figure, place, first.x_nm, first.z_nm)
    colours = ListedColormap(list(PHASES.values()))
    lattice = (first.x_nm, first.z_nm)

    def phase(moment: MomentLike) -> Floats:
        return phases(frame(moment.snapshot, both), melting_K)

    show_phase = _map(figure, upper, lattice, phase, colours, (-0.5, 2.5), None)
    handles = [Patch(facecolor=colour, edgecolor=INK, linewidth=0.4, label=name) for name, colour in PHASES.items()]
    figure.legend(handles=handles, loc="outside lower left", ncols=3, fontsize=8)

    def heat(moment: MomentLike) -> Floats:
        return frame(moment.snapshot, both).temperature_K

    scale = _range(moments, heat, covered=100.0)
    show_heat = _map(figure, lower, lattice, heat, "inferno", scale, "temperature (K)")
    for axes in (upper, lower):
        axes.contour(first.x_nm, first.z_nm, first.inside.astype(float), [0.5], colors=MUTED, linewidths=0.6)
        axes.set_ylabel("z (nm)")
    lower.set_xlabel("r (nm)" if both else "x (nm)")
    isotherm: list[Any] = []

    def show(moment: MomentLike) -> None:
        show_phase(moment)
        show_heat(moment)
        while isotherm:
            isotherm.pop().remove()
        values = heat(moment)
        if float(values.max()) > melting_K:
            isotherm.append(lower.contour(*lattice, values, [melting_K], colors="white", linewidths=0.9))

    return show


def _vacancy_maps(
    figure: Figure, place: SubplotSpec, run: Any, moments: Sequence[MomentLike]
) -> Callable[[MomentLike], None]:
    """Density of vacancies and temperature, mirrored at the axis."""
    first = mirrored(moments[0].snapshot)
    lattice = (first["r_nm"], first["z_nm"])
    upper, lower = _two_maps(figure, place, *lattice)

    def density(moment: MomentLike) -> Floats:
        return np.asarray(mirrored(moment.snapshot)["vacancies_per_m3"]) / UNIT_PER_M3

    def heat(moment: MomentLike) -> Floats:
        return np.asarray(mirrored(moment.snapshot)["temperature_K"])

    high = max(float(density(moment).max()) for moment in moments)
    words = "vacancies (10$^{27}$ m$^{-3}$)"
    shown = [
        _map(figure, upper, lattice, density, "viridis", (0.0, max(high, 1e-3)), words),
        _map(figure, lower, lattice, heat, "inferno", _range(moments, heat, covered=100.0), "temperature (K)"),
    ]
    oxide = tomllib.loads(run.input_toml).get("layers", {}).get("oxide", {})
    for axes in (upper, lower):
        for edge in (0.0, float(oxide.get("thickness_nm", 0.0))):
            axes.axhline(edge, color="white", linewidth=0.6, linestyle=":")
        axes.set_ylabel("z (nm)")
    lower.set_xlabel("r (nm)")
    return _all(shown)


def _ion_maps(
    figure: Figure, place: SubplotSpec, run: Any, moments: Sequence[MomentLike]
) -> Callable[[MomentLike], None]:
    """Filled sites of the channel, and what has changed in the electrolyte since the first moment."""
    extra = moments[0].snapshot.extra
    x, z, inside = (np.asarray(extra[f"cut/{name}"]) for name in ("x_nm", "z_nm", "inside"))

    def fraction(moment: MomentLike) -> Floats:
        return np.asarray(moment.snapshot.extra["cut/fraction"], dtype=float)

    start = fraction(moments[0])

    def channel(moment: MomentLike) -> Floats:
        return np.where(inside == 1.0, fraction(moment), np.nan)

    def change(moment: MomentLike) -> Floats:
        return np.where(inside == 2.0, fraction(moment) - start, np.nan)

    upper, lower = two_rows(figure, place)
    shares = [channel(moment) for moment in moments]
    scale = min(float(np.nanmin(one)) for one in shares), max(float(np.nanmax(one)) for one in shares)
    wide = max(float(np.nanpercentile(np.abs(change(moment)), _DOUBLE_LAYER)) for moment in moments) or 1e-3
    if len(x) == 1:
        upper.set_ylabel("filled share of the channel")
        parts = [_profile(upper, z, [(channel, VERMILLION, "")], moments, limits=scale)]
    else:
        parts = [_map(figure, upper, (x, z), channel, "viridis", scale, "filled share of the channel")]
        upper.set(ylabel="z (nm)", xlabel="x (nm)", aspect="auto")
    if len(x) == 1 or _layered(inside):

        def gained(moment: MomentLike) -> Floats:
            return np.where(inside == 1.0, fraction(moment) - start, np.nan)

        lines = [(gained, VERMILLION, "channel"), (change, ORANGE, "electrolyte")]
        parts.append(_profile(lower, z, lines, moments))
        lower.set(xlabel="z (nm)", ylabel="change of the filled share")
        lower.legend(fontsize=8)
    else:
        words = "electrolyte: change of the filled share"
        parts.append(_map(figure, lower, (x, z), change, "PuOr_r", (-wide, wide), words))
        lower.set(xlabel="x (nm)", ylabel="z (nm)", aspect="auto")
    return _all(parts)


def _layered(inside: Floats) -> bool:
    """Whether channel and electrolyte lie above each other everywhere: then a mean along x says what happens."""
    return not np.any((inside == 1.0).any(axis=1) & (inside == 2.0).any(axis=1))


def _profile(
    axes: Axes,
    z_nm: Floats,
    fields: Sequence[tuple[Callable[[MomentLike], Floats], str, str]],
    moments: Sequence[MomentLike],
    limits: tuple[float, float] | None = None,
) -> Callable[[MomentLike], None]:
    """Lines along z, means along x, that move; without limits the part of z is shown in which anything changes."""

    def mean(values: Callable[[MomentLike], Floats], moment: MomentLike) -> Floats:
        found = values(moment)
        known = np.isfinite(found)
        total = np.where(known, found, 0.0).sum(axis=1)
        return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)

    history = np.array([[mean(values, moment) for moment in moments] for values, _, _ in fields])
    known = np.isfinite(history).any(axis=(0, 1))
    shown = known
    if limits is None:
        size = np.nanmax(np.abs(np.where(np.isfinite(history), history, 0.0)), axis=(0, 1))
        shown = known & (size > _CHANGED * float(size.max()))
        limits = float(np.nanmin(history)), float(np.nanmax(history))
    here = np.flatnonzero(shown if shown.any() else known)
    low, high = max(here[0] - 4, 0), min(here[-1] + 4, len(z_nm) - 1)
    axes.set_xlim(float(z_nm[low]), float(z_nm[high]))
    room = 0.06 * (limits[1] - limits[0]) or 0.01
    axes.set_ylim(limits[0] - room, limits[1] + room)
    marker = "." if high - low < 60 else ""
    lines = []
    for (_, colour, label), past in zip(fields, history, strict=True):
        axes.plot(z_nm, past[0], color=PALE, linewidth=1.5)
        lines += axes.plot(z_nm, past[0], color=colour, linewidth=1.6, label=label, marker=marker)

    def show(moment: MomentLike) -> None:
        for line, (values, _, _) in zip(lines, fields, strict=True):
            line.set_ydata(mean(values, moment))

    return show


def _all(parts: Sequence[Callable[[MomentLike], None]]) -> Callable[[MomentLike], None]:
    def show(moment: MomentLike) -> None:
        for part in parts:
            part(moment)

    return show


def _two_maps(figure: Figure, place: SubplotSpec, x_nm: Floats, z_nm: Floats) -> tuple[Axes, Axes]:
    """Two panels of equal scales: above each other, or side by side where the cut is higher than wide."""
    wide = float(np.ptp(x_nm)) > 0.8 * float(np.ptp(z_nm))
    parts = place.subgridspec(2, 1) if wide else place.subgridspec(1, 2)
    first, second = (figure.add_subplot(parts[at]) for at in range(2))
    return first, second


def _map(
    figure: Figure,
    axes: Axes,
    lattice: tuple[Floats, Floats],
    values: Callable[[MomentLike], Floats],
    colours: str | Colormap,
    limits: tuple[float, float],
    words: str | None,
) -> Callable[[MomentLike], None]:
    """A map whose values change; ``words`` beside its scale, None without one."""
    blank = np.full((len(lattice[1]), len(lattice[0])), np.nan)
    image = axes.pcolormesh(*lattice, blank, cmap=colours, vmin=limits[0], vmax=limits[1], rasterized=True)
    axes.set_aspect("equal")
    if words is not None:
        # Within the panel's own frame, so that maps with and without a scale stand in line.
        figure.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.035, 1.0))).set_label(words, fontsize=8)
    return lambda moment: image.set_array(values(moment))


def _range(
    moments: Sequence[MomentLike], values: Callable[[MomentLike], Floats], covered: float = _COVERED
) -> tuple[float, float]:
    """One scale for all moments, at least 1 wide."""
    low = min(float(values(moment).min()) for moment in moments)
    high = max(float(np.percentile(values(moment), covered)) for moment in moments)
    return low, max(high, low + 1.0)
