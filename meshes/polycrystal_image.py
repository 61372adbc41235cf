"""Grains of a label image: where a point lies between pixels, and how far the nearest other grain is."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt, find_objects
from scipy.spatial import cKDTree

from meshes.errors import MeshError
from meshes.polycrystal_cells import Floats, Integers, Located, wrapped


class _Fields(NamedTuple):
    """For each pixel: distance (nm) from its middle to the nearest boundary, and the number of that boundary."""

    distance_nm: Floats
    boundary: Integers


@dataclass(frozen=True, eq=False)
class ImageGrains:
    """Grains given by the labels (nx, ny) or (nx, ny, nz), from 0 on, of pixels with edges ``spacing_nm``.

    A pixel's middle is half a pixel nearer to its grain's boundary than to the nearest middle of a pixel of another
    grain; between middles the distance is interpolated, negative in the other grain. That is exact for boundaries along
    the pixels. Measured on images of Voronoi films: 0.2 of a pixel too short on average, 0.26 root mean square, at most
    0.84. A triple line is a corner of pixels where three grains meet.
    """

    labels: Integers
    spacing_nm: float
    periodic: tuple[bool, ...]

    @cached_property
    def size_nm(self) -> Floats:
        """Lengths (dim,) of the image."""
        return np.array(self.labels.shape) * self.spacing_nm

    @cached_property
    def volume(self) -> Floats:
        """Volumes (g,) of the grains in nm^dim."""
        return np.asarray(np.bincount(self.labels.ravel()) * self.spacing_nm**self.labels.ndim, dtype=float)

    @cached_property
    def pairs(self) -> Integers:
        """Grains (b, 2) on both sides of each boundary."""
        return np.stack(np.divmod(self._keys, self._count), axis=1)

    def locate(self, points_nm: Floats, reach_nm: float = 0.0) -> Located:
        """Where points (n, dim) are; triple lines are looked for within ``reach_nm``."""
        points = wrapped(points_nm, self.size_nm, self.periodic)
        scaled = points / self.spacing_nm
        own = self._index(np.floor(scaled).astype(np.int64))
        grain = self.labels[own]
        boundary = self._fields.boundary[own]
        low = np.floor(scaled - 0.5).astype(np.int64)
        part = scaled - 0.5 - low
        distance = np.zeros(len(points))
        for corner in np.ndindex(*(2,) * self.labels.ndim):
            weight = np.prod(np.where(corner, part, 1.0 - part), axis=1)
            at = self._index(low + corner)
            value = self._fields.distance_nm[at]
            distance += weight * np.where(self.labels[at] == grain, value, -value)
        distance = np.where(boundary >= 0, np.maximum(distance, 0.0), np.inf)
        triple = np.full(len(points), np.inf)
        if reach_nm and self._junctions is not None:
            near = np.flatnonzero(distance <= reach_nm)
            found, _ = self._junctions.query(points[near], distance_upper_bound=reach_nm)
            triple[near] = found
        return Located(grain, distance, boundary, triple)

    @property
    def _count(self) -> int:
        return int(self.labels.max()) + 1

    def _index(self, pixels: Integers) -> tuple[Integers, ...]:
        """Index of pixels (n, dim), wrapped or held at the ends."""
        shape = self.labels.shape
        return tuple(
            pixels[:, axis] % count if wraps else np.clip(pixels[:, axis], 0, count - 1)
            for axis, (count, wraps) in enumerate(zip(shape, self.periodic, strict=True))
        )

    @cached_property
    def _keys(self) -> Integers:
        """Sorted keys of the pairs of grains that share a pixel's face."""
        found = []
        for axis, wraps in enumerate(self.periodic):
            after = np.roll(self.labels, -1, axis=axis)
            before = self.labels
            if not wraps:
                keep = [slice(None)] * self.labels.ndim
                keep[axis] = slice(0, -1)
                before, after = before[tuple(keep)], after[tuple(keep)]
            low, high = np.minimum(before, after), np.maximum(before, after)
            found.append(np.unique(low[low != high] * self._count + high[low != high]))
        return np.unique(np.concatenate(found))

    @cached_property
    def _fields(self) -> _Fields:
        shape = self.labels.shape
        distance = np.full(shape, np.inf)
        boundary = np.full(shape, -1, dtype=np.int64)
        if not self._keys.size:
            return _Fields(distance, boundary)
        # Half the image more on both sides holds the nearest other grain of every pixel, or the image of one.
        margin = [(-(-count // 2), -(-count // 2)) if wraps else (0, 0)
                  for count, wraps in zip(shape, self.periodic, strict=True)]  # fmt: skip
        wide = np.pad(self.labels, margin, mode="wrap")
        inner = tuple(slice(low, low + count) for (low, _), count in zip(margin, shape, strict=True))
        for number, tight in enumerate(find_objects(wide + 1)):
            assert tight is not None  # labels have no gaps
            box = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in tight)
            here = np.zeros(wide.shape, dtype=bool)
            here[inner] = self.labels == number
            mine = wide[box] == number
            if np.all(mine):
                continue
            away, index = distance_transform_edt(mine, sampling=self.spacing_nm, return_indices=True)
            other = wide[box][tuple(index)]
            part = here[box]
            where = tuple(axis + piece.start - low for axis, piece, (low, _) in
                          zip(np.nonzero(part), box, margin, strict=True))  # fmt: skip
            distance[where] = away[part] - 0.5 * self.spacing_nm
            key = np.minimum(other[part], number) * self._count + np.maximum(other[part], number)
            place = np.minimum(np.searchsorted(self._keys, key), self._keys.size - 1)
            boundary[where] = np.where(self._keys[place] == key, place, boundary[where])
        return self._named(distance, boundary)

    def _named(self, distance: Floats, boundary: Integers) -> _Fields:
        """Where two grains touch at a corner of pixels only, the boundary of the nearest pixel that has one."""
        missing = boundary < 0
        if np.any(missing) and not np.all(missing):
            index = distance_transform_edt(missing, return_distances=False, return_indices=True)
            boundary = boundary[tuple(index)]
        return _Fields(distance, boundary)

    @cached_property
    def _junctions(self) -> cKDTree | None:
        """Corners of pixels around which three grains or more meet, in the image and around it."""
        dim = self.labels.ndim
        around = np.stack([np.roll(self.labels, corner, axis=tuple(range(dim))) for corner in np.ndindex(*(2,) * dim)])
        around.sort(axis=0)
        meets = np.count_nonzero(np.diff(around, axis=0), axis=0) >= 2
        for axis, wraps in enumerate(self.periodic):
            if not wraps:
                keep = [slice(None)] * dim
                keep[axis] = slice(0, 1)
                meets[tuple(keep)] = False
        corners = np.argwhere(meets) * self.spacing_nm
        if not len(corners):
            return None
        for along in np.flatnonzero(self.periodic):
            step = np.zeros(dim)
            step[along] = self.size_nm[along]
            corners = np.concatenate([corners, corners - step, corners + step])
        return cKDTree(corners)


def labelled(labels: ArrayLike, spacing_nm: float, periodic: tuple[bool, ...]) -> ImageGrains:
    """Grains of an array of integers, renumbered from 0 on in rising order. Raises MeshError for anything else."""
    array = np.asarray(labels)
    if array.ndim not in (2, 3) or not array.size or not np.issubdtype(array.dtype, np.integer):
        raise MeshError(f"labels must be integers in 2 or 3 dimensions, got {array.dtype} of shape {array.shape}")
    if not (np.isfinite(spacing_nm) and spacing_nm > 0.0):
        raise MeshError(f"spacing_nm must be a positive length in nm, got {spacing_nm!r}")
    _, index = np.unique(array, return_inverse=True)
    return ImageGrains(index.reshape(array.shape).astype(np.int64), float(spacing_nm), periodic[: array.ndim])


def read_labels(path: str | Path) -> NDArray[np.int64]:
    """Labels of a picture (PNG: every colour a grain; x to the right, y upwards) or of an .npz with ``labels``."""
    path = Path(path)
    try:
        if path.suffix == ".npz":
            with np.load(path) as file:
                return np.asarray(file["labels"])
        from matplotlib.image import imread

        picture = imread(path)
    except (OSError, KeyError, ValueError, SyntaxError) as error:
        raise MeshError(f"{path}: no labels can be read from it ({type(error).__name__}: {error})") from error
    colours = picture.reshape(*picture.shape[:2], -1)
    _, index = np.unique(colours.reshape(-1, colours.shape[2]), axis=0, return_inverse=True)
    return np.asarray(index.reshape(picture.shape[:2])[::-1].T.astype(np.int64))
