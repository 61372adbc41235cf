"""Run by test_fem_parallel on one and two ranks: argv[1] is where to put the results, argv[2] which problem."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mpi4py import MPI

import meshes
from fem import ChargeTransfer, Conductor, Junction, Phase, Species, Terminal

SIZES = {"channel_length_nm": 24.0, "channel_nm": 4.0, "electrolyte_nm": 5.0, "gate_length_nm": 20.0,
         "contact_length_nm": 6.0, "contact_nm": 6.0, "size_nm": 1.0, "lateral_nm": 5.0, "edge_nm": 2.0}  # fmt: skip
SITES_PER_M3 = 1.8e28


def species() -> tuple[dict[str, Phase], dict[str, Species]]:
    """Ions in an electrolyte with a fixed background, that hop faster in fields, and in a channel."""
    phases = {
        "electrolyte": Phase(["electrolyte"], 1e27, fem.lattice_gas, -2e26),
        "channel": Phase(["channel"], SITES_PER_M3, fem.regular_solution(-0.1)),
    }
    moving = {
        "ion": Species("electrolyte", 1, 1e-13, 2e26, hop_nm=0.3, activation_eV=0.2),
        "inserted": Species("channel", 1, lambda x: (1e-15 * (1.0 - 0.5 * x), -0.5e-15), 0.1 * SITES_PER_M3),
    }  # fmt: skip
    return phases, moving


def junctions(cell: meshes.LabelledMesh) -> dict[str, Junction]:
    """Ions go into the channel; contacts under the electrolyte block them; a compact layer everywhere."""
    into = ChargeTransfer("ion", fem.insertion_exchange(1e3), "inserted", reorganisation_eV=0.4, activation_eV=0.1)
    return {name: Junction([into] if name == "electrolyte/channel" else [], 0.05) for name in cell.interfaces}


def stack() -> tuple[fem.Transport, list[dict]]:
    """A line: the channel at one potential; a voltage, then a current."""
    cell = meshes.ecram_stack(6.0, 8.0, 0.5, comm=MPI.COMM_WORLD)
    gate = Terminal(["gate"], reactions=[ChargeTransfer("ion", 5e2)], capacitance_F_per_m2=0.08)
    terminals = {"gate": gate, "channel": Terminal(regions=["channel"])}
    one = fem.Transport(cell, {"electrolyte": 15.0}, *species(), terminals, junctions(cell))
    ground = {"channel": 0.0}
    return one, [{"voltages_V": ground | {"gate": 0.3}}, {"voltages_V": ground, "currents_A": {"gate": 2e3}}]


def plane(contact_ohm_m2: float | None = None) -> tuple[fem.Transport, list[dict]]:
    """A conducting channel with a sheet on it between contacts, in a field of temperature."""
    return channel(meshes.ecram_vertical(**SIZES, comm=MPI.COMM_WORLD), contact_ohm_m2)


def solid() -> tuple[fem.Transport, list[dict]]:
    """The same in 3D, with the electrolyte around the channel."""
    cell = meshes.ecram_vertical_3d(**SIZES, width_nm=8.0, gate_width_nm=6.0, electrolyte_width_nm=12.0,
                                    comm=MPI.COMM_WORLD)  # fmt: skip
    return channel(cell, None)


def channel(cell: meshes.LabelledMesh, contact_ohm_m2: float | None) -> tuple[fem.Transport, list[dict]]:
    terminals = {
        "gate": Terminal(["gate"], reactions=[ChargeTransfer("ion", 5e2)], capacitance_F_per_m2=0.08),
        "source": Terminal(regions=["source"]), "drain": Terminal(regions=["drain"]),
    }  # fmt: skip
    body = Conductor(["channel"], 20.0, "electrolyte/channel", contact_ohm_m2)
    one = fem.Transport(
        cell, {"electrolyte": 15.0}, *species(), terminals, junctions(cell), conductors={"channel": body}
    )
    x = np.asarray(one.space.tabulate_dof_coordinates())
    one.temperature_K = 310.0 + x[:, 0] / 4.0
    one.set_conductivity("channel", 20.0 + x[:, 0], np.where(x[:, 0] > 0.1, 3e-8, -4e-8))
    ends = {"source": 0.0, "drain": -0.05}
    depth_m = 1.0 if cell.mesh.topology.dim == 2 else 8e-9
    return one, [{"voltages_V": ends | {"gate": 0.4}, "resistances_ohm": {"gate": 1e-8 / depth_m}},
                 {"voltages_V": ends, "currents_A": {"gate": 1e-3 * depth_m}}]  # fmt: skip


PROBLEMS: dict[str, Callable[[], tuple[fem.Transport, list[dict]]]] = {
    "stack": stack, "plane": plane, "resistive": lambda: plane(2e-13), "solid": solid,
}  # fmt: skip


def main(path: Path, name: str) -> None:
    """Open circuit, then steps of several lengths: what does not depend on the partition."""
    one, drives = PROBLEMS[name]()
    one.steady({name: 0.0 for name in one.terminals if name != "gate"}, {"gate": 0.0})
    halo = one.halo
    x = np.asarray(one.space.tabulate_dof_coordinates())
    found: dict[str, list] = {}
    for drive in drives:
        for dt_s in (1e-9, 2e-9, 1e-8, 1e-7, 1e-6):
            done = one.attempt(dt_s, **drive)
            assert done.accepted, done.reason
            state = done.result
            now = {
                **{key: list(getattr(state, key).values()) for key in
                   ("currents_A", "displacement_A", "faradaic_A", "conduction_A", "voltages_V")},
                "work": [state.newton_iterations, state.matrices],
                "changes": list(done.changes.values()),
                "charge": list(one.charge_C.values()), "faradaic_C": list(one.faradaic_C.values()),
                "amounts": [one.amount(key) for key in one.names],
                "heat": [halo.sum(one.dissipation_W()), halo.sum(one.dissipation_W() * x[:, 0])],
                "metal": [halo.sum(part * (1.0 + x[:, 0])) for part in
                          (state.metal_displacement_A, state.metal_ions_A, one.metal_charge_C)],
            }  # fmt: skip
            for key, values in now.items():
                found.setdefault(key, []).append(values)
    results = {key: np.array(values) for key, values in found.items()}
    nodes = {region: one.region_nodes(region) for region in ("electrolyte", "channel")}
    fields = {"ion": ("electrolyte", one.fraction("ion")), "inserted": ("channel", one.fraction("inserted")),
              "potential": ("electrolyte", one.potential_V)}  # fmt: skip
    for key, (region, values) in fields.items():
        own = nodes[region][nodes[region] < halo.owned]
        parts = zip(*MPI.COMM_WORLD.allgather((x[own], values[own])), strict=True)
        places, whole = (np.concatenate(part) for part in parts)
        results[key] = whole[np.lexsort(np.round(places, 6).T)]
    results["ranks"] = np.array(float(MPI.COMM_WORLD.size))
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, allow_pickle=False, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
