"""Pictures of a study: main effects, pairs of columns, distributions, convergence with the mesh, Sobol indices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ionsim.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    new_figure,
    styled,
)  # fmt: skip

Floats = NDArray[np.float64]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
#: An axis whose values span more than this factor is logarithmic.
_LOG_SPAN = 50.0
#: Bins of a sampled parameter for the mean, and different values up to which each is a bin of its own.
_BINS, _LEVELS = 8, 12


@dataclass(frozen=True)
class Runs:
    """Complete runs of a study as columns of equal length.

    ``inputs``: key path -> values (numbers or texts); ``observables``: name -> (runs,), NaN where a quantity did not
    occur; ``model``: of each run, or "". ``missing``: runs that failed or are not over, which no picture can show.
    """

    inputs: Mapping[str, Sequence[Any]]
    observables: Mapping[str, Floats]
    model: Sequence[str]
    missing: int = 0


def short(key: str) -> str:
    """The last two parts of a key path, on two lines where it is long."""
    parts = key.split(".")
    return parts[-1] if len(parts) == 1 else f"{parts[-2]}.\n{parts[-1]}"


def _numbers(values: Sequence[Any]) -> Floats | None:
    """Values as numbers, or None where one of them is none."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.asarray(values, dtype=np.float64)
    return None


def positions_of(values: Sequence[Any]) -> tuple[Floats, list[str] | None]:
    """Where values stand on an axis: numbers as they are, anything else side by side with names."""
    numbers = _numbers(values)
    if numbers is not None:
        return numbers, None
    names = list(dict.fromkeys(map(str, values)))
    return np.array([names.index(str(value)) for value in values], dtype=np.float64), names


def is_logarithmic(values: Floats) -> bool:
    """Whether an axis of such values is logarithmic."""
    there = values[np.isfinite(values)]
    return bool(len(there) and there.min() > 0.0 and there.max() > _LOG_SPAN * there.min())


def _scale(axes: Axes, x: Floats, names: list[str] | None, y: Floats) -> None:
    if names is not None:
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif is_logarithmic(x):
        axes.set_xscale("log")
    if is_logarithmic(y):
        axes.set_yscale("log")


def groups_of(x: Floats) -> list[tuple[float, NDArray[np.bool_]]]:
    """Position and members of each level of a parameter, or of bins with equal numbers of runs."""
    levels = np.unique(x)
    if len(levels) <= _LEVELS:
        return [(float(level), x == level) for level in levels]
    order = np.argsort(x, kind="stable")
    found = []
    for part in np.array_split(order, _BINS):
        members = np.zeros(len(x), dtype=bool)
        members[part] = True
        found.append((float(np.median(x[members])), members))
    return found


def effects_figure(runs: Runs) -> Figure:
    """Main effects: each observable (rows) against each parameter (columns), all runs and their mean.

    A mean is over all other parameters and seeds; bars are its standard error. Parameters with many values are put in
    bins with equal numbers of runs. On a logarithmic axis the mean is geometric.
    """
    names = list(runs.observables)
    keys = list(runs.inputs)
    models = list(dict.fromkeys(runs.model))
    with styled():
        figure = new_figure(2.3 * len(keys) + 0.9, 2.0 * len(names) + 0.7)
        panels = figure.subplots(len(names), len(keys), squeeze=False, sharey="row", sharex="col")
        for row, name in zip(panels, names, strict=True):
            y = runs.observables[name]
            log = is_logarithmic(y)
            for axes, key in zip(row, keys, strict=True):
                x, labels = positions_of(runs.inputs[key])
                for number, model in enumerate(models):
                    own = np.array([each == model for each in runs.model]) & np.isfinite(y)
                    colour = _COLOURS[number % len(_COLOURS)]
                    axes.plot(x[own], y[own], ".", color=colour, alpha=0.4, markersize=4, markeredgewidth=0)
                    _means(axes, x[own], np.log(y[own]) if log else y[own], log, colour, model)
                _scale(axes, x, labels, y)
            there = int(np.isfinite(y).sum())
            row[0].set_ylabel(name if there == len(y) else f"{name}\n({there} of {len(y)} runs have it)")
        for axes, key in zip(panels[-1], keys, strict=True):
            axes.set_xlabel(short(key))
        if len(models) > 1:
            panels[0, 0].legend()
        _say_missing(figure, runs)
        return figure


