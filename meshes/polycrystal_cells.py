"""Convex grains: half-spaces around a centre, what contains a point, and how far the nearest boundary is."""

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: A point this far (nm) outside a grain is in it: what rounding makes of a point on a boundary.
_ROUNDING_NM = 1e-9
#: Places along each axis that are tried for the sides of the box.
_SIDES = 12
#: Grains that are tried around a point before all of them are.
_TRIED = 16


class Located(NamedTuple):
    """Where points (n,) are: number of the grain, distance to its nearest boundary (nm, inf without one), number of
    that boundary (-1 without one), and distance (nm) to the nearest triple line, inf where that is beyond the reach."""

    grain: Integers
    distance_nm: Floats
    boundary: Integers
    triple_nm: Floats


class Tessellation(Protocol):
    """What a polycrystal is made of, whatever it was made from."""

    @property
    def size_nm(self) -> Floats:
        """Lengths (dim,) of the box; two for columns."""
        ...

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Axes along which the box repeats."""
        ...

    @property
    def pairs(self) -> Integers:
        """Grains (b, 2) on both sides of each boundary."""
        ...

    @property
    def volume(self) -> Floats:
        """Area or volume (g,) of each grain, nm^dim."""
        ...

    def locate(self, points_nm: Floats, reach_nm: float = 0.0) -> Located:
        """Where points (n, dim) are; triple lines are looked for within ``reach_nm``."""
        ...


@dataclass(frozen=True, eq=False)
class Grain:
    """One convex grain in ``dim`` dimensions; all but the centre is relative to it, lengths in nm.

    ``normal`` (f, dim), outward, ``offset`` (f,) and ``boundary`` (f,): where its faces are, and the number of the
    boundary that each belongs to, -1 for a face that is none. ``corners``: (v, dim) for each face, in order around it,
    cut off at the surfaces of the box. ``lines`` (l, 2, dim): ends of its triple lines, the same point twice in two
    dimensions.
    """

    centre: Floats
    normal: Floats
    offset: Floats
    boundary: Integers
    corners: tuple[Floats, ...]
    lines: Floats


@dataclass(frozen=True, eq=False)
class ConvexGrains:
    """Convex grains that fill a box from 0 to ``size_nm`` (dim,), repeated along the axes that are ``periodic``.

    ``pairs`` (b, 2): grains on both sides of each boundary; ``volume`` (g,) of each grain in nm^dim. Surfaces of the
    box along other axes are no boundaries: grains go on beyond them. A point of a convex grain is as far from the
    grain's surface as from the nearest plane of it, so distances are exact; where that nearest point lies beyond a
    surface of the box, it is one of the boundary's continuation.
    """

    size_nm: Floats
    periodic: tuple[bool, ...]
    grains: tuple[Grain, ...]
    pairs: Integers
    volume: Floats

    def locate(self, points_nm: Floats, reach_nm: float = 0.0) -> Located:
        """Where points (n, dim) are; triple lines of a point's own grain are looked for within ``reach_nm``."""
        points = wrapped(points_nm, self.size_nm, self.periodic)
        count = len(points)
        result = Located(
            np.full(count, -1, dtype=np.int64), np.full(count, np.inf), np.full(count, -1, dtype=np.int64),
            np.full(count, np.inf),
        )  # fmt: skip
        images, tree = self._images
        left = np.arange(count)
        left = left[~self._try(points, left, np.asarray(tree.query(points)[1]), result, reach_nm)]
        for tried in (min(_TRIED, len(images)), len(images)):
            if not left.size:
                break
            _, near = tree.query(points[left], k=tried)
            near = near.reshape(len(left), -1)
            for rank in range(near.shape[1]):
                if not left.size:
                    break
                found = self._try(points, left, near[:, rank], result, reach_nm)
                left, near = left[~found], near[~found]
        if left.size:  # gaps between the planes of a file: the grain whose centre is nearest
            self._try(points, left, np.asarray(tree.query(points[left])[1]), result, reach_nm, slack=np.inf)
        return result

    def clear_of_sides(self, width_nm: float) -> "ConvexGrains":
        """These grains in two dimensions, moved so that the sides of the box cut off no needles.

        Sides stay clear of the corners of grains and of their interiors, ``width_nm`` / 2 inside, and the box's corner
        of boundaries' middles and rims: of the middles of the widest gaps, the pair that is the farthest from them.
        """
        corners = [np.zeros((0, 2))]
        for grain in self.grains:
            for line in grain.lines[:, 0]:
                # The two planes that meet there, and the point as far inside both.
                a, b = grain.normal[np.argsort(np.abs(grain.normal @ line - grain.offset))[:2]]
                inner = line - 0.5 * width_nm * (a + b) / max(1.0 + float(a @ b), 1e-6)
                corners += [(grain.centre + line)[None], (grain.centre + inner)[None]]
        points = wrapped(np.concatenate(corners), self.size_nm, self.periodic)
        if not len(points):
            return self
        middles, halves = [], []
        for axis, length in enumerate(self.size_nm):
            place = np.sort(points[:, axis])
            gap = np.diff(place, append=place[0] + length)
            widest = np.argsort(-gap, kind="stable")[:_SIDES]
            middles.append(place[widest] + 0.5 * gap[widest])
            halves.append(0.5 * gap[widest])
        origins = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 2)
        clear = np.minimum.outer(*halves).ravel()
        distance = self.locate(origins).distance_nm
        clear = np.minimum(clear, np.minimum(distance, np.abs(distance - 0.5 * width_nm)))
        move = -origins[np.argmax(clear)]
        moved = [replace(grain, centre=wrapped((grain.centre + move)[None], self.size_nm, self.periodic)[0])
                 for grain in self.grains]  # fmt: skip
        return replace(self, grains=tuple(moved))

    @cached_property
    def _images(self) -> tuple[Floats, cKDTree]:
        """Centres of all grains in this box and its neighbours (n * grains, dim), and a tree of them."""
        images = np.concatenate([[grain.centre + shift for grain in self.grains] for shift in self.shifts()])
        return images, cKDTree(images)

    def shifts(self) -> Floats:
        """Ways (n, dim) from the box to itself and the ones next to it, in nm."""
        steps = itertools.product(*((0, -1, 1) if wraps else (0,) for wraps in self.periodic))
        return np.array(list(steps), dtype=float) * self.size_nm

    def _try(
        self, points: Floats, which: Integers, image: Integers, result: Located, reach: float,
        slack: float = _ROUNDING_NM,
    ) -> NDArray[np.bool_]:  # fmt: skip
        """Write the result for those of the points ``which`` that lie in the grain proposed; say which do."""
        images, _ = self._images
        inside = np.zeros(len(which), dtype=bool)
        order = np.argsort(image, kind="stable")
        bounds = np.flatnonzero(np.diff(image[order], prepend=-1, append=-1))
        for first, last in itertools.pairwise(bounds):
            some = order[first:last]
            one = image[some[0]]
            number = int(one % len(self.grains))
            grain = self.grains[number]
            r = points[which[some]] - images[one]
            if not grain.offset.size:  # nothing but one crystal
                inside[some], result.grain[which[some]] = True, number
                continue
            gap = grain.offset - r @ grain.normal.T
            good = gap.min(axis=1) >= -slack
            inside[some] = good
            at = which[some[good]]
            result.grain[at] = number
            gap[:, grain.boundary < 0] = np.inf
            face = np.argmin(gap, axis=1)
            least = gap[np.arange(len(some)), face]
            result.distance_nm[at] = np.maximum(least[good], 0.0)
            result.boundary[at] = np.where(np.isfinite(least), grain.boundary[face], -1)[good]
            near = good & (least <= reach)
            if reach and grain.lines.size and np.any(near):
                result.triple_nm[which[some[near]]] = _to_segments(r[near], grain.lines, reach)
        return inside


def wrapped(points_nm: Floats, size_nm: Floats, periodic: tuple[bool, ...]) -> Floats:
    """Points (n, dim) folded back into the box along its periodic axes."""
    points = np.array(points_nm, dtype=float)
    for axis in np.flatnonzero(periodic):
        points[:, axis] %= size_nm[axis]
    return points


def _to_segments(points: Floats, lines: Floats, reach: float) -> Floats:
    """Distance (n,) of points (n, dim) to the nearest of some segments (l, 2, dim); inf beyond ``reach``."""
    along = lines[:, 1] - lines[:, 0]
    square = np.maximum(np.sum(along**2, axis=1), 1e-300)
    start = np.sum(lines[:, 0] * along, axis=1)
    t = np.clip((points @ along.T - start) / square, 0.0, 1.0)
    least = np.full(len(points), np.inf)
    for number in range(len(lines)):
        foot = lines[number, 0] + t[:, number, None] * along[number]
        np.minimum(least, np.sum((points - foot) ** 2, axis=1), out=least)
    least = np.sqrt(least)
    least[least > reach] = np.inf
    return least
