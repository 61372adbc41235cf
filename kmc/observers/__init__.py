"""Observers: look at a running engine at chosen times or events, record, analyse and write."""

from kmc.observers.cadence import Cadence, EveryEvents, EveryTime, LogTime
from kmc.observers.clusters import (
    Clusters,
    ClusterSeries,
    Cut,
    find_clusters,
    layer_counts,
    narrowest_cut,
    thinnest_layer,
)
from kmc.observers.diffusion import (
    Displacements,
    Estimate,
    Msd,
    Paths,
    collective_correlation,
    collective_diffusion,
    haven_ratio,
    hop_length_nm,
    mean_square_displacement,
    tracer_correlation,
    tracer_diffusion,
)
from kmc.observers.files import ExtxyzWriter, Hdf5Writer
from kmc.observers.observer import Call, Observer, observe
from kmc.observers.series import Counts

__all__ = [
    "Cadence",
    "Call",
    "ClusterSeries",
    "Clusters",
    "Counts",
    "Cut",
    "Displacements",
    "Estimate",
    "EveryEvents",
    "EveryTime",
    "ExtxyzWriter",
    "Hdf5Writer",
    "LogTime",
    "Msd",
    "Observer",
    "Paths",
    "collective_correlation",
    "collective_diffusion",
    "find_clusters",
    "haven_ratio",
    "hop_length_nm",
    "layer_counts",
    "mean_square_displacement",
    "narrowest_cut",
    "observe",
    "thinnest_layer",
    "tracer_correlation",
    "tracer_diffusion",
]
