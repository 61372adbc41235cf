"""Heat of an ECRAM device: the friction of its ions and its reactions, on the mesh of the ions."""

from __future__ import annotations

import fem
import meshes
from ionsim.config.ecram import EcramDevice

#: Surfaces that heat leaves through: the gate's conductance, and the substrate's for all the others.
_GATE = "gate"
_BELOW = ("bottom", "back", "source", "drain")


def heat_network(device: EcramDevice, mesh: meshes.LabelledMesh) -> fem.HeatNetwork | None:
    """The heat equation of a device; None where heat is not coupled."""
    keys = device.heat
    if not keys.coupled:
        return None
    conducts = {
        "channel": keys.channel_W_per_mK, "electrolyte": keys.electrolyte_W_per_mK, "source": keys.contact_W_per_mK,
        "drain": keys.contact_W_per_mK,
    }  # fmt: skip
    holds = {
        "channel": keys.channel_J_per_m3K, "electrolyte": keys.electrolyte_J_per_m3K,
        "source": keys.contact_J_per_m3K, "drain": keys.contact_J_per_m3K,
    }  # fmt: skip
    sinks = {name: keys.substrate_W_per_m2K for name in _BELOW if name in mesh.surfaces}
    return fem.HeatNetwork(
        mesh, {name: conducts[name] for name in mesh.regions}, {name: holds[name] for name in mesh.regions},
        {_GATE: keys.gate_W_per_m2K, **sinks}, device.ambient_K,
    )  # fmt: skip
