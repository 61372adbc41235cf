"""What a case shows: curves of exact and of computed numbers, drawn by ``ionsim.plots.verification`` for the book.

A case says :func:`draw` where it has the numbers. That does nothing unless somebody collects them, so that tests and
``ionsim verify`` pay for no pictures, and no case knows how a picture is made.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: How a curve is meant: the exact answer; what the suite computed; something else to compare with (another law, a naive
#: answer, an ideal slope); the limit that a record is held to.
Kind = Literal["exact", "computed", "other", "limit"]

#: More points than this are thinned out before they are kept.
_MOST = 2000


@dataclass(frozen=True, eq=False)
class Curve:
    """Points (n,) of a panel; ``error`` (n,): one standard error of y, for error bars."""

    label: str
    x: Floats
    y: Floats
    kind: Kind
    error: Floats | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes.

    Attributes:
        title: what is compared.
        x_label, y_label: with units.
        curves: in the order of the legend.
        x_log, y_log: logarithmic axes; a y that is not positive has no place there and is left out.
        categories: names of x = 0, 1, ... where x is no number.
        orders: (label, observed order, ideal one) of studies of convergence.
    """

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    x_log: bool = False
    y_log: bool = False
    categories: Sequence[str] = ()
    orders: Sequence[tuple[str, float, float]] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: lists, and None for what is not finite."""
        curves = [
            {"label": c.label, "kind": c.kind, "x": _plain(c.x), "y": _plain(c.y),
             "error": None if c.error is None else _plain(c.error)}
            for c in self.curves
        ]  # fmt: skip
        return {
            "title": self.title, "x_label": self.x_label, "y_label": self.y_label, "x_log": self.x_log,
            "y_log": self.y_log, "categories": list(self.categories), "orders": [list(o) for o in self.orders],
            "curves": curves,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> "Panel":
        """What :meth:`as_dict` gave."""
        curves = [_curve(c["label"], c["x"], c["y"], c["kind"], c["error"]) for c in given["curves"]]
        orders = [(str(label), float(found), float(ideal)) for label, found, ideal in given["orders"]]
        return cls(**{**given, "curves": curves, "orders": orders})


_SHEET: ContextVar[list[Panel] | None] = ContextVar("ionsim_verification_panels", default=None)


@contextmanager
def collecting() -> Iterator[list[Panel]]:
    """Collect what is drawn within."""
    panels: list[Panel] = []
    token = _SHEET.set(panels)
    try:
        yield panels
    finally:
        _SHEET.reset(token)


def draw(*panels: Panel) -> None:
    """Hand panels to whoever collects them, if anybody does."""
    sheet = _SHEET.get()
    if sheet is not None:
        sheet.extend(panels)


def exact(label: str, x: ArrayLike, y: ArrayLike) -> Curve:
    """The exact answer, as a line."""
    return _curve(label, x, y, "exact")


def computed(label: str, x: ArrayLike, y: ArrayLike, error: ArrayLike | None = None) -> Curve:
    """What the suite computed, as markers; ``error``: one standard error."""
    return _curve(label, x, y, "computed", error)


def other(label: str, x: ArrayLike, y: ArrayLike) -> Curve:
    """Something else to compare with, as a dashed line."""
    return _curve(label, x, y, "other")


def limit(label: str, x: ArrayLike, value: float) -> Curve:
    """A limit from the first to the last x, as a dotted line."""
    ends = np.array([np.min(np.asarray(x, dtype=float)), np.max(np.asarray(x, dtype=float))])
    return _curve(label, ends, np.full(2, value), "limit")


def convergence(
    title: str, x_label: str, y_label: str, studies: Sequence[tuple[str, ArrayLike, ArrayLike]], ideal: float
) -> Panel:
    """Errors (n,) against sizes (n,) of each study, log-log, each with a line of the ideal slope through its finest.

    The observed order is that of the two finest sizes.
    """
    curves, orders = [], []
    for label, sizes, errors in studies:
        size, error = np.asarray(sizes, dtype=float), np.abs(np.asarray(errors, dtype=float))
        ranked = np.argsort(size)
        size, error = size[ranked], error[ranked]
        order = float(np.log(error[1] / error[0]) / np.log(size[1] / size[0]))
        orders.append((label, order, ideal))
        curves.append(computed(f"{label}: order {order:.2f}", size, error))
        curves.append(other("" if len(orders) > 1 else f"slope {ideal:g}", size, error[0] * (size / size[0]) ** ideal))
    return Panel(title, x_label, y_label, curves, True, True, orders=orders)


def counted(title: str, x_label: str, counts: ArrayLike, chance: ArrayLike, x: ArrayLike | None = None) -> list[Panel]:
    """Counts (n,) against what chances (n,) make expected, and their differences in standard deviations."""
    seen, share = np.asarray(counts, dtype=float).ravel(), np.asarray(chance, dtype=float).ravel()
    expected = seen.sum() * share / share.sum()
    place = np.arange(seen.size, dtype=float) if x is None else np.asarray(x, dtype=float)
    shown = expected >= 1.0
    sigma = (seen - expected)[shown] / np.sqrt((expected * (1.0 - share / share.sum()))[shown])
    return [
        Panel(title, x_label, "number", [
            exact("expected", place[shown], expected[shown]), computed("counted", place[shown], seen[shown],
                                                                       np.sqrt(expected[shown])),
        ]),
        deviations(f"{title}: deviation", x_label, [("counted less expected", place[shown], sigma)]),
    ]  # fmt: skip


def deviations(
    title: str, x_label: str, series: Sequence[tuple[str, ArrayLike, ArrayLike]], bound: float = 2.0,
    categories: Sequence[str] = (),
) -> Panel:  # fmt: skip
    """Differences from the exact answer in standard deviations, with lines at 0 and at +-``bound``."""
    every = np.concatenate([np.asarray(x, dtype=float).ravel() for _, x, _ in series])
    return Panel(title, x_label, "deviation (standard deviations)", [
        exact("exact", [every.min(), every.max()], [0.0, 0.0]),
        *(computed(label, x, y) for label, x, y in series),
        limit(f"$\\pm${bound:g}", every, bound), limit("", every, -bound),
    ], categories=categories)  # fmt: skip


def parity(
    title: str, quantity: str, series: Sequence[tuple[str, ArrayLike, ArrayLike]], log: bool = False,
    names: tuple[str, str] = ("exact", "computed"),
) -> Panel:  # fmt: skip
    """Computed against exact values (or what ``names`` says): each of ``series`` is (label, exact, computed)."""
    every = np.concatenate([np.asarray(values, dtype=float).ravel() for _, values, _ in series])
    ends = [every.min(), every.max()]
    return Panel(title, f"{quantity}, {names[0]}", f"{quantity}, {names[1]}", [
        exact("equal", ends, ends), *(computed(label, x, y) for label, x, y in series),
    ], log, log)  # fmt: skip


def errors(
    title: str, names: Sequence[str], values: ArrayLike, bounds: ArrayLike, y_label: str = "relative error"
) -> Panel:
    """|errors| (n,) by name on a logarithmic axis, with one limit or (n,); for answers that are exact but for rounding.

    An error of nothing is shown at 1e-17.
    """
    size = np.maximum(np.abs(np.asarray(values, dtype=float).ravel()), 1e-17)
    place = np.arange(len(names), dtype=float)
    level = np.broadcast_to(np.asarray(bounds, dtype=float), size.shape)
    gap = np.full(size.shape, np.nan)
    across, up = np.stack([place - 0.4, place + 0.4, gap], axis=1), np.stack([level, level, gap], axis=1)
    return Panel(title, "", f"|{y_label}|", [
        computed("computed less exact", place, size), _curve("limit", across, up, "limit"),
    ], y_log=True, categories=names)  # fmt: skip


def _curve(label: str, x: ArrayLike, y: ArrayLike, kind: Kind, error: ArrayLike | None = None) -> Curve:
    across, up = (np.array(values, dtype=float).ravel() for values in (x, y))
    if across.shape != up.shape:
        raise ValueError(f"curve {label!r} has {across.size} x and {up.size} y")
    bar = None if error is None else np.array(error, dtype=float).ravel()
    if across.size > _MOST:
        keep = np.linspace(0, across.size - 1, _MOST).round().astype(int)
        across, up, bar = across[keep], up[keep], None if bar is None else bar[keep]
    return Curve(label, across, up, kind, bar)


def _plain(values: Floats) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
