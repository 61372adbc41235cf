"""The channel of an ECRAM device: how well it conducts, and which contact its electrons come from.

Electrons that a gate draws to the channel's surface conduct beside those that came with ions: a sheet conductance,
their charge times their mobility, which is gone with the charge (the volatile part). Currents into the channel are
those of its electrons; a node's come from source and drain in the shares of the potential there when a voltage lies
between the two (reciprocity). What that takes of voltage along the channel is part of the equations in a plane, with
the conductivity of the beginning of each step; on a line it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import fem
import meshes
from ionsim.config.ecram import EcramDevice
from ionsim.materials.intercalation import HoppingMetal

Floats = NDArray[np.float64]
Nodes = NDArray[np.int64]

_NM = 1e-9

#: Both contacts, and the parts of their currents.
ENDS = ("source", "drain")
PARTS = ("displacement", "field_effect", "faradaic")


@dataclass(frozen=True)
class Reading:
    """Conductance of the channel in S as it is, and without the electrons that the field draws to it.

    ``sheet_C_per_m2``: mean charge of these. In the units of the mesh: S of a square on a line, S/m in a plane.
    """

    conductance_S: float
    state_S: float
    sheet_C_per_m2: float


class _Channel:
    """What all kinds share: the surface against the electrolyte, and the sheet of electrons on it."""

    def __init__(
        self, device: EcramDevice, mesh: meshes.LabelledMesh, transport: fem.Transport, conductor: HoppingMetal
    ) -> None:
        self.conductor = conductor
        self._effect = device.channel.field_effect
        self._halo = transport.halo
        self.nodes: Nodes = np.flatnonzero(np.isfinite(transport.fraction("inserted")))
        pairs, area = transport.interface("electrolyte/channel")
        inside = np.isin(pairs, self.nodes)
        here = np.any(inside, axis=1)
        self.surface: Nodes = np.where(inside[:, 0], pairs[:, 0], pairs[:, 1])[here]
        self.area: Floats = area[here]
        self.size = transport.fraction("inserted").size
        self._whole = _whole_area(mesh, transport, self.size)[self.surface]

    def sum(self, values: Floats, nodes: Nodes) -> float:
        """Sum over all ranks of values (n,) at ``nodes`` (n,), local dofs, each counted once."""
        return self._halo.total(float(values[nodes < self._halo.owned].sum()))

    def mean(self, values: Floats, weight: Floats, nodes: Nodes) -> float:
        """Mean over all ranks of values (n,) with weights (n,) at ``nodes`` (n,), local dofs, each counted once."""
        own = nodes < self._halo.owned
        total, weights = float(values[own] @ weight[own]), float(weight[own].sum())
        return self._halo.total(total) / self._halo.total(weights)

    def sigma(self, x: Floats, temperature_K: float | Floats) -> Floats:
        """Conductivity (local dofs,) in S/m, 0 outside the channel."""
        result = np.zeros(self.size)
        at = temperature_K if np.ndim(temperature_K) == 0 else np.asarray(temperature_K)[self.nodes]
        result[self.nodes] = self.conductor.conductivity(x[self.nodes], at)
        return result

    def follow(self, x: Floats, charge_C: Floats, temperature_K: float | Floats) -> None:
        """Take note of filled share and surface charge (local dofs,) after a step; nothing hangs on them here."""

    def sheet(self, x: Floats, charge_C: Floats, temperature_K: float | Floats) -> tuple[Floats, float]:
        """Sheet conductance (local dofs,) in S of the electrons at the surface, and their mean charge in C/m^2.

        Holes that conduct are filled by electrons: then the sign turns.
        """
        density = charge_C[self.surface] / self._whole
        at = temperature_K if np.ndim(temperature_K) == 0 else np.asarray(temperature_K)[self.surface]
        mobility = self._effect * self.conductor.mobility(x[self.surface], at)
        result = np.zeros(self.size)
        result[self.surface] = (density if self.conductor.holes else -density) * mobility
        return result, self.mean(density, self.area, self.surface)


def _whole_area(mesh: meshes.LabelledMesh, transport: fem.Transport, size: int) -> Floats:
    """Area (local dofs,) of all split surfaces at a node: one in a corner has the charge of all that meet there."""
    total = np.zeros(size)
    for name in mesh.interfaces:
        pairs, area = transport.interface(name)
        for side in pairs.T:
            total += np.bincount(side[side >= 0], area[side >= 0], size)
    return total


class StackChannel(_Channel):
    """A channel without ends, on a line: every layer conducts along it, and half of the electrons come from each end.
    """

    def __init__(
        self, device: EcramDevice, mesh: meshes.LabelledMesh, transport: fem.Transport, conductor: HoppingMetal
    ) -> None:
        super().__init__(device, mesh, transport, conductor)
        self._thickness = transport.volume_m3("inserted")
        length_m, width_m = device.geometry.channel_length_nm * _NM, device.geometry.width_nm * _NM
        # per area of the gate, which is what the mesh is per: W/L = area / L^2
        self._squares = 1.0 / length_m**2
        self._contact_ohm = 2.0 * device.channel.contact_ohm_m2 / (width_m * device.geometry.channel_nm * _NM)
        self._area_m2 = length_m * width_m

    def read(self, x: Floats, charge_C: Floats, temperature_K: float | Floats) -> Reading:
        """Conductance per m^2 of the gate at filled share ``x`` and surface charge (local dofs,)."""
        own = slice(0, self._halo.owned)
        bulk = self._halo.total(float(self.sigma(x, temperature_K)[own] @ self._thickness[own]))
        sheet, mean = self.sheet(x, charge_C, temperature_K)
        self._last_S = bulk * self._squares
        return Reading(self._behind(max(bulk + self._halo.sum(sheet), 0.0)), self._behind(bulk), mean)

    def _behind(self, sheet_S: float) -> float:
        """Conductance per m^2 with the contacts in series."""
        value = sheet_S * self._squares
        return value / (1.0 + value * self._area_m2 * self._contact_ohm)

    def split(self, state: fem.TransportState) -> dict[str, float]:
        """Currents of source and drain in A, and their parts by names such as ``source_field_effect_A``."""
        values = {
            "displacement": 0.0, "field_effect": state.displacement_A["channel"],
            "faradaic": state.faradaic_A["channel"],
        }  # fmt: skip
        parts = {f"{end}_{part}_A": 0.5 * values[part] for end in ENDS for part in PARTS}
        return parts | {f"{end}_A": 0.5 * state.currents_A["channel"] for end in ENDS}

    def drop_V(self, state: fem.TransportState) -> float:
        """Largest voltage in the channel that the gate's current makes on its way, in V: I R/8, fed from both ends."""
        return abs(state.currents_A["channel"]) / self._last_S / 8.0


