"""Phase-change cells: where crystal, glass and melt are, how hot it is, and the resistance that follows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ionsim.plots.style import (
    BLUE,
    INK,
    MUTED,
    PALE,
    VERMILLION,
    decades,
    mark_stages,
    new_figure,
    spans,
    stage_colours,
    styled,
    time_unit,
)

Floats = NDArray[np.float64]

#: What a point of a phase-change material is, by number: colours and names.
PHASES = {"crystalline": PALE, "amorphous": BLUE, "molten": VERMILLION}

#: Below this share of crystal a point is glass, or melt if it is hot enough.
_HALF = 0.5
#: Heights and radii are drawn in boxes of this size; a mirror image fills the other half of an axisymmetric cut.
_ROOM_IN = 2.3


@dataclass(frozen=True)
class Frame:
    """One moment: ``x_nm`` (n,), ``z_nm`` (nz,); crystalline share, temperature, inside or not (nz, n)."""

    x_nm: Floats
    z_nm: Floats
    crystalline: Floats
    temperature_K: Floats
    inside: NDArray[np.bool_]
    time_s: float
    voltage_V: float


def frame(snapshot: Any, mirrored: bool) -> Frame:
    """The cut of a snapshot; ``mirrored`` adds the other side of an axis of symmetry."""
    fields = ("crystalline", "temperature_K", "inside")
    cut = {name: np.asarray(snapshot.extra[f"cut/{name}"]) for name in ("x_nm", "z_nm", *fields)}
    if mirrored:
        cut["x_nm"] = np.concatenate([-cut["x_nm"][::-1], cut["x_nm"]])
        for name in fields:
            cut[name] = np.concatenate([cut[name][:, ::-1], cut[name]], axis=1)
    cut["inside"] = cut["inside"] > 1.0 - 1e-6
    return Frame(**cut, time_s=float(snapshot.time_s), voltage_V=float(snapshot.voltage_V))


def phases(cut: Frame, melting_K: float) -> NDArray[np.float64]:
    """(nz, n) 0 crystalline, 1 amorphous, 2 molten; nan outside the phase-change material."""
    disordered = np.where(cut.temperature_K > melting_K, 2.0, 1.0)
    found = np.where(cut.crystalline < _HALF, disordered, 0.0)
    return np.where(cut.inside, found, np.nan)


def phase_figure(frames: Mapping[str, Frame], melting_K: float, *, title: str = "", across: str = "r (nm)") -> Figure:
    """Phases (upper row) and temperature (lower row, with the isotherm of the melting point) of each moment."""
    with styled():
        first = next(iter(frames.values()))
        ratio = float(np.ptp(first.x_nm) / np.ptp(first.z_nm))
        width, height = (_ROOM_IN, _ROOM_IN / ratio) if ratio > 1 else (_ROOM_IN * ratio, _ROOM_IN)
        figure = new_figure((width + 0.35) * len(frames) + 1.1, 2.0 * height + 1.2, "compressed")
        panels = figure.subplots(2, len(frames), squeeze=False, sharex=True, sharey=True)
        hottest = max(float(cut.temperature_K.max()) for cut in frames.values())
        coolest = min(float(cut.temperature_K.min()) for cut in frames.values())
        colours = ListedColormap(list(PHASES.values()))
        image = None
        for column, (label, cut) in enumerate(frames.items()):
            above, below = panels[:, column]
            above.set_facecolor("white")
            above.pcolormesh(
                cut.x_nm, cut.z_nm, phases(cut, melting_K), cmap=colours, vmin=-0.5, vmax=2.5, rasterized=True
            )  # fmt: skip
            image = below.pcolormesh(
                cut.x_nm, cut.z_nm, cut.temperature_K, cmap="inferno", vmin=coolest, vmax=max(hottest, coolest + 1.0),
                shading="gouraud", rasterized=True,
            )  # fmt: skip
            if hottest > melting_K:
                below.contour(cut.x_nm, cut.z_nm, cut.temperature_K, [melting_K], colors="white", linewidths=0.8)
            for axes in (above, below):
                _outline(axes, cut)
                axes.set_aspect("equal")
            moment = f"{_when(cut.time_s)}, {cut.voltage_V:.2f} V, {cut.temperature_K.max():.0f} K"
            above.set_title(f"{label}\n{moment}", fontsize=8)
            below.set_xlabel(across)
        for axes in panels[:, 0]:
            axes.set_ylabel("z (nm)")
        assert image is not None
        figure.colorbar(image, ax=panels[1, :], pad=0.01, fraction=0.03).set_label("temperature (K)")
        patches = [Patch(facecolor=colour, edgecolor=INK, linewidth=0.4, label=name) for name, colour in PHASES.items()]
        figure.legend(handles=patches, loc="outside lower center", ncols=3)
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def _outline(axes: Axes, cut: Frame) -> None:
    axes.contour(cut.x_nm, cut.z_nm, cut.inside.astype(float), [0.5], colors=MUTED, linewidths=0.6)


def _when(time_s: float) -> str:
    factor, unit = time_unit(time_s) if time_s > 0 else (1e9, "ns")
    return f"{time_s * factor:.4g} {unit}"


def resistance_figure(series: Mapping[str, Floats], stages: Sequence[str], *, title: str = "") -> Figure:
    """Resistance, crystalline share and peak temperature against time; ``series`` holds (N,) arrays."""
    with styled():
        figure = new_figure(5.2, 4.6)
        top, middle, bottom = figure.subplots(3, 1, sharex=True)
        time_s = np.asarray(series["time_s"], dtype=float)
        factor, unit = time_unit(float(time_s[-1]))
        time = time_s * factor
        colours = stage_colours(stages)
        with np.errstate(divide="ignore"):
            resistance = np.where(series["conductance_S"] > 0.0, 1.0 / series["conductance_S"], np.nan)
        for index, low, high in spans(series["stage"]):
            part = slice(low, min(high + 1, len(time)))
            curves = (top, resistance), (middle, series["crystalline_share"]), (bottom, series["temperature_peak_K"])
            for axes, values in curves:
                axes.plot(time[part], values[part], color=colours[stages[index]])
        top.set_yscale("log")
        decades(top)
        top.set_ylabel("resistance ($\\Omega$)")
        middle.set_ylabel("crystalline share")
        bottom.set_ylabel("peak temperature (K)")
        bottom.set_xlabel(f"time ({unit})")
        mark_stages((top, middle, bottom), time, series["stage"], stages)
        top.set_xlim(float(time[0]), float(time[-1]))
        figure.align_ylabels()
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def chosen(snapshots: Mapping[str, Any], most: int = 5) -> dict[str, Any]:
    """Snapshots to draw: at most so many, in the order of time; ends of stages first, then ends of pulses.

    The moment of a stage's largest power stands in where it has no pulse.
    """
    cuts = {label: item for label, item in snapshots.items() if "cut/crystalline" in item.extra}
    pulses = [label for label in cuts if label.endswith("_pulse")]
    peaks = [label for label in cuts if label.endswith("_peak") and label.replace("_peak", "_pulse") not in cuts]
    ends = [label for label in cuts if not label.endswith(("_pulse", "_peak"))]
    labels = sorted((ends + pulses + peaks)[:most], key=lambda label: cuts[label].time_s)
    titles = {label: label.replace("_pulse", ", end of pulse").replace("_peak", ", largest power") for label in labels}
    return {titles[label]: cuts[label] for label in labels}


def axisymmetric(input_toml: str) -> bool:
    """Whether the geometry of a device file is one around an axis."""
    return tomllib.loads(input_toml).get("geometry", {}).get("kind") in ("mushroom", "pillar")


