"""The page of a run."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from ionsim.analysis import pulse_table
from ionsim.analysis.switching import switching_events
from ionsim.config import Device
from ionsim.errors import IonsimError
from ionsim.plots.pictures import compliances, saturations
from ionsim.report import balance, curves, metrics, origin
from ionsim.report.drawing import device_figure, part_name
from ionsim.report.figures import Figure, chemical
from ionsim.report.page import write_page
from ionsim.report.parts import Drawing, drawing_of
from ionsim.report.scene import lattice_figure
from ionsim.report.slices import slice_figure
from ionsim.report.solids import solid_figure
from ionsim.report.texts import by_key, number, quantity, seconds
from ionsim.results import Run

_FAMILIES = {
    "vcm": "valence-change memory (oxygen vacancies)",
    "ecm": "electrochemical metallisation (metal filament)",
    "pcm": "phase-change memory",
    "ecram": "electrochemical random-access memory (three terminals)",
}

#: What a status means to a reader; a complete run needs no words.
_STATUS = {
    "stopped": "The run was stopped before the end of its drive; ionsim resume goes on. The page shows what there is.",
    "running": "The run was under way when this page was made, or its process was killed; ionsim resume goes on after "
    "that. The page shows what was written last.",
    "failed": "The run ended with an error. The page shows what was recorded before it.",
}

_UNREAD = "The device description cannot be read by this version of ionsim: {}"


def run_page(run: Run, path: Path) -> Path:
    """Write the page of a run and return its path; what the run does not hold is said on the page."""
    notes = [_STATUS[run.status]] if run.status in _STATUS else []
    device, drawing = _device(run, notes)
    series = {name: np.asarray(values, dtype=np.float64) for name, values in run.series.items()}
    recorded = len(series.get("time_s", ()))
    if not recorded:
        notes.append("The run recorded no point.")
    figures: dict[str, Figure | str | None] = {
        "device": None if drawing is None else device_figure(drawing),
        "slices": _attempt(lambda: slice_figure(run, drawing), notes, "slices"),
        "scene": _attempt(lambda: _scene(run, device, drawing), notes, "3D picture"),
        **_lines(run, device, series),
    }
    tables = {} if device is None else origin.parameters(device)
    how, needs_file = ("", True) if device is None else origin.command(device, run.input_toml, run.seed)
    if device is None:
        how = f"ionsim run {origin.file_name(run.name)} --out DIR --seed {run.seed}"
    return write_page(
        "run.html.j2",
        path,
        figures,
        run=run,
        family=_FAMILIES.get(run.family, run.family),
        title=run.name,
        notes=notes,
        description=getattr(device, "description", ""),
        changed="" if device is None else origin.changed(device, run.input_toml),
        ramp=metrics.ramp_note(device),
        facts=_facts(run, device, series),
        layers=_layers(drawing),
        lattice=run.sites is not None,
        metrics=metrics.metrics_of(device, run.family, run.summary, series, run.stages),
        literature=metrics.SOURCES,
        stages=balance.stage_table(series, run.stages, run.family) if recorded else None,
        events=balance.event_table(series, run.stages, run.summary) if recorded else None,
        solver=balance.solver_table(run.summary),
        energy=balance.energy_table(run.summary, series, run.family),
        tables=tables,
        kinds=origin.kinds(tables),
        command=how,
        needs_file=needs_file,
        file_name=origin.file_name(run.name),
        file_data=base64.b64encode(run.input_toml.encode()).decode("ascii"),
        summary=[(key, by_key(key, value)) for key, value in run.summary.items()],
        scene_title=_scene_title(run),
    )


def _device(run: Run, notes: list[str]) -> tuple[Device | None, Drawing | None]:
    """The description of the device as far as this version understands it."""
    try:
        device = Device.from_toml(run.input_toml, folder=run.folder)
    except IonsimError as error:
        notes.append(_UNREAD.format(html.escape(str(error).splitlines()[0])))
        return None, None
    return device, drawing_of(device)


def _attempt(draw: Callable[[], Figure | str], notes: list[str], what: str) -> Figure | str:
    """A figure, or the words that stand in its place where the files that it needs are gone."""
    try:
        return draw()
    except IonsimError as error:
        notes.append(f"The {what} could not be drawn: {error}")
        return f"Could not be drawn: {error}"


def _scene(run: Run, device: Device | None, drawing: Drawing | None) -> Figure | str:
    return solid_figure(run, drawing) if run.sites is None else lattice_figure(run, device, drawing)


def _scene_title(run: Run) -> str:
    if run.sites is not None:
        return "Filament in 3D"
    return {"pcm": "Phases in 3D", "ecram": "Ions in 3D"}.get(run.family, "Vacancies in 3D")


def _lines(run: Run, device: Device | None, series: dict[str, Any]) -> dict[str, Figure | str | None]:
    """What is drawn against voltage and time."""
    if len(series.get("time_s", ())) < 2:
        words = "The run recorded fewer than two points."
        return {"iv": words, "transients": words, "updates": None, "events": None, "energy": None}
    limits = dict.fromkeys(saturations(run.input_toml), "transistor")
    limits |= dict.fromkeys(compliances(run.input_toml), "compliance")
    iv = curves.iv_figure(
        series, run.stages, events=switching_events(series, run.stages, run.summary),
        limits_A=cast(dict[float, str], limits), gate=run.family == "ecram",
    )  # fmt: skip
    levels = pulse_table(device, series) if device is not None else {}
    return {
        "iv": iv
        or "The voltage was held at a few levels, or no current flowed: the transients show more than a curve would.",
        "transients": curves.transient_figure(series, run.stages, curves.panels_of(series)),
        "updates": curves.update_figure(levels) if levels else None,
        "events": balance.events_figure(series, run.stages),
        "energy": balance.energy_figure(series, run.family),
    }


def _facts(run: Run, device: Device | None, series: dict[str, Any]) -> list[tuple[str, str]]:
    """A line of facts under the title."""
    drive = "" if device is None else device.drive.kind.replace("_", " ")
    points = len(series.get("time_s", ()))
    facts = [
        ("status", run.status),
        ("seed", str(run.seed)),
        ("drive", f"{drive}: {', '.join(run.stages[:6])}{' …' if len(run.stages) > 6 else ''}"),
        ("simulated", seconds(float(series["time_s"][-1])) if points else "nothing"),
        ("points", number(points)),
        ("snapshots", number(len(run.snapshots))),
    ]
    if device is not None:
        facts.append(("ambient", quantity(device.ambient_K, "K")))
    if run.sites is not None:
        facts.append(("lattice", f"{number(len(run.sites.positions_nm))} sites"))
    if run.summary.get("wall_time_s") is not None:
        facts.append(("wall time", seconds(float(run.summary["wall_time_s"]))))
    return facts


def _layers(drawing: Drawing | None) -> list[tuple[str, str, str]]:
    """Name, material and size of every part, once for each kind."""
    if drawing is None:
        return []
    found: dict[str, tuple[str, str, str]] = {}
    for part in reversed(drawing.parts):
        kind = part.name.split(" ")[0]
        size = " × ".join(f"{high - low:.4g}" for low, high in (part.box.x, part.box.y, part.box.z))
        found.setdefault(kind, (part_name(kind), chemical(part.material), f"{size} nm"))
    return list(found.values())
