"""A filament of bonds with a gap and a cloud of stray sites around it: the test problem that several cases share."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import fem

STRONG_S = 1e-4
SPACING_NM = 0.5


def box_sites(core_nm: tuple[float, float], oxide_nm: float) -> NDArray[np.float64]:
    """All points (sites, 3) of a cubic lattice of 0.5 nm in 0..core_nm, 0..oxide_nm."""
    axes = [np.arange(0.0, length + 1e-9, SPACING_NM) for length in (*core_nm, oxide_nm)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def set_filament(problem: fem.Conduction, core_nm: tuple[float, float], oxide_nm: float, gap_nm: float) -> int:
    """Give ``problem`` the bonds of a random filament; returns their number.

    Occupied are 80 % of the sites within 0.8 nm of the axis, except in a gap of ``gap_nm``, and 8 % elsewhere. Occupied
    neighbours have 1e-4 S, falling by e every 0.02 nm beyond the lattice spacing out to 0.9 nm, so bonds span eight
    decades and many clusters touch no electrode.
    """
    points = box_sites(core_nm, oxide_nm)
    radius = np.hypot(points[:, 0] - core_nm[0] / 2, points[:, 1] - core_nm[1] / 2)
    gap = np.abs(points[:, 2] - 0.6 * oxide_nm) < gap_nm / 2
    probability = np.where((radius < 0.8) & ~gap, 0.8, 0.08)
    sites = points[np.random.default_rng(1).random(len(points)) < probability]
    pairs = cKDTree(sites).query_pairs(0.9, output_type="ndarray")
    length = np.linalg.norm(sites[pairs[:, 0]] - sites[pairs[:, 1]], axis=1)
    conductance = STRONG_S * np.exp(-np.maximum(length - SPACING_NM, 0.0) / 0.02)
    dofs = fem.SiteOperator(problem, sites, kind="nearest").dofs
    problem.set_bonds(dofs[pairs[:, 0]], dofs[pairs[:, 1]], conductance)
    return len(pairs)
