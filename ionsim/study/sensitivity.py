"""Sobol indices of an observable: which share of its variance over the ranges is due to which parameter."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ionsim.errors import ResultsError, StudyError
from ionsim.results.atomic import write_text
from ionsim.study.answers import Answer, answers, listed
from ionsim.study.plan import Plan
from ionsim.study.table import Columns, csv_text

#: Bootstrap samples of an interval.
RESAMPLES = 1000
#: Fewest base samples that say anything.
_FEWEST = 4


@dataclass(frozen=True)
class Index:
    """Sobol indices of one parameter with 95 % intervals.

    ``first``: share of the variance that goes when the parameter is known; ``total``: share that stays when all others
    are known, so its interactions are in it.
    """

    parameter: str
    first: float
    first_interval: tuple[float, float]
    total: float
    total_interval: tuple[float, float]


@dataclass(frozen=True)
class Sensitivity:
    """Sobol indices of an observable: ``n_used`` of ``n_samples`` base samples are complete, ``left_out`` says why not.

    ``seed_share``: variance of a point's mean over its seeds as a share of the variance over the design; None with one
    seed a point.
    """

    observable: str
    model: str | None
    indices: tuple[Index, ...]
    mean: float
    deviation: float
    n_used: int
    n_samples: int
    left_out: tuple[str, ...] = ()
    seed_share: float | None = None


def sensitivity(plan: Plan, table: Columns, observable: str, resamples: int = RESAMPLES) -> list[Sensitivity]:
    """Indices of an observable of a study with the design saltelli, for each of its models.

    Estimators of Saltelli et al., Comput. Phys. Commun. 181, 259 (2010) (first) and Jansen, Comput. Phys. Commun. 117,
    35 (1999) (total), as in SALib; intervals are the 2.5 and 97.5 % quantiles of ``resamples`` bootstrap samples over
    the base samples. A base sample of which one point failed or has no value is left out as a whole: nothing is filled
    in. The indices then hold for the part of the ranges that gives values.

    Raises:
        StudyError: for another design, too few complete base samples, or an observable that does not vary.
    """
    study = plan.study
    if study.design != "saltelli":
        raise StudyError(f"{plan.origin}: Sobol indices need the design 'saltelli'; this study has {study.design!r}")
    found = answers(plan, table, observable)
    models = list(dict.fromkeys(answer.model for answer in found))
    return [
        _of_model(plan, observable, model, [answer for answer in found if answer.model == model], resamples)
        for model in models
    ]


def _of_model(
    plan: Plan, observable: str, model: str | None, found: Sequence[Answer], resamples: int
) -> Sensitivity:  # fmt: skip
    names = plan.study.columns
    size = len(names) + 2
    blocks = [found[first : first + size] for first in range(0, len(found), size)]
    used = [block for block in blocks if all(answer.problem is None for answer in block)]
    missing = tuple(f"point {answer.point} {answer.problem}" for answer in found if answer.problem is not None)
    if len(used) < _FEWEST:
        raise StudyError(
            f"{observable}: {len(used)} of {len(blocks)} base samples are complete, at least {_FEWEST} are needed: "
            f"{listed(missing)}"
        )
    values = np.array([answer.mean for block in used for answer in block], dtype=np.float64)
    if np.ptp(values) <= 1e-12 * np.max(np.abs(values)):
        raise StudyError(f"{observable}: is {values[0]:g} at all points; there is no variance to share out")
    numbers = _salib(names, values, resamples)
    spread = float(np.var(values))
    several = [answer.values for block in used for answer in block if len(answer.values) > 1]
    share = statistics.fmean(statistics.variance(each) / len(each) for each in several) / spread if several else None
    return Sensitivity(
        observable, model, numbers, float(values.mean()), spread**0.5, len(used), len(blocks), missing, share
    )  # fmt: skip


def _salib(names: Sequence[str], values: np.ndarray, resamples: int) -> tuple[Index, ...]:
    try:
        from SALib.analyze import sobol
    except ImportError:
        raise StudyError('Sobol indices need SALib: pip install "ionsim[study]"') from None
    problem = {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}
    result = sobol.analyze(
        problem, values, calc_second_order=False, num_resamples=resamples, keep_resamples=True, seed=1
    )  # fmt: skip
    # SALib's own intervals are 1.96 standard deviations, so symmetric; those of small indices are not.
    ends = {key: np.percentile(result[f"{key}_conf_all"], (2.5, 97.5), axis=0) for key in ("S1", "ST")}
    return tuple(
        Index(
            name, float(result["S1"][at]), (float(ends["S1"][0, at]), float(ends["S1"][1, at])),
            float(result["ST"][at]), (float(ends["ST"][0, at]), float(ends["ST"][1, at])),
        )
        for at, name in enumerate(names)
    )  # fmt: skip


def as_columns(found: Sequence[Sensitivity]) -> Columns:
    """One row for each observable, model and parameter."""
    rows = [(each, index) for each in found for index in each.indices]
    return {
        "observable": [each.observable for each, _ in rows],
        "model": [each.model for each, _ in rows],
        "parameter": [index.parameter for _, index in rows],
        "first": [index.first for _, index in rows],
        "first_low": [index.first_interval[0] for _, index in rows],
        "first_high": [index.first_interval[1] for _, index in rows],
        "total": [index.total for _, index in rows],
        "total_low": [index.total_interval[0] for _, index in rows],
        "total_high": [index.total_interval[1] for _, index in rows],
        "samples_used": [each.n_used for each, _ in rows],
        "samples": [each.n_samples for each, _ in rows],
        "seed_share": [each.seed_share for each, _ in rows],
    }


def write_sensitivity(folder: Path, found: Sequence[Sensitivity]) -> Path:
    """Write ``sobol.csv`` into a study's folder. StudyError where the disk refuses."""
    path = folder / "sobol.csv"
    try:
        write_text(path, csv_text(as_columns(found)))
    except ResultsError as error:
        raise StudyError(str(error)) from error
    return path


def lines(found: Sensitivity) -> list[str]:
    """Indices of one observable as text, with what was left out."""
    model = "" if found.model is None else f" ({found.model})"
    text = [
        f"{found.observable}{model}: mean {found.mean:.4g}, standard deviation {found.deviation:.3g}; "
        f"{found.n_used} of {found.n_samples} base samples"
    ]
    width = max(len("parameter"), *(len(index.parameter) for index in found.indices))
    text.append(f"  {'parameter':{width}}  {'first order':>22}  {'total':>22}")
    text += [
        f"  {index.parameter:{width}}  {_text(index.first, index.first_interval):>22}"
        f"  {_text(index.total, index.total_interval):>22}"
        for index in found.indices
    ]
    if found.left_out:
        text.append(
            f"  left out, {found.n_samples - found.n_used} base samples with {len(found.left_out)} points without a "
            f"value, so the indices hold for the rest of the ranges: {listed(found.left_out)}"
        )
    if found.seed_share is not None:
        text.append(f"  of the variance {100 * found.seed_share:.2g} % is scatter between seeds that their mean leaves")
    return text


def _text(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
