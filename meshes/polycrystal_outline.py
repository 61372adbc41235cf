"""Plane figures of convex grains: the interiors, the boundaries as strips, and their mesh by gmsh."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from meshes.errors import MeshError
from meshes.polycrystal import Polycrystal
from meshes.polycrystal_cells import ConvexGrains, Floats, Integers
from meshes.shapes import collect
from meshes.simplices import Simplices

#: Corners nearer than this (nm) are one.
_SAME_NM = 1e-6
#: A figure of less than this area (nm^2) is none.
_EMPTY_NM2 = 1e-9


class Figure(NamedTuple):
    """A convex polygon (n, 2), counterclockwise in nm, and the name of its region."""

    region: str
    corners: Floats


def figures(crystal: Polycrystal, facets: bool, by_class: bool) -> list[Figure]:
    """The film cut into convex polygons: its plan view in (x, y) if columnar, a bicrystal's section in (x, z).

    With ``facets`` every polygon is a grain, "grain_i"; without, an interior, or the part of a boundary's width that
    lies in one grain and nearest to this boundary. They are the regions of ``crystal``, exactly: the points of a convex
    grain farther than w / 2 from its boundaries are the polygon of its planes moved in by w / 2. Raises MeshError for a
    film without such an outline.
    """
    cells = crystal.tessellation
    axes = [0, 1] if crystal.columnar else [0, 2]
    if not isinstance(cells, ConvexGrains):
        raise MeshError("boundaries of a label image are no straight lines; mesh it on a grid")
    if not crystal.columnar and any(np.any(np.abs(grain.normal[:, 1]) > 1e-12) for grain in cells.grains):
        raise MeshError("grains that are no columns have no outline in the plane; mesh them on a grid")
    size = np.array(crystal.size_nm)[axes]
    box = np.array([[0.0, 0.0], [size[0], 0.0], size, [0.0, size[1]]])
    names = crystal.regions(by_class)
    faulted = any(np.any(grain.boundary < 0) for grain in cells.grains)
    found = []
    for shift in cells.shifts():
        if not crystal.columnar and shift[1]:
            continue
        # Across a fault of the period the same body goes on, as the other grain.
        period = round(float(shift[0]) / crystal.size_nm[0])
        for number, grain in enumerate(cells.grains):
            normal = grain.normal[:, axes] if not crystal.columnar else grain.normal
            offset = grain.offset + normal @ (grain.centre + shift)[axes if not crystal.columnar else slice(None)]
            whole = _cut(box, normal, offset)
            if whole is None:
                continue
            if facets:
                body = (period + number) % 2 if faulted else number
                found.append(Figure(f"grain_{body}", whole))
                continue
            real = grain.boundary >= 0
            inner = _cut(whole, normal[real], offset[real] - 0.5 * crystal.width_nm)
            if inner is not None:
                found.append(Figure(names[0], inner))
            for face in np.flatnonzero(real):
                others = np.flatnonzero(real & (np.arange(real.size) != face))
                strip = _cut(
                    whole,
                    np.concatenate([-normal[face : face + 1], normal[others] - normal[face]]),
                    np.append(0.5 * crystal.width_nm - offset[face], offset[others] - offset[face]),
                )
                if strip is not None:
                    found.append(Figure(names[1 + (crystal.high[grain.boundary[face]] if by_class else 0)], strip))
    return found


def _cut(corners: Floats, normal: Floats, offset: Floats) -> Floats | None:
    """The part of a convex polygon (n, 2) where normal . x <= offset for all planes (f, 2), (f,); None if empty."""
    for direction, place in zip(normal, offset, strict=True):
        height = corners @ direction - place
        if np.all(height <= 0.0):
            continue
        after = np.roll(corners, -1, axis=0)
        beyond = np.roll(height, -1)
        kept: list[Floats] = []
        for here, there, low, high in zip(corners, after, height, beyond, strict=True):
            if low <= 0.0:
                kept.append(here)
            if low * high < 0.0:
                kept.append(here + (there - here) * (low / (low - high)))
        if len(kept) < 3:
            return None
        corners = np.array(kept)
    x, y = corners.T
    area = 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    return corners if area > _EMPTY_NM2 else None


class _Drawing(NamedTuple):
    """Points (n, 2) of some polygons, edges (m, 2) between them, and the signed edges of each, counted from 1."""

    points: Floats
    edges: Integers
    loops: list[list[int]]


def draw(parts: Sequence[Figure]) -> _Drawing:
    """Points and edges of polygons that fill an area; where one has a corner on another's edge, both have it."""
    corners = np.concatenate([part.corners for part in parts])
    points, index = _merge(corners)
    loops: list[list[int]] = []
    edges: dict[tuple[int, int], int] = {}
    first = 0
    tree = cKDTree(points)
    for part in parts:
        ring = index[first : first + len(part.corners)]
        first += len(part.corners)
        ring = ring[ring != np.roll(ring, 1)]
        loop = []
        for a, b in zip(ring.tolist(), np.roll(ring, -1).tolist(), strict=True):
            for c, d in _through(points, tree, a, b):
                key = (min(c, d), max(c, d))
                number = edges.setdefault(key, len(edges) + 1)
                loop.append(number if (c, d) == key else -number)
        loops.append(loop)
    return _Drawing(points, np.array(list(edges), dtype=np.int64), loops)


def _merge(corners: Floats) -> tuple[Floats, Integers]:
    """Different points (n, 2), and which one each corner is."""
    tree = cKDTree(corners)
    index = np.arange(len(corners))
    for a, b in sorted(tree.query_pairs(_SAME_NM)):  # the first of several that are one
        index[b] = min(index[b], index[a])
    used, dense = np.unique(index, return_inverse=True)
    return corners[used], dense.ravel()


