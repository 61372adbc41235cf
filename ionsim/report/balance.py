"""Where the energy went, what happened in every stage, and how often; each with what was measured and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ionsim.analysis.switching import energy_J
from ionsim.plots.style import BLUE, GREEN, MUTED, ORANGE, PURPLE, VERMILLION, spans, time_unit
from ionsim.report.curves import Series
from ionsim.report.figures import Figure, Floats, axis, plot, thinned
from ionsim.report.texts import DASH, number, quantity, seconds
from ionsim.results.exports import EVENTS

#: Processes that a table of stages shows; of more those with fewest events are summed.
_PREFIX = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: ""}


@dataclass(frozen=True)
class Table:
    """Rows of texts (HTML) under a header; ``note`` says how they were measured."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def stage_table(series: Series, stages: Sequence[str], family: str) -> Table | None:
    """One row for each stage of the drive; of a long train the first and the last ones."""
    if len(series.get("time_s", ())) < 2:
        return None
    gate = family == "ecram"
    rows = []
    parts = spans(series["stage"])
    shown = parts if len(parts) <= 24 else [*parts[:12], *parts[-12:]]
    for index, low, high in shown:
        part = {name: values[max(low - 1, 0) : high] for name, values in series.items()}
        own = {name: values[low:high] for name, values in series.items()}
        volts = own["voltage_V"]
        begin_s = float(series["time_s"][low - 1]) if low else 0.0
        conductance = float(own["conductance_S"][-1]) if "conductance_S" in own else 0.0
        ends = quantity(conductance, "S") if gate else quantity(1.0 / conductance if conductance > 0 else None, "Ω")
        rows.append(
            [
                stages[index].replace("_", " "),
                seconds(float(own["time_s"][-1]) - begin_s),
                _between(float(volts.min()), float(volts.max())),
                quantity(float(np.abs(own["current_A"]).max()), "A"),
                ends,
                quantity(stage_energy(part, low), "J"),
                quantity(float(own["temperature_peak_K"].max()), "K"),
            ]
        )
    header = [
        "stage",
        "duration",
        "applied voltage",
        "largest |gate current|" if gate else "largest |current|",
        "channel's G at its end" if gate else "resistance at its end",
        "electrical energy in",
        "hottest point",
    ]
    note = "Energy: sum of voltage across the device × current × dwell over the recorded points."
    if "energy_J" in series:
        note = "Energy: gate voltage × charge through the gate's wire, summed over the steps of the solver."
    if len(parts) > len(shown):
        note += f" The first and last 12 of {len(parts)} stages are shown."
    return Table(header, rows, note)


def _between(low: float, high: float) -> str:
    ends = dict.fromkeys((number(low, 3), number(high, 3)))
    return f"{' … '.join(ends)} V"


def stage_energy(part: Series, low: int) -> float:
    """Energy of a stage whose first row, where there is one before, ends the stage before."""
    if "energy_J" in part:  # the solver's own sum: recorded points are few within a pulse
        return float(part["energy_J"][-1]) - (float(part["energy_J"][0]) if low else 0.0)
    if low == 0:
        return energy_J(part)
    return float(np.sum(part["power_W"][1:] * np.diff(part["time_s"])))


def event_table(series: Series, stages: Sequence[str], summary: Mapping[str, Any]) -> Table | None:
    """Events by process and stage; None of a run without a lattice."""
    names = [name for name in series if name.startswith(EVENTS)]
    if not names or not len(series["time_s"]):
        return None
    parts = spans(series["stage"])
    if len(parts) > 12:
        parts = []
    rows = []
    order = sorted(names, key=lambda name: -float(series[name][-1]))
    for name in order:
        counts = series[name]
        by_stage = [float(counts[high - 1]) - (float(counts[low - 1]) if low else 0.0) for _, low, high in parts]
        share = float(counts[-1]) / max(float(series["n_events"][-1]), 1.0)
        rows.append(
            [
                name.removeprefix(EVENTS).replace("_", " "),
                number(round(float(counts[-1]))),
                f"{100.0 * share:.3g} %",
                *(number(round(each)) for each in by_stage),
            ]
        )
    rows.append(["all", number(round(float(series["n_events"][-1]))), "", *("" for _ in parts)])
    header = ["process", "events", "share", *(stages[index].replace("_", " ") for index, _, _ in parts)]
    notes = []
    if summary.get("flicker_share") is not None:
        notes.append(f"{100.0 * summary['flicker_share']:.3g} % of the events were undone by the next one (flicker).")
    if summary.get("n_field_refreshes") is not None:
        notes.append(
            f"Potential and heat were solved {number(summary['n_field_refreshes'])} times; when they were, the "
            f"potential in use had been off by {number(summary.get('potential_error_rms_kT'), 3)} kT/q "
            "(root mean square)."
        )
    return Table(header, rows, " ".join(notes))


