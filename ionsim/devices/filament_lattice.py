"""What a filament family needs of its lattice, whatever it is made of: one shape for all kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray

import kmc
from ionsim.config import Device
from ionsim.config.filament import Spot
from meshes import Polycrystal

Mask = NDArray[np.bool_]

#: Cell size (nm) of the mesh around sites that do not stand on a tensor lattice: below the distance of oxygen atoms
#: (0.25 nm in m-HfO2, VacHopPy data, 10.1016/j.cpc.2025.110010), so that nearly every one has a node of its own.
IRREGULAR_MESH_NM = 0.2


@dataclass(frozen=True, eq=False)
class FilamentLattice:
    """Mobile sites of a film with their engine; z = 0 is the bottom of the film.

    Attributes:
        sites: the graph of all sites.
        engine: the species on them and the processes; on all ranks alike, or divided among them.
        box_nm: lateral size of the lattice and thickness of the film.
        mesh_size_nm: cell size of the finite-element mesh in the film, unless the device file gives one.
        conductors: species that conduct and make up the filament (vacancies, metal atoms).
        elements: chemical symbol of each species for other programs, ``X`` for a vacancy or an empty site.
        sublattices, regions: names of the integer labels of ``sites``.
        feelers: species on which the error of the potential is measured; the conductors unless given.
        carriers: (N,) sites that can hold a conductor.
        counted: columns of the time series: how many sites hold one of these species.
        electrodes: the engine's reservoirs -> "top" or "bottom": at which electrode's potential they are.
        counted_reservoirs: those that fill and empty; what they hold together is the column ``n_reservoir``.
        film: the grains of a polycrystalline film, in the coordinates of the sites.
    """

    sites: kmc.SiteGraph
    engine: kmc.Engine | kmc.ParallelEngine
    box_nm: tuple[float, float, float]
    mesh_size_nm: float
    conductors: tuple[str, ...]
    elements: tuple[str, ...]
    sublattices: tuple[str, ...]
    regions: tuple[str, ...]
    carriers: Mask
    counted: Mapping[str, tuple[str, ...]]
    electrodes: Mapping[str, str] = field(default_factory=dict)
    counted_reservoirs: tuple[str, ...] = ()
    feelers: tuple[str, ...] = ()
    film: Polycrystal | None = None
    _conducts: Mask = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_conducts", np.isin(np.array(self.species), self.conductors))

    @property
    def species(self) -> tuple[str, ...]:
        """Names of the species, in the order of the integers in ``engine.occupation``."""
        return self.engine.model.species

    @property
    def positions_nm(self) -> NDArray[np.float64]:
        """(N, 3) positions of the sites."""
        return self.sites.positions_nm

    @property
    def alike(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The species that conduct and those that do not: a change within either leaves the fields as they are."""
        return self.conductors, tuple(name for name in self.species if name not in self.conductors)

    def feeling(self, occupation: NDArray[np.int8]) -> Mask:
        """(N,) which sites hold a species on which the error of the potential is measured."""
        names = self.feelers or self.conductors
        return np.isin(occupation, [self.species.index(name) for name in names])

    def conducting(self, occupation: NDArray[np.int8]) -> Mask:
        """(N,) which sites hold a conductor in this occupation."""
        return np.asarray(self._conducts[occupation])

    def reservoir_V(self, top_V: float) -> dict[str, float]:
        """Potentials of the engine's reservoirs with this voltage on the top electrode, the bottom one at 0."""
        return {name: top_V if side == "top" else 0.0 for name, side in self.electrodes.items()}

    @property
    def flicker_share(self) -> float | None:
        """The share of events that undid the one before; None where it is not counted (divided lattice) or none was."""
        if isinstance(self.engine, kmc.ParallelEngine) or not self.engine.n_events:
            return None
        return sum(self.engine.flicker.values()) / self.engine.n_events

    def counts(self) -> dict[str, float]:
        """The columns of :attr:`counted` and the reservoir's filling, now."""
        held = np.bincount(self.engine.occupation, minlength=len(self.species))
        number = dict(zip(self.species, held.tolist(), strict=True))
        columns = {name: float(sum(number[species] for species in group)) for name, group in self.counted.items()}
        if self.counted_reservoirs:
            columns["n_reservoir"] = float(sum(self.engine.reservoir(name) for name in self.counted_reservoirs))
        return columns


def lattice_engine(
    device: Device,
    comm: MPI.Comm,
    sites: kmc.SiteGraph,
    model: kmc.Model,
    occupation: ArrayLike,
    seed: np.random.SeedSequence,
    **given: Any,
) -> kmc.Engine | kmc.ParallelEngine:
    """An engine for the lattice: on every rank all of it, or divided among them (``numerics.distributed_lattice``)."""
    if device.numerics.distributed_lattice:
        return kmc.ParallelEngine(sites, model, occupation, comm=comm, seed=seed, **given)
    engine = kmc.Engine(sites, model, occupation, seed=seed, selector="tree", flicker=True, **given)
    if device.numerics.superbasin_states is not None:
        kmc.Superbasin(engine, max_states=device.numerics.superbasin_states)
    return engine


def spread_over(spots: Sequence[Spot], positions_nm: NDArray[np.float64], key: str) -> NDArray[np.float64]:
    """(N,) sum of one number of columns over those that a site lies in."""
    total = np.zeros(len(positions_nm))
    for spot in spots:
        offset = positions_nm[:, :2] - np.asarray(spot.centre_nm)
        total[np.hypot(offset[:, 0], offset[:, 1]) <= spot.radius_nm] += getattr(spot, key)
    return total
