"""Polycrystalline films and bicrystals as geometries of the catalogue, from plain numbers."""

from collections.abc import Sequence

import numpy as np
from mpi4py import MPI

from meshes.grading import intervals
from meshes.labelled import LabelledMesh
from meshes.polycrystal import Polycrystal
from meshes.polycrystal_mesh import grain_grid, grain_mesh


def polycrystal(
    film_nm: tuple[float, float] = (40.0, 40.0),
    grain_nm: float = 10.0,
    spread: float = 0.3,
    seed: int = 0,
    boundary_nm: float = 1.0,
    facets: bool = False,
    split: bool = False,
    by_class: bool = False,
    size_nm: float = 0.5,
    growth: float = 1.3,
    largest_nm: float = 2.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A film of columnar grains in plan view, periodic. Triangles. All lengths in nm; the defaults are chosen.

    Grains of mean diameter ``grain_nm``, lognormal with the standard deviation ``spread`` of ln d, around seeds drawn
    by ``seed``, orientations at random (:meth:`meshes.Polycrystal.voronoi`). Boundaries are strips of boundary_nm, or
    ``facets``, along which the mesh may be ``split``; ``by_class`` names strips by their class. Regions, surfaces,
    ``size_nm``, ``growth``, largest_nm: :func:`meshes.grain_mesh`. Raises MeshError naming the argument that is wrong.
    """
    crystal = Polycrystal.voronoi((*film_nm, 1.0), grain_nm=grain_nm, spread=spread, seed=seed, width_nm=boundary_nm)
    return grain_mesh(crystal, size_nm, growth, largest_nm, facets, split, by_class, comm=comm)


def polycrystal_3d(
    film_nm: tuple[float, float] = (20.0, 20.0),
    thickness_nm: float = 5.0,
    grain_nm: float = 10.0,
    spread: float = 0.3,
    seed: int = 0,
    boundary_nm: float = 1.0,
    facets: bool = False,
    split: bool = False,
    by_class: bool = False,
    size_nm: float = 0.5,
    growth: float = 1.3,
    largest_nm: float = 2.0,
    layer_nm: float = 1.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A film of columnar grains in 3D, periodic in the plane. Tetrahedra. Lengths in nm; the defaults are chosen.

    The plan view of :func:`polycrystal` through thickness_nm, in layers no thicker than layer_nm.
    """
    crystal = Polycrystal.voronoi(
        (*film_nm, thickness_nm), grain_nm=grain_nm, spread=spread, seed=seed, width_nm=boundary_nm
    )
    depth = np.linspace(0.0, thickness_nm, intervals(thickness_nm, layer_nm) + 1)
    return grain_mesh(crystal, size_nm, growth, largest_nm, facets, split, by_class, depth.tolist(), comm)


def equiaxed(
    film_nm: tuple[float, float] = (20.0, 20.0),
    thickness_nm: float = 10.0,
    grain_nm: float = 8.0,
    spread: float = 0.3,
    seed: int = 0,
    boundary_nm: float = 1.0,
    by_class: bool = False,
    section: bool = False,
    size_nm: float = 0.5,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A film of equiaxed grains on a grid, periodic in the plane. Tetrahedra. Lengths in nm; the defaults are chosen.

    As :func:`polycrystal_3d`, but grains are as deep as wide, and boundaries are steps of the grid's cells, of
    ``size_nm``. With ``section`` triangles, the film's middle in (x, z). Regions and surfaces:
    :func:`meshes.grain_grid`.
    """
    crystal = Polycrystal.voronoi(
        (*film_nm, thickness_nm), grain_nm=grain_nm, columnar=False, spread=spread, seed=seed, width_nm=boundary_nm
    )
    return grain_grid(crystal, size_nm, "xz" if section else "xyz", by_class=by_class, comm=comm)


def bicrystal(
    film_nm: tuple[float, float] = (20.0, 5.0),
    position_nm: float = 10.0,
    tilt_deg: float = 0.0,
    boundary_nm: float = 1.0,
    boundaries: int = 1,
    facets: bool = False,
    split: bool = False,
    size_nm: float = 0.25,
    growth: float = 1.3,
    largest_nm: float = 1.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """One grain boundary through a film, in section (x, z), periodic. Triangles. Lengths in nm; defaults are chosen.

    A film of film_nm along x and z, its boundary boundary_nm wide at x = position_nm at half height, tilt_deg off the
    film normal; 1 or 2 ``boundaries`` in the period (:meth:`meshes.Polycrystal.boundary`). The rest as for
    :func:`polycrystal`.
    """
    x, z = film_nm
    crystal = Polycrystal.boundary((x, 1.0, z), position_nm, tilt_deg, boundary_nm, boundaries=boundaries)
    return grain_mesh(crystal, size_nm, growth, largest_nm, facets, split, comm=comm)


def bicrystal_3d(
    film_nm: tuple[float, float] = (10.0, 10.0),
    thickness_nm: float = 5.0,
    position_nm: float = 5.0,
    tilt_deg: float = 0.0,
    boundary_nm: float = 1.0,
    boundaries: int = 1,
    facets: bool = False,
    split: bool = False,
    size_nm: float = 0.5,
    growth: float = 1.3,
    largest_nm: float = 1.5,
    layer_nm: float = 1.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """One grain boundary through a film, in 3D, periodic in the plane. Tetrahedra. Lengths in nm; defaults are chosen.

    The section of :func:`bicrystal` along y, in layers no thicker than layer_nm.
    """
    size = (*film_nm, thickness_nm)
    crystal = Polycrystal.boundary(size, position_nm, tilt_deg, boundary_nm, boundaries=boundaries)
    depth: Sequence[float] = np.linspace(0.0, film_nm[1], intervals(film_nm[1], layer_nm) + 1).tolist()
    return grain_mesh(crystal, size_nm, growth, largest_nm, facets, split, depth_nm=depth, comm=comm)