def _means(axes: Axes, x: Floats, y: Floats, log: bool, colour: str, label: str) -> None:
    if not len(x):
        return
    groups = groups_of(x)
    at = [position for position, _ in groups]
    mean = np.array([y[members].mean() for _, members in groups])
    error = np.array([
        y[members].std(ddof=1) / math.sqrt(members.sum()) if members.sum() > 1 else 0.0 for _, members in groups
    ])  # fmt: skip
    low, high = mean - error, mean + error
    if log:
        mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
    axes.errorbar(
        at, mean, [mean - low, high - mean], fmt="o-", color=colour, markersize=4, capsize=2, label=label or None
    )  # fmt: skip


def pairs_figure(runs: Runs) -> Figure:
    """Every number of the table against every other; histograms on the diagonal. A colour is a model."""
    columns = {key: numbers for key, values in runs.inputs.items() if (numbers := _numbers(values)) is not None}
    columns |= dict(runs.observables)
    names = list(columns)
    models = list(dict.fromkeys(runs.model))
    count = len(names)
    with styled():
        figure = new_figure(1.5 * count + 0.8, 1.4 * count + 0.6)
        panels = figure.subplots(count, count, squeeze=False)
        for (row, column), axes in np.ndenumerate(panels):
            if column > row:
                axes.set_visible(False)
                continue
            x, y = columns[names[column]], columns[names[row]]
            for number, model in enumerate(models):
                own = np.array([each == model for each in runs.model]) & np.isfinite(x) & np.isfinite(y)
                colour = _COLOURS[number % len(_COLOURS)]
                if row == column and own.any():
                    bins = np.geomspace(x[own].min(), x[own].max(), 11) if is_logarithmic(x) else 10
                    axes.hist(x[own], bins, color=colour, alpha=0.6, label=model or None)
                elif row != column:
                    axes.plot(x[own], y[own], ".", color=colour, alpha=0.5, markersize=3, markeredgewidth=0)
            if is_logarithmic(x):
                axes.set_xscale("log")
            if row != column and is_logarithmic(y):
                axes.set_yscale("log")
            axes.tick_params(labelsize=6, labelbottom=row == count - 1, labelleft=column == 0 and row > 0)
            if row == count - 1:
                axes.set_xlabel(short(names[column]), fontsize=7)
            if column == 0:
                axes.set_ylabel(short(names[row]) if row else "runs", fontsize=7)
        if len(models) > 1:
            panels[0, 0].legend(fontsize=7)
        _say_missing(figure, runs)
        return figure


def distributions_figure(runs: Runs, by: str | None) -> Figure:
    """Cumulative distributions: the share of runs whose observable is at most a value, a line a value of ``by``.

    Runs in which a quantity did not occur count: a line ends at the share in which it did.
    """
    names = list(runs.observables)
    labels = [" ".join(filter(None, parts)) for parts in zip(runs.model, labels_of(runs, by), strict=True)]
    groups = list(dict.fromkeys(labels))
    with styled():
        across = min(len(names), 3)
        down = -(-len(names) // across)
        figure = new_figure(3.0 * across + 0.6, 2.5 * down + 0.5)
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            y = runs.observables[name]
            power = 0 if is_logarithmic(y) else _power(y)
            for number, group in enumerate(groups):
                own = y[np.array([label == group for label in labels])]
                there = np.sort(own[np.isfinite(own)])
                if len(there):
                    share = np.arange(1, len(there) + 1) / len(own)
                    text = f"{group} ({len(there)} of {len(own)})" if len(there) < len(own) else group
                    steps = np.r_[there[0], there] / 10.0**power, np.r_[0.0, share]
                    axes.step(*steps, where="post", color=_COLOURS[number % len(_COLOURS)], label=text.strip() or None)
            if is_logarithmic(y):
                axes.set_xscale("log")
            else:  # an offset or a factor beside the axis would lie on the name of the column
                axes.ticklabel_format(axis="x", style="plain", useOffset=False)
                axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.set(xlabel=f"{name} ($10^{{{power}}}$)" if power else name, ylim=(0.0, 1.03))
            if axes.get_legend_handles_labels()[1]:
                axes.legend(
                    title=None if by is None else by.rpartition(".")[2], fontsize=6.5, title_fontsize=6.5,
                    loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, borderaxespad=0.2,
                )  # fmt: skip
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        for axes in panels[:: across]:
            axes.set_ylabel("share of runs")
        _say_missing(figure, runs)
        return figure


def _power(values: Floats) -> int:
    """Power of ten that an axis of these values is written in; 0 where they read as they are."""
    largest = float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))
    power = math.floor(math.log10(largest)) if largest > 0.0 else 0
    return 0 if -2 <= power < 5 else power


