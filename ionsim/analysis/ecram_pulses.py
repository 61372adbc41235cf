"""What a train of gate pulses does to the conductance of a channel, pulse by pulse, and the figures that sum it up.

::

    run = Run.open("out")
    levels = pulse_levels(run.series, device.drive)
    print(levels["level_S"], update_figures(levels, device))

Levels are the conductances at the ends of the rests after the pulses. Figures: see :func:`update_figures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import constants
from scipy.optimize import brentq

from ionsim.config.device import Device
from ionsim.config.ecram import EcramDevice
from ionsim.config.gate import GatePulses
from ionsim.config.waveforms import AnyDrive, Pulses

Floats = NDArray[np.float64]

#: Two levels can be told apart when they differ by so many standard deviations of a read's thermal noise.
_APART = 3.0

#: Pulses that a branch needs for a shape.
_SHORTEST = 3

#: Largest exponent of a saturating update that is looked for.
_STEEPEST = 50.0


def is_train(drive: AnyDrive) -> bool:
    """Whether a drive is a train of pulses of the gate."""
    return isinstance(drive, GatePulses | Pulses)


def pulse_table(device: Device, series: Mapping[str, Floats]) -> dict[str, Floats]:
    """:func:`pulse_levels` of a train of gate pulses that has ended; empty of any other run."""
    if not isinstance(device, EcramDevice) or not is_train(device.drive) or not len(series.get("time_s", ())):
        return {}
    levels = pulse_levels(series, device.drive)
    return levels if len(levels["level_S"]) else {}


def channel_figures(device: EcramDevice, series: Mapping[str, Floats]) -> dict[str, Any]:
    """What sums up a run: first and last conductance and filled share, and of a train of pulses the figures of
    :func:`update_figures`."""
    level = np.asarray(series["conductance_S"])
    if not len(level):
        return {}
    found: dict[str, Any] = {
        "G_start_S": float(level[0]), "G_end_S": float(level[-1]), "x_end": float(series["x_mean"][-1]),
        "P_standby_W": float(level.min()) * device.channel.read_V**2,
    }  # fmt: skip
    levels = pulse_table(device, series)
    return found | (update_figures(levels, device) if levels else {})


def pulse_levels(series: Mapping[str, Floats], drive: AnyDrive) -> dict[str, Floats]:
    """By pulse (n,): ``second`` (0, 1), ``level_S`` after its rest and before it ``before_S``, ``plateau_S`` at the
    end of its plateau, ``state_S`` after the rest without field effect, ``x_mean``, ``energy_J`` that it took at the
    gate, and ``charge_C`` that it inserted. Pulses that the series does not hold are left out.
    """
    assert isinstance(drive, GatePulses | Pulses)
    kinds = _order(drive)
    time_s = np.asarray(series["time_s"])
    number = np.arange(1, len(kinds) + 1)
    ends = number * drive.period_s
    widths = np.where(kinds == 1, _second_width(drive), drive.width_s)
    plateaus = (number - 1) * drive.period_s + drive.rise_s + widths
    done = ends <= time_s[-1] + 1e-6 * drive.period_s
    ends, plateaus, kinds = ends[done], plateaus[done], kinds[done]
    at, top = _nearest(time_s, ends), _nearest(time_s, plateaus)

    def per_pulse(name: str) -> Floats:
        return np.diff(np.concatenate([[0.0], np.asarray(series[name])[at]]))

    conductance = np.asarray(series["conductance_S"])
    levels = conductance[at]
    # the first sample lies on the first edge, where the field effect has begun and nothing has entered yet
    start = series["state_S"][0] if len(conductance) else np.nan
    return {
        "second": kinds.astype(float),
        "level_S": levels,
        "before_S": np.concatenate([[start], levels[:-1]]),
        "plateau_S": conductance[top],
        "state_S": np.asarray(series["state_S"])[at],
        "x_mean": np.asarray(series["x_mean"])[at],
        "energy_J": per_pulse("energy_J"),
        "charge_C": -per_pulse("channel_faradaic_C"),
    }


def update_figures(levels: Mapping[str, Floats], device: EcramDevice) -> dict[str, Any]:
    """Figures of a train of pulses; those of a branch are None without at least three pulses in it.

    - ``G_min_S``, ``G_max_S``, ``on_off_ratio`` of all levels
    - ``n_states``: levels that a read can tell apart, each at least three standard deviations of its thermal noise,
      sqrt(4 kT G B)/V with the bandwidth B and the voltage V of ``[channel]``, above the one below it
    - ``nonlinearity_up``, ``_down``: largest distance of the branch from a straight line, over its range; ``curvature``
      nu of the law (1 - exp(-nu p))/(1 - exp(-nu)), p from 0 to 1, that has this distance
    - ``asymmetry``: largest distance between the way up and the way down reversed, over the range of both
    - ``E_pulse_J``: mean energy a pulse
    - ``dG_pulse_S``: mean change a pulse, up
    """
    level = levels["level_S"]
    every = np.concatenate([levels["before_S"][:1], level])
    low, high = float(every.min()), float(every.max())
    found: dict[str, Any] = {
        "G_min_S": low, "G_max_S": high, "on_off_ratio": high / low if low > 0.0 else None,
        "n_states": distinguishable(every, noise_S(device, every)), "n_pulses": len(level),
        "E_pulse_J": float(levels["energy_J"].mean()),
    }  # fmt: skip
    branches = {}
    for name, second in (("up", 0.0), ("down", 1.0)):
        chosen = levels["second"] == second
        whole = np.concatenate([levels["before_S"][chosen][:1], level[chosen]])
        branches[name] = whole
        found[f"nonlinearity_{name}"] = found[f"curvature_{name}"] = None
        if len(whole) > _SHORTEST and _is_block(chosen):
            found[f"nonlinearity_{name}"], found[f"curvature_{name}"] = linearity(whole)
    up, down = branches["up"], branches["down"]
    both = len(up) > _SHORTEST and len(up) == len(down) and found["nonlinearity_down"] is not None
    found["asymmetry"] = asymmetry(up, down) if both else None
    found["dG_pulse_S"] = float(np.diff(up).mean()) if len(up) > 1 else None
    return found


def without_branches(drive: AnyDrive) -> frozenset[str]:
    """Figures that are None whatever a train of this drive does: it has no way up or down of three pulses in a row."""
    if not isinstance(drive, GatePulses | Pulses):
        return frozenset()
    kinds = _order(drive)
    missing: set[str] = set()
    for name, second in (("up", 0), ("down", 1)):
        if np.count_nonzero(kinds == second) < _SHORTEST or not _is_block(kinds == second):
            missing |= {f"nonlinearity_{name}", f"curvature_{name}", "asymmetry"}
    return frozenset(missing)


def noise_S(device: EcramDevice, conductance_S: Floats) -> Floats:
    """Standard deviation of a read by the channel's thermal noise (Johnson and Nyquist, 1928), S."""
    kT_J = constants.k * device.ambient_K
    return np.asarray(np.sqrt(4.0 * kT_J * conductance_S * device.channel.read_Hz) / device.channel.read_V)


