"""All pictures of one run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ionsim.analysis.switching import switching_events
from ionsim.plots.boundaries import boundary_figure
from ionsim.plots.conductance import conductance_figure
from ionsim.plots.curves import held_figure, iv_figure, transient_figure
from ionsim.plots.cut import Cut, cut_figure
from ionsim.plots.ecram import ecram_figures
from ionsim.plots.filament import Metal, filament_figure
from ionsim.plots.phases import axisymmetric, chosen, frame, phase_figure, resistance_figure
from ionsim.plots.style import save
from ionsim.plots.vacancies import chosen as with_vacancies
from ionsim.plots.vacancies import vacancy_figure
from ionsim.results.model import PICTURES

if TYPE_CHECKING:
    from meshes import Polycrystal

IV, TRANSIENT, CONDUCTANCE, FILAMENT, CUT, PHASES, RESISTANCE, *_, HELD, VACANCIES, BOUNDARIES = PICTURES

#: States of the main job in the order in which they are drawn.
STATES = ("virgin", "formed", "reset", "set")
#: Ending of the snapshot of a stage's moment of largest power; species of a metal filament and its ions.
PEAK, ATOM, ION = "_peak", "atom", "ion"

Floats = NDArray[np.float64]


class RunLike(Protocol):
    """What the pictures read of a run; :class:`ionsim.results.Run` has it."""

    @property
    def name(self) -> str: ...
    @property
    def seed(self) -> int: ...
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
    """Draw ``iv.png``, ``transient.png``, ``conductance.png``, ``filament.png``, ``cut.png``; return their paths.

    At one held voltage ``current.png``, against time, is drawn instead of ``iv.png``. The conductance is drawn of
    metal, whose channels are counted, and of retention (``drive.kind = "read"``). A picture is left out when the run
    does not hold what it shows (no samples, no snapshots, no lattice); the cut shows up to four snapshots that hold
    fields under bias, whatever their labels. Films with grain boundaries have them drawn with the vacancies
    (``boundaries.png``). Of ECRAM devices see ``ecram_figures``.
    Raises ``ResultsError`` when a file cannot be written.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return [save(figure, folder / name) for name, figure in figures(run).items()]


def figures(run: RunLike) -> dict[str, Figure]:
    """The figures of :func:`plot_run` by the names of their files."""
    series = run.series
    found: dict[str, Figure] = {}
    if "state_S" in series:
        return ecram_figures(run)
    if len(series.get("time_s", ())) > 1:
        found[HELD if is_held(run.input_toml) else IV] = iv_of(run)
        found[TRANSIENT] = transient_figure(series, run.stages, title=run.name)
        retention = _drive(run.input_toml).get("kind") == "read"
        if retention or "channels" in series:
            figure = conductance_figure(series, run.stages, retention=retention, title=run.name)
            found[CONDUCTANCE] = figure
        if "crystalline_share" in series:
            figure = resistance_figure(series, run.stages, title=run.name)
            found[RESISTANCE] = figure
    moments = chosen(run.snapshots)
    if moments:
        mirrored = axisymmetric(run.input_toml)
        figure = phase_figure(
            {label: frame(snapshot, mirrored) for label, snapshot in moments.items()},
            float(next(iter(moments.values())).extra["melting_K"]),
            across="r (nm)" if mirrored else "x (nm)", title=run.name,
        )  # fmt: skip
        found[PHASES] = figure
    filled = with_vacancies(run.snapshots)
    if filled:
        figure = vacancy_figure(filled, edges_nm=_oxide_edges(run.input_toml), title=run.name)
        found[VACANCIES] = figure
    names = layer_names(run.input_toml)
    if run.sites is not None:
        labels = _labels(run)
        states = {title: positions_of(run, label, run.sites.filament) for title, label in labels.items()}
        if states:
            figure = filament_figure(
                states, oxide_box(run.sites), periodic=run.sites.periodic, electrodes=(names[0], names[2]),
                metal=metal_of(run, labels) if is_metal(run) else None, substrate=substrate(run.input_toml),
                title=run.name,
            )  # fmt: skip
            found[FILAMENT] = figure
            film = _film(run)
            if film is not None:
                figure = boundary_figure(film, oxide_box(run.sites), states, title=run.name)
                found[BOUNDARIES] = figure
        cuts = _cuts(run)
        if cuts:
            box, lateral = oxide_box(run.sites), substrate(run.input_toml) is not None
            figure = cut_figure(
                cuts, (0.0, box[2]), lattice_nm=(0.0, box[1 if lateral else 0]), electrodes=(names[0], names[2]),
                oxide=names[1], lateral=lateral, title=run.name,
            )  # fmt: skip
            found[CUT] = figure
    return found


def iv_of(run: RunLike) -> Figure:
    """The I-V curve of a run, with the limits of its drive and a ring where it switched.

    At one held voltage there is no such curve: the current against time is drawn.
    """
    series = run.series
    if is_held(run.input_toml):
        return held_figure(series, run.stages, compliance_A=compliances(run.input_toml), title=run.name)
    return iv_figure(
        series["voltage_V"], series["current_A"], series["stage"], run.stages,
        compliance_A=compliances(run.input_toml), saturation_A=saturations(run.input_toml),
        events=switching_events(series, run.stages, run.summary), title=run.name,
    )  # fmt: skip


def is_held(input_toml: str) -> bool:
    """Whether a drive applies one voltage from the first moment to the last."""
    return _drive(input_toml).get("kind") == "constant"


