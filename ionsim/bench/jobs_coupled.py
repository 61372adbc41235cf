"""The job of ``ionsim bench coupled``: one field refresh of a VCM device, all that follows from it included.

The device is the example ``hfo2_ti_bipolar`` widened to 44 x 43 columns of 20 oxygen sites, 37,840 sites (DeviceKMC's
and arrayKMC's own 5 nm device has 37,650), with a filament that ends two layers above the bottom electrode, at 1 V.
"""

import time
from typing import Any

import numpy as np
from mpi4py import MPI

from fem.conductance import Conductance
from fem.krylov import Krylov
from fem.system import System
from ionsim.bench.sections import Sections
from ionsim.bench.timing import Effort
from ionsim.coupling import LatticeFields, Network
from ionsim.devices.filament import FilamentDevice
from kmc import Engine

Numbers = dict[str, Any]

#: Distance of oxygen sites, nm; radius of the filament, nm; the gap below it, nm; applied voltage, V. Chosen.
SPACING_NM, RADIUS_NM, GAP_NM, APPLIED_V = 0.254, 0.65, 0.5, 1.0
#: Events of the lattice between two refreshes.
EVENTS = 20

PARTS = {
    "step": ((FilamentDevice, "_refresh"),),
    "potential": ((LatticeFields, "solve_potential"),),
    "heat": ((LatticeFields, "_find_temperature"),),
    "temperature at the sites": ((LatticeFields, "_sample_temperature"),),
    "bonds": ((Network, "bonds"),),
    "matrix": ((Conductance, "set_coefficient"), (System, "_matrix")),
    "preconditioner": ((Krylov, "set_matrix"),),
    "iterations": ((Krylov, "solve"),),
    "rates": ((Engine, "set_fields"),),
    "error estimate": ((LatticeFields, "weights"),),
    "watch": ((FilamentDevice, "_watch"),),
}


def coupled(effort: Effort, columns: float) -> Numbers:
    """Processor time of refreshes, each after some events; ``columns`` along x, one less along y."""
    from ionsim.config import load
    from ionsim.config.vcm import VcmDevice
    from ionsim.devices.vcm import Vcm
    from ionsim.drive import Circuit
    from ionsim.errors import IonsimError

    across = (int(columns), max(1, int(columns) - 1))
    width_nm, depth_nm = (number * SPACING_NM for number in across)
    middle_nm = [0.5 * width_nm, 0.5 * depth_nm]
    device = load("hfo2_ti_bipolar").replace(
        {"lattice.width_nm": width_nm, "lattice.depth_nm": depth_nm, "weak_spots": [
            {"centre_nm": middle_nm, "radius_nm": RADIUS_NM, "hop_shift_eV": -0.19, "site_energy_eV": -0.30}
        ]}
    )  # fmt: skip
    begun = time.perf_counter()
    if not isinstance(device, VcmDevice):
        raise IonsimError(f"a VCM device is timed, not one of family {device.family!r}")
    family = Vcm(device, np.random.SeedSequence(1), MPI.COMM_SELF)
    build_s = time.perf_counter() - begun
    positions_nm = family.lattice.positions_nm
    occupation = family.engine.occupation.copy()
    from_axis_nm = np.hypot(*(positions_nm[:, :2] - middle_nm).T)
    occupation[(from_axis_nm <= RADIUS_NM) & (positions_nm[:, 2] > GAP_NM)] = 1
    circuit = Circuit(0.0, None)
    family.place(occupation)
    family.advance(family.time_s, APPLIED_V, circuit)
    family._dwell_end_s = np.inf  # steady heat, as in a slow sweep
    family._refresh(circuit)
    taken, parts, iterations = [], [], []
    with Sections(PARTS) as sections:
        for _ in range(3 * effort.pieces):
            family.engine.run(until_s=np.inf, max_events=EVENTS)
            sections.clear()
            family._refresh(circuit)
            taken.append(sum(sections.seconds.values()))
            parts.append(sections.seconds)
            iterations.append((family.fields.conduction.iterations, family.fields.heat.iterations))
    names = sorted(set().union(*parts))
    potential, heat = np.mean(iterations, axis=0).tolist()
    return {
        "sites": len(family.lattice.sites), "dofs": family.fields.conduction.operator.halo.size,
        "build_s": build_s, "step_s": float(np.median(taken)), "least_s": min(taken), "longest_s": max(taken),
        "parts": {name: float(np.mean([part.get(name, 0.0) for part in parts])) for name in names},
        "potential_iterations": potential, "heat_iterations": heat,
        "current_A": family.current_A, "peak_K": family.fields.peak_K,
    }  # fmt: skip


JOBS = {"coupled": coupled}
