"""All pictures of one run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ionsim.plots.curves import iv_figure, transient_figure
from ionsim.plots.cut import Cut, cut_figure
from ionsim.plots.filament import filament_figure
from ionsim.plots.style import save
from ionsim.results.model import PICTURES

IV, TRANSIENT, FILAMENT, CUT = PICTURES

#: States of the main job in the order in which they are drawn.
STATES = ("virgin", "formed", "reset", "set")


class RunLike(Protocol):
    """What the pictures read of a run; :class:`ionsim.results.Run` has it."""

    @property
    def name(self) -> str: ...
    @property
    def input_toml(self) -> str: ...
    @property
    def stages(self) -> Sequence[str]: ...
    @property
    def series(self) -> Mapping[str, Any]: ...
    @property
    def snapshots(self) -> Mapping[str, Any]: ...
    @property
    def sites(self) -> Any: ...
    @property
    def summary(self) -> Mapping[str, Any]: ...


def plot_run(run: RunLike, out_dir: str | Path) -> list[Path]:
    """Draw ``iv.png``, ``transient.png``, ``filament.png`` and ``cut.png`` into a folder and return their paths.

    A picture is left out when the run does not hold what it shows (no samples, no snapshots, no lattice); the cut shows
    up to four snapshots that hold fields under bias, whatever their labels.
    Raises ``ResultsError`` when a file cannot be written.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    series, written = run.series, []
    if len(series.get("time_s", ())) > 1:
        figure = iv_figure(
            series["voltage_V"], series["current_A"], series["stage"], run.stages,
            compliance_A=compliances(run.input_toml), marks_V=run.summary, title=run.name,
        )  # fmt: skip
        written.append(save(figure, folder / IV))
        written.append(save(transient_figure(series, run.stages, title=run.name), folder / TRANSIENT))
    names = layer_names(run.input_toml)
    if run.sites is not None:
        states = {label: _filament(run, label) for label in _labels(run)}
        if states:
            figure = filament_figure(
                states,
                _oxide_box(run.sites),
                periodic=run.sites.periodic,
                electrodes=(names[0], names[2]),
                members="atoms" if "atom" in run.sites.filament else "vacancies",
                title=run.name,
            )
            written.append(save(figure, folder / FILAMENT))
        cuts = _cuts(run)
        if cuts:
            box = _oxide_box(run.sites)
            figure = cut_figure(
                cuts, (0.0, box[2]), lattice_nm=(0.0, box[0]), electrodes=(names[0], names[2]), oxide=names[1],
                title=run.name,
            )  # fmt: skip
            written.append(save(figure, folder / CUT))
    return written


def compliances(input_toml: str) -> list[float]:
    """Compliance currents (A) that the drive of a device file names, for all of it or for a stage."""
    drive = tomllib.loads(input_toml).get("drive", {})
    named = [drive.get("compliance_A"), *(stage.get("compliance_A") for stage in drive.get("stages", ()))]
    return sorted({float(value) for value in named if value is not None})


def layer_names(input_toml: str) -> tuple[str, str, str]:
    """Materials of the bottom electrode, the oxide and what lies on it, as far as a device file names them."""
    layers = tomllib.loads(input_toml).get("layers", {})

    def material(*keys: str) -> str:
        found = [layers[key]["material"] for key in keys if "material" in layers.get(key, {})]
        return str(found[0]) if found else keys[-1]

    return material("bottom"), material("electrolyte", "oxide"), material("cap", "active", "top")


def _labels(run: RunLike) -> list[str]:
    known = [label for label in STATES if label in run.snapshots]
    return known or list(run.snapshots)[:4]


def _filament(run: RunLike, label: str) -> np.ndarray:
    codes = [list(run.sites.species).index(name) for name in run.sites.filament]
    return np.asarray(run.sites.positions_nm)[np.isin(run.snapshots[label].occupation, codes)]


def _oxide_box(sites: Any) -> tuple[float, float, float]:
    """Lx, Ly and the height of the oxide in nm: of the sites outside the electrodes, when regions are named."""
    regions = list(sites.regions)
    electrodes = [index for index, name in enumerate(regions) if name in ("bottom", "top")]
    height = float(sites.cell_nm[2])
    if electrodes:
        inner = np.asarray(sites.positions_nm)[~np.isin(sites.region, electrodes), 2]
        height = min(height, float(inner.max())) if inner.size else height
    return float(sites.cell_nm[0]), float(sites.cell_nm[1]), height


def _cuts(run: RunLike) -> dict[str, Cut]:
    """Cuts of up to four snapshots, states first; those taken without bias have no potential to show."""
    order = [*STATES, *(label for label in run.snapshots if label not in STATES)]
    found = {label: _cut(run, label) for label in order if label in run.snapshots}
    biased = {label: cut for label, cut in found.items() if cut is not None and np.ptp(cut.potential_V) > 1e-9}
    return dict(list(biased.items())[:4])


def _cut(run: RunLike, label: str) -> Cut | None:
    snapshot = run.snapshots[label]
    names = ("x_nm", "z_nm", "potential_V", "temperature_K")
    if any(f"cut/{name}" not in snapshot.extra for name in names):
        return None
    arrays = {name: np.asarray(snapshot.extra[f"cut/{name}"], dtype=float) for name in names}
    return Cut(voltage_V=float(snapshot.voltage_V), **arrays)
