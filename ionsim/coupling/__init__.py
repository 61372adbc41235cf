"""The one place where lattice sites meet finite elements."""

from ionsim.coupling.fields import LatticeFields
from ionsim.coupling.film_potential import FilmPotential
from ionsim.coupling.heat_path import HeatPath
from ionsim.coupling.lattice_mesh import lateral_mesh, lattice_mesh
from ionsim.coupling.metal import MetalNetwork
from ionsim.coupling.network import Network, tunnelling_decay_nm
from ionsim.coupling.refresh import RefreshControl
from ionsim.coupling.space_charge import SpaceCharge

__all__ = [
    "FilmPotential",
    "HeatPath",
    "LatticeFields",
    "MetalNetwork",
    "Network",
    "RefreshControl",
    "SpaceCharge",
    "lateral_mesh",
    "lattice_mesh",
    "tunnelling_decay_nm",
]
