"""What the VCM family needs of a lattice of mobile oxygen, whatever it is made of: one shape for all kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray

import kmc
from ionsim.config.vcm import VcmDevice

Mask = NDArray[np.bool_]

#: Cell size (nm) of the mesh around sites that do not stand on a tensor lattice: below the distance of oxygen atoms
#: (0.25 nm in m-HfO2, VacHopPy data, 10.1016/j.cpc.2025.110010), so that nearly every one has a node of its own.
IRREGULAR_MESH_NM = 0.2


@dataclass(frozen=True, eq=False)
class VcmLattice:
    """Mobile sites of an oxide film with their engine; z = 0 is the bottom of the oxide.

    Attributes:
        sites: the graph of all sites.
        engine: the species on them and the processes; on all ranks alike, or divided among them.
        box_nm: lateral size of the lattice and thickness of the oxide.
        mesh_size_nm: cell size of the finite-element mesh in the oxide, unless the device file gives one.
        vacancies: species that are vacancies; they conduct and make up the filament.
        elements: chemical symbol of each species for other programs, ``X`` for a vacancy or an empty site.
        sublattices, regions: names of the integer labels of ``sites``.
        carriers: (N,) sites that can hold a vacancy.
        counted: columns of the time series: how many sites hold one of these species.
        reservoir: name of the engine's reservoir at the top electrode's potential; its filling is the column
            ``n_reservoir``.
    """

    sites: kmc.SiteGraph
    engine: kmc.Engine | kmc.ParallelEngine
    box_nm: tuple[float, float, float]
    mesh_size_nm: float
    vacancies: tuple[str, ...]
    elements: tuple[str, ...]
    sublattices: tuple[str, ...]
    regions: tuple[str, ...]
    carriers: Mask
    counted: Mapping[str, tuple[str, ...]]
    reservoir: str | None = None
    _vacant: Mask = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_vacant", np.isin(np.array(self.species), self.vacancies))

    @property
    def species(self) -> tuple[str, ...]:
        """Names of the species, in the order of the integers in ``engine.occupation``."""
        return self.engine.model.species

    @property
    def positions_nm(self) -> NDArray[np.float64]:
        """(N, 3) positions of the sites."""
        return self.sites.positions_nm

    @property
    def charged_states(self) -> bool:
        """Whether a vacancy has several states, so that not every change at a carrier makes or breaks a conductor."""
        return len(self.vacancies) > 1

    def vacant(self, occupation: NDArray[np.int8]) -> Mask:
        """(N,) which sites hold a vacancy in this occupation."""
        return np.asarray(self._vacant[occupation])

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
        if self.reservoir is not None:
            columns["n_reservoir"] = float(self.engine.reservoir(self.reservoir))
        return columns


def lattice_engine(
    device: VcmDevice,
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