def _through(points: Floats, tree: cKDTree, a: int, b: int) -> list[tuple[int, int]]:
    """The edge from a to b, in pieces where other points lie on it."""
    along = points[b] - points[a]
    length = float(np.linalg.norm(along))
    near = np.array(tree.query_ball_point(0.5 * (points[a] + points[b]), 0.5 * length + _SAME_NM))
    r = points[near] - points[a]
    t = r @ along / length
    off = np.abs(r[:, 0] * along[1] - r[:, 1] * along[0]) / length
    on = (off < _SAME_NM) & (t > _SAME_NM) & (t < length - _SAME_NM)
    chain = [a, *near[on][np.argsort(t[on])].tolist(), b]
    return list(itertools.pairwise(chain))


def triangles(
    gmsh: Any,
    parts: Sequence[Figure],
    regions: dict[str, int],
    size_nm: float,
    growth: float,
    largest_nm: float,
    periodic: tuple[bool, bool],
) -> Simplices:
    """Mesh the polygons: edges are ``size_nm`` at boundaries, ``growth`` times longer from one to the next inside.

    Nodes on opposite sides of the box are the same along axes that are ``periodic``.
    """
    drawing = draw(parts)
    geo = gmsh.model.geo
    tags = [geo.addPoint(x, y, 0.0) for x, y in drawing.points.tolist()]
    for number, (a, b) in enumerate(drawing.edges.tolist(), start=1):
        geo.addLine(tags[a], tags[b], number)
    region_of = {}
    for part, loop in zip(parts, drawing.loops, strict=True):
        region_of[geo.addPlaneSurface([geo.addCurveLoop(loop)])] = regions[part.region]
    geo.synchronize()
    fields = gmsh.model.mesh.field
    distance, size = fields.add("Distance"), fields.add("Threshold")
    ends = drawing.points[drawing.edges]
    longest = float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).max())
    fields.setNumbers(distance, "CurvesList", _fine(parts, drawing))
    fields.setNumber(distance, "Sampling", max(2, math.ceil(longest / size_nm)))
    for name, value in {"InField": distance, "SizeMin": size_nm, "SizeMax": largest_nm, "DistMin": 0.0,
                        "DistMax": max((largest_nm - size_nm) / (growth - 1.0), _SAME_NM)}.items():  # fmt: skip
        fields.setNumber(size, name, value)
    least = fields.add("Min")
    fields.setNumbers(least, "FieldsList", [size, *_small_at(fields, ends, size_nm, growth, largest_nm)])
    fields.setAsBackgroundMesh(least)
    for option in ("SizeExtendFromBoundary", "SizeFromPoints", "SizeFromCurvature"):
        gmsh.option.setNumber(f"Mesh.Mesh{option}", 0)
    for axis in np.flatnonzero(periodic):
        low, high, length = _opposite(ends, int(axis))
        move = [length, 0.0] if axis == 0 else [0.0, length]
        affine = [1.0, 0.0, 0.0, move[0], 0.0, 1.0, 0.0, move[1], 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
        gmsh.model.mesh.setPeriodic(1, high, low, affine)
    gmsh.option.setNumber("Mesh.Algorithm", 6)  # Frontal-Delaunay: the best triangles
    gmsh.model.mesh.generate(2)
    return collect(gmsh, 2, region_of)


def _small_at(fields: Any, ends: Floats, size_nm: float, growth: float, largest_nm: float) -> list[int]:
    """Fields that make edges next to short ones as short as they are, growing away, so that no needles arise.

    Boundaries between random seeds may be as short as they like.
    """
    numbers = []
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    for edge in np.flatnonzero(length < 0.5 * size_nm):
        x, y = ends[edge].mean(axis=0).tolist()
        number, short = int(fields.add("Ball")), float(length[edge])
        for name, value in {"XCenter": x, "YCenter": y, "Radius": short, "VIn": short, "VOut": largest_nm,
                            "Thickness": (largest_nm - short) / (growth - 1.0)}.items():  # fmt: skip
            fields.setNumber(number, name, value)
        numbers.append(number)
    return numbers


def _fine(parts: Sequence[Figure], drawing: _Drawing) -> list[int]:
    """Edges around strips of boundaries; where there are no strips, those between two grains."""
    strips: set[int] = set()
    seen: dict[int, set[str]] = {}
    for part, loop in zip(parts, drawing.loops, strict=True):
        for edge in map(abs, loop):
            seen.setdefault(edge, set()).add(part.region)
            if not part.region.startswith("grain"):
                strips.add(edge)
    return sorted(strips) or [edge for edge, names in seen.items() if len(names) == 2] or sorted(seen)


def _opposite(ends: Floats, axis: int) -> tuple[list[int], list[int], float]:
    """Edges at the low and at the high end of an axis, in pairs that are images of each other; the length between."""
    place = ends[:, :, axis]
    low, high = float(place.min()), float(place.max())
    sides = []
    for end in (low, high):
        there = np.flatnonzero(np.all(np.abs(place - end) < _SAME_NM, axis=1))
        middle = ends[there, :, 1 - axis].mean(axis=1)
        sides.append((there[np.argsort(middle)], np.sort(middle)))
    (first, before), (last, after) = sides
    if len(first) != len(last) or not np.allclose(before, after, rtol=0.0, atol=10.0 * _SAME_NM):
        raise MeshError("opposite sides of the film do not match")
    return (first + 1).tolist(), (last + 1).tolist(), high - low
