"""Voronoi and Laguerre tessellations of a periodic film: grains around seeds, with sizes as asked for."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import spsolve
from scipy.spatial import ConvexHull, QhullError, cKDTree

from meshes.errors import MeshError
from meshes.polycrystal_cells import ConvexGrains, Grain

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Neighbours and mirror images are looked for this many mean spacings outside the box at first.
_MARGIN = 4.0
#: Faces smaller than this share of spacing^(dim - 1) are what rounding makes of a corner or an edge.
_SMALL = 1e-9
#: Corners nearer than this share of the spacing are one.
_SAME = 1e-7
#: How often seeds are drawn anew when a grain touches its own image.
_DRAWS = 200
#: Volumes agree with those asked for to this share of the mean volume.
_VOLUME = 1e-6


@dataclass(frozen=True, eq=False)
class _Faces:
    """Faces (f,) of all cells of a tessellation, each twice, once from either side; lengths in nm.

    ``cell`` and ``other``: the cell and the grain beyond, -1 beyond a surface; ``shift`` (f, dim) from the other's seed
    to its image there; ``height`` from the seed to the plane along ``normal`` (f, dim); ``corners`` (f, v, dim) around
    the face, relative to the seed, the last one repeated; ``area`` and ``middle`` (f, dim) of the face.
    """

    cell: Integers
    other: Integers
    shift: Floats
    normal: Floats
    height: Floats
    corners: Floats
    area: Floats
    middle: Floats


class Laguerre:
    """Seeds (g, dim) in a box from 0 to ``size_nm`` with weights (g,) in nm^2: grain i is where |x - seed_i|^2 -
    weight_i is less than for any other seed or image of one. Without weights it is the Voronoi tessellation.

    The box repeats along ``periodic`` axes. Along others the seeds are mirrored at both ends: a seed and its mirror
    image are equally far from the end, so that the grains end there and are otherwise those without mirrors.
    Raises MeshError where a grain is empty.
    """

    def __init__(self, seeds_nm: Floats, weights: Floats, size_nm: Floats, periodic: tuple[bool, ...]) -> None:
        self.seeds, self.weights, self.size, self.periodic = seeds_nm, weights, size_nm, periodic
        self.spacing = float(np.prod(size_nm) / len(seeds_nm)) ** (1.0 / size_nm.size)
        self.faces = self._faces()
        dim = size_nm.size
        pyramid = self.faces.area * self.faces.height / dim
        count = len(seeds_nm)
        self.volume = np.bincount(self.faces.cell, pyramid, count)
        top = pyramid[:, None] * self.faces.middle * dim / (dim + 1)
        moment = np.stack([np.bincount(self.faces.cell, column, count) for column in top.T], axis=1)
        self.centroid = seeds_nm + moment / self.volume[:, None]

    def _faces(self) -> _Faces:
        for margin in (_MARGIN * self.spacing, math.inf):
            origin, shift, sign, at = self._with_images(margin)
            weight = self.weights[origin]
            try:
                corner, rows = _dual(at / self.spacing, weight / self.spacing**2, len(self.seeds))
            except QhullError as error:
                raise MeshError(f"the tessellation failed: {str(error).splitlines()[0]}") from error
            corner = corner * self.spacing
            if math.isinf(margin) or self._complete(corner, rows):
                break
        count, dim = len(self.seeds), self.size.size
        if len(np.unique(rows[:, 0])) < count:
            raise MeshError("a grain is empty")
        # One group of corners for every ordered pair of neighbours.
        key, group = np.unique(rows[:, 0] * len(at) + rows[:, 1], return_inverse=True)
        group = group.ravel()
        cell, image = np.divmod(key, len(at))
        relative = at[image] - self.seeds[cell]
        length = np.linalg.norm(relative, axis=1)
        normal = relative / length[:, None]
        height = 0.5 * (length + (self.weights[cell] - weight[image]) / length)
        corners = _around(corner[rows[:, 2]] - self.seeds[cell[group]], group, normal)
        area, middle = _measure(corners, normal)
        mirrored = np.any(sign[image] < 0, axis=1)
        other = np.where(mirrored, -1, origin[image])
        keep = area > _SMALL * self.spacing ** (dim - 1)
        return _Faces(cell[keep], other[keep], shift[image][keep], normal[keep], height[keep], corners[keep],
                      area[keep], middle[keep])  # fmt: skip

    def _with_images(self, margin: float) -> tuple[Integers, Floats, Floats, Floats]:
        """Seeds and images: seed of each, its shift and sign (-1 mirrored) along each axis, and its place."""
        origins, shifts, signs, places = [], [], [], []
        axes = []
        for length, wraps in zip(self.size, self.periodic, strict=True):
            moved = ((1.0, -length), (1.0, length)) if wraps else ((-1.0, 0.0), (-1.0, 2.0 * length))
            axes.append(((1.0, 0.0), *moved))
        for combination in itertools.product(*axes):
            sign, shift = np.array(combination).T
            if np.count_nonzero(sign < 0) > 1:
                continue
            place = self.seeds * sign + shift
            near = np.flatnonzero(np.all((place > -margin) & (place < self.size + margin), axis=1))
            origins.append(near)
            shifts.append(np.tile(shift, (near.size, 1)))
            signs.append(np.tile(sign, (near.size, 1)))
            places.append(place[near])
        return np.concatenate(origins), np.concatenate(shifts), np.concatenate(signs), np.concatenate(places)

    def _complete(self, corner: Floats, rows: Integers) -> bool:
        """Whether no image that was left out comes nearer to a corner of a cell than the cell's own seed."""
        origin, _, _, places = self._with_images(math.inf)
        most = float(self.weights.max())
        lifted = np.column_stack([places, np.sqrt(most - self.weights[origin])])
        used, where = np.unique(rows[:, 2], return_index=True)
        own = rows[where, 0]
        points = corner[used]
        if not np.all(np.isfinite(points)):
            return False
        least, _ = cKDTree(lifted).query(np.column_stack([points, np.zeros(len(points))]))
        power = np.sum((points - self.seeds[own]) ** 2, axis=1) - self.weights[own] + most
        return bool(np.all(least**2 >= power - 1e-6 * self.spacing**2))


