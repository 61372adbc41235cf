"""The one place where lattice sites meet finite elements."""

from ionsim.coupling.fields import LatticeFields
from ionsim.coupling.heat_path import HeatPath
from ionsim.coupling.lattice_mesh import lattice_mesh
from ionsim.coupling.network import Network, tunnelling_decay_nm

__all__ = ["HeatPath", "LatticeFields", "Network", "lattice_mesh", "tunnelling_decay_nm"]
