"""Conductors of fem.Transport: regions of electrons that have a potential of their own at every node."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.chargetransfer import Conductor
from fem.errors import FemError, unknown_name
from fem.faces import common_faces, face_areas, outer_faces
from fem.halo import nodal_array
from fem.scharfetter import Network
from fem.sheet import Sheet, edge_conductance
from fem.simplices import simplices
from fem.transportlayout import Layout

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True)
class _Part:
    """One conductor: its networks, nodes and sheet, and which of ``Conductors``' edges are its own."""

    networks: list[Network]
    nodes: Nodes
    sheet: Sheet | None
    edges: slice


class Conductors:
    """Currents along the edges of all conductors, and through contacts that have a resistance.

    ``first``, ``second`` (edges,): unknowns of the potentials of both ends, ``ends`` their dofs (a contact is at
    one dof twice); ``conductance`` (edges,) in S. Raises FemError for a mesh with negative weights in a conductor.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        count, terminals = layout.count, len(layout.terminals)
        at = np.concatenate([layout.potential, layout.first_terminal + np.arange(terminals)])
        self.parts: dict[str, _Part] = {}
        tails, heads, values = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], [np.empty(0)]
        begin = 0
        for name, conductor in layout.conductors.items():
            networks = [layout.networks[region] for region in conductor.regions]
            if not layout.halo.every(not any(np.any(network.weight < 0.0) for network in networks)):
                raise FemError(f"conductor {name!r}: an edge has a negative weight; make a Delaunay mesh")
            volume = np.sum([network.volume for network in networks], axis=0)
            nodes = np.flatnonzero(volume > 0.0)
            sheet = None
            if conductor.interface is not None:
                if conductor.interface not in layout.pairs:
                    raise unknown_name(f"conductor {name!r}: interface", conductor.interface, layout.pairs)
                sheet = Sheet(
                    conductor.interface, layout.space, layout.halo, nodes, volume,
                    *layout.all_pairs[conductor.interface],
                )  # fmt: skip
            edges = sum(network.tail.size for network in networks)
            self.parts[name] = _Part(networks, nodes, sheet, slice(begin, begin + edges))
            tails += [network.tail for network in networks]
            heads += [network.head for network in networks]
            values.append(np.zeros(edges))
            begin += edges
            for terminal, inside, conductance in self._contacts(conductor):
                tails.append(inside)
                heads.append(np.full(inside.size, count + terminal))
                values.append(conductance)
                begin += inside.size
        tail, head = np.concatenate(tails), np.concatenate(heads)
        self.first, self.second, self.conductance = at[tail], at[head], np.concatenate(values)
        self.ends = tail, np.where(head < count, head, tail)
        for name, conductor in layout.conductors.items():
            self.set(name, np.full(layout.halo.local, conductor.sigma_S_per_m), None)
        edge = np.flatnonzero(self.first != self.second)
        a, b = self.first[edge], self.second[edge]
        self.rows, self.columns = np.concatenate([a, a, b, b]), np.concatenate([a, b, b, a])
        self._wire = self.rows - layout.first_terminal
        self._entry_edge = np.concatenate([edge] * 4)
        self._entry_sign = np.repeat([1.0, -1.0, 1.0, -1.0], edge.size)

    def _contacts(self, conductor: Conductor) -> list[tuple[int, Nodes, Array]]:
        """Terminal, nodes of the conductor, and conductances in S where metal touches it with a resistance between."""
        if conductor.contact_ohm_m2 is None:
            return []
        layout, found = self.layout, []
        for region in conductor.regions:
            body = simplices(layout.cell, region, layout.space, layout.halo)
            for k, terminal in enumerate(layout.terminals.values()):
                for metal in terminal.regions:
                    other = simplices(layout.cell, metal, layout.space, layout.halo)
                    faces = common_faces(outer_faces(body), outer_faces(other), layout.halo)
                    if layout.halo.total(len(faces)):
                        nodes, area = face_areas(body, faces)
                        own = nodes < layout.halo.owned
                        found.append((k, nodes[own], area[own] / conductor.contact_ohm_m2))
        return found

    def set(self, name: str, sigma_S_per_m: ArrayLike, sheet_S: ArrayLike | None) -> None:
        """Conductivities of a conductor; see fem.Transport.set_conductivity."""
        if name not in self.parts:
            raise unknown_name("conductor", name, self.parts)
        part, halo = self.parts[name], self.layout.halo
        given = nodal_array(np.asarray(sigma_S_per_m, dtype=np.float64), halo, f"conductor {name!r}: sigma_S_per_m")
        assert given is not None
        inside = given[part.nodes]
        wrong = inside[~(np.isfinite(inside) & (inside > 0.0))]
        must = f"conductor {name!r}: sigma_S_per_m must be positive and finite"
        halo.agree(f"{must}, got {float(wrong[0])!r}" if wrong.size else None)
        sigma = np.ones(halo.local)
        sigma[part.nodes] = inside
        bare = sigma
        if sheet_S is not None:
            sigma = bare.copy()
            if part.sheet is None:
                raise FemError(f"conductor {name!r}: a sheet_S needs an interface to lie on")
            sheet = nodal_array(np.asarray(sheet_S, dtype=np.float64), halo, f"conductor {name!r}: sheet_S")
            assert sheet is not None
            if not halo.every(np.all(np.isfinite(sheet[part.sheet.surface]))):
                raise FemError(f"conductor {name!r}: sheet_S must be finite on the interface")
            part.sheet.add(sigma, sheet)
        ends = [(network.tail, network.head, network.weight) for network in part.networks]
        if part.sheet is None:
            values = [edge_conductance(sigma, *end) for end in ends]
        else:
            values = [part.sheet.conductance(bare, sigma, *end) for end in ends]
        self.conductance[part.edges] = np.concatenate(values)

    def current(self, u: Array) -> Array:
        """Current (edges,) in A from ``first`` to ``second``."""
        return np.asarray(self.conductance * (u[self.first] - u[self.second]))

    def leaving(self, u: Array) -> Array:
        """Current (potentials,) in A that leaves each potential's nodes through conductors; this rank's part of it."""
        flow, count = self.current(u), self.layout.potentials
        return np.bincount(self.first, flow, count) - np.bincount(self.second, flow, count)

    def entries(self, by_wire: Array, at_node: float) -> Array:
        """Derivatives of ``leaving`` at ``rows``, ``columns``, times ``by_wire`` (terminals,) or else ``at_node``."""
        scale = np.where(self._wire >= 0, by_wire[np.maximum(self._wire, 0)], at_node)
        return np.asarray(self._entry_sign * self.conductance[self._entry_edge] * scale)

    def dissipation_W(self, u: Array) -> Array:
        """Joule heat (nodes,) in W, half of each edge's at either end; this rank's part of it."""
        power, heat = self.current(u) * (u[self.first] - u[self.second]), np.zeros(self.layout.count)
        for nodes in self.ends:
            heat += np.bincount(nodes, 0.5 * power, heat.size)
        return heat