def _dual(at: Floats, weight: Floats, count: int) -> tuple[Floats, Integers]:
    """Corners of the cells (c, dim), and rows (n, 3): a cell, another seed, and a corner that both have.

    The weighted seeds lie on a paraboloid one dimension up; each lower facet of their hull is a corner, at half the
    gradient of the facet's plane.
    """
    dim = at.shape[1]
    middle = at.mean(axis=0)
    local = at - middle
    hull = ConvexHull(np.column_stack([local, np.sum(local**2, axis=1) - weight]), qhull_options="Qt")
    lower = np.flatnonzero(hull.equations[:, dim] < -1e-12)
    corner = -0.5 * hull.equations[lower, :dim] / hull.equations[lower, dim, None] + middle
    simplex = hull.simplices[lower].astype(np.int64)
    rows = []
    for a, b in itertools.permutations(range(dim + 1), 2):
        own = np.flatnonzero(simplex[:, a] < count)
        rows.append(np.column_stack([simplex[own, a], simplex[own, b], own]))
    return corner, np.concatenate(rows)


def _around(points: Floats, group: Integers, normal: Floats) -> Floats:
    """Corners (f, v, dim) in order around each face, from those of all faces (n, dim) and their face (n,)."""
    dim = points.shape[1]
    order = np.argsort(group, kind="stable")
    points, group = points[order], group[order]
    start = np.searchsorted(group, np.arange(len(normal)))
    amount = np.bincount(group, minlength=len(normal))
    place = np.minimum(np.arange(amount.max()), amount[:, None] - 1)
    corners = points[start[:, None] + place]
    middle = np.add.reduceat(points, start, axis=0) / amount[:, None]
    local = corners - middle[:, None]
    if dim == 2:
        along = np.stack([-normal[:, 1], normal[:, 0]], axis=1)
        t = np.einsum("fvd,fd->fv", local, along)
        ends = np.stack([np.argmin(t, axis=1), np.argmax(t, axis=1)], axis=1)
        return np.take_along_axis(corners, ends[:, :, None], axis=1)
    helper = np.eye(3)[np.argmin(np.abs(normal), axis=1)]
    first = np.cross(normal, helper)
    first /= np.linalg.norm(first, axis=1)[:, None]
    second = np.cross(normal, first)
    angle = np.arctan2(np.einsum("fvd,fd->fv", local, second), np.einsum("fvd,fd->fv", local, first))
    return np.take_along_axis(corners, np.argsort(angle, axis=1)[:, :, None], axis=1)


