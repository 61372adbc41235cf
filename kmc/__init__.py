"""A general lattice kinetic Monte Carlo engine: sites, processes with detailed balance, exact clock, local fields."""

from kmc.compile import change_factors
from kmc.engine import Engine
from kmc.ensemble import SeedError, ensemble, seeds
from kmc.errors import KmcError
from kmc.model import Model, PairEnergy, Reservoir
from kmc.observers import (
    Call,
    ClusterSeries,
    Counts,
    Displacements,
    EveryEvents,
    EveryTime,
    ExtxyzWriter,
    Hdf5Writer,
    LogTime,
    Observer,
    collective_correlation,
    collective_diffusion,
    find_clusters,
    haven_ratio,
    mean_square_displacement,
    narrowest_cut,
    observe,
    thinnest_layer,
    tracer_correlation,
    tracer_diffusion,
)
from kmc.occupation import random
from kmc.parallel import ParallelEngine
from kmc.process import METROPOLIS, Process, adsorption, electrode, exchange, hop, reaction, turn
from kmc.rates import KB_EV
from kmc.sites import SiteGraph
from kmc.superbasin import Superbasin
from kmc.tracers import Tracers

__all__ = [
    "KB_EV",
    "METROPOLIS",
    "Call",
    "ClusterSeries",
    "Counts",
    "Displacements",
    "Engine",
    "EveryEvents",
    "EveryTime",
    "ExtxyzWriter",
    "Hdf5Writer",
    "KmcError",
    "LogTime",
    "Model",
    "Observer",
    "PairEnergy",
    "ParallelEngine",
    "Process",
    "Reservoir",
    "SeedError",
    "SiteGraph",
    "Superbasin",
    "Tracers",
    "adsorption",
    "change_factors",
    "collective_correlation",
    "collective_diffusion",
    "electrode",
    "ensemble",
    "exchange",
    "find_clusters",
    "haven_ratio",
    "hop",
    "mean_square_displacement",
    "narrowest_cut",
    "observe",
    "random",
    "reaction",
    "seeds",
    "thinnest_layer",
    "tracer_correlation",
    "tracer_diffusion",
    "turn",
]
