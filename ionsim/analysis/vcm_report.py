"""The folder of a comparison: tables, numbers, a page and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ionsim.analysis.vcm_compare import POWER_W, Comparison, Fields
from ionsim.errors import ResultsError
from ionsim.results.atomic import write_text

#: Numbers of a run that both models have.
FIGURES = ("V_form_V", "V_reset_V", "V_set_V", "R_LRS_ohm", "R_HRS_ohm", "on_off_ratio", "T_peak_forming_K",
           "T_peak_reset_K", "T_peak_set_K")  # fmt: skip

_FIELDS = {"number": ("vacancies", 1.0), "conductance_S": ("conductance, uS", 1e6),
           "thermal_K_per_W": ("thermal resistance, 1e6 K/W", 1e-6)}  # fmt: skip


def write_report(report: Comparison, out: str | Path) -> list[Path]:
    """Write iv.csv, conductivity.csv, axis.csv, summary.json, report.md and the pictures; returns their paths.

    Raises:
        ResultsError: when the folder cannot be written.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [_iv(report, folder), _conductivity(report, folder), _axis(report, folder)]
        numbers = as_numbers(report)
        write_text(folder / "summary.json", json.dumps(numbers, indent=2) + "\n")
        write_text(folder / "report.md", as_text(report))
        write_text(folder / "continuum.toml", report.continuum.to_toml())
        paths += [folder / name for name in ("summary.json", "report.md", "continuum.toml")]
        return [*paths, *_pictures(report, folder)]
    except OSError as error:
        raise ResultsError(f"{folder}: the report cannot be written ({error})") from error


def spread(values: list[Any]) -> tuple[float, float, int]:
    """Mean, standard deviation and number of those that are there."""
    good = np.array([value for value in values if value is not None], dtype=float)
    if not good.size:
        return float("nan"), float("nan"), 0
    return float(good.mean()), float(good.std(ddof=1)) if good.size > 1 else float("nan"), good.size


def as_numbers(report: Comparison) -> dict[str, Any]:
    """Everything in the report as numbers; lists over seeds."""

    def of(fields: list[Fields]) -> dict[str, list[float]]:
        return {name: [float(getattr(one, name)) for one in fields] for name in _FIELDS}

    states = {
        one.label: {
            "lattice": of(one.lattice), "continuum": {name: v[0] for name, v in of([one.continuum]).items()},
            "continuum_of_each_seed": of(one.single), "lattice_drawn_from_the_continuum": of(one.back),
            "temperature_there_and_back_K": {"largest": one.sites_K[0], "mean": one.sites_K[1]},
        }
        for one in report.states
    }  # fmt: skip
    figures = {name: [one.get(name) for one in report.summaries] for name in FIGURES}
    continuum = {name: report.virgin.get(name) for name in FIGURES}
    handed = {name: report.handed.get(name) for name in FIGURES}
    return {"device": report.device.name, "seeds": list(report.seeds), "power_W": POWER_W, "states": states,
            "lattice": figures, "continuum": continuum, "continuum_handed_over": handed}  # fmt: skip


