"""Where lattice sites meet finite elements: the potential and the temperature that every site feels.

One potential: vacancy bonds are conductors inside the finite-element matrix, K = K_fe(sigma) + B^T G B, between the
nodes of their sites. The current is the reaction at the electrode, which equals the dissipated power over the voltage.
The conduction problem is linear, so it is solved once for 1 V and scaled; its Joule heat is the heat problem's source.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from mpi4py import MPI
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import fem
import meshes
from ionsim.coupling.heat_bound import RiseBound
from ionsim.coupling.heat_path import HeatPath, heat_way
from ionsim.coupling.lattice_mesh import INTERFACE_NM
from ionsim.coupling.metal import MetalNetwork, conductance_gains, surface_weights
from ionsim.coupling.network import Network, change_weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Radius of the area through which a bond enters an electrode, nm (a site and its neighbours in the layer).
_CONTACT_RADIUS_NM = 0.37

#: Sites nearer than this (nm) to a node stand on it: lattice planes are rounded to 1e-6 nm.
_ON_NODE_NM = 1e-5

#: Temperatures need no more than this (a few mK), whatever the potential is solved to.
_HEAT_RTOL = 1e-5

#: A rise that cannot exceed this is left out, K: it changes a rate over a barrier of 1 eV at 300 K by 0.1 %.
_NEGLIGIBLE_K = 0.01

#: After so many of the slowest thermal time constants a temperature field is steady to rounding.
_STEADY = 40.0


class LatticeFields:
    """Potential and temperature on a lattice in the middle of a finite-element mesh.

    Args:
        cell: the mesh of :func:`ionsim.coupling.lattice_mesh`.
        positions_nm: (N, 3) sites.
        thickness_nm: oxide from z = 0 to here.
        network: the bonds between them.
        electrical_S_per_m: conductivity by region (conductors of the lattice excluded); that of "oxide" may be by cell.
        heat: the thermal side.
        rtol: relative tolerance of the linear solvers.
        skin_S_per_m: conductivity of cells of the oxide with a conductor at a corner, where it differs from the others
            (an interface at which charge has to be transferred).
        short_S: conductors above this are first taken as short circuits (:class:`fem.SolverSettings`).
        insulators: regions whose potential is solved for only where it is shown (:class:`fem.Extension`).

    Attributes (after :meth:`solve_potential` and :meth:`solve_heat`):
        unit_potential: (N,) potential at the sites for 1 V on the top electrode.
        conductance_S: terminal current / voltage, from the reaction.
        bond_loss_S: (N,) what the bonds of a site dissipate at 1 V, W/V^2.
        temperature_K: (N,) at the sites; ``peak_K``: hottest node of the mesh.
        n_solves: conduction problems solved so far.
        wall_s: wall time that they and the heat problems took in this process, s.
        thermal_time_s: bound of the slowest thermal time constant, (largest extent/pi)^2 C/kappa.
        settling_time_s: after this a temperature field is steady to rounding.
    """

    def __init__(
        self,
        cell: meshes.LabelledMesh,
        positions_nm: Floats,
        thickness_nm: float,
        network: Network | MetalNetwork,
        *,
        electrical_S_per_m: Mapping[str, float | Floats],
        heat: HeatPath,
        rtol: float,
        skin_S_per_m: float | Floats | None = None,
        short_S: float | None = None,
        insulators: Sequence[str] = (),
    ) -> None:
        self.network, self.heat_path, self.cell = network, heat, cell
        self.comm: MPI.Comm = cell.mesh.comm
        # A multigrid preconditioner that is kept from solve to solve is not known to a restart. Incomplete Cholesky is
        # made anew, and faster here (at 215,000 unknowns, s: heat 0.35, multigrid 0.43; a bridge 0.37 and 0.41), but
        # not for bonds of all strengths without shorts; there multigrid is made anew, as bonds change.
        many = fem.SolverSettings().choose(3, int(cell.mesh.topology.index_map(0).size_global)) == "gamg"
        plain = "ssor" if many else "auto"
        electric = fem.SolverSettings(method="auto" if short_S is None else plain, rtol=rtol, short_S=short_S)
        self.conduction = fem.Conduction(cell, dict(electrical_S_per_m), electric)
        kappa = dict(heat.thermal_W_per_mK)
        for side, conductance in heat.boundary_W_per_m2K.items():
            kappa[f"{side}_interface"] = conductance * INTERFACE_NM * 1e-9
        fixed = dict.fromkeys(heat.sinks, heat.ambient_K)
        space = self.conduction.space
        gentle = fem.SolverSettings(method=plain, rtol=max(rtol, _HEAT_RTOL))
        self.heat = fem.Heat(cell, kappa, fixed, dict(heat.capacity_J_per_m3K), gentle)
        self.sites = fem.SiteOperator(space, positions_nm, kind="nearest")
        self._site_dofs = self.sites.dofs
        self._felt = self._sampling(positions_nm)
        self._carriers = np.flatnonzero(network.carriers)
        carriers_nm = positions_nm[self._carriers]
        # Electrons pass where charge transfer stands in the way of ions: behind it are their feet.
        beside = 0.0 if skin_S_per_m is None else INTERFACE_NM
        self._contacts = {
            "bottom": self._contact(network.bottom_S, carriers_nm, -beside),
            "top": self._contact(network.top_S, carriers_nm, thickness_nm + beside),
        }
        self._way = heat_way(self.heat.space, carriers_nm, heat)
        self._oxide_sites = self._sites_of_cells()
        self._skin_S_per_m, self._oxide_S_per_m = skin_S_per_m, np.asarray(electrical_S_per_m["oxide"], dtype=float)
        self._full_S = float(network.conductance_S.max(initial=0.0))
        self._kappa = (float(heat.thermal_W_per_mK["oxide"]), heat.filament_W_per_mK)
        self.unit_potential: Floats = positions_nm[:, 2] / thickness_nm
        self.temperature_K: Floats = np.full(len(positions_nm), heat.ambient_K)
        self.peak_K = heat.ambient_K
        self.conductance_S = 0.0
        self.bond_loss_S: Floats = np.zeros(len(positions_nm))
        self.n_solves = 0
        self.wall_s = 0.0
        self._steady_V: float | None = None
        span = self.comm.allreduce(float(np.ptp(cell.mesh.geometry.x, axis=0).max()), op=MPI.MAX) * 1e-9
        slowest = max(heat.capacity_J_per_m3K[name] / kappa[name] for name in kappa if not name.endswith("interface"))
        self.thermal_time_s = (span / np.pi) ** 2 * slowest
        self.settling_time_s = _STEADY * self.thermal_time_s
        self._whole = self._extent(np.arange(cell.mesh.topology.index_map(3).size_local))
        self._bound = self._rise_bound(thickness_nm)
        self._unit_heat: dict[int, Floats] = {}
        self._cell_heat_W: Floats = np.zeros(self.conduction.operator.halo.local)
        self._site_heat_W: Floats = np.zeros(len(positions_nm))
        self._cut: fem.SiteOperator | None = None
        self._extension = fem.Extension(self.conduction, insulators, ("bottom", "top")) if insulators else None

    def _rise_bound(self, thickness_nm: float) -> RiseBound:
        """Bound of the rise by heat anywhere, at the middle and at a corner of the film and of its surfaces.

        A film between a substrate and what lies on it is cooled worst at one of the two.
        """
        low, high = self._whole
        film_low, film_high = self._extent(fem.region_cells(self.cell, "oxide"))
        x_nm, edge_nm = 0.5 * (low[0] + high[0]), low[0] + _ON_NODE_NM
        y_nm = 0.5 * (film_low[1] + film_high[1])
        if np.allclose((low[1], high[1]), (film_low[1], film_high[1])):
            across = [(x_nm, y_nm), (edge_nm, low[1] + _ON_NODE_NM)]
        else:
            faces = film_low[1] + _ON_NODE_NM, film_high[1] - _ON_NODE_NM
            across = [(x_nm, y_nm), *((x, y) for x in (x_nm, edge_nm) for y in faces)]
        points = np.array([[*at, z] for at in across for z in (0.0, 0.5 * thickness_nm, thickness_nm)])
        self.heat.set_thermal({"oxide": min(self._kappa)})
        return RiseBound(self.heat, points)

    def _extent(self, cells: NDArray[np.integer[Any]]) -> tuple[Floats, Floats]:
        """Lowest and highest coordinates (3,) in nm of these cells and those of other ranks."""
        nodes = np.asarray(self.conduction.space.dofmap.list)[cells].ravel()
        at_nm = self.conduction.space.tabulate_dof_coordinates()[nodes]
        low, high = (np.empty(3) for _ in range(2))
        self.comm.Allreduce(at_nm.min(axis=0, initial=np.inf), low, op=MPI.MIN)
        self.comm.Allreduce(at_nm.max(axis=0, initial=-np.inf), high, op=MPI.MAX)
        return low, high

    def _sampling(self, positions_nm: Floats) -> fem.SiteOperator:
        """How a site feels a field: its node's value where all sites are nodes, else interpolated at its position."""
        nodes = self.conduction.space.tabulate_dof_coordinates()
        distance = [self.sites.sample(nodes[:, axis]) - positions_nm[:, axis] for axis in range(3)]
        if np.abs(distance).max(initial=0.0) < _ON_NODE_NM:
            return self.sites
        return fem.SiteOperator(self.conduction.space, positions_nm, kind="linear")

    def _contact(self, conductance_S: Floats, carriers_nm: Floats, height_nm: float) -> scipy.sparse.csr_array:
        """Conductance (sites, electrode dofs) of the bonds to an electrode, each spread over the surface at its foot.

        An electron enters a metal through an area, not through one node, whose spreading resistance would grow without
        bound as the mesh is refined.
        """
        feet = carriers_nm.copy()
        feet[:, 2] = height_nm
        dofs = fem.SiteOperator(self.conduction.space, feet, kind="nearest").dofs
        nodes, first = np.unique(dofs, return_index=True)
        near = np.flatnonzero(conductance_S[self._carriers] > 0.0)
        tree = cKDTree(carriers_nm[first, :2])
        around = tree.query_ball_point(carriers_nm[near, :2], _CONTACT_RADIUS_NM, return_sorted=True)
        counts = np.array([np.size(found) for found in around], dtype=np.int64)
        reached = self._carriers[near]
        rows = np.repeat(reached, counts)
        columns = np.concatenate([nodes[found] for found in around]) if len(near) else np.empty(0, dtype=np.int64)
        share = np.repeat(conductance_S[reached] / np.maximum(counts, 1), counts)
        loop = self._site_dofs[rows] == columns  # a site whose node lies on the electrode needs no bond to it
        shape = (len(conductance_S), int(dofs.max()) + 1)
        return scipy.sparse.coo_array((share[~loop], (rows[~loop], columns[~loop])), shape=shape).tocsr()

    def _sites_of_cells(self) -> scipy.sparse.csr_array:
        """Rows: the oxide's owned cells; each takes the mean over the carriers at its corners."""
        halo = self.conduction.operator.halo
        cells = fem.region_cells(self.cell, "oxide")
        corners = halo.global_dofs[np.asarray(self.conduction.space.dofmap.list)[cells]]
        nodes, node = np.unique(self._site_dofs[self._carriers], return_inverse=True)
        found = np.minimum(np.searchsorted(nodes, corners.ravel()), len(nodes) - 1)
        hit = np.flatnonzero(nodes[found] == corners.ravel())
        rows = hit // corners.shape[1]
        at_nodes = scipy.sparse.coo_array((np.ones(len(hit)), (rows, found[hit])), shape=(len(cells), len(nodes)))
        count = (len(nodes), len(self._site_dofs))
        held = scipy.sparse.coo_array((np.ones(len(node)), (node, self._carriers)), shape=count)
        members = at_nodes.tocsr() @ held.tocsr()
        counts = np.maximum(members.sum(axis=1), 1.0)
        return scipy.sparse.diags_array(1.0 / counts) @ members

    # -- solving ----------------------------------------------------------------------------------------------

    def solve_potential(self, conducting: Mask) -> None:
        """Solve the conduction problem of this configuration for 1 V; collective."""
        begin = time.monotonic()
        net = self.network
        if self._skin_S_per_m is not None:
            at_metal = self._oxide_sites @ conducting.astype(float) > 0.0
            self.conduction.set_conductivity({"oxide": np.where(at_metal, self._skin_S_per_m, self._oxide_S_per_m)})
        first, second, strength, shares = net.bonds(conducting)
        apart = self._site_dofs[first] != self._site_dofs[second]  # sites on one node are one conductor already
        first, second, strength = first[apart], second[apart], strength[apart]
        sites = np.flatnonzero(conducting)
        ends = [contact[sites].tocoo() for contact in self._contacts.values()]
        parts = [end.data * shares[side][sites[end.row]] for side, end in zip(self._contacts, ends, strict=True)]
        touching = np.concatenate([sites[end.row] for end in ends])
        heads = np.concatenate([self._site_dofs[first], self._site_dofs[touching]])
        tails = np.concatenate([self._site_dofs[second], *(end.col for end in ends)])
        self.conduction.set_bonds(heads, tails, np.concatenate([strength, *parts]))
        state = self.conduction.solve({"top": 1.0, "bottom": 0.0})
        self.conductance_S = state.currents_A["top"]
        self.unit_potential = self._felt.sample(state.potential_V)
        self._cell_heat_W = state.nodal_power_W
        # Half of a bond's heat belongs to either end; that of a bond to an electrode to its site.
        between, rest = np.split(state.bond_power_W, [len(first)])
        count = len(conducting)
        heated = np.concatenate([first, second, touching])
        self._site_heat_W = np.zeros(count)
        np.add.at(self._site_heat_W, heated, np.concatenate([0.5 * between, 0.5 * between, rest]))
        self.bond_loss_S = np.zeros(count)
        np.add.at(self.bond_loss_S, heated, np.concatenate([between, between, rest]))
        self._steady_V = None
        self._unit_heat = {}
        self.n_solves += 1
        self.wall_s += time.monotonic() - begin

    def solve_heat(self, conducting: Mask, device_V: float, elapsed_s: float | None) -> None:
        """Temperature ``elapsed_s`` after the last one (None: steady) with the Joule heat at ``device_V``; collective.

        After many thermal time constants the steady state is the exact answer, and with an unchanged configuration its
        rise goes with the square of the voltage. Nothing is solved, and all is at ambient temperature, where the rise
        is negligible: below 10 mK whatever the arrangement of the heat (:mod:`ionsim.coupling.heat_bound`).
        """
        begin = time.monotonic()
        self._find_temperature(conducting, device_V, elapsed_s)
        self._sample_temperature()
        self.wall_s += time.monotonic() - begin

    def _find_temperature(self, conducting: Mask, device_V: float, elapsed_s: float | None) -> None:
        steady = elapsed_s is None or elapsed_s > self.settling_time_s
        before_K = 0.0 if steady else self.peak_K - self.heat_path.ambient_K
        square = device_V * device_V
        source = self._heat_at(1 if device_V >= 0.0 else -1)
        if self._negligible(source, square, before_K):
            self.heat.temperature_K = np.full_like(self.heat.temperature_K, self.heat_path.ambient_K)
            self._steady_V = None
            return
        if steady and self._steady_V is not None and device_V * self._steady_V > 0.0:
            rise = self.heat.temperature_K - self.heat_path.ambient_K
            self.heat.temperature_K = self.heat_path.ambient_K + rise * (device_V / self._steady_V) ** 2
            self._steady_V = device_V
            return
        low, high = self._kappa
        self.heat.set_thermal({"oxide": low + (high - low) * (self._oxide_sites @ conducting.astype(float))})
        if steady:
            self.heat.solve(source * square)
            self._steady_V = device_V
        elif elapsed_s is not None and elapsed_s > 0.0:
            self.heat.step(elapsed_s, source * square)
            self._steady_V = None

    def _heat_at(self, sign: int) -> Floats:
        """Source (local dofs,) in W at 1 V (``sign`` 1) or -1 V (-1)."""
        if sign not in self._unit_heat:
            source = self._cell_heat_W.copy()
            self._way.add_to(source, self._site_heat_W[self._carriers], sign)
            self._unit_heat[sign] = source
        return self._unit_heat[sign]

    def _negligible(self, source: Floats, square: float, before_K: float) -> bool:
        """Whether the rise stays negligible with the source at 1 V times ``square``."""
        if before_K + self._bound.least_K(source) * square >= _NEGLIGIBLE_K:
            return False
        return before_K + self._bound.rise_K(source) * square < _NEGLIGIBLE_K

    def _sample_temperature(self) -> None:
        halo = self.heat.operator.halo
        self.temperature_K = self._felt.sample(self.heat.temperature_K)
        self.peak_K = halo.maximum(float(self.heat.temperature_K[: halo.owned].max(initial=0.0)))

    def weights(self, conducting: Mask, device_V: float, weight: Floats) -> None:
        """Fill ``weight`` (N,) with how far the potential could move if a site changed, V."""
        net = self.network
        change_weights(
            net.start, net.target, net.conductance_S, net.bottom_S, net.top_S, conducting,
            self.unit_potential * device_V, device_V, self._full_S, weight,
        )  # fmt: skip
        if isinstance(net, MetalNetwork):
            surface_weights(net.start, net.target, conducting, self.unit_potential * device_V, weight)

    def conductance_changes(self, conducting: Mask) -> Floats | None:
        """(N,) how much the conductance would change if a site changed, S, to first order; None where not known.

        Without its bonds a conductor takes away what they dissipate at 1 V; what a new one adds is in
        :func:`ionsim.coupling.metal.conductance_gains`.
        """
        net = self.network
        if not isinstance(net, MetalNetwork):
            return None
        change = np.where(conducting, -self.bond_loss_S, 0.0)
        conductance_gains(
            net.start, net.target, conducting, net.bulk_S, net.bottom_S, net.top_S, self.unit_potential, change
        )  # fmt: skip
        return change

    def _shown_V(self) -> Floats:
        """(local dofs,) the potential for 1 V, in insulators as well."""
        solved_V = self.conduction.potential_V
        return solved_V if self._extension is None else self._extension.fill(solved_V)

    def cut(self, normal: int, at_nm: float, device_V: float) -> dict[str, Floats]:
        """Potential and temperature on a regular grid across x (``normal`` 0) or y (1) at ``at_nm``.

        Arrays (nz, n), and the axes in nm: z, and y or x.
        """
        side = 1 - normal
        low, high = self._whole
        side_nm, z_nm = (np.linspace(low[axis] + 1e-6, high[axis] - 1e-6, 161) for axis in (side, 2))
        if self._cut is None:
            points = np.full((side_nm.size * z_nm.size, 3), at_nm)
            points[:, side], points[:, 2] = (grid.ravel() for grid in np.meshgrid(side_nm, z_nm))
            self._cut = fem.SiteOperator(self.conduction.space, points, kind="linear")
        shape = (len(z_nm), len(side_nm))
        return {
            f"cut/{'xy'[side]}_nm": side_nm,
            "cut/z_nm": z_nm,
            "cut/potential_V": self._cut.sample(self._shown_V()).reshape(shape) * device_V,
            "cut/temperature_K": self._cut.sample(self.heat.temperature_K).reshape(shape),
        }

    def mesh_fields(self, device_V: float) -> dict[str, Floats]:
        """Nodal arrays (local dofs,): potential_V and temperature_K."""
        return {
            "potential_V": self._shown_V() * device_V,
            "temperature_K": self.heat.temperature_K.copy(),
        }

    def write(self, path: Path, frames: Sequence[tuple[float, Mapping[str, Floats]]]) -> None:
        """Write frames of :meth:`mesh_fields`, each with its time in s, to a VTX folder; collective."""
        fem.write_frames(path, self.conduction.space, frames)

    def checkpoint(self) -> dict[str, Any]:
        """What the next solve depends on besides its input; on more than one rank each rank has its own part."""
        return {
            "potential_V": self.conduction.potential_V.copy(),
            "temperature_K": self.heat.temperature_K.copy(),
            "unit_potential": self.unit_potential.copy(),
            "site_temperature_K": self.temperature_K.copy(),
            "cell_heat_W": self._cell_heat_W.copy(),
            "site_heat_W": self._site_heat_W.copy(),
            "bond_loss_S": self.bond_loss_S.copy(),
            "scalars": np.array(
                [self.conductance_S, self.peak_K, np.nan if self._steady_V is None else self._steady_V]
            ),
            "n_solves": np.array([self.n_solves]),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to a checkpoint of the same mesh and sites."""
        self.conduction.potential_V = np.array(saved["potential_V"])
        self.heat.temperature_K = np.array(saved["temperature_K"])
        self.unit_potential = np.array(saved["unit_potential"])
        self.temperature_K = np.array(saved["site_temperature_K"])
        self._cell_heat_W, self._site_heat_W = np.array(saved["cell_heat_W"]), np.array(saved["site_heat_W"])
        self.bond_loss_S = np.array(saved["bond_loss_S"])
        self.conductance_S, self.peak_K, steady = (float(value) for value in saved["scalars"])
        self._steady_V = None if np.isnan(steady) else steady
        self.n_solves = int(saved["n_solves"][0])
        self._unit_heat = {}
