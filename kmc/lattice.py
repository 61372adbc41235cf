"""Textbook lattices, by default with nearest neighbours and periodic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kmc.sites import SiteGraph

#: Sites of the cubic cells in fractions of the edge, and the default cutoff: between the first and the second shell.
_SIMPLE = ([[0.0, 0.0, 0.0]], 1.2)
_BODY = ([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], 0.93)
_FACE = ([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]], 0.85)


def simple_cubic(n: int | Sequence[int], a_nm: float, *, cutoff_nm: float | None = None, **options: Any) -> SiteGraph:
    """Simple cubic lattice of ``n`` (one number, or three) cells with edge ``a_nm``: one site and 6 neighbours.

    Args:
        n: number of cells along every direction, or (nx, ny, nz).
        a_nm: edge of the cubic cell.
        cutoff_nm: neighbours are nearer than this; the nearest ones by default.
        options: ``periodic``, ``sublattice``, ``region`` of :meth:`kmc.SiteGraph.from_lattice`.

    Raises:
        KmcError: as :meth:`kmc.SiteGraph.from_lattice` does.
    """
    return _cubic(_SIMPLE, n, a_nm, cutoff_nm, options)


def bcc(n: int | Sequence[int], a_nm: float, *, cutoff_nm: float | None = None, **options: Any) -> SiteGraph:
    """Body-centred cubic lattice: 2 sites a cell, 8 neighbours; arguments and errors of :func:`simple_cubic`."""
    return _cubic(_BODY, n, a_nm, cutoff_nm, options)


def fcc(n: int | Sequence[int], a_nm: float, *, cutoff_nm: float | None = None, **options: Any) -> SiteGraph:
    """Face-centred cubic lattice: 4 sites a cell, 12 neighbours; arguments and errors of :func:`simple_cubic`."""
    return _cubic(_FACE, n, a_nm, cutoff_nm, options)


def square(
    nx: int,
    ny: int,
    spacing_nm: float,
    *,
    cutoff_nm: float | None = None,
    periodic: Sequence[bool] = (True, True),
    **options: Any,
) -> SiteGraph:
    """Square lattice of nx * ny sites in the plane z = 0: 4 neighbours.

    Args:
        nx: number of sites along x.
        ny: number of sites along y.
        spacing_nm: distance of nearest neighbours.
        cutoff_nm: neighbours are nearer than this; the nearest ones by default.
        periodic: whether x and y wrap.
        options: ``sublattice``, ``region`` of :meth:`kmc.SiteGraph.from_lattice`.

    Raises:
        KmcError: as :meth:`kmc.SiteGraph.from_lattice` does.
    """
    options["periodic"] = (*periodic, False)
    return _cubic(_SIMPLE, (nx, ny, 1), spacing_nm, cutoff_nm, options)


def _cubic(
    lattice: tuple[list[list[float]], float],
    n: int | Sequence[int],
    a_nm: float,
    cutoff_nm: float | None,
    options: dict[str, Any],
) -> SiteGraph:
    basis, nearest = lattice
    repeat = (n,) * 3 if isinstance(n, int | np.integer) else n
    return SiteGraph.from_lattice(
        (a_nm,) * 3, basis, repeat, cutoff_nm=nearest * a_nm if cutoff_nm is None else cutoff_nm, **options
    )
