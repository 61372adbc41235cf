"""The points of a study: every combination, side by side, or samples that fill the ranges evenly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from ionsim.errors import StudyError
from ionsim.study.description import Parameter, Study

#: The values of one point, in the order of the study's parameters.
Values = tuple[Any, ...]

#: Significant digits of a sampled value: a table shows what was run, and 1e-6 of a range is far below any physics.
_DIGITS = 8


def n_points(study: Study) -> int:
    """How many points there are, without making them: a slip of the pen may be a grid of ten million."""
    if study.design == "saltelli":
        return (study.samples or 0) * (len(study.parameters) + 2)
    if study.sampled:
        return study.points or 0
    lengths = [len(parameter.values or ()) for parameter in study.parameters]
    if not lengths:
        return 1
    return math.prod(lengths) if study.design == "grid" else lengths[0]


def points(study: Study, whole: Sequence[bool]) -> list[Values]:
    """All points of a study in order; the last parameter of a grid runs fastest.

    ``whole`` says of each parameter whether a range holds whole numbers only. The same study gives the same points.
    """
    columns = [parameter.values or () for parameter in study.parameters]
    if study.design == "grid":
        return list(itertools.product(*columns))
    if study.design == "list":
        return list(zip(*columns, strict=True)) if columns else [()]
    unit = _samples(study)
    return [
        tuple(_value(*arguments) for arguments in zip(study.parameters, row.tolist(), whole, strict=True))
        for row in unit
    ]


def corners(study: Study) -> Iterator[Values]:
    """Points of which every parameter is at an end of its values or range; of a grid they are points of the study."""
    yield from itertools.product(*(_ends(parameter) for parameter in study.parameters))


def _ends(parameter: Parameter) -> list[Any]:
    if parameter.values is None:
        return [parameter.low, parameter.high]
    return [parameter.values[0], *parameter.values[-1:]] if len(parameter.values) > 1 else list(parameter.values)


def _samples(study: Study) -> NDArray[np.float64]:
    """(points, parameters) in [0, 1)."""
    rng = np.random.default_rng(study.design_seed)
    if study.design == "saltelli":
        return _saltelli(len(study.parameters), study.samples or 0, rng)
    sampler = (
        qmc.Sobol(len(study.parameters), rng=rng)
        if study.design == "sobol"
        else qmc.LatinHypercube(len(study.parameters), rng=rng)
    )
    return np.asarray(sampler.random(study.points or 0), dtype=np.float64)


def _saltelli(n_parameters: int, n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(samples x (parameters + 2), parameters) in [0, 1): for each sample A, A with one column of B at a time, and B.

    Saltelli et al., Comput. Phys. Commun. 181, 259 (2010), 10.1016/j.cpc.2009.09.018, on a scrambled Sobol sequence.
    """
    try:
        from SALib.sample import sobol
    except ImportError:
        raise StudyError("the design 'saltelli' needs SALib: pip install \"ionsim[study]\"") from None
    names = [f"x{index}" for index in range(n_parameters)]
    problem = {"num_vars": n_parameters, "names": names, "bounds": [[0.0, 1.0]] * n_parameters}
    return np.asarray(sobol.sample(problem, n_samples, calc_second_order=False, seed=rng), dtype=np.float64)


def _value(parameter: Parameter, share: float, whole: bool) -> Any:
    """The value at a share of the way through a parameter's values or range."""
    if parameter.values is not None:
        return parameter.values[min(int(share * len(parameter.values)), len(parameter.values) - 1)]
    assert parameter.low is not None and parameter.high is not None  # noqa: PT018  (the study was checked)
    low, high = parameter.low, parameter.high
    if parameter.scale == "log":
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    elif whole:
        value = math.floor(low + share * (high - low + 1.0))
    else:
        value = low + share * (high - low)
    value = min(max(value, low), high)
    return round(value) if whole else float(f"{value:.{_DIGITS}g}")
