"""When to solve the fields again: feedback from the error that each new solution shows.

Between two solutions only an estimate of the error is at hand (:meth:`ionsim.coupling.LatticeFields.weights`), and it
can be wrong by an order of magnitude. A new solution shows the error that had built up, as the two formulas of an
adaptive integrator do; so the estimate is calibrated while the run goes on, until the errors that are seen are those
that were asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

#: How much of the relative excess of one squared error changes the gain.
_DAMPING = 0.1

#: Least factor by which one error changes the gain: one event that moves the potential by far more than was estimated
#: says little about the others.
_SLOWEST = 0.5

#: Range of the gain.
_RANGE = (0.05, 50.0)

#: Largest target as a share of the device's voltage: current and heat follow the shape of the potential.
_SHARE = 0.1


class RefreshControl:
    """Keeps the root mean square of the errors of the potential at refreshes at a target.

    Attributes:
        setting_V: error that is asked for, V; at low voltage it is a tenth of the device's voltage, if that is less.
        gain: the estimate over the error, as far as known.
        errors_V: the errors measured so far, each after more than one event.
    """

    def __init__(self, setting_V: float) -> None:
        self.setting_V = setting_V
        self.gain = 1.0
        self.errors_V: list[float] = []

    def target_V(self, device_V: float) -> float:
        """The error (V) that is asked for at the device's voltage (V)."""
        return min(self.setting_V, _SHARE * abs(device_V))

    def threshold_V(self, device_V: float) -> float:
        """The estimate (V) at which the fields are solved again, for the device's voltage (V)."""
        return self.gain * self.target_V(device_V)

    def learn(self, error_V: float, estimate_V: float, n_events: int) -> None:
        """Take in the error (V) that had built up over ``n_events`` when the estimate was ``estimate_V``.

        The gain stands still where the mean of (gain x error/estimate)^2 is 1; ratios above 2.4 are cut off by the
        least factor. What the last event added is part of both, so it does not matter how far it went beyond the
        threshold. No rate ever used it, and so the error of a single event is not among :attr:`errors_V`.
        """
        if n_events > 1:
            self.errors_V.append(error_V)
        if estimate_V > 0.0:
            factor = max(1.0 + _DAMPING * (1.0 - (self.gain * error_V / estimate_V) ** 2), _SLOWEST)
            self.gain = float(np.clip(self.gain * factor, *_RANGE))

    def summary(self, unit_V: float) -> dict[str, float | None]:
        """The measured errors in units of ``unit_V`` (kT/q in V): root mean square, median, 95 %, largest."""
        errors = np.array(self.errors_V) / unit_V
        figures = {
            "rms": lambda: np.sqrt(np.mean(errors**2)),
            "median": lambda: np.median(errors),
            "p95": lambda: np.quantile(errors, 0.95),
            "max": lambda: errors.max(),
        }
        return {f"potential_error_{name}_kT": float(of()) if len(errors) else None for name, of in figures.items()}

    def checkpoint(self) -> dict[str, Any]:
        """What the next decisions and the summary depend on."""
        return {"gain": np.array([self.gain]), "errors_V": np.array(self.errors_V)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to a checkpoint."""
        self.gain, self.errors_V = float(saved["gain"][0]), np.asarray(saved["errors_V"], dtype=float).tolist()
