"""Least squares in stages: parameters on a logarithmic or linear scale, robust loss, covariance from the Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ionsim.compact.description import CompactError
from ionsim.compact.extraction.protocol import Fitted

Floats = NDArray[np.float64]
Residuals = Callable[[Mapping[str, float]], Floats]

#: Step of the finite differences in the fitted scale: far above the integrator's errors (1e-5), far below curvature.
DIFFERENCE = 3e-3


@dataclass(frozen=True)
class Free:
    """A parameter to be found between ``low`` and ``high``; ``step``: its natural size on a linear scale."""

    name: str
    start: float
    low: float
    high: float
    scale: Literal["log", "linear"] = "log"
    step: float = 1.0

    def to_fit(self, value: float) -> float:
        """The value in the fitted scale."""
        return float(np.log(value)) if self.scale == "log" else value / self.step

    def from_fit(self, fit: float) -> float:
        """Back from the fitted scale, within the bounds."""
        value = float(np.exp(fit)) if self.scale == "log" else fit * self.step
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Found:
    """A fit: all values, the Jacobian (m, k) in the fitted scale, residuals (m,), and what belongs to the Jacobian."""

    values: dict[str, float]
    free: tuple[Free, ...]
    jacobian: Floats
    residuals: Floats
    evaluations: int

    @property
    def covariance(self) -> Floats:
        """Covariance (k, k): of logarithms, and of values where the scale is linear.

        From the residuals' variance and the Jacobian's pseudo-inverse; a direction without information has zero
        covariance there and shows in ``condition``.
        """
        m, k = self.jacobian.shape
        variance = float(self.residuals @ self.residuals) / max(m - k, 1)
        inverse = np.linalg.pinv(self.jacobian.T @ self.jacobian, rcond=1e-14)
        steps = np.array([1.0 if item.scale == "log" else item.step for item in self.free])
        return np.asarray(variance * inverse * np.outer(steps, steps))

    @property
    def condition(self) -> float:
        """Condition number of the Jacobian."""
        return float(np.linalg.cond(self.jacobian))

    @property
    def rms(self) -> float:
        """Root mean square of the residuals."""
        return float(np.sqrt(np.mean(self.residuals**2)))

    def fitted(self) -> Fitted:
        """The same as what an extraction returns."""
        scale = {item.name: item.scale for item in self.free}
        return Fitted(self.values, tuple(scale), self.covariance, scale, self.condition, self.rms)


def fit(
    residuals: Residuals,
    free: Sequence[Free],
    known: Mapping[str, float] | None = None,
    *,
    loss: Literal["linear", "soft_l1", "cauchy"] = "soft_l1",
    loss_scale: float = 1.0,
    rounds: int = 30,
    evaluate: Callable[[Sequence[Mapping[str, float]]], list[Floats]] | None = None,
) -> Found:
    """Minimise ``residuals`` of all values (``known`` and free ones by name), an array of one length at any values.

    ``loss_scale``: residuals beyond it count less (robust losses). ``evaluate``: residuals of many sets of values at
    once, where there are processes for it. Raises CompactError for residuals that are not finite at the start.
    """
    items = tuple(free)
    given = dict(known or {})

    def values(at: Floats) -> dict[str, float]:
        return given | {item.name: item.from_fit(x) for item, x in zip(items, at, strict=True)}

    def one(at: Floats) -> Floats:
        return np.asarray(residuals(values(at)), dtype=float)

    def slopes(at: Floats) -> Floats:
        # central, so that the kinks of clipped functions and the last digits of the integrator do not decide
        points = []
        for k in range(len(items)):
            for sign in (1.0, -1.0):
                moved = np.array(at)
                moved[k] += sign * DIFFERENCE
                points.append(values(moved))
        found = evaluate(points) if evaluate else [np.asarray(residuals(point), dtype=float) for point in points]
        return np.array([(found[2 * k] - found[2 * k + 1]) / (2 * DIFFERENCE) for k in range(len(items))]).T

    start = np.array([item.to_fit(item.start) for item in items])
    low, high = (np.array([item.to_fit(getattr(item, end)) for item in items]) for end in ("low", "high"))
    if not np.all(np.isfinite(one(start))):
        raise CompactError("fit: residuals at the start are not finite")
    start = np.clip(start, low + 1e-9, high - 1e-9)
    done = least_squares(
        one, start, jac=slopes, bounds=(low, high), loss=loss, f_scale=loss_scale, x_scale="jac", max_nfev=rounds,
        ftol=1e-7, xtol=1e-7,
    )  # fmt: skip
    return Found(values(done.x), items, slopes(done.x), one(done.x), int(done.nfev))
