"""Orientations of grains, misorientations of boundaries, and which boundaries are of high symmetry."""

import functools
import itertools
import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from meshes.errors import MeshError, nearest

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Rotations of a crystal onto itself, by its name: Schoenflies symbol and axis as scipy takes them.
SYMMETRIES: dict[str, tuple[str, Literal["Y", "Z"]]] = {
    "cubic": ("O", "Z"),
    "tetragonal": ("D4", "Z"),
    "orthorhombic": ("D2", "Z"),
    "monoclinic": ("C2", "Y"),
}
#: Largest deviation (degrees) from the coincidence lattice Sigma 1, which is the single crystal: a boundary of low
#: angle. For others it is this over the root of Sigma. Source: Brandon, Acta Metall. 14, 1479 (1966),
#: 10.1016/0001-6160(66)90168-4.
BRANDON_DEG = 15.0
#: Largest Sigma that counts as of high symmetry. Source: the usual limit of "special" boundaries in the statistics of
#: their character (Randle, Acta Mater. 52, 4067 (2004), 10.1016/j.actamat.2004.05.031); chosen for HfO2.
LARGEST_SIGMA = 29


def orientations(
    count: int, texture: str | tuple[float, float, float], spread_deg: float, generator: np.random.Generator
) -> Floats:
    """Orientations (g, 4) of grains as quaternions (x, y, z, w), which turn vectors of the crystal into the film's.

    ``texture`` is "random", uniform over all rotations, or the crystal's direction (along its orthogonal axes) that
    stands along the film normal, with a random turn about it; the normal then tilts by a Gaussian angle of standard
    deviation ``spread_deg`` about each of x and y.
    """
    if isinstance(texture, str):
        if texture != "random":
            raise MeshError(f"texture must be \"random\" or a direction such as (1, 1, 1), got {texture!r}")
        return np.asarray(Rotation.from_quat(generator.standard_normal((count, 4))).as_quat())
    axis = np.asarray(texture, dtype=float)
    if axis.shape != (3,) or not np.all(np.isfinite(axis)) or not np.any(axis):
        raise MeshError(f"texture must be \"random\" or a direction such as (1, 1, 1), got {texture!r}")
    if not 0.0 <= spread_deg <= 90.0:
        raise MeshError(f"texture_spread_deg must be from 0 to 90, got {spread_deg!r}")
    upright, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [axis / np.linalg.norm(axis)])
    about = np.zeros((count, 3))
    about[:, 2] = generator.uniform(0.0, 2.0 * math.pi, count)
    tilt = np.zeros((count, 3))
    tilt[:, :2] = np.radians(spread_deg) * generator.standard_normal((count, 2))
    return np.asarray((Rotation.from_rotvec(tilt) * Rotation.from_rotvec(about) * upright).as_quat())


def misorientation_deg(quaternions: Floats, pairs: Integers, crystal: str) -> Floats:
    """Disorientation (b,) in degrees of each pair (b, 2) of grains: the least angle among the crystal's equal ones."""
    group = _group(crystal)
    between = _between(quaternions, pairs)
    least = np.full(len(pairs), np.inf)
    for operation in group:
        np.minimum(least, (between * operation).magnitude(), out=least)
    return np.degrees(least)


def high_symmetry(quaternions: Floats, pairs: Integers, crystal: str) -> NDArray[np.bool_]:
    """Whether each pair (b, 2) of grains meets at a boundary of high symmetry.

    That is one of low angle (below ``BRANDON_DEG``) or, in a cubic crystal, one within Brandon's deviation of a
    coincidence lattice with Sigma up to ``LARGEST_SIGMA``. Only the orientations count, not the boundary's plane.
    """
    if crystal != "cubic":
        return misorientation_deg(quaternions, pairs, crystal) <= BRANDON_DEG
    return sigma(quaternions, pairs) > 0


