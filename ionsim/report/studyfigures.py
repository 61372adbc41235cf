"""Figures of a study: main effects, distributions, columns against each other, convergence, Sobol indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ionsim.plots.studies import Runs, groups_of, is_logarithmic, labels_of, positions_of
from ionsim.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, SKY, VERMILLION
from ionsim.report.figures import Figure, Floats, axis, look, plot
from ionsim.study.convergence import Row
from ionsim.study.pictures import bars, mesh_lines
from ionsim.study.sensitivity import Sensitivity
from ionsim.study.table import Columns

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)


def short(key: str) -> str:
    """The last two parts of a key path, on two lines where it is long."""
    parts = key.split(".")
    text = parts[-1] if len(parts) == 1 else f"{parts[-2]}.{parts[-1]}"
    return text.replace(".", ".<br>", 1) if len(text) > 18 else text


def effects_figure(runs: Runs) -> Figure:
    """Each observable against each parameter: all runs, and their mean with its standard error."""
    names, keys, models = list(runs.observables), list(runs.inputs), list(dict.fromkeys(runs.model))
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"showlegend": len(models) > 1}
    width, height = 1.0 / len(keys), 1.0 / len(names)
    for row, name in enumerate(names):
        y = runs.observables[name]
        log = is_logarithmic(y)
        for column, key in enumerate(keys):
            number = row * len(keys) + column + 1
            label = "" if number == 1 else str(number)
            x, ticks = positions_of(runs.inputs[key])
            x_axis, y_axis = f"xaxis{label}", f"yaxis{label}"
            layout[x_axis] = axis(
                short(key) if row == len(names) - 1 else "",
                anchor=f"y{label}",
                domain=[column * width + 0.012, (column + 1) * width - 0.012],
                showticklabels=row == len(names) - 1,
                **({"type": "log"} if ticks is None and is_logarithmic(x) else {}),
                **({"tickvals": list(range(len(ticks))), "ticktext": ticks} if ticks else {}),
                **({"matches": f"x{'' if column == 0 else column + 1}"} if row else {}),
            )
            first = row * len(keys) + 1
            layout[y_axis] = axis(
                short(name) if column == 0 else "",
                anchor=f"x{label}",
                showticklabels=column == 0,
                domain=[1.0 - (row + 1) * height + 0.025, 1.0 - row * height - 0.01],
                **({"type": "log", "exponentformat": "power"} if log else {}),
                **({"matches": f"y{'' if first == 1 else first}"} if column else {}),
            )
            for place, model in enumerate(models):
                own = np.array([each == model for each in runs.model]) & np.isfinite(y)
                colour = _COLOURS[place % len(_COLOURS)]
                data += _effect(x[own], y[own], log, colour, label, model or "runs", number == 1)
    caption = (
        "Main effects: dots are runs, lines their means over all other parameters and seeds, bars the standard error. "
        "Parameters with many values are put in bins of equal numbers of runs; on logarithmic axes means are geometric."
    )
    return plot(data, layout, caption + _missing(runs), 150 + 170 * len(names))


def _effect(x: Floats, y: Floats, log: bool, colour: str, label: str, name: str, first: bool) -> list[dict[str, Any]]:
    if not len(x):
        return []
    groups = groups_of(x)
    values = np.log(y) if log else y
    mean = np.array([values[members].mean() for _, members in groups])
    error = np.array(
        [values[members].std(ddof=1) / np.sqrt(members.sum()) if members.sum() > 1 else 0.0 for _, members in groups]
    )
    low, high = mean - error, mean + error
    if log:
        mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
    axes = {"xaxis": f"x{label}", "yaxis": f"y{label}", "legendgroup": name, "name": name}
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": x,
            "y": y,
            "marker": {"color": colour, "size": 5, "opacity": 0.4},
            "showlegend": False,
            "hovertemplate": "%{x}: %{y:.5g}<extra></extra>",
            **axes,
        },
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": [position for position, _ in groups],
            "y": mean,
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": high - mean,
                "arrayminus": mean - low,
                "width": 3,
                "thickness": 1.2,
            },
            "line": {"color": colour, "width": 1.8},
            "marker": {"size": 6},
            "showlegend": first,
            "hovertemplate": "%{x}: mean %{y:.5g}<extra></extra>",
            **axes,
        },
    ]


def distributions_figure(runs: Runs, by: str | None) -> Figure:
    """The share of runs whose observable is at most a value, a line for each value of ``by``."""
    labels = [" ".join(filter(None, parts)) for parts in zip(runs.model, labels_of(runs, by), strict=True)]
    groups = list(dict.fromkeys(labels))
    names = list(runs.observables)
    across = min(3, len(names))
    down = -(-len(names) // across)
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"showlegend": len(groups) > 1}
    if by is not None and len(groups) > 1:
        layout["legend"] = {"title": {"text": by.rpartition(".")[2] + "  "}}
    for number, name in enumerate(names):
        label = "" if number == 0 else str(number + 1)
        row, column = divmod(number, across)
        y = runs.observables[name]
        top = 1.0 - row / down
        layout[f"xaxis{label}"] = axis(
            name,
            anchor=f"y{label}",
            domain=[column / across + 0.015, (column + 1) / across - 0.03],
            exponentformat="power",  # the column's name has its unit, which a prefix would change
            nticks=4,
            tickangle=0,
            **({"type": "log"} if is_logarithmic(y) else _room(y)),
        )
        layout[f"yaxis{label}"] = axis(
            "share of runs" if column == 0 else "",
            anchor=f"x{label}",
            range=[0, 1.03],
            domain=[top - 1.0 / down + 0.24 / down, top],
        )
        for place, group in enumerate(groups):
            own = y[np.array([each == group for each in labels])]
            there = np.sort(own[np.isfinite(own)])
            if not len(there):
                continue
            share = np.arange(1, len(there) + 1) / len(own)
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": np.r_[there[0], there],
                    "y": np.r_[0.0, share],
                    "line": {"color": _COLOURS[place % len(_COLOURS)], "shape": "hv"},
                    "xaxis": f"x{label}",
                    "yaxis": f"y{label}",
                    "name": group or "runs",
                    "legendgroup": group,
                    "showlegend": number == 0,
                    "hovertemplate": f"{group or 'share'}: %{{y:.3f}} at %{{x:.5g}}<extra></extra>",
                }
            )
    caption = "Cumulative distributions. Runs without a quantity count: a line ends at the share of runs that have it."
    return plot(data, layout, caption + _missing(runs), 90 + 270 * down)


def _room(values: Floats) -> dict[str, Any]:
    """A range with room on both sides: a line of one run stands on its value, which must not be the frame."""
    there = values[np.isfinite(values)]
    if not there.size or there.min() == there.max():
        return {}
    room = 0.05 * float(there.max() - there.min())
    return {"range": [float(there.min()) - room, float(there.max()) + room]}


def explore_figure(table: Columns, keys: Sequence[str], runs: Runs) -> Figure:
    """Any column against any other, coloured by a third; of complete runs."""
    rows = [row for row, status in enumerate(table["status"]) if status == "complete"]
    names = [*keys, *(name for name in table if name not in keys and name not in _NOT_DRAWN)]
    columns = {name: [table[name][row] for row in rows] for name in names}
    columns = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    plain = {
        name: [
            value if isinstance(value, str | int | float) else str(value) if value is not None else None
            for value in values
        ]
        for name, values in columns.items()
    }
    text = [f"point {table['point'][row]}, seed {table['seed'][row]}" for row in rows]
    varying = list(runs.inputs)
    content = {
        "columns": plain,
        "text": text,
        "x": varying[0] if varying else names[0],
        "y": next(iter(runs.observables)),
        "colour": varying[1] if len(varying) > 1 else "",
        "layout": look({"xaxis": axis(""), "yaxis": axis("")}),
    }
    return Figure(
        "columns", content, "Every complete run is a dot; choose what is drawn against what." + _missing(runs), 430
    )


_NOT_DRAWN = ("point", "status", "error", "versions")


def convergence_figure(rows: Sequence[Row], size_name: str) -> Figure | None:
    """Observables against mesh size, with the extrapolated value at 0 and the grid-convergence index."""
    lines = mesh_lines(rows)
    if not lines:
        return None
    names = list(dict.fromkeys(line.observable for line in lines))
    across = min(3, len(names))
    down = -(-len(names) // across)
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    for number, name in enumerate(names):
        label = "" if number == 0 else str(number + 1)
        row, column = divmod(number, across)
        top = 1.0 - row / down
        layout[f"xaxis{label}"] = axis(
            size_name.rpartition(".")[2],
            anchor=f"y{label}",
            rangemode="tozero",
            domain=[column / across + 0.03, (column + 1) / across - 0.05],
        )
        layout[f"yaxis{label}"] = axis(name, anchor=f"x{label}", domain=[top - 0.78 / down, top - 0.02 / down])
        for place, line in enumerate(line for line in lines if line.observable == name):
            colour = _COLOURS[place % len(_COLOURS)]
            text = line.verdict if line.order is None else f"{line.verdict}, order {line.order:.2g}"
            axes = {"xaxis": f"x{label}", "yaxis": f"y{label}", "legendgroup": f"{name}{place}"}
            bar = [line.band or 0.0, *[0.0] * (len(line.value) - 1)]
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "x": line.size,
                    "y": line.value,
                    "line": {"color": colour},
                    "name": f"{name}: {line.label + ', ' if line.label else ''}{text}",
                    "error_y": {"array": bar, "width": 4},
                    **axes,
                }
            )
            if line.limit is not None:
                data.append(
                    {
                        "type": "scatter",
                        "mode": "markers",
                        "x": [0.0],
                        "y": [line.limit],
                        "showlegend": False,
                        "marker": {"symbol": "diamond-open", "size": 10, "color": colour},
                        "name": "extrapolated",
                        **axes,
                    }
                )
    caption = "Values, the value extrapolated to elements of no size (diamond), and the grid-convergence index (bar)."
    return plot(data, layout, caption, 120 + 300 * down)


def sensitivity_figure(found: Sequence[Sensitivity]) -> Figure:
    """First-order and total Sobol indices with 95 % intervals."""
    panels = [bars(each) for each in found]
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"barmode": "group", "annotations": []}
    height = 1.0 / len(panels)
    for number, panel in enumerate(panels):
        label = "" if number == 0 else str(number + 1)
        top = 1.0 - number * height
        layout[f"xaxis{label}"] = axis(
            "share of the variance" if number == len(panels) - 1 else "",
            anchor=f"y{label}",
            **({"matches": "x"} if number else {}),
        )
        layout[f"yaxis{label}"] = axis(
            "",
            anchor=f"x{label}",
            autorange="reversed",
            type="category",
            domain=[top - 0.78 * height, top - 0.08 * height],
        )
        layout["annotations"].append(
            {
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": top - 0.07 * height,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
                "text": f"<b>{panel.title}</b>",
            }
        )
        for name, colour, value, ends in (
            ("first order", BLUE, panel.first, panel.first_interval),
            ("total", ORANGE, panel.total, panel.total_interval),
        ):
            data.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "x": value,
                    "y": [short(key) for key in panel.parameters],
                    "name": name,
                    "marker": {"color": colour},
                    "legendgroup": name,
                    "showlegend": number == 0,
                    "xaxis": f"x{label}",
                    "yaxis": f"y{label}",
                    "error_x": {
                        "type": "data",
                        "symmetric": False,
                        "array": np.maximum(ends[:, 1] - value, 0.0),
                        "arrayminus": np.maximum(value - ends[:, 0], 0.0),
                        "color": INK,
                        "thickness": 1.2,
                    },
                }
            )
    caption = (
        "With 95 % intervals; first order: the share of the variance that goes when a parameter is known; "
        "total: the share that stays when all others are."
    )
    rows = max(len(panel.parameters) for panel in panels)
    return plot(data, layout, caption, 90 + len(panels) * (90 + 36 * rows))


def _missing(runs: Runs) -> str:
    return f" {runs.missing} runs that failed or are not over are not shown." if runs.missing else ""