def as_text(report: Comparison) -> str:
    """The report as Markdown."""
    lines = [f"# {report.device.name}: lattice against continuum", "",
             f"Seeds {', '.join(map(str, report.seeds))}; mean and standard deviation.", "",
             "| | lattice | continuum, virgin | continuum, handed over |", "| --- | --- | --- | --- |"]  # fmt: skip
    for name in FIGURES:
        mean, deviation, count = spread([one.get(name) for one in report.summaries])
        cells = [_number(report.virgin.get(name)), _number(report.handed.get(name))]
        lines.append(f"| {name} | {mean:.4g} +- {deviation:.2g} ({count}) | {' | '.join(cells)} |")
    lines += ["", "## The same vacancies in both", "",
              f"Thermal resistance at {1e6 * POWER_W:g} uW. \"Of each seed\": the continuum of each lattice's own "
              "density; \"drawn\": lattices drawn from the mean density.", "",
              "| state | | lattice | continuum of the mean | of each seed | drawn |",
              "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for state in report.states:
        for name, (meaning, factor) in _FIELDS.items():
            parts = (state.lattice, state.single, state.back)
            cells = [_pair([factor * getattr(one, name) for one in part]) for part in parts]
            mean_field = f"{factor * getattr(state.continuum, name):.4g}"
            lines.append(f"| {state.label} | {meaning} | {cells[0]} | {mean_field} | {cells[1]} | {cells[2]} |")
    lines += ["", "Temperature of the sites taken to the mesh and back at that power, largest and mean difference:", ""]
    lines += [f"- {one.label}: {one.sites_K[0]:.2g} K, {one.sites_K[1]:.2g} K" for one in report.states]
    return "\n".join([*lines, "", "![I-V](iv.png)", "", "![fields](fields.png)", "", "![axis](axis.png)", ""])


def _pair(values: list[float]) -> str:
    mean, deviation, _ = spread(values)
    return f"{mean:.4g} +- {deviation:.2g}"


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"


def _iv(report: Comparison, folder: Path) -> Path:
    curves, lines = report.curves, ["stage,branch,voltage_V,lattice_log10_A,spread_decades,seeds,continuum_log10_A,"
                                    "handed_over_log10_A"]  # fmt: skip
    for k in range(len(curves.voltage_V)):
        numbers = (curves.mean[k], curves.spread[k], curves.count[k], curves.continuum[k], curves.handed[k])
        branch = "back" if curves.branch[k] else "out"
        cells = ["" if not np.isfinite(value) else f"{value:.6g}" for value in numbers]
        lines.append(",".join([report.stages[curves.stage[k]], branch, f"{curves.voltage_V[k]:.6g}", *cells]))
    path = folder / "iv.csv"
    write_text(path, "\n".join(lines) + "\n")
    return path


def _conductivity(report: Comparison, folder: Path) -> Path:
    table = report.table
    rows = [f"{a:.6g},{b:.6e},{c:.4g}" for a, b, c in zip(table.fraction, table.S_per_m, table.decades, strict=True)]
    path = folder / "conductivity.csv"
    write_text(path, "\n".join(["vacant_share,S_per_m,spread_decades", *rows]) + "\n")
    return path


def _axis(report: Comparison, folder: Path) -> Path:
    names, columns = ["z_nm"], [report.heights_nm]
    for state in report.states:
        for model, part in (("lattice", state.lattice), ("continuum", [state.continuum]), ("drawn", state.back)):
            names.append(f"{state.label}_{model}_K")
            columns.append(np.mean([one.axis_K for one in part], axis=0))
    rows = [",".join(f"{value:.5g}" for value in row) for row in np.array(columns).T]
    path = folder / "axis.csv"
    write_text(path, "\n".join([",".join(names), *rows]) + "\n")
    return path


def _pictures(report: Comparison, folder: Path) -> list[Path]:
    from ionsim.plots.comparison import axis_figure, current_figure, field_figure
    from ionsim.plots.style import save

    curves = report.curves
    rows = {name: getattr(curves, name) for name in
            ("stage", "branch", "voltage_V", "mean", "spread", "continuum", "handed")}  # fmt: skip
    lines = {
        one.label: {"lattice": np.array([fields.axis_K for fields in one.lattice]), "continuum": one.continuum.axis_K,
                    "back": np.mean([fields.axis_K for fields in one.back], axis=0)}
        for one in report.states
    }  # fmt: skip
    return [
        save(current_figure(report.stages, rows), folder / "iv.png"),
        save(field_figure({one.label: one.maps for one in report.states}, POWER_W), folder / "fields.png"),
        save(axis_figure(report.heights_nm, lines, POWER_W), folder / "axis.png"),
    ]
