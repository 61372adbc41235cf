"""Explicit atoms: read, build and write electrode / oxide / electrode stacks, and the oxygen sublattice of crystals."""

from ionsim.structure.build import build_stack
from ionsim.structure.crystals import CRYSTALS, OXIDES
from ionsim.structure.files import read_stack, write_stack
from ionsim.structure.film import OxygenSublattice, oxygen_sublattice
from ionsim.structure.grains import SiteGrains, site_grains
from ionsim.structure.stack import KINDS, REGIONS, Stack, oxygen_coordination, remove_oxygen
from ionsim.structure.voids import voronoi_voids

__all__ = [
    "CRYSTALS",
    "KINDS",
    "OXIDES",
    "REGIONS",
    "OxygenSublattice",
    "SiteGrains",
    "Stack",
    "build_stack",
    "oxygen_coordination",
    "oxygen_sublattice",
    "read_stack",
    "remove_oxygen",
    "site_grains",
    "voronoi_voids",
    "write_stack",
]
