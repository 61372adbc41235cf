"""From the description of an ECRAM device to its mesh, the equations of its ions, and the conduction of its channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.config.ecram import EcramDevice
from ionsim.config.ecram_geometry import EcramStack, EcramVertical3d
from ionsim.devices.ecram_channel import ENDS, ConductingChannel, PlaneChannel, StackChannel
from ionsim.devices.ecram_heat import heat_network
from ionsim.materials.constants import E_C, K_EV_PER_K
from ionsim.materials.intercalation import FittedVoltage, HoppingMetal, RegularSolution

Floats = NDArray[np.float64]

#: Names of the ion in the electrolyte and in the channel; of the gate's terminal; of the channel, which is a terminal
#: with its contacts if it has one potential, else a conductor between their terminals.
ION, INSERTED = "ion", "inserted"
GATE, CHANNEL = "gate", "channel"

_REFERENCE_K = 300.0
_NM = 1e-9


@dataclass(frozen=True)
class EcramCell:
    """A device ready to be stepped.

    ``scale``: what makes a current or charge of the mesh that of the device, m in a plane, m^2 on a line,
    how often it makes up the device in 3D.
    ``open_circuit_V``: of the gate against the channel, at a filled share of the channel. ``offset_V``: what is added
    to the gate's potential in ``transport`` to give its voltage against the channel. It makes both interfaces free of
    charge at open circuit when half of the channel's sites are filled (chosen: no data). ``grounded``: the terminals
    at 0 V. ``heat``: None where it is not coupled.
    """

    mesh: meshes.LabelledMesh
    transport: fem.Transport
    channel: PlaneChannel | StackChannel
    grounded: tuple[str, ...]
    heat: fem.HeatNetwork | None
    open_circuit_V: Callable[[float], float]
    scale: float
    offset_V: float


def build_cell(device: EcramDevice, comm: MPI.Comm | None = None) -> EcramCell:
    """Mesh a device and set up its equations, distributed over ``comm`` (default: this rank alone).

    Raises MeshError, FemError.
    """
    geometry = device.geometry
    mesh = meshes.build(geometry.kind, geometry.arguments(), MPI.COMM_SELF if comm is None else comm)
    line = isinstance(geometry, EcramStack)
    width_m = geometry.width_nm * _NM
    scale = width_m * geometry.channel_length_nm * _NM if isinstance(geometry, EcramStack) else width_m
    if isinstance(geometry, EcramVertical3d):
        scale = 2.0 if geometry.half else 1.0
    equipotential = line or device.channel.equipotential
    law = device.open_circuit()
    conductor = HoppingMetal(
        device.number("channel.sites_per_m3"), device.number("channel.mobility_m2_per_Vs"),
        device.number("channel.hopping_eV"), device.number("channel.critical"),
        device.number("channel.critical_width"),
        device.word("channel", "carriers") == "holes",
    )  # fmt: skip
    transport = _transport(device, mesh, equipotential, law, conductor)
    make = StackChannel if line else PlaneChannel if equipotential else ConductingChannel
    channel = make(device, mesh, transport, conductor)
    grounded = (CHANNEL,) if equipotential else ENDS
    kT_eV, reservoir_V = K_EV_PER_K * device.ambient_K, device.number("reservoir.potential_V")

    def rest_V(x: float) -> float:
        return reservoir_V - float(law.voltage_V(np.array(x), kT_eV))

    heat = heat_network(device, mesh)
    return EcramCell(mesh, transport, channel, grounded, heat, rest_V, scale, reservoir_V - _half_filled_V(law))


def _half_filled_V(law: RegularSolution | FittedVoltage) -> float:
    return float(law.voltage_V(np.array(0.5), K_EV_PER_K * _REFERENCE_K))


def _transport(
    device: EcramDevice, mesh: meshes.LabelledMesh, equipotential: bool, law: RegularSolution | FittedVoltage,
    conductor: HoppingMetal,
) -> fem.Transport:  # fmt: skip
    number = device.number
    density, sites = number("electrolyte.density_per_m3"), number("electrolyte.sites_per_m3")
    kT_eV = K_EV_PER_K * _REFERENCE_K
    # sigma = e^2 n D / kT
    diffusivity = number("electrolyte.conductivity_S_per_m") * kT_eV / (density * E_C)
    reservoir_eV = -_half_filled_V(law)
    filled = density / sites
    phases = {
        "electrolyte": fem.Phase(["electrolyte"], sites, fem.lattice_gas, -density),
        "channel": fem.Phase(["channel"], number("channel.sites_per_m3"), law.excess),
    }
    species = {
        ION: fem.Species(
            "electrolyte", 1, diffusivity, density, hop_nm=number("electrolyte.hop_nm") or None,
            # in balance with the reservoir without a voltage between electrolyte and gate
            standard_eV=reservoir_eV - kT_eV * float(np.log(filled / (1.0 - filled))),
            activation_eV=number("electrolyte.activation_eV"),
        ),
        INSERTED: fem.Species(
            "channel", 1,
            device.diffusivity(),
            device.channel.initial * number("channel.sites_per_m3"), standard_eV=-law.middle_V,
            activation_eV=number("channel.activation_eV"),
        ),
    }  # fmt: skip
    layer = number("interfaces.channel.capacitance_F_per_m2")
    terminals, conductors = _metals(device, mesh, equipotential, conductor)
    at_gate, at_channel = _reaction(device, "gate", None, reservoir_eV), _reaction(device, "channel", INSERTED, 0.0)
    return fem.Transport(
        mesh, {"electrolyte": number("electrolyte.relative_permittivity")}, phases, species,
        {
            GATE: fem.Terminal(
                ["gate"], reactions=[at_gate], capacitance_F_per_m2=number("interfaces.gate.capacitance_F_per_m2")
            ),
            **terminals,
        },
        {
            name: fem.Junction([at_channel] if name == "electrolyte/channel" else [], layer)
            for name in mesh.interfaces  # on contacts under the electrolyte ions stop
        },
        temperature_K=device.ambient_K, reference_K=_REFERENCE_K, rtol=max(device.numerics.field_rtol, 1e-8),
        conductors=conductors,
    )  # fmt: skip


def _metals(
    device: EcramDevice, mesh: meshes.LabelledMesh, equipotential: bool, conductor: HoppingMetal
) -> tuple[dict[str, fem.Terminal], dict[str, fem.Conductor]]:
    """The channel and its contacts: terminals, and conductors between them."""
    if equipotential:
        regions = [name for name in (CHANNEL, *ENDS) if name in mesh.regions]
        return {CHANNEL: fem.Terminal(regions=regions)}, {}
    begin = conductor.conductivity(np.array([device.channel.initial]), device.ambient_K)
    body = fem.Conductor(
        [CHANNEL], float(begin[0]), "electrolyte/channel", device.channel.contact_ohm_m2 or None
    )
    return {end: fem.Terminal(regions=[end]) for end in ENDS}, {CHANNEL: body}


def _reaction(device: EcramDevice, side: str, into: str | None, reservoir_eV: float) -> fem.ChargeTransfer:
    path = f"interfaces.{side}."
    j0 = device.number(f"{path}exchange_A_per_m2")
    rate = getattr(device.interfaces, side).rate
    symmetric = rate != "butler-volmer"
    alpha = 0.5 if symmetric else device.number(f"{path}transfer")
    exchange: Any = j0
    if into is not None:  # the number is that of the electrolyte at rest and a channel that is filled by half
        filled = device.number("electrolyte.density_per_m3") / device.number("electrolyte.sites_per_m3")
        exchange = fem.insertion_exchange(j0 / ((0.5 * filled) ** (1.0 - alpha) * 0.5**alpha), alpha)
    return fem.ChargeTransfer(
        ION, exchange, into, alpha=alpha,
        reorganisation_eV=device.number(f"{path}reorganisation_eV") if symmetric else None,
        reservoir_eV=reservoir_eV, activation_eV=device.number(f"{path}activation_eV"), rate=rate,
    )  # fmt: skip
