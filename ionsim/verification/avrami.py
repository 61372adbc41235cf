"""Kolmogorov, Johnson, Mehl, Avrami: constant nucleation and growth crystallise X = 1 - exp(-k t^(dim + 1)).

k = (pi/3) I u^dim in two and in three dimensions (I per area or volume; M. Avrami, J. Chem. Phys. 8, 212 (1940)).
Nuclei begin with a radius r0, so the extended volume is

    Y = -ln(1 - X) = (k/u^(dim + 1)) [(r0 + u t)^(dim + 1) - r0^(dim + 1)],

from which exponent and prefactor are read against r0 + u t. X is taken in a window so far from the walls that nothing
born outside of the box would have reached it.

Few nuclei make a noisy X. Avrami's result is the exact mean over balls around *all* nuclei of the stream, also those in
crystal, which add nothing. So the noise is taken out by these balls: X = X_Avrami + <X_model - X_balls> over seeds, an
unbiased mean with the same nuclei in both (control variate). The plain mean is returned as well.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.planar_front import REGION, box
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]

WIDTH_NM = 1.0
SPEED_NM_PER_NS = 1.0
#: Radius of a nucleus by dimension: small against the distance of nuclei (one that is left out since it lies in crystal
#: could have stuck out of it), but large enough to be resolved by elements of 2 nm.
RADIUS_NM = {2: 2.0, 3: 3.0}
_LOOKS = 12


@dataclass(frozen=True)
class Crystallised:
    """(looks,) times in ns, and the fraction X in the window: of the model, and of balls around the stream's nuclei."""

    time_ns: Array
    model: Array
    balls: Array
    nuclei: int


def crystallise(dim: int, spacing_nm: float, side_nm: float, size_nm: float, end: float, seed: int) -> Crystallised:
    """One run in a square or cube, with one nucleus per spacing^dim and spacing/u; ``end`` in units of spacing/u."""
    front = fem.PhaseFront(box((side_nm,) * dim, size_nm), REGION, lambda kelvin: np.full(kelvin.shape,
                           SPEED_NM_PER_NS), WIDTH_NM)  # fmt: skip
    front.set_value(0.0)
    rate = SPEED_NM_PER_NS / spacing_nm ** (dim + 1)  # per nm^dim and ns
    nucleation = fem.Nucleation(front, lambda kelvin: np.full(kelvin.shape, 1e36 * rate), seed, RADIUS_NM[dim],
                                depth_nm=1.0 if dim == 2 else None)  # fmt: skip
    kelvin = np.full(front.halo.local, 300.0)
    end_ns = end * spacing_nm / SPEED_NM_PER_NS
    stream = nucleation.stream(1e-9 * end_ns, kelvin)
    x = front.elements.x_nm[:, :dim]
    margin = RADIUS_NM[dim] + SPEED_NM_PER_NS * end_ns
    window = np.all((x > margin) & (x < side_nm - margin), axis=1)
    if not np.any(window):
        raise ValueError(f"no window is left in {side_nm} nm: its margin is {margin} nm")
    weight = front.volume_m3[window] / front.volume_m3[window].sum()
    times = np.linspace(0.0, end_ns, _LOOKS + 1)[1:]
    model, balls = np.empty(_LOOKS), np.empty(_LOOKS)
    for look, time in enumerate(times):
        nucleation.advance(1e-9 * times[0], kelvin)
        model[look] = weight @ front.value[window]
        covered = np.zeros(weight.size, dtype=bool)
        for nucleus in stream:
            age = time - 1e9 * nucleus.time_s
            if age > 0.0:
                away = np.linalg.norm(x[window] - nucleus.position_nm[:dim], axis=1)
                covered |= away < RADIUS_NM[dim] + SPEED_NM_PER_NS * age
        balls[look] = weight @ covered
    return Crystallised(times, model, balls, len(nucleation.nuclei))


def avrami(dim: int, spacing_nm: float, time_ns: Array) -> Array:
    """The exact X for nuclei of the radius r0."""
    slope = np.pi / 3.0 / spacing_nm ** (dim + 1)
    start = RADIUS_NM[dim]
    grown = (start + SPEED_NM_PER_NS * time_ns) ** (dim + 1) - start ** (dim + 1)
    return 1.0 - np.exp(-slope * grown)


def fit(dim: int, spacing_nm: float, time_ns: Array, fraction: Array) -> tuple[float, float]:
    """Exponent, and the prefactor over the exact one at the exact exponent, where X is between 0.05 and 0.9."""
    used = (fraction > 0.05) & (fraction < 0.9)
    reach = RADIUS_NM[dim] + SPEED_NM_PER_NS * time_ns[used]
    exact = np.pi / 3.0 / spacing_nm ** (dim + 1)
    extended = -np.log1p(-fraction[used]) + exact * RADIUS_NM[dim] ** (dim + 1)
    exponent = float(np.polyfit(np.log(reach), np.log(extended), 1)[0])
    return exponent, float(np.exp(np.mean(np.log(extended / (exact * reach ** (dim + 1))))))