def sigma(quaternions: Floats, pairs: Integers) -> Integers:
    """Sigma (b,) of the coincidence lattice of each pair (b, 2) of cubic grains by Brandon's criterion, 0 for none.

    Of several lattices the one counts of whose limit the deviation is the smallest share.
    """
    between = _between(quaternions, pairs).as_quat().reshape(-1, 4)
    numbers, lattices = coincidences()
    group = _group("cubic").as_quat()
    limit = np.radians(BRANDON_DEG) / np.sqrt(numbers)
    found = np.zeros(len(pairs), dtype=np.int64)
    for first in range(0, len(pairs), 256):
        some = between[first : first + 256]
        equal = _product(_product(group[:, None, None], some[None, :, None]), group[None, None])  # (24, n, 24, 4)
        cosine = np.abs(equal @ lattices.T).max(axis=(0, 2))
        share = 2.0 * np.arccos(np.minimum(cosine, 1.0)) / limit
        best = np.argmin(share, axis=1)
        inside = share[np.arange(len(some)), best] <= 1.0
        found[first : first + 256] = np.where(inside, numbers[best], 0)
    return found


@functools.lru_cache(maxsize=1)
def coincidences() -> tuple[Integers, Floats]:
    """Sigma (n,) and quaternions (n, 4) of the coincidence lattices of cubic crystals up to ``LARGEST_SIGMA``.

    They are the integer quaternions without a common factor and with an odd norm, which is Sigma, one of each set that
    is equal by symmetry (Grimmer, Acta Cryst. A 30, 685 (1974), 10.1107/S0567739474001719).
    """
    most = math.isqrt(LARGEST_SIGMA)
    group = _group("cubic").as_quat()
    numbers: list[int] = []
    kept: list[Floats] = []
    for parts in itertools.product(range(most, -most - 1, -1), repeat=4):
        norm = sum(part * part for part in parts)
        if norm > LARGEST_SIGMA or norm % 2 == 0 or math.gcd(*parts) > 1 or next(p for p in parts if p) < 0:
            continue
        one = np.array(parts, dtype=float) / math.sqrt(norm)
        known = [lattice for number, lattice in zip(numbers, kept, strict=True) if number == norm]
        if known:
            equal = _product(_product(group[:, None], one), group[None])
            if np.abs(equal @ np.array(known).T).max() > 1.0 - 1e-9:
                continue
        numbers.append(norm)
        kept.append(one)
    order = np.argsort(numbers, kind="stable")
    return np.array(numbers, dtype=np.int64)[order], np.array(kept)[order]


def check_crystal(crystal: str) -> None:
    """Raise MeshError for a crystal without a known symmetry."""
    if crystal not in SYMMETRIES:
        raise MeshError(f"crystal {crystal!r} is not known; allowed: {', '.join(SYMMETRIES)} "
                        f"(nearest: {nearest(crystal, SYMMETRIES)!r})")  # fmt: skip


def _group(crystal: str) -> Rotation:
    check_crystal(crystal)
    group, axis = SYMMETRIES[crystal]
    return Rotation.create_group(group, axis=axis)


def _between(quaternions: Floats, pairs: Integers) -> Rotation:
    """Rotations from the second grain's crystal axes to the first one's."""
    return Rotation.from_quat(quaternions[pairs[:, 0]]).inv() * Rotation.from_quat(quaternions[pairs[:, 1]])


def _product(p: Floats, q: Floats) -> Floats:
    """Products of quaternions (..., 4) with the real part last."""
    px, py, pz, pw = np.moveaxis(p, -1, 0)
    qx, qy, qz, qw = np.moveaxis(q, -1, 0)
    return np.stack(
        [pw * qx + px * qw + py * qz - pz * qy, pw * qy - px * qz + py * qw + pz * qx,
         pw * qz + px * qy - py * qx + pz * qw, pw * qw - px * qx - py * qy - pz * qz], axis=-1,
    )  # fmt: skip
