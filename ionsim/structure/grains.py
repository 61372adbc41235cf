"""What the sites of a lattice are in a polycrystalline film: interior of a grain, boundary of a class, triple line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ionsim.errors import StructureError

if TYPE_CHECKING:
    from meshes import Polycrystal

#: How far (nm) sites may stand outside the film in the plane: rounding.
_ROUNDING_NM = 1e-6


@dataclass(frozen=True, eq=False)
class SiteGrains:
    """Labels of N sites in a polycrystal.

    ``region`` (N,) number into ``regions``, for ``kmc.SiteGraph(region=...)``: "grain", then "low_symmetry" and
    "high_symmetry" boundaries, or "boundary" for all of them. ``grain`` (N,) number of the grain that a site is in, in
    a boundary the one whose half it is; ``distance_nm`` (N,) to the nearest boundary, inf without one; ``boundary``
    (N,) number of that boundary where the site is in it, else -1; ``triple`` (N,) within half the width of a triple
    line.
    """

    regions: tuple[str, ...]
    region: NDArray[np.int16]
    grain: NDArray[np.int32]
    distance_nm: NDArray[np.float64]
    boundary: NDArray[np.int32]
    triple: NDArray[np.bool_]

    def share(self) -> dict[str, float]:
        """Share of the sites in each region."""
        counts = np.bincount(self.region, minlength=len(self.regions))
        return {name: float(count / len(self.region)) for name, count in zip(self.regions, counts, strict=True)}


def site_grains(crystal: Polycrystal, positions_nm: ArrayLike, by_class: bool = True) -> SiteGrains:
    """Label sites at ``positions_nm`` (N, 3) by the film ``crystal``, in whose coordinates they are.

    A million sites take a few seconds. Raises ``StructureError`` where sites stand outside the film in the plane: a
    periodic film would give them the labels of others, so make it as large as the lattice's box.
    """
    positions = np.asarray(positions_nm, dtype=float)
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise StructureError(f"positions_nm has shape {positions.shape}; (N, 3) is needed")
    for axis, length in zip((0, 1), crystal.size_nm, strict=False):
        low, high = positions[:, axis].min(initial=0.0), positions[:, axis].max(initial=0.0)
        if low < -_ROUNDING_NM or high > length + _ROUNDING_NM:
            raise StructureError(
                f"sites stand from {low:.6g} to {high:.6g} nm along {'xy'[axis]}, outside the polycrystal, which is "
                f"{length:.6g} nm long"
            )
    found = crystal.locate(positions)
    region = crystal.region(found, by_class=by_class)
    return SiteGrains(
        regions=crystal.regions(by_class),
        region=region,
        grain=found.grain.astype(np.int32),
        distance_nm=found.distance_nm,
        boundary=np.where(region > 0, found.boundary, -1).astype(np.int32),
        triple=np.isfinite(found.triple_nm),
    )
