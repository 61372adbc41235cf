"""Which unknown is what in fem.Transport: potentials, terminals, and the filled fraction of every species."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem.cell import Cell, metres_of_area, scalar_space
from fem.chargetransfer import ChargeTransfer, Conductor, Junction, Terminal
from fem.contacts import pair_dofs
from fem.errors import FemError, unknown_name
from fem.faces import surface_areas
from fem.halo import Halo, nodal_array
from fem.ionphases import Diffusivity, Phase, Species
from fem.scharfetter import Network, region_network
from fem.shared import Reach, Shared
from fem.transportpotentials import number_potentials

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass
class Population:
    """A species on the mesh: its ``nodes``, of which the first ``owned`` are this rank's, the ``unknown`` of every node
    of the Layout (-1: none), and its edges.

    ``volume`` (nodes,) in m^3. ``metal`` is the terminal whose metal the species lives in, -1 outside; conductors are
    counted on after the terminals. ``fixed``
    (nodes,): the terminal whose bath holds the density, -1 if none does. ``parts``: slices of the edges with their D.
    ``hop_nm``: jump distance, 0 without acceleration by the field. ``activation_eV`` of D.
    """

    name: str
    phase: str
    charge: int
    standard_eV: float
    nodes: Nodes
    unknown: Nodes
    volume: Array
    tail: Nodes
    head: Nodes
    weight: Array
    length: Array
    parts: list[tuple[slice, float | Diffusivity]]
    metal: int
    fixed: Nodes
    hop_nm: float
    activation_eV: float
    owned: int


@dataclass
class Reactor:
    """A reaction at ``first`` (n,) dofs of population ``ion`` and ``second`` of ``into`` (None: a terminal).

    ``area`` (n,) in m^2; ``terminal`` takes the ions up where ``into`` is None.
    """

    law: ChargeTransfer
    ion: int
    into: int | None
    first: Nodes
    second: Nodes
    area: Array
    terminal: int


class Layout:
    """The mesh, the names and the numbering. Potentials come first, of them the nodes of conductors and then the
    terminals last, then the species.

    Nodes (``count``,) are those of ``reach``: the local dofs and, on several ranks, their partners across split
    interfaces. Unknowns (``size``,) are those of all these nodes, shared by ``shared``; every edge, layer and reaction
    is on one rank.

    ``potential`` (nodes,): unknown of each node's potential. ``layers``: (node, node, capacitance in F) of compact
    layers; a terminal counts as the node of its number after the last. ``owner`` (nodes,): where the charge of a metal
    that touches a node lies: there, or at its partner in the metal across a split interface without a layer. ``pairs``
    and ``all_pairs``: nodes, and global dofs, across each interface, and areas in m^2. ``metal``
    (nodes,) and ``metals`` by region: number of the terminal, or of the conductor counted on from them, -1 if none.
    ``conductor`` of each unknown from ``first_conductor`` to ``first_terminal``. Raises FemError for names and values
    that do not fit together.
    """

    def __init__(
        self,
        cell: Cell,
        permittivity: Mapping[str, float],
        phases: Mapping[str, Phase],
        species: Mapping[str, Species],
        terminals: Mapping[str, Terminal],
        junctions: Mapping[str, Junction],
        conductors: Mapping[str, Conductor] | None = None,
    ) -> None:
        self.cell, self.phases, self.terminals = cell, dict(phases), dict(terminals)
        self.conductors = dict(conductors or {})
        self.space: Any = scalar_space(cell)
        self.halo = Halo(self.space)
        for kind, names in (("permittivity: region", permittivity), ("phase region", _regions(phases)),
                            ("terminal region", _regions(terminals)),
                            ("conductor region", _regions(self.conductors))):  # fmt: skip
            for name in names:
                if name not in cell.regions:
                    raise unknown_name(kind, name, cell.regions)
        self.networks = {name: region_network(cell, name, self.space, self.halo) for name in cell.regions}
        interfaces: Mapping[str, Any] = getattr(cell, "interfaces", {})
        for name in junctions:
            if name not in interfaces:
                raise unknown_name("junction", name, interfaces)
        self.all_pairs = {
            name: (pair_dofs(self.space, self.halo, np.asarray(part.nodes, dtype=np.int64), name),
                   np.asarray(part.area_nm2) * metres_of_area(cell))
            for name, part in interfaces.items()
        }  # fmt: skip
        self.reach = Reach(self.halo, [pairs for pairs, _ in self.all_pairs.values()])
        self.count = self.reach.count
        self.pairs = {name: self.reach.here(*both) for name, both in self.all_pairs.items()}
        self.faces = {
            name: [surface_areas(cell, surface, self.space) for surface in terminal.surfaces]
            for name, terminal in terminals.items()
        }
        self.metal = self._extended(self._metal())
        found = number_potentials(
            self.reach, self.metal, self.terminals, junctions, self.networks, self.faces, self.all_pairs
        )
        self.potential, self.root, self.conductor = found.number, found.root, found.conductor
        self.owner, self.layers = found.owner, found.layers
        self.first_conductor, self.first_terminal = found.first_conductor, found.first_terminal
        self.potentials = self.first_terminal + len(self.terminals)
        self._populations(species)
        self.reactors = self._reactors(junctions)
        self.shared = self._share()

    def _extended(self, values: Nodes) -> Nodes:
        """Whole numbers (nodes,) from those of local dofs."""
        return self.reach.extend(values.astype(np.float64)).astype(np.int64)

    def _metal(self) -> Nodes:
        """The metal (local dofs,) of each node."""
        metal = np.full(self.halo.local, -1, dtype=np.int64)
        self.metals: dict[str, int] = {}
        for k, terminal in enumerate(self.terminals.values()):
            for region in terminal.regions:
                nodes = self.networks[region].nodes
                self.metals[region] = k
                if not self.halo.every(np.all((metal[nodes] < 0) | (metal[nodes] == k))):
                    raise FemError(f"region {region!r} touches or belongs to the metal of two terminals")
                metal[nodes] = k
        for k, (name, conductor) in enumerate(self.conductors.items(), len(self.terminals)):
            if name in self.terminals:
                raise FemError(f"conductor {name!r} has the name of a terminal")
            for region in conductor.regions:
                if region in self.metals:
                    raise FemError(f"conductor {name!r}: region {region!r} is metal of something else already")
                self.metals[region] = k
                nodes = self.networks[region].nodes
                if not self.halo.every(np.all((metal[nodes] < len(self.terminals)) | (metal[nodes] == k))):
                    raise FemError(f"conductor {name!r}: region {region!r} touches another conductor")
                metal[nodes[metal[nodes] < 0] if conductor.contact_ohm_m2 is None else nodes] = k
        return metal

    def _share(self) -> Shared:
        """Numbers of the unknowns in all, and which belong to this rank: those of its nodes, terminals on the first."""
        reach, comm, owned = self.reach, self.halo.comm, self.halo.owned
        if comm.size == 1:
            return Shared(comm, np.arange(self.size), self.size)
        mine = [np.flatnonzero(self.root < owned)]
        if comm.rank == 0:
            mine.append(self.first_terminal + np.arange(len(self.terminals)))
        mine += [one.unknown[one.nodes[: one.owned]] for one in self.populations]
        own = np.concatenate(mine)
        start = sum(comm.allgather(own.size)[: comm.rank])
        index = np.full(self.size, -1, dtype=np.int64)
        index[own] = start + np.arange(own.size)
        wires = slice(self.first_terminal, self.potentials)
        index[wires] = comm.bcast(index[wires])
        potentials = np.arange(self.first_terminal), self.root
        for unknowns, nodes in [potentials, *((one.unknown[one.nodes], one.nodes) for one in self.populations)]:
            at_nodes = np.full(reach.count, -1.0)
            at_nodes[nodes] = index[unknowns]
            index[unknowns] = reach.update(at_nodes)[nodes].astype(np.int64)
        return Shared(comm, index, own.size)

    def _populations(self, species: Mapping[str, Species]) -> None:
        self.populations: list[Population] = []
        self.initial: list[Array] = []
        begin = self.potentials
        for name, one in species.items():
            if one.phase not in self.phases:
                raise unknown_name(f"species {name!r}: phase", one.phase, self.phases)
            phase = self.phases[one.phase]
            regions = tuple(phase.regions if one.regions is None else one.regions)
            for region in regions:
                if region not in phase.regions:
                    raise unknown_name(f"species {name!r}: region", region, phase.regions)
            networks = [self.networks[region] for region in regions]
            volume = self.reach.extend(np.sum([network.volume for network in networks], axis=0))
            nodes = np.flatnonzero(volume > 0.0)
            unknown = np.full(self.count, -1, dtype=np.int64)
            unknown[nodes] = begin + np.arange(nodes.size)
            begin += nodes.size
            parts, at = [], 0
            for region, network in zip(regions, networks, strict=True):
                parts.append((slice(at, at + network.tail.size), _named(name, one, region)))
                at += network.tail.size
            self.populations.append(Population(
                name, one.phase, one.charge, one.standard_eV, nodes, unknown, volume[nodes],
                _join(networks, "tail"), _join(networks, "head"), _join(networks, "weight"), _join(networks, "length"),
                parts, self._metal_of(name, regions), np.full(nodes.size, -1, dtype=np.int64), one.hop_nm or 0.0,
                one.activation_eV, int(np.count_nonzero(nodes < self.halo.owned)),
            ))  # fmt: skip
            self.initial.append(self.reach.extend(self._initial(name, one, phase))[nodes])
        self.size = begin
        self.names = [population.name for population in self.populations]
        for k, (name, terminal) in enumerate(self.terminals.items()):
            for held, value in terminal.densities_per_m3.items():
                population = self.populations[self._number(held, f"terminal {name!r}: species")]
                nodes = np.concatenate([face[0] for face in self.faces[name]] or [np.empty(0, dtype=np.int64)])
                bath = np.zeros(self.halo.local, dtype=np.int64)
                bath[nodes] = 1
                there = np.flatnonzero(self._extended(bath)[population.nodes])
                if self.halo.every(not there.size):
                    raise FemError(f"terminal {name!r}: no surface of it touches species {held!r}")
                if population.metal >= len(self.terminals):
                    raise FemError(f"terminal {name!r}: species {held!r} lives in a conductor, which has no bath")
                population.fixed[there] = k
                self.initial[self.names.index(held)][there] = value / self.phases[population.phase].sites_per_m3
        for name, phase in self.phases.items():
            filled = np.zeros(self.count)
            for population, initial in zip(self.populations, self.initial, strict=True):
                if population.phase == name:
                    filled[population.nodes] += initial
            most = self.halo.maximum(float(filled.max(initial=0.0)))
            if phase.excess is not None and most >= 1.0:
                raise FemError(f"phase {name!r}: the densities fill {most:.4g} of its sites, which must be below 1")

    def _metal_of(self, name: str, regions: Sequence[str]) -> int:
        found = {self.metals.get(region, -1) for region in regions}
        if len(found) > 1:
            raise FemError(f"species {name!r} must live in the metal of one terminal or conductor, or outside of all, "
                           f"got the regions {', '.join(regions)}")  # fmt: skip
        return found.pop()

    def _initial(self, name: str, species: Species, phase: Phase) -> Array:
        given = np.asarray(species.initial_per_m3, dtype=np.float64)
        array = nodal_array(np.full(self.halo.local, given) if given.ndim == 0 else given, self.halo,
                            f"species {name!r}: initial_per_m3")  # fmt: skip
        assert array is not None
        good = bool(np.all(np.isfinite(array) & (array > 0.0)))
        must = f"species {name!r}: initial_per_m3 must be above 0 and finite"
        self.halo.agree(None if good else f"{must}, got {np.min(given)!r}")
        return array / phase.sites_per_m3

    def _number(self, name: str, kind: str) -> int:
        if name not in self.names:
            raise unknown_name(kind, name, self.names)
        return self.names.index(name)

    def _reactors(self, junctions: Mapping[str, Junction]) -> list[Reactor]:
        found = []
        for k, (name, terminal) in enumerate(self.terminals.items()):
            for law in terminal.reactions:
                ion = self._number(law.ion, f"terminal {name!r}: species")
                for nodes, area in self.faces[name]:
                    used = (self.populations[ion].unknown[nodes] >= 0) & (nodes < self.halo.owned)
                    found.append(Reactor(law, ion, None, nodes[used], nodes[used], area[used], k))
                if not self.halo.total(sum(part.area.size for part in found if part.law is law)):
                    raise FemError(f"terminal {name!r}: no surface of it touches species {law.ion!r}")
        for name, junction in junctions.items():
            pairs, area = self.pairs[name]
            own = pairs[:, 0] < self.halo.owned
            pairs, area = pairs[own], area[own]
            for law in junction.reactions:
                ion, into = (self._number(str(one), f"junction {name!r}: species") for one in (law.ion, law.into))
                a, b = self.populations[ion], self.populations[into]
                if a.charge != b.charge:
                    raise FemError(f"junction {name!r}: {a.name!r} and {b.name!r} need the same charge, got {a.charge} "
                                   f"and {b.charge}")  # fmt: skip
                sides = [pairs, pairs[:, ::-1]]
                here = [(a.unknown[side[:, 0]] >= 0) & (b.unknown[side[:, 1]] >= 0) for side in sides]
                counts = [self.halo.total(float(side.sum())) for side in here]
                which = int(counts[1] > counts[0])
                if not counts[which]:
                    raise FemError(f"junction {name!r}: {a.name!r} and {b.name!r} are not on its two sides")
                used, side = here[which], sides[which]
                found.append(Reactor(law, ion, into, side[used, 0], side[used, 1], area[used], -1))
        for reactor in found:
            if self.populations[reactor.ion].charge == 0:
                raise FemError(f"species {reactor.law.ion!r} has no charge to transfer")
        return found


def _regions(parts: Mapping[str, Phase] | Mapping[str, Terminal] | Mapping[str, Conductor]) -> list[str]:
    return [region for part in parts.values() for region in part.regions]


def _named(name: str, species: Species, region: str) -> float | Diffusivity:
    try:
        return species.diffusivity(region)
    except FemError as error:
        raise FemError(f"species {name!r}: {error}") from None


def _join(networks: Sequence[Network], name: str) -> Any:
    return np.concatenate([getattr(network, name) for network in networks])