def _measure(corners: Floats, normal: Floats) -> tuple[Floats, Floats]:
    """Area (f,) and centroid (f, dim) of faces with corners (f, v, dim): length and middle in two dimensions."""
    if corners.shape[2] == 2:
        return np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1), corners.mean(axis=1)
    middle = corners.mean(axis=1)
    local = corners - middle[:, None]
    after = np.roll(local, -1, axis=1)
    part = 0.5 * np.einsum("fvd,fd->fv", np.cross(local, after), normal)
    area = part.sum(axis=1)
    moment = np.einsum("fv,fvd->fd", part, (local + after) / 3.0)
    return area, middle + moment / np.maximum(area, 1e-300)[:, None]


def sized(seeds_nm: Floats, volumes: Floats, size_nm: Floats, periodic: tuple[bool, ...], weights: Floats) -> Laguerre:
    """The Laguerre tessellation around these seeds whose grains have these volumes (g,), which fill the box.

    There is one for any distinct seeds (Aurenhammer, Hoffmann, Aronov, Algorithmica 20, 61 (1998)); its weights come
    from damped Newton steps (Kitagawa, Merigot, Thibert, J. Eur. Math. Soc. 21, 2603 (2019)): moving a plane by the
    weights changes a volume by the face's area over twice the distance of its seeds.
    """
    try:
        cells = Laguerre(seeds_nm, weights, size_nm, periodic)
    except MeshError:  # an earlier step's weights may leave a grain empty; without weights none is
        cells = Laguerre(seeds_nm, np.zeros(len(seeds_nm)), size_nm, periodic)
    floor = 0.5 * min(float(cells.volume.min()), float(volumes.min()))
    mean, count = float(volumes.mean()), len(seeds_nm)
    for _ in range(60):
        miss = volumes - cells.volume
        if np.abs(miss).max() < _VOLUME * mean:
            return cells
        faces = cells.faces
        inner = (faces.other >= 0) & (faces.other != faces.cell)
        cell, other = faces.cell[inner], faces.other[inner]
        relative = seeds_nm[other] + faces.shift[inner] - seeds_nm[cell]
        slope = faces.area[inner] / (2.0 * np.linalg.norm(relative, axis=1))
        matrix = csc_array((np.concatenate([slope, -slope]), (np.tile(cell, 2), np.concatenate([cell, other]))),
                           shape=(count, count))  # fmt: skip
        step = np.zeros(count)
        step[1:] = spsolve(matrix[1:, 1:], miss[1:])  # only differences of weights matter
        size = 1.0
        while size > 1e-6:
            try:
                trial = Laguerre(seeds_nm, cells.weights + size * step, size_nm, periodic)
            except MeshError:
                size *= 0.5
                continue
            least = np.abs(volumes - trial.volume).max()
            if trial.volume.min() > floor and least < (1.0 - 0.5 * size) * np.abs(miss).max() + _VOLUME * mean:
                break
            size *= 0.5
        else:
            break
        cells = trial
    raise MeshError("no tessellation with these sizes of grains was found; try another seed or a smaller spread")


