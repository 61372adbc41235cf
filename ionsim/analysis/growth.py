"""From which electrode metal grew: where the first half of it stood, and where the last gap was.

Heights are shares of the way from the plane at the inert electrode (0) to the one at the active electrode (1).

*First half*: mean height of all atoms when there are half as many as in the end. A column that grows from the inert
electrode has 1/4 (a cone less), one from the active electrode 3/4, two alike from both 1/2.

*Last gap*: height of the planes with the fewest atoms in the end: how far metal on the inert electrode has come when it
meets that on the active one.

What :func:`at` varies. *Redox rate*: ``transfer.barrier_eV``, and both caps of the transfer by the same factor, so that
steps without a barrier (most are, far from equilibrium) slow down as well. *Mobility*: ``ion.hop_barrier_eV``, and
``atom.surface_barrier_eV`` is set to the same value: an atom in the matrix moves no more easily than the ion, which
would otherwise travel as an atom. ``film_reduction`` stays as it is, because its electrons come through traps of the
film and not across a surface of metal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import kmc
from ionsim.config import EcmDevice
from ionsim.devices.ecm import Ecm
from ionsim.devices.ecm_lattice import ATOM
from ionsim.drive import Circuit

Floats = NDArray[np.float64]

#: A small cell without a soft spot, and electrons that the film carries to any height.
SMALL_CELL: Mapping[str, Any] = {
    "layers.electrolyte.thickness_nm": 3.0, "lattice.width_nm": 2.4, "lattice.depth_nm": 2.4, "soft_spots": [],
    "mesh.domain_width_nm": 8.0, "numerics.potential_error_kT": 4.0, "numerics.freeze_temperature": True,
    "film_reduction": {"barrier_eV": 0.6, "decay_nm": 5.0}, "transfer.joined_metal": True,
}  # fmt: skip

#: Cap of the transfer at the redox barrier of the file, Hz: 10 ns a step.
_CAP_HZ = 1e8

#: Metal grew from the inert electrode below the first value of the first half, from the active one above the second.
INERT_BELOW, ACTIVE_ABOVE = 0.4, 0.6

#: A cell is bridged when this current flows, A, or the metal touches both electrodes: a gap of a plane is left then.
BRIDGED_A = 1e-6

#: Looks at the lattice are this far apart at first, s; the time between them grows by this factor while little happens.
_FIRST_S, _STRETCH = 1e-9, 1.15

#: With more new atoms than this between two looks, the next one comes after half the time.
_NEW_ATOMS = 6


@dataclass(frozen=True, eq=False)
class Growth:
    """How a run went.

    Attributes:
        times_s: (T,) when the lattice was looked at.
        counts: (T, P) atoms in each plane, from the inert electrode up.
        bridged: whether metal bridged the electrodes; else the run was given up.
        n_events: of the lattice.
    """

    times_s: Floats
    counts: NDArray[np.int64]
    bridged: bool
    n_events: int

    @property
    def last_gap(self) -> float:
        """See :func:`last_gap`."""
        return last_gap(self.counts[-1])

    @property
    def first_half(self) -> float:
        """See :func:`first_half`."""
        return first_half(self.counts)


def last_gap(atoms: ArrayLike) -> float:
    """Mean height of the planes with the fewest of the atoms (P,): 0 at the inert electrode and 1 at the active one."""
    final = np.asarray(atoms)
    return float(np.flatnonzero(final == final.min()).mean() / (len(final) - 1))


def first_half(counts: ArrayLike) -> float:
    """Mean height of the atoms (T, P) once there are half as many as in the end, 0 to 1; nan if there are none."""
    atoms = np.asarray(counts)
    total = atoms.sum(axis=1)
    if total[-1] == 0:
        return float("nan")
    then = atoms[np.argmax(2 * total >= total[-1])]
    return float(then @ np.arange(len(then)) / then.sum() / (len(then) - 1))


def at(base: EcmDevice, redox_eV: float, hop_eV: float) -> EcmDevice:
    """The device with another redox rate and mobility."""
    slower_by = (redox_eV - base.kinetic("transfer.barrier_eV")) / (kmc.KB_EV * base.ambient_K)
    cap_Hz = _CAP_HZ * float(np.exp(-slower_by))
    return base.replace({
        "transfer.barrier_eV": redox_eV, "transfer.max_rate_Hz": cap_Hz, "transfer.max_metal_rate_Hz": cap_Hz,
        "ion.hop_barrier_eV": hop_eV, "atom.surface_barrier_eV": hop_eV,
    })  # fmt: skip


def grow(device: EcmDevice, voltage_V: float, seed: int, max_events: float, longest_s: float) -> Growth:
    """Hold a virgin cell at a voltage until metal bridges it, ``max_events`` happened or ``longest_s`` passed."""
    cell = Ecm(device, np.random.SeedSequence(seed))
    cell.initialise()
    height = np.round(cell.lattice.positions_nm[:, 2], 6)
    plane = np.unique(height, return_inverse=True)[1]
    metal = cell.species.index(ATOM)
    circuit = Circuit(0.0, BRIDGED_A)
    times, counts = [0.0], [plane_atoms(cell.engine.occupation == metal, plane)]
    bridged, step_s, time_s = False, 0.0, 0.0
    while not bridged and time_s < longest_s and cell.engine.n_events < max_events:
        step_s = _next_step(step_s, counts)
        time_s += step_s
        cell.advance(time_s, voltage_V, circuit)
        times.append(time_s)
        counts.append(plane_atoms(cell.engine.occupation == metal, plane))
        bridged = bool(cell.limited or cell.network.channels(cell.engine.occupation == metal))
    return Growth(np.array(times), np.array(counts), bridged, cell.engine.n_events)


def plane_atoms(metal: NDArray[np.bool_], plane: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P,) sites of a mask (N,) in each plane; ``plane`` (N,) numbers them."""
    return np.bincount(plane[metal], minlength=int(plane.max()) + 1)


def _next_step(step_s: float, counts: list[NDArray[np.int64]]) -> float:
    if len(counts) < 2:
        return _FIRST_S
    return step_s * (0.5 if counts[-1].sum() - counts[-2].sum() > _NEW_ATOMS else _STRETCH)
