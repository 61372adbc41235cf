"""A general lattice kinetic Monte Carlo engine: sites, processes with detailed balance, exact clock, local fields."""

from kmc.engine import Engine
from kmc.errors import KmcError
from kmc.model import Model, PairEnergy, Process, Reservoir, exchange, hop, reaction
from kmc.occupation import random
from kmc.rates import KB_EV
from kmc.sites import SiteGraph

__all__ = [
    "KB_EV",
    "Engine",
    "KmcError",
    "Model",
    "PairEnergy",
    "Process",
    "Reservoir",
    "SiteGraph",
    "exchange",
    "hop",
    "random",
    "reaction",
]