def compliances(input_toml: str) -> list[float]:
    """Compliance currents (A) that the drive of a device file names, for all of it or for a stage."""
    drive = _drive(input_toml)
    named = [drive.get("compliance_A"), *(stage.get("compliance_A") for stage in drive.get("stages", ()))]
    return sorted({float(value) for value in named if value is not None})


def saturations(input_toml: str) -> list[float]:
    """Saturation currents k/2 (Vg - Vt)^2 (A) of the drive's transistor, in stages that go to positive voltage."""
    drive = _drive(input_toml)
    keys = drive.get("transistor")
    if keys is None:
        return []
    gates_V = [keys["gate_V"]]
    if "stages" in drive:
        gates_V = [stage.get("gate_V", keys["gate_V"]) for stage in drive["stages"] if stage["stop_V"] > 0]
    overdrives_V = [float(gate_V) - keys["threshold_V"] for gate_V in gates_V]
    return sorted({0.5 * keys["transconductance_A_per_V2"] * value**2 for value in overdrives_V if value > 0})


def _drive(input_toml: str) -> dict[str, Any]:
    return dict(tomllib.loads(input_toml).get("drive", {}))


def layer_names(input_toml: str) -> tuple[str, str, str]:
    """Materials of the bottom electrode, the oxide and what lies on it, as far as a device file names them."""
    layers = tomllib.loads(input_toml).get("layers", {})

    def material(*keys: str) -> str:
        found = [layers[key]["material"] for key in keys if "material" in layers.get(key, {})]
        return str(found[0]) if found else keys[-1]

    return material("bottom"), material("electrolyte", "oxide"), material("cap", "active", "top")


def _oxide_edges(input_toml: str) -> tuple[float, ...]:
    """Heights (nm) of the oxide's lower and upper side."""
    oxide = tomllib.loads(input_toml).get("layers", {}).get("oxide", {})
    return (0.0, float(oxide["thickness_nm"])) if "thickness_nm" in oxide else ()


def substrate(input_toml: str) -> str | None:
    """Material below a lateral cell; None of a vertical one."""
    layer = tomllib.loads(input_toml).get("layers", {}).get("substrate")
    return None if layer is None else str(layer["material"])


def _film(run: RunLike) -> Polycrystal | None:
    """The grains of a polycrystalline film."""
    if "grains" not in tomllib.loads(run.input_toml):
        return None
    from ionsim.config import VcmDevice
    from ionsim.devices.vcm_grains import film_of

    device = VcmDevice.from_toml(run.input_toml)
    assert isinstance(device, VcmDevice)
    return film_of(device, run.seed)


def is_metal(run: RunLike) -> bool:
    return run.sites is not None and ATOM in run.sites.filament


def _labels(run: RunLike) -> dict[str, str]:
    """Titles of the panels and the snapshots that they show.

    A cell of metal that is empty at the start shows the moment of largest power of its first stage instead, where ions
    are on their way.
    """
    known = [label for label in STATES if label in run.snapshots]
    titles = {label: label for label in known or list(run.snapshots)[:4]}
    virgin, peak = STATES[0], f"{run.stages[0]}{PEAK}" if run.stages else ""
    if is_metal(run) and virgin in titles and peak in run.snapshots:
        empty = not any(len(positions_of(run, virgin, (name,))) for name in (ION, ATOM))
        if empty:
            title = f"{run.stages[0]}, {run.snapshots[peak].voltage_V:.2f} V"
            del titles[virgin]
            titles = {title: peak, **{name: label for name, label in titles.items() if label != peak}}
    return titles


def positions_of(run: RunLike, label: str, names: Sequence[str]) -> Floats:
    """Where species are in a snapshot: (M, 3) in nm."""
    codes = [index for index, name in enumerate(run.sites.species) if name in names]
    return np.asarray(run.sites.positions_nm)[np.isin(run.snapshots[label].occupation, codes)]


def metal_of(run: RunLike, labels: Mapping[str, str]) -> Metal:
    """Distances of the lattice, ions by panel, and the barrier layer where there is one."""
    sites, layers = np.asarray(run.sites.positions_nm), tomllib.loads(run.input_toml).get("layers", {})
    spacing_nm = float(cKDTree(sites).query(sites, k=2)[0][:, 1].min())
    height_nm, z = float(run.sites.cell_nm[2]), sites[:, 2]
    barrier = layers.get("barrier")
    return Metal(
        spacing_nm=spacing_nm,
        # The first plane alone: (100) planes are 0.71 spacings apart.
        touch_nm=max(float(z.min()), height_nm - float(z.max())) + 0.25 * spacing_nm,
        ions={title: positions_of(run, label, (ION,)) for title, label in labels.items()},
        film=(str(barrier["material"]), float(barrier["thickness_nm"])) if barrier else None,
    )


def oxide_box(sites: Any) -> tuple[float, float, float]:
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
    return {label.replace(PEAK, " at peak power"): cut for label, cut in list(biased.items())[:4]}


def _cut(run: RunLike, label: str) -> Cut | None:
    snapshot = run.snapshots[label]
    across = "y_nm" if "cut/y_nm" in snapshot.extra else "x_nm"
    names = {"across_nm": across} | {name: name for name in ("z_nm", "potential_V", "temperature_K")}
    if any(f"cut/{name}" not in snapshot.extra for name in names.values()):
        return None
    arrays = {key: np.asarray(snapshot.extra[f"cut/{name}"], dtype=float) for key, name in names.items()}
    return Cut(voltage_V=float(snapshot.voltage_V), **arrays)