class PlaneChannel(_Channel):
    """A channel between source and drain in a plane, all at one potential."""

    def __init__(
        self, device: EcramDevice, mesh: meshes.LabelledMesh, transport: fem.Transport, conductor: HoppingMetal
    ) -> None:
        super().__init__(device, mesh, transport, conductor)
        contact = device.channel.contact_ohm_m2 or None
        self._conduction = fem.ChannelConduction(
            mesh, "channel", "source", "drain", "electrolyte/channel", contact_ohm_m2=contact
        )
        self._ends = {end: transport.region_nodes(end) for end in ENDS}
        self.own: Nodes = np.setdiff1d(self.nodes, np.concatenate([*self._ends.values()]))
        self._share = np.full(self.size, 0.5)

    def read(self, x: Floats, charge_C: Floats, temperature_K: float | Floats) -> Reading:
        """Conductance per m of depth at filled share ``x`` and surface charge (local dofs,)."""
        sigma = self.sigma(x, temperature_K)
        sheet, mean = self.sheet(x, charge_C, temperature_K)
        bare = self._conduction.solve(sigma)
        found = self._conduction.solve(sigma, sheet)
        self._share = found.source_share
        return Reading(found.conductance_S, bare.conductance_S, mean)

    def split(self, state: fem.TransportState) -> dict[str, float]:
        """Currents of source and drain in A, and their parts by names such as ``source_field_effect_A``."""
        result: dict[str, float] = {}
        for end, share in zip(ENDS, (self._share, 1.0 - self._share), strict=True):
            values = {
                "displacement": self.sum(state.metal_displacement_A[self._ends[end]], self._ends[end]),
                "field_effect": self._shared(state.metal_displacement_A, share, self.own),
                "faradaic": self._shared(state.metal_ions_A, share, self.nodes),
            }  # fmt: skip
            result |= {f"{end}_{part}_A": values[part] for part in PARTS} | {f"{end}_A": sum(values.values())}
        return result

    def _shared(self, current_A: Floats, share: Floats, nodes: Nodes) -> float:
        """What of nodal currents (local dofs,) at ``nodes`` belongs to an end with this ``share`` (local dofs,)."""
        own = nodes[nodes < self._halo.owned]
        return self._halo.total(float(current_A[own] @ share[own]))

    def drop_V(self, state: fem.TransportState) -> float:
        """Largest voltage in the channel that the gate's current makes on its way, in V."""
        return self._conduction.drop_V(state.metal_displacement_A + state.metal_ions_A)


class ConductingChannel(PlaneChannel):
    """A channel between source and drain in a plane, in which the potential follows Ohm's law."""

    def __init__(
        self, device: EcramDevice, mesh: meshes.LabelledMesh, transport: fem.Transport, conductor: HoppingMetal
    ) -> None:
        super().__init__(device, mesh, transport, conductor)
        self._transport = transport
        if device.channel.contact_ohm_m2:
            self.own = self.nodes
        self._used = self._next = self.sigma(transport.fraction("inserted"), device.ambient_K), np.zeros(self.size)

    def follow(self, x: Floats, charge_C: Floats, temperature_K: float | Floats) -> None:
        """From the next step on the channel conducts as at filled share ``x`` and surface charge (local dofs,)."""
        self._used = self._next
        self._next = self.sigma(x, temperature_K), self.sheet(x, charge_C, temperature_K)[0]
        self._transport.set_conductivity("channel", *self._next)

    def split(self, state: fem.TransportState) -> dict[str, float]:
        """Currents of source and drain in A, which the equations give, and their parts, by the shares of all nodes."""
        share = self._conduction.solve(*self._used).source_share
        result: dict[str, float] = {}
        for end, here in zip(ENDS, (share, 1.0 - share), strict=True):
            values = {
                "displacement": state.displacement_A[end],
                "field_effect": self._shared(state.metal_displacement_A, here, self.own),
                "faradaic": state.faradaic_A[end] + self._shared(state.metal_ions_A, here, self.own),
            }
            result |= {f"{end}_{part}_A": values[part] for part in PARTS} | {f"{end}_A": state.currents_A[end]}
        return result

    def drop_V(self, state: fem.TransportState) -> float:
        """Largest voltage between the channel and its contacts, in V."""
        return self._halo.maximum(float(np.abs(self._transport.potential_V[self.nodes]).max(initial=0.0)))