def events_figure(series: Series, stages: Sequence[str]) -> Figure | None:
    """Events per second of every process against time."""
    names = [name for name in series if name.startswith(EVENTS) and series[name][-1] > 0]
    time_s = series["time_s"]
    if not names or len(time_s) < 3:
        return None
    factor, unit = time_unit(float(time_s[-1]))
    colours = (VERMILLION, BLUE, GREEN, ORANGE, PURPLE, MUTED, "#56B4E9", "#8B5E3C", "#6A3D9A", "#222222")
    data = []
    dwell = np.diff(time_s, prepend=0.0)
    for place, name in enumerate(sorted(names, key=lambda name: -float(series[name][-1]))):
        rate = np.diff(series[name], prepend=0.0) / np.where(dwell > 0.0, dwell, np.nan)
        rate = np.where(rate > 0.0, rate, np.nan)
        rows = thinned(rate, 2400)
        label = name.removeprefix(EVENTS).replace("_", " ")
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": (time_s * factor)[rows],
                "y": rate[rows],
                "name": label,
                "line": {"color": colours[place % len(colours)], "width": 1.3},
                "hovertemplate": "%{y:.3g} s⁻¹",
            }
        )
    layout = {
        "xaxis": axis(f"time ({unit})"),
        "hovermode": "x unified",
        "yaxis": axis("events per second", type="log", exponentformat="power"),
    }
    return plot(data, layout, "Rate of every process, counted between two recorded points.", 380)


def energy_table(summary: Mapping[str, Any], series: Series, family: str) -> Table:
    """Energy in, out and stored; the note says what this family measures."""
    rows = []
    total = summary.get("E_electrical_J")
    if total is not None:
        out, latent, residual = (summary.get(name) for name in ("E_out_J", "E_latent_J", "E_residual_J"))
        stored = None if out is None else total + (latent or 0.0) - out
        rows.append(
            ["electrical energy in", quantity(total, "J", 4), "current × voltage in the whole mesh, at every step"]
        )
        rows.append(["heat out", quantity(out, "J", 4), "through the surfaces that are held at ambient temperature"])
        if latent is not None:
            rows.append(["latent heat set free", quantity(latent, "J", 4), "by crystallisation; melting takes it up"])
        rows.append(
            ["heat stored at the end", quantity(stored, "J", 4), "in + latent − out: what the cell still holds"]
        )
        share = f" ({number(residual / abs(total), 2)} of what came in)" if residual is not None and total else ""
        rows.append(
            [
                "left over",
                quantity(residual, "J") + share,
                "sum of |power in + latent − out − stored| over all steps: the solver's error",
            ]
        )
        recorded = summary.get("E_total_J")
        rows.append(
            [
                "the same from recorded points",
                quantity(recorded, "J", 4),
                "device voltage × current × dwell; differs where steps are finer than what is recorded",
            ]
        )
        return Table(["", "energy", "measured as"], rows, "In, out, latent and stored heat are all measured.")
    if family == "ecram":
        charge = {
            name: series[name][-1]
            for name in ("gate_charge_C", "gate_faradaic_C", "channel_faradaic_C")
            if len(series.get(name, ()))
        }
        rows.append(
            [
                "electrical energy in at the gate",
                quantity(summary.get("E_total_J"), "J", 4),
                "gate voltage × charge through the gate's wire, at every step",
            ]
        )
        if charge:
            rows.append(
                ["charge through the gate", quantity(float(charge["gate_charge_C"]), "C", 4), "at the end of the run"]
            )
            rows.append(
                [
                    "of it with ions, at the gate",
                    quantity(float(charge["gate_faradaic_C"]), "C", 4),
                    "Faradaic; the rest charges the gate",
                ]
            )
            rows.append(
                [
                    "ions inserted in the channel",
                    quantity(-float(charge["channel_faradaic_C"]), "C", 4),
                    "charge that entered with ions and stayed",
                ]
            )
        note = (
            "The heat that leaves is not recorded; the energy of the read is not part of it. What the charge did is "
            "the balance of this family."
        )
        return Table(["", "", "measured as"], rows, note)
    rows.append(
        [
            "electrical energy in",
            quantity(summary.get("E_total_J"), "J", 4),
            "voltage across the device × current × dwell over the recorded points",
        ]
    )
    note = (
        "Heat that leaves or stays is not recorded by lattice runs. Each refresh of the fields puts voltage × current "
        "as heat on the mesh, all of which leaves through the electrodes once it is steady: ionsim verify --case "
        "heat-deposition holds both."
    )
    return Table(["", "energy", "measured as"], rows, note)