def labels_of(runs: Runs, by: str | None) -> list[str]:
    """The value of a parameter in every run, as text."""
    if by is None:
        return [""] * len(runs.model)
    return [f"{value:g}" if isinstance(value, float) else str(value) for value in runs.inputs[by]]


@dataclass(frozen=True)
class MeshLine:
    """An observable over mesh sizes (meshes,); ``limit`` and ``band`` from the finest three, if there are any."""

    observable: str
    label: str
    size: Floats
    value: Floats
    verdict: str
    order: float | None
    limit: float | None
    band: float | None


def convergence_figure(lines: Sequence[MeshLine], size_name: str) -> Figure:
    """Each observable against the mesh size: extrapolated value at 0, convergence index as a bar at the finest mesh."""
    names = list(dict.fromkeys(line.observable for line in lines))
    with styled():
        across = min(len(names), 3)
        down = -(-len(names) // across)
        figure = new_figure(3.1 * across + 0.4, 2.6 * down + 0.4)
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            own = [line for line in lines if line.observable == name]
            for number, line in enumerate(own):
                colour = _COLOURS[number % len(_COLOURS)]
                text = line.verdict if line.order is None else f"{line.verdict}, order {line.order:.2g}"
                label = f"{line.label}: {text}" if line.label else text
                axes.plot(line.size, line.value, "o-", color=colour, markersize=4, label=label)
                if line.band is not None:
                    axes.errorbar(line.size[:1], line.value[:1], line.band, color=colour, capsize=3)
                if line.limit is not None:
                    axes.plot([0.0], [line.limit], "D", color=colour, markersize=5, fillstyle="none", clip_on=False)
            axes.set_xlim(left=0.0)
            axes.set(xlabel=size_name, ylabel=name)
            axes.legend(fontsize=6.5)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        return figure


@dataclass(frozen=True)
class Bars:
    """Sobol indices of one observable: (parameters,) and their intervals (parameters, 2)."""

    title: str
    parameters: Sequence[str]
    first: Floats
    first_interval: Floats
    total: Floats
    total_interval: Floats


def sensitivity_figure(found: Sequence[Bars]) -> Figure:
    """First-order and total indices with their 95 % intervals, a panel an observable."""
    with styled():
        height = 0.5 * max(len(bars.parameters) for bars in found) + 1.0
        figure = new_figure(5.2, height * len(found))
        panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
        for axes, bars in zip(panels, found, strict=True):
            at = np.arange(len(bars.parameters), dtype=np.float64)
            for shift, colour, label, value, ends in (
                (-0.18, BLUE, "first order", bars.first, bars.first_interval),
                (0.18, ORANGE, "total", bars.total, bars.total_interval),
            ):
                axes.barh(at + shift, value, 0.34, color=colour, label=label)
                # ends of bars: an interval of quantiles need not hold the estimate itself
                axes.hlines(at + shift, ends[:, 0], ends[:, 1], color=INK, linewidth=1.0)
                axes.plot(ends, np.c_[at + shift, at + shift], "|", color=INK, markersize=5)
            axes.axvline(0.0, color=MUTED, linewidth=0.8)
            axes.set_yticks(at, [short(key).replace("\n", "") for key in bars.parameters])
            axes.invert_yaxis()
            axes.set(xlabel="share of the variance", title=bars.title)
            axes.legend(loc="best")
        return figure


def _say_missing(figure: Figure, runs: Runs) -> None:
    if runs.missing:
        noun = "run" if runs.missing == 1 else "runs"
        figure.suptitle(f"{runs.missing} {noun} failed or not over, not shown", fontsize=7.5, color=VERMILLION)
