"""Parallel in space: one simulation on many MPI ranks by the synchronous sublattice method."""

from kmc.parallel.engine import ParallelEngine
from kmc.parallel.part import Part, grid_for, part_of_graph, part_of_lattice

__all__ = ["ParallelEngine", "Part", "grid_for", "part_of_graph", "part_of_lattice"]
