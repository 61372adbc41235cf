"""How refresh and solve scale with the number of ranks: a model with fitted numbers that extrapolates.

On p ranks n unknowns take

    T(n, p) = a + (w + w_it k) n / p + k [ 6 (L + 8 B (n / p)^(2/3)) + 2 S log2(p) ],

with k iterations, a = fixed cost of a call, w = work per unknown outside the iteration, w_it = work per unknown and
iteration, 6 neighbours that each get a face of the part of a rank, L = latency, 8 bytes a number at 1/B bytes/s, and
two sums over the ranks an iteration in log2(p) stages of S. Work per unknown is that of large parts (beyond caches).
Not in the model: ranks on one node that share its memory bandwidth, coarse levels of multigrid whose messages do not
shrink, imbalance. What it gives is therefore an estimate on the side of more gain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_NEIGHBOURS, _BYTES, _SUMS = 6, 8, 2


@dataclass(frozen=True)
class Scaling:
    """The numbers of the model.

    ``fixed_s``: a; ``work_s``: w, s per unknown; ``iteration_s``: w_it, s per unknown and iteration; ``latency_s``: L;
    ``byte_s``: B, s per byte; ``stage_s``: S.
    """

    fixed_s: float
    work_s: float
    iteration_s: float
    latency_s: float
    byte_s: float
    stage_s: float

    def time_s(self, unknowns: float, ranks: int, iterations: float) -> float:
        """Refresh and solve, s."""
        part = unknowns / ranks
        work = self.fixed_s + (self.work_s + self.iteration_s * iterations) * part
        if ranks == 1:
            return work
        neighbours = min(_NEIGHBOURS, ranks - 1)
        halo = neighbours * (self.latency_s + _BYTES * self.byte_s * part ** (2.0 / 3.0))
        return float(work + iterations * (halo + _SUMS * self.stage_s * np.log2(ranks)))

    def efficiency(self, unknowns: float, ranks: int, iterations: float) -> float:
        """Strong scaling: T(n, 1) / (p T(n, p))."""
        return self.time_s(unknowns, 1, iterations) / (ranks * self.time_s(unknowns, ranks, iterations))

    def weak_efficiency(self, part: float, ranks: int, iterations: float) -> float:
        """Weak scaling with ``part`` unknowns a rank and a fixed number of iterations: T(part, 1) / T(p part, p)."""
        return self.time_s(part, 1, iterations) / self.time_s(part * ranks, ranks, iterations)


def fit(single: Sequence[dict[str, Any]], messages: dict[str, Any]) -> Scaling:
    """The model from runs on one rank (jobs ``conduction``, sizes that differ) and the job ``messages`` on two.

    Work per unknown: the largest size for the iteration; the rest of the time of all sizes by least squares of the
    relative error, not below zero. Latency: the shortest message; bandwidth: the longest without the latency.
    """
    largest = max(single, key=lambda numbers: int(numbers["dofs"]))
    iteration_s = largest["parts"]["iterations"] / (largest["dofs"] * largest["iterations"])
    rest_s = np.array([numbers["median_s"] - numbers["parts"]["iterations"] for numbers in single])
    dofs = np.array([float(numbers["dofs"]) for numbers in single])
    columns = np.stack([np.ones_like(dofs), dofs], axis=1) / rest_s[:, None]
    fixed_s, work_s = np.linalg.lstsq(columns, np.ones_like(dofs), rcond=None)[0]
    if fixed_s < 0.0:
        fixed_s, work_s = 0.0, float(np.mean(rest_s / dofs))
    latency_s = min(messages["seconds"])
    byte_s = max(messages["seconds"][-1] - latency_s, 0.0) / messages["bytes"][-1]
    return Scaling(float(fixed_s), float(work_s), float(iteration_s), latency_s, byte_s, messages["sum_s"])
