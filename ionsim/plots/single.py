"""One figure of a run at a time, as a notebook asks for them: ``run.iv().plot()``, ``run.filament("set").plot()``."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ionsim.errors import ResultsError
from ionsim.plots.curves import transient_figure
from ionsim.plots.ecram import current_figure, ion_figure, ion_maps
from ionsim.plots.filament import filament_figure
from ionsim.plots.phases import axisymmetric, frame, phase_figure
from ionsim.plots.pictures import ION, is_metal, iv_of, layer_names, metal_of, oxide_box, positions_of, substrate
from ionsim.plots.style import INK, new_figure, styled
from ionsim.plots.vacancies import vacancy_figure

__all__ = ["cut_of", "filament_of", "iv_of", "transient_of"]

#: Fields of a cut that have a colour scale of their own.
_COLOURS = {"temperature_K": "inferno", "potential_V": "RdBu_r"}


def transient_of(run: Any) -> Figure:
    """Voltage, current and temperature against time; of ECRAM devices the currents and the channel."""
    if "state_S" in run.series:
        return current_figure(run.series, title=run.name)
    return transient_figure(run.series, run.stages, title=run.name)


def filament_of(run: Any, state: str) -> Figure:
    """The filament of a snapshot between its electrodes."""
    names = layer_names(run.input_toml)
    metal = None
    if is_metal(run):
        metal = metal_of(run, {state: state})
    return filament_figure(
        {state: positions_of(run, state, run.sites.filament)}, oxide_box(run.sites), periodic=run.sites.periodic,
        electrodes=(names[0], names[2]), metal=metal, substrate=substrate(run.input_toml), title=run.name,
    )  # fmt: skip


def cut_of(run: Any, state: str) -> Figure:
    """The cut of a snapshot: phases, vacancies or ions with temperature; of a lattice potential and temperature."""
    snapshot = run.snapshot(state)
    extra = snapshot.extra
    if "cut/crystalline" in extra:
        mirrored = axisymmetric(run.input_toml)
        across, moments = "r (nm)" if mirrored else "x (nm)", {state: frame(snapshot, mirrored)}
        return phase_figure(moments, float(extra["melting_K"]), across=across, title=run.name)
    if "cut/vacancies_per_m3" in extra:
        return vacancy_figure({state: snapshot}, title=run.name)
    if "cut/fraction" in extra:
        maps = ion_maps({label: run.snapshots[label] for label in (next(iter(run.snapshots)), state)})
        return ion_figure(maps, ion=ION, title=run.name)
    return _fields(run, state)


def _fields(run: Any, state: str) -> Figure:
    extra = run.snapshot(state).extra
    across = "y_nm" if "cut/y_nm" in extra else "x_nm"
    names = [name for name in _COLOURS if f"cut/{name}" in extra]
    if not names or f"cut/{across}" not in extra:
        raise ResultsError(f"{run.path}: the snapshot {state!r} holds no cut")
    x, z = np.asarray(extra[f"cut/{across}"]), np.asarray(extra["cut/z_nm"])
    with styled():
        figure = new_figure(3.6 * len(names), 3.2)
        panels: list[Axes] = list(np.atleast_1d(figure.subplots(1, len(names), sharex=True, sharey=True)))
        for axes, name in zip(panels, names, strict=True):
            image = axes.pcolormesh(x, z, extra[f"cut/{name}"], cmap=_COLOURS[name], rasterized=True)
            figure.colorbar(image, ax=axes).set_label(name.replace("_", " (") + ")")
            axes.set(aspect="equal", xlabel=f"{across[0]} (nm)")
        panels[0].set_ylabel("z (nm)")
        figure.suptitle(f"{run.name}, {state}", color=INK, fontsize=9)
    return figure
