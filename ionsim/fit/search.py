"""The search for the least squares: a survey of the range or differential evolution, then scipy's trust region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import differential_evolution, least_squares

from ionsim.errors import FitError
from ionsim.fit.objective import Point, Residuals
from ionsim.fit.steps import Steps, jacobian, measure
from ionsim.fit.survey import survey

Floats = NDArray[np.float64]
Method = Literal["least-squares", "local", "evolution"]

#: The search ends when a step lowers the sum of squares by less than this over the number of rows m, as a share: a 95 %
#: interval is where the sum has grown by about 4/m of itself, so that such a step is a sixth of a standard error.
_LITTLE = 0.03
#: It ends as well when a step moves the parameters by less than this share of them.
_STILL = 1e-4
#: The trust region begins so many times at most.
_STARTS = 4
#: How close to the end of a range a search begins: the trust region needs a point inside.
_INSIDE = 1e-3


@dataclass(frozen=True)
class Search:
    """How to look: least-squares surveys the range before the trust region, local does not, evolution takes many runs.

    ``rounds`` of the trust region; of the evolution ``population`` members for each parameter and ``generations``;
    ``seed`` of the survey and of the evolution.
    """

    method: Method = "least-squares"
    rounds: int = 15
    population: int = 8
    generations: int = 12
    seed: int = 1


@dataclass(frozen=True)
class Found:
    """Where a search has ended: the point, why it ended, and the steps that it used."""

    point: Point
    message: str
    steps: Steps


def search(residuals: Residuals, start: Floats, how: Search) -> Found:
    """Minimise the sum of squares over shares (k,) from 0 to 1, from ``start``.

    The steps of finite differences are measured where the trust region begins. Where it ends because its steps have
    become too short, they may have been the wrong ones: they are measured again there, and it begins anew. The point
    that is returned is the best one that was run, which in a rough landscape need not be the last.

    Raises:
        FitError: when runs fail at the start, or on all sides of a point.
    """
    u = np.asarray(start, dtype=np.float64)
    said = ""
    if how.method == "evolution":
        u, said = _evolve(residuals, u, how)
    elif how.method == "least-squares":
        u = survey(residuals, u, how.seed).u
    tried: list[Point] = []
    left = how.rounds
    steps = None
    for _ in range(_STARTS):
        u = np.clip(u, _INSIDE, 1.0 - _INSIDE)
        steps = measure(residuals, u)
        done = _descend(residuals, u, steps, left, tried)
        best = min(tried, key=lambda point: point.squares)
        left -= done.nfev
        gained = residuals([u])[0].squares - best.squares
        # A step that did what the Jacobian promised ends it; so does a start anew that gains nothing.
        if done.status in (1, 2, 4) or left < 1 or gained <= _LITTLE / max(steps.rows, 30) * best.squares:
            break
        u = best.u
    if best.failed is not None:
        raise FitError(f"every run fails: {best.failed}")
    assert steps is not None
    return Found(best, f"{said}{done.message}", steps)


def _descend(residuals: Residuals, u: Floats, steps: Steps, rounds: int, tried: list[Point]) -> Any:
    """One descent with steps of differences as measured where it begins; what it runs is added to ``tried``."""

    def one(at: Floats) -> Floats:
        tried.append(residuals([at])[0])
        return tried[-1].residuals

    def slopes(at: Floats) -> Floats:
        return jacobian(residuals, at, steps.sizes, residuals([at])[0])

    return least_squares(
        one, u, jac=slopes, bounds=(0.0, 1.0), method="trf", max_nfev=rounds, gtol=1e-10,
        ftol=_LITTLE / max(steps.rows, 30), xtol=_STILL,
    )  # fmt: skip


def _evolve(residuals: Residuals, start: Floats, how: Search) -> tuple[Floats, str]:
    def sums(members: Any) -> Any:  # (k, members) at once -> (members,)
        points = residuals(list(np.atleast_2d(members.T)))
        return np.array([point.squares for point in points])

    done = differential_evolution(
        sums, [(0.0, 1.0)] * len(start), popsize=how.population, maxiter=how.generations, rng=how.seed, polish=False,
        x0=start, init="sobol", vectorized=True, updating="deferred", tol=1e-3,
    )  # fmt: skip
    return np.asarray(done.x, dtype=np.float64), f"evolution, {done.nit} generations: {done.message} "