def energy_figure(series: Series, family: str) -> Figure | None:
    """Energies against time, added up over the recorded points."""
    time_s = series.get("time_s", np.empty(0))
    if len(time_s) < 3 or "power_W" not in series:
        return None
    factor, unit = time_unit(float(time_s[-1]))
    dwell = np.diff(time_s, prepend=2.0 * time_s[0] - time_s[1])
    given = series["energy_J"] if family == "ecram" and "energy_J" in series else np.cumsum(series["power_W"] * dwell)
    lines = [("electrical energy in", given, VERMILLION)]
    if "heat_out_W" in series:
        lines.append(("heat out", np.cumsum(series["heat_out_W"] * dwell), BLUE))
    if "latent_W" in series:
        lines.append(("latent heat set free", np.cumsum(series["latent_W"] * dwell), GREEN))
        lines.append(("stored", np.cumsum(series["stored_W"] * dwell), ORANGE))
    largest = max(float(np.abs(values).max()) for _, values, _ in lines)
    if largest == 0.0:
        return None
    scale, prefix = _scale(largest)
    data = [_line(time_s * factor, values * scale, name, colour) for name, values, colour in lines]
    layout = {"xaxis": axis(f"time ({unit})"), "yaxis": axis(f"energy ({prefix}J)"), "hovermode": "x unified"}
    caption = "Energies added up over the recorded points; the totals of the table are those of the solver's own steps."
    return plot(data, layout, caption if len(lines) > 1 else "Energy that went into the device.", 340)


def _scale(largest: float) -> tuple[float, str]:
    power = int(np.clip(3 * np.floor(np.log10(largest) / 3), min(_PREFIX), 0))
    return 10.0**-power, _PREFIX[power]


def _line(x: Floats, y: Floats, name: str, colour: str) -> dict[str, Any]:
    rows = thinned(y)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x[rows],
        "y": y[rows],
        "name": name,
        "hovertemplate": "%{y:.4g}",
        "line": {"color": colour, "width": 1.6},
    }


def solver_table(summary: Mapping[str, Any]) -> Table | None:
    """Steps of a continuum's solver, which has no events."""
    names = {
        "n_steps": "steps in time",
        "n_steps_rejected": "of which repeated with a shorter one",
        "n_newton": "Newton iterations",
        "n_rounds": "rounds between fields and vacancies",
        "n_nuclei": "nuclei born",
    }
    rows = [[text, number(summary[name])] for name, text in names.items() if summary.get(name) is not None]
    note = "A continuum has no events; these are the steps of its solver."
    return Table(["", "count"], rows, note) if rows else None


__all__ = [
    "DASH",
    "Table",
    "energy_figure",
    "energy_table",
    "event_table",
    "events_figure",
    "solver_table",
    "stage_table",
]