def ensemble(dim: int, spacing_nm: float, side_nm: float, size_nm: float, end: float, seeds: range) -> list[Record]:
    """Exponent and prefactor over seeds, with and without the noise of few nuclei."""
    runs = [crystallise(dim, spacing_nm, side_nm, size_nm, end, seed) for seed in seeds]
    time, exact = runs[0].time_ns, avrami(dim, spacing_nm, runs[0].time_ns)
    off = np.array([run.model - run.balls for run in runs])
    exponent, prefactor = fit(dim, spacing_nm, time, exact + off.mean(axis=0))
    plain = np.array([run.model for run in runs])
    spread = float((plain.std(axis=0, ddof=1) / np.sqrt(len(runs))).max())
    plainly = fit(dim, spacing_nm, time, plain.mean(axis=0))
    figure.draw(*_pictures(dim, spacing_nm, time, exact + off.mean(axis=0), plain))
    return [
        Record.below(f"{dim}D: Avrami exponent less {dim + 1}", exponent - dim - 1, 0.1),
        Record.below(f"{dim}D: prefactor over exact less 1", prefactor - 1.0, 0.05),
        Record.below(f"{dim}D: X of the model less that of balls", float(np.abs(off.mean(axis=0)).max()), 0.02),
        Record(f"{dim}D: exponent of the plain mean over {len(runs)} seeds", plainly[0]),
        Record(f"{dim}D: prefactor of the plain mean over exact", plainly[1]),
        Record(f"{dim}D: largest standard error of the plain X", spread),
        Record(f"{dim}D: nuclei", float(sum(run.nuclei for run in runs))),
    ]


def _pictures(dim: int, spacing_nm: float, time_ns: Array, corrected: Array, plain: Array) -> list[figure.Panel]:
    fine, slope = np.linspace(0.0, time_ns[-1], 200), np.pi / 3.0 / spacing_nm ** (dim + 1)
    reach, fine_reach = RADIUS_NM[dim] + SPEED_NM_PER_NS * time_ns, RADIUS_NM[dim] + SPEED_NM_PER_NS * fine
    offset = slope * RADIUS_NM[dim] ** (dim + 1)
    error = plain.std(axis=0, ddof=1) / np.sqrt(len(plain))
    return [
        figure.Panel("crystalline fraction", "time (ns)", "X", [
            figure.exact("Avrami", fine, avrami(dim, spacing_nm, fine)),
            figure.computed("model, noise of nuclei taken out", time_ns, corrected),
            figure.computed(f"plain mean over {len(plain)} seeds", time_ns, plain.mean(axis=0), error),
        ]),
        figure.Panel("Avrami plot", "$r_0 + u t$ (nm)", "$-\\ln(1 - X) + k r_0^{d+1}$", [
            figure.exact(f"slope {dim + 1}", fine_reach, slope * fine_reach ** (dim + 1)),
            figure.computed("model, noise of nuclei taken out", reach, -np.log1p(-corrected) + offset),
        ], True, True),
    ]  # fmt: skip


@case(
    "avrami", "PCM",
    problem=(
        "A film of 180 x 180 nm crystallises at a constant temperature: nuclei of radius 2 nm are born at a constant "
        "rate, one per (40 nm)^2 and 40 ns, and their fronts move at 1 nm/ns. The crystalline fraction X is read in "
        "a window that nothing born outside of the box can have reached, over four seeds. The noise of few nuclei is "
        "taken out by balls around the same nuclei, whose mean is exact (control variate)."
    ),
    exact=(
        r"Kolmogorov, Johnson, Mehl and Avrami, with nuclei that begin with the radius $r_0$: $-\ln(1 - X) = "
        r"\frac{\pi}{3}\,\frac{I}{u}\,[(r_0 + u t)^3 - r_0^3]$ in two dimensions: exponent 3, prefactor $(\pi/3)\,I "
        r"u^2$."
    ),
    sources=(
        "M. Avrami, J. Chem. Phys. 8, 212 (1940)",
        "A. N. Kolmogorov, Izv. Akad. Nauk SSSR Ser. Mat. 1, 355 (1937)",
    ),
)  # fmt: skip
def avrami_plane() -> list[Record]:
    """Constant nucleation and growth in 2D follow Avrami with exponent 3 and prefactor (pi/3) I u^2."""
    return ensemble(2, 40.0, 180.0, 2.0, 1.3, range(1, 5))