def distinguishable(levels: Floats, noise: Floats) -> int:
    """How many of ``levels`` (n,) lie apart by ``_APART`` times their ``noise`` (n,), counted from the lowest up."""
    order = np.argsort(levels)
    count, last = 0, -np.inf
    for value, sigma in zip(levels[order], noise[order], strict=True):
        if value - last >= _APART * sigma:
            count, last = count + 1, value
    return count


def linearity(branch: Floats) -> tuple[float, float]:
    """Largest distance of a branch (n,) from the straight line between its ends, over its range, with the sign of the
    curvature (above 0: the first pulses do most), and nu of the saturating law with that distance."""
    p = np.linspace(0.0, 1.0, len(branch))
    span = branch[-1] - branch[0]
    if span == 0.0:
        return 0.0, 0.0
    apart = (branch - branch[0]) / span - p
    most = float(apart[np.argmax(np.abs(apart))])

    def distance(nu: float) -> float:
        # the maximum of (1 - exp(-nu p))/(1 - exp(-nu)) - p, at nu exp(-nu p) = 1 - exp(-nu)
        share = -np.expm1(-nu) / nu
        top = -np.log(share) / nu
        return float((1.0 - share) / (nu * share) - top)

    size = min(abs(most), distance(_STEEPEST) * (1.0 - 1e-9))
    if size < 1e-6:
        return most, 0.0
    return most, float(np.copysign(brentq(lambda nu: distance(nu) - size, 1e-5, _STEEPEST), most))


def asymmetry(up: Floats, down: Floats) -> float:
    """Largest distance between the way up (n,) and the reversed way down (n,), over the range of both."""
    span = max(up.max(), down.max()) - min(up.min(), down.min())
    return float(np.abs(up - down[::-1]).max() / span) if span else 0.0


def _is_block(chosen: NDArray[np.bool_]) -> bool:
    """Whether the chosen pulses follow each other without others in between."""
    places = np.flatnonzero(chosen)
    return bool(places.size and np.all(np.diff(places) == 1))


def _order(drive: GatePulses | Pulses) -> NDArray[np.int64]:
    two = drive.second_amplitude_V is not None or getattr(drive, "second_amplitude_A", None) is not None
    kinds = np.tile([0, 1] if two else [0], drive.count)
    return np.sort(kinds) if drive.order == "blocks" else kinds


def _second_width(drive: GatePulses | Pulses) -> float:
    return drive.width_s if drive.second_width_s is None else drive.second_width_s


def _nearest(time_s: Floats, wanted: Floats) -> NDArray[np.int64]:
    right = np.clip(np.searchsorted(time_s, wanted), 1, len(time_s) - 1)
    return np.where(wanted - time_s[right - 1] < time_s[right] - wanted, right - 1, right)
