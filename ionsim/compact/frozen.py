"""A model with its states held: currents, temperatures and rates of the states at given voltages.

This is what an operating point of a circuit simulator gives, and what extraction and the law of square waves are built
on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ionsim.compact.description import CompactError, Model
from ionsim.compact.numeric import equations

Floats = NDArray[np.float64]

#: Largest step of the voltage on the way from 0 V, in V: behind a thermal runaway Newton's method must follow the
#: branch.
VOLTAGE_STEP_V = 0.05

#: Offsets of a square wave among which a change of sign is looked for.
_OFFSETS = 41


@dataclass(frozen=True)
class Frozen:
    """Potentials of all nodes (n, nodes), flow out of each node (n, nodes), rates of the states in 1/s (n, states)."""

    potentials: Floats
    flows: Floats
    rates: Floats


def frozen(
    model: Model,
    volts: ArrayLike,
    deviations: ArrayLike,
    values: Mapping[str, float] | None = None,
    ambient_K: float = 300.15,
) -> Frozen:
    """A model with voltages on its terminals and scaled states at ``deviations`` (states,).

    ``volts`` (n,) of the first terminal, or (n, k) of the first k; the others that a model must have are at 0 V,
    optional ones are left open. Each point is reached from 0 V in small steps, heat included in equilibrium. Raises
    CompactError where Kirchhoff's law finds no solution.
    """
    code = equations(model)
    constants = code.arguments(model.values(values), ambient_K)
    n, n_flows = len(model.nodes), len(model.flows)
    where = {name: index for index, name in enumerate(code.unknowns)}
    signs = np.zeros((n, n_flows))
    for column, flow in enumerate(model.flows):
        signs[where[flow.plus], column] = 1.0
        if flow.minus is not None:
            signs[where[flow.minus], column] = -1.0
    fixed = [where[port.name] for port in model.ports if not port.optional]
    free = [index for index in range(n) if index not in fixed]
    held = np.broadcast_to(np.asarray(deviations, dtype=float), (len(model.states),)).tolist()

    def settle(known: Floats) -> tuple[Floats, Floats]:
        for _ in range(100):
            both = np.array(code.slopes(*known.tolist(), *held, *constants))
            count = n_flows + len(held)
            value, slope = both[:count], both[count:].reshape(count, n + len(held))[:n_flows, :n]
            out = signs @ value[:n_flows]
            step = np.linalg.solve((signs @ slope)[np.ix_(free, free)], -out[free]) if free else np.zeros(0)
            known[free] += step
            if np.all(np.abs(step) <= 1e-12 * (1 + np.abs(known[free]))):
                return signs @ np.array(code.slopes(*known.tolist(), *held, *constants)[:n_flows]), value[n_flows:]
        raise CompactError(f"{model.name}: no solution at {known[fixed].tolist()} V")

    points = np.asarray(volts, dtype=float)
    points = points.reshape(-1, 1) if points.ndim < 2 else points
    potentials, flows, rates = [], [], []
    for point in points:
        known = np.zeros(n)
        out, rate = np.zeros(n), np.zeros(len(held))
        largest = float(np.abs(point).max())
        for share in np.linspace(0.0, 1.0, max(int(np.ceil(largest / VOLTAGE_STEP_V)), 1) + 1)[1:]:
            known[fixed[: len(point)]] = share * point
            out, rate = settle(known)
        potentials.append(known)
        flows.append(out)
        rates.append(rate)
    return Frozen(np.array(potentials), np.array(flows), np.array(rates))


def square_wave_offset(
    model: Model, state: float, amplitude_V: float, values: Mapping[str, float] | None = None, ambient_K: float = 300.15
) -> float:
    """The offset V0 at which a fast square wave V0 +- ``amplitude_V`` leaves the first state at ``state`` on average.

    It solves g(x, V0 + A) + g(x, V0 - A) = 0, g the rate at a voltage with heat in equilibrium. The state is attracting
    where that sum falls with x. Raises CompactError when no offset within the amplitude does it.
    """
    start, scale = model.start_and_scale(model.states[0].name, model.values(values))
    deviations = [(state - start) / scale] + [0.0] * (len(model.states) - 1)

    def balance(offset_V: float) -> float:
        up, down = (
            frozen(model, offset_V + sign * amplitude_V, deviations, values, ambient_K).rates[0, 0] for sign in (1, -1)
        )
        return float((up + down) / (abs(up) + abs(down)))

    limit = 0.999 * amplitude_V
    if balance(-limit) * balance(limit) <= 0:
        return float(brentq(balance, -limit, limit, xtol=1e-12))
    # Where strong heat empties a cell at either sign, both ends agree: the offset nearest to 0 is the one.
    offsets = np.linspace(-limit, limit, _OFFSETS)
    signs = np.sign([balance(offset) for offset in offsets])
    turns = np.flatnonzero(signs[:-1] * signs[1:] <= 0)
    if not len(turns):
        raise CompactError(f"{model.name}: no offset within {amplitude_V:g} V balances the state {state:g}")
    k = turns[np.argmin(np.abs(offsets[turns] + offsets[turns + 1]))]
    return float(brentq(balance, offsets[k], offsets[k + 1], xtol=1e-12))