def grow(
    size_nm: Floats,
    periodic: tuple[bool, ...],
    count: int,
    spread: float | None,
    lloyd: int,
    generator: np.random.Generator,
) -> ConvexGrains:
    """``count`` grains around seeds drawn at random, sized and relaxed as :meth:`meshes.Polycrystal.voronoi` says."""
    dim = size_nm.size
    failure = "a grain is its own neighbour"
    for _ in range(_DRAWS):
        seeds = generator.random((count, dim)) * size_nm
        weights = np.zeros(count)
        volumes = None
        if spread is not None:
            volumes = np.exp(dim * spread * generator.standard_normal(count))
            volumes *= np.prod(size_nm) / volumes.sum()
        try:
            for step in range(lloyd + 1):
                if volumes is None:
                    cells = Laguerre(seeds, weights, size_nm, periodic)
                else:
                    cells = sized(seeds, volumes, size_nm, periodic, weights)
                    weights = cells.weights
                if step < lloyd:
                    seeds = cells.centroid.copy()
                    for axis in np.flatnonzero(periodic):
                        seeds[:, axis] %= size_nm[axis]
        except MeshError as error:
            failure = str(error)
            continue
        if not np.any(cells.faces.cell == cells.faces.other):
            return convex_grains(cells)
    raise MeshError(
        f"{count} grains do not tile the film in {_DRAWS} draws ({failure}); take more of them, or a boundary alone "
        "(Polycrystal.boundary)"
    )


def convex_grains(cells: Laguerre) -> ConvexGrains:
    """Planes, corners and triple lines of the grains, and one boundary for each pair of grains that touch."""
    faces, dim, count = cells.faces, cells.size.size, len(cells.seeds)
    inner = faces.other >= 0
    low, high = np.minimum(faces.cell, faces.other), np.maximum(faces.cell, faces.other)
    key, number = np.unique((low * count + high)[inner], return_inverse=True)
    boundary = np.full(len(inner), -1, dtype=np.int64)
    boundary[inner] = number.ravel()
    grains = []
    for cell in range(count):
        own = np.flatnonzero((faces.cell == cell) & inner)
        centre = cells.centroid[cell]
        move = centre - cells.seeds[cell]
        corners = tuple(_distinct(faces.corners[face] - move, _SAME * cells.spacing) for face in own)
        grains.append(
            Grain(
                centre=centre,
                normal=faces.normal[own],
                offset=faces.height[own] - faces.normal[own] @ move,
                boundary=boundary[own],
                corners=corners,
                lines=triple_lines(corners, dim, _SAME * cells.spacing),
            )
        )
    pairs = np.stack(np.divmod(key, count), axis=1)
    return ConvexGrains(cells.size, cells.periodic, tuple(grains), pairs, cells.volume)


def _distinct(corners: Floats, same: float) -> Floats:
    """Corners around a face without repetitions."""
    if corners.shape[1] == 2:
        return corners
    apart = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1) > same
    return corners[apart] if np.any(apart) else corners[:1]


def triple_lines(corners: tuple[Floats, ...], dim: int, same: float) -> Floats:
    """Edges (l, 2, dim) that two faces of a grain share: where it meets two others. In 2D corners, twice each."""
    if dim == 2:
        ends = np.concatenate(corners) if corners else np.empty((0, 2))
        segments = np.stack([ends, ends], axis=1)
    else:
        parts = [np.stack([face, np.roll(face, -1, axis=0)], axis=1) for face in corners if len(face) > 2]
        segments = np.concatenate(parts) if parts else np.empty((0, 2, 3))
    if not len(segments):
        return segments
    middle = segments.mean(axis=1)
    pairs = cKDTree(middle).query_pairs(10.0 * same, output_type="ndarray")
    if dim == 3:  # the same middle and the same ends
        a, b = segments[pairs[:, 0]], segments[pairs[:, 1]]
        apart = np.minimum(np.abs(a - b).max(axis=(1, 2)), np.abs(a - b[:, ::-1]).max(axis=(1, 2)))
        pairs = pairs[apart < 20.0 * same]
    return segments[np.unique(pairs.min(axis=1))]
