"""A model compiled for fast integration: residuals and slopes by numba, steps by a Rosenbrock method.

The network is M y' = g(t, y): M holds capacitances, and 1 for states; y holds the free potentials and the deviations of
states. Steps are RODAS3 (Hairer and Wanner, Solving Ordinary Differential Equations II, section VI.4, with the
coefficients of Sandu and others, Atmos. Environ. 31, 3459 (1997)): order 3, L-stable, stiffly accurate, right for
algebraic rows, and without iterations, so that a runaway of nine decades in time is followed by its error alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from sympy.printing.pycode import PythonCodePrinter

from ionsim.compact.description import Model
from ionsim.compact.numeric import program

#: Sources of an interval: a voltage behind a resistance and a current limit, or a current (0: open).
VOLTAGE, CURRENT = 0, 1

#: Exponent p of the limiter i = u/(1 + |u/I|^p)^(1/p), u the current without a limit: 0.1 % low at 0.9 I.
LIMITER = 32.0

#: Gamma of the method; steps of Newton's method at a jump of the source, and the largest of them in V.
_GAMMA, _NEWTON, _NEWTON_V = 0.5, 200, 0.25

#: A step below this share of an interval is given up.
_SHORTEST = 1e-15


@numba.njit(cache=True)
def _minimum(a: float, b: float) -> float:
    return a if a < b else b


@numba.njit(cache=True)
def _maximum(a: float, b: float) -> float:
    return a if a > b else b


@numba.njit(cache=True)
def _select(test: float, yes: float, no: float) -> float:
    return yes if test >= 0.0 else no


@numba.njit(cache=True)
def _power(base: float, exponent: float) -> float:
    return base**exponent


@numba.njit(cache=True)
def _magnitude(a: float) -> float:
    return abs(a)


_NAMES: dict[str, Any] = {
    "minimum": _minimum,
    "maximum": _maximum,
    "select": _select,
    "power": _power,
    "magnitude": _magnitude,
    **{name: getattr(np, name) for name in ("exp", "sinh", "cosh", "tanh", "log", "sqrt", "sin", "cos", "arctanh")},
    "atanh": np.arctanh,
}


def compiled(model: Model) -> Callable[..., Any]:
    """The integrator of a model (:func:`_integrator` says what it takes), compiled once for the same equations."""
    return _built(_source(model), len(model.nodes) + len(model.states), len(model.flows) + len(model.states))


@lru_cache(maxsize=16)
def _built(source: str, n: int, rows: int) -> Callable[..., Any]:
    names = dict(_NAMES)
    exec(source, names)  # the text is printed by _source from a model's expressions
    return _integrator(numba.njit(error_model="numpy")(names["evaluate"]), n, rows)


@lru_cache(maxsize=32)
def _source(model: Model) -> str:
    """Python text of evaluate(z, p, value, slope): flows and rates (rows,), and their slopes by all unknowns."""
    steps = program(model)
    outputs = [*steps.values, *steps.slopes]
    parts, reduced = steps.arranged(outputs)
    printer = PythonCodePrinter({"fully_qualified_modules": False, "allow_unknown_functions": True})
    lines = ["def evaluate(z, p, value, slope):"]
    n, rows = len(steps.unknowns), len(steps.values)
    lines += [f"    {name} = z[{k}]" for k, name in enumerate(steps.unknowns)]
    lines += [f"    {name} = p[{k}]" for k, name in enumerate(steps.arguments[n:])]
    lines += [f"    {name} = {printer.doprint(part)}" for name, part in parts]
    lines += [f"    value[{k}] = {printer.doprint(reduced[k])}" for k in range(rows)]
    lines += [
        f"    slope[{k}, {j}] = {printer.doprint(reduced[rows + k * n + j])}" for k in range(rows) for j in range(n)
    ]
    return "\n".join(lines) + "\n"


@numba.njit(cache=True, error_model="numpy")
def _factor(a: Any, order: Any) -> bool:
    """LU of a (n, n) in place with pivots by rows scaled to their largest entry; False where it is singular."""
    n = a.shape[0]
    scale = np.empty(n)
    for i in range(n):
        big = 0.0
        for j in range(n):
            big = max(big, abs(a[i, j]))
        if not big > 0.0 or not np.isfinite(big):
            return False
        scale[i] = 1.0 / big
    for k in range(n):
        best, pivot = -1.0, k
        for i in range(k, n):
            size = abs(a[i, k]) * scale[i]
            if size > best:
                best, pivot = size, i
        if not best > 0.0:
            return False
        order[k] = pivot
        if pivot != k:
            for j in range(n):
                a[k, j], a[pivot, j] = a[pivot, j], a[k, j]
            scale[k], scale[pivot] = scale[pivot], scale[k]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
    return True


@numba.njit(cache=True, error_model="numpy")
def _solve(a: Any, order: Any, b: Any) -> None:
    """Solve in place with what :func:`_factor` left."""
    n = a.shape[0]
    for k in range(n):  # whole rows were exchanged, factors included: all exchanges come first
        pivot = order[k]
        if pivot != k:
            b[k], b[pivot] = b[pivot], b[k]
    for k in range(n):
        for i in range(k + 1, n):
            b[i] -= a[i, k] * b[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            b[k] -= a[k, j] * b[j]
        b[k] /= a[k, k]


@numba.njit(cache=True, error_model="numpy")
def _limited(free_A: float, limit_A: float) -> tuple[float, float]:
    """Current that a limiter leaves of ``free_A``, and its slope."""
    part = abs(free_A) / limit_A
    if part < 0.3:
        return free_A, 1.0
    if part > 1e6:
        return np.copysign(limit_A, free_A), 0.0
    base = 1.0 + part**LIMITER
    shrunk = base ** (-1.0 / LIMITER)
    return free_A * shrunk, shrunk / base


def _integrator(evaluate: Any, n_all: int, rows: int) -> Callable[..., Any]:
    """The compiled integrator of ``evaluate``.

    Arguments: y (n,) in and out; free (n,) index of each unknown among all; z (n_all,) with the fixed ones set; p;
    signs (n_all, rows); mass (n, n); te, index of the driven node in y; n_electrical, leading unknowns of y that are
    potentials; times (k + 1,); begin, end (k,) volts or amperes of the source; mode (k,); ohm, limit (k,); turn (k,)
    flags: stop where one is set and the current is limited; level: a current in A; atol (n,), rtol; out (k, n);
    source (k, 3): current, current without a limit, and the time at which |current| first reached the level within the
    interval (nan: not). Returns (intervals done, steps, status): status 0 done or turned, 1 no step was small
    enough, 2 too many steps, 3 no solution of Kirchhoff's law at a jump.
    """

    @numba.njit(error_model="numpy")
    def right(y, free, z, p, signs, te, volts, mode, ohm, limit, value, slope, g, jac):  # type: ignore[no-untyped-def]
        n = y.shape[0]
        for i in range(n):
            z[free[i]] = y[i]
        evaluate(z, p, value, slope)
        for i in range(n):
            total = 0.0
            for j in range(n):
                jac[i, j] = 0.0
            row = free[i]
            for k in range(rows):
                sign = signs[row, k]
                if sign != 0.0:
                    total -= sign * value[k]
                    for j in range(n):
                        jac[i, j] -= sign * slope[k, free[j]]
            g[i] = total
        if mode == CURRENT:
            g[te] += volts
            return volts, volts, 1.0
        demand = (volts - y[te]) / ohm
        current, part = _limited(demand, limit)
        g[te] += current
        jac[te, te] -= part / ohm
        return current, demand, part / ohm

    @numba.njit(error_model="numpy")
    def settle(y, free, z, p, signs, te, volts, mode, ohm, limit, value, slope, g, jac, mass, order):  # type: ignore[no-untyped-def]
        """Newton's method for the rows without a mass, the others held."""
        n = y.shape[0]
        longest, before = _NEWTON_V, 0.0
        for _ in range(_NEWTON):
            right(y, free, z, p, signs, te, volts, mode, ohm, limit, value, slope, g, jac)
            for i in range(n):
                massive = False
                for j in range(n):
                    if mass[i, j] != 0.0:
                        massive = True
                if massive:
                    g[i] = 0.0
                    for j in range(n):
                        jac[i, j] = 1.0 if i == j else 0.0
            if not _factor(jac, order):
                return False
            _solve(jac, order, g)
            largest = 0.0
            for i in range(n):
                largest = max(largest, abs(g[i]))
            if not np.isfinite(largest):
                return False
            if g[te] * before < 0.0:  # steps to and fro across a limiter's edge never meet it unless they shrink
                longest *= 0.7
            before = g[te]
            part = 1.0 if largest <= longest else longest / largest
            for i in range(n):
                y[i] -= part * g[i]
            if largest < 1e-11:
                return True
        return False

    @numba.njit(error_model="numpy")
    def integrate(  # type: ignore[no-untyped-def]
        y, free, z, p, signs, mass, te, times, begin, end, mode, ohm, limit, turn, level, atol, rtol, most, out, source
    ):
        n, count = y.shape[0], begin.shape[0]
        value, slope = np.zeros(rows), np.zeros((rows, n_all))
        g, jac, order = np.zeros(n), np.zeros((n, n)), np.zeros(n, dtype=np.int64)
        work, trash = np.zeros((n, n)), np.zeros((n, n))
        u1, u2, u3, u4, at = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
        h, steps, taken = 0.0, 0, 0.0
        for k in range(count):
            length = times[k + 1] - times[k]
            rate = (end[k] - begin[k]) / length
            fresh = k == 0 or begin[k] != end[k - 1] or mode[k] != mode[k - 1] or limit[k] != limit[k - 1]
            if fresh and not settle(
                y, free, z, p, signs, te, begin[k], mode[k], ohm, limit[k], value, slope, g, jac, mass, order
            ):
                return k, steps, 3
            if fresh or h > length:
                h = 1e-4 * length if fresh else length
            t, before = 0.0, right(y, free, z, p, signs, te, begin[k], mode[k], ohm, limit[k], value, slope, g, jac)[0]
            source[k, 2] = np.nan
            while t < length:
                last = t + h >= length * (1.0 - 1e-12)
                step = length - t if last else h
                volts = begin[k] + rate * t
                now, _, by_volts = right(y, free, z, p, signs, te, volts, mode[k], ohm, limit[k], value, slope, g, jac)
                if abs(now) >= level and abs(before) < level:
                    share = (level - abs(before)) / (abs(now) - abs(before))
                    source[k, 2] = times[k] + t - (1.0 - share) * taken
                before = now
                for i in range(n):
                    for j in range(n):
                        work[i, j] = mass[i, j] / (step * _GAMMA) - jac[i, j]
                good = _factor(work, order)
                error = np.inf
                if good:
                    push = step * rate * by_volts
                    for i in range(n):
                        u1[i] = g[i]
                    u1[te] += 0.5 * push
                    _solve(work, order, u1)
                    for i in range(n):
                        total = g[i]
                        for j in range(n):
                            total += mass[i, j] * 4.0 * u1[j] / step
                        u2[i] = total
                    u2[te] += 1.5 * push
                    _solve(work, order, u2)
                    for i in range(n):
                        at[i] = y[i] + 2.0 * u1[i]
                    right(at, free, z, p, signs, te, volts + rate * step, mode[k], ohm, limit[k], value, slope, g,
                          trash)  # fmt: skip
                    for i in range(n):
                        total = g[i]
                        for j in range(n):
                            total += mass[i, j] * (u1[j] - u2[j]) / step
                        u3[i] = total
                    _solve(work, order, u3)
                    for i in range(n):
                        at[i] = y[i] + 2.0 * u1[i] + u3[i]
                    right(at, free, z, p, signs, te, volts + rate * step, mode[k], ohm, limit[k], value, slope, g,
                          trash)  # fmt: skip
                    for i in range(n):
                        total = g[i]
                        for j in range(n):
                            total += mass[i, j] * (u1[j] - u2[j] - 8.0 / 3.0 * u3[j]) / step
                        u4[i] = total
                    _solve(work, order, u4)
                    error = 0.0
                    for i in range(n):
                        new = at[i] + u4[i]
                        size = atol[i] + rtol * max(abs(y[i]), abs(new))
                        error = max(error, abs(u4[i]) / size)
                steps += 1
                if steps > most:
                    return k, steps, 2
                if not np.isfinite(error):
                    h = 0.1 * step
                elif error > 1.0:
                    h = step * max(0.1, 0.9 * error ** (-1.0 / 3.0))
                else:
                    for i in range(n):
                        y[i] = at[i] + u4[i]
                    t, taken = length if last else t + step, step
                    grown = step * min(6.0, 0.9 * max(error, 1e-9) ** (-1.0 / 3.0))
                    h = max(h, grown) if last else grown
                    continue
                if h < _SHORTEST * length:
                    return k, steps, 1
            current, demand, _ = right(y, free, z, p, signs, te, end[k], mode[k], ohm, limit[k], value, slope, g, jac)
            source[k, 0], source[k, 1] = current, demand
            if abs(current) >= level and abs(before) < level:
                share = (level - abs(before)) / (abs(current) - abs(before))
                source[k, 2] = times[k + 1] - (1.0 - share) * taken
            for i in range(n):
                out[k, i] = y[i]
            if turn[k] and abs(demand) >= limit[k]:
                return k + 1, steps, 0
        return count, steps, 0

    return integrate
