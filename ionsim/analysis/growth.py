"""From which electrode metal grew: the order in which lattice planes got it, and where the last gap was.

A filament that starts at the inert electrode fills planes from the bottom up, one that starts at the active electrode
from the top down. A plane has its metal when it holds half of the atoms that it holds in the end (ions are no metal);
Kendall's tau-b between height and that time is +1 and -1 in these cases, and about 0 for metal that starts in the
middle, or at both sides. Planes that stay empty come last, all at the same time.

What :func:`at` varies. *Redox rate*: ``transfer.barrier_eV``, and both caps of the transfer by the same factor, so that
steps without a barrier (most are, far from equilibrium) slow down as well. *Mobility*: ``ion.hop_barrier_eV``, and
``atom.surface_barrier_eV`` by the same shift: ions and atoms push through the same matrix. ``film_reduction`` stays as
it is, because its electrons come through traps of the film and not across a surface of metal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau

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
    "film_reduction": {"barrier_eV": 0.6, "decay_nm": 5.0},
}  # fmt: skip

#: Cap of the transfer at the redox barrier of the file, Hz: 10 ns a step.
_CAP_HZ = 1e8

#: A run has a direction from this tau on: with 15 planes and no order, |tau| is above it once in eight runs.
CLEAR = 0.3

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
    def order(self) -> float:
        """+1: planes got metal from the inert electrode up, -1: from the active one down; nan without metal."""
        return growth_order(self.times_s, self.counts)

    @property
    def last_gap(self) -> float:
        """Height of the thinnest planes in the end, 0 at the inert electrode and 1 at the active one."""
        return last_gap(self.counts[-1])


def growth_order(times_s: ArrayLike, counts: ArrayLike) -> float:
    """Kendall's tau-b of height against the time at which a plane got its metal, from atoms (T, P) at times (T,)."""
    atoms, times = np.asarray(counts), np.asarray(times_s, dtype=float)
    final = atoms[-1]
    if not final.any():
        return float("nan")
    below = 2 * atoms < final
    # The last look at which a plane had less than half: atoms that came and went before do not count.
    since = np.where(below.any(axis=0), len(times) - np.argmax(below[::-1], axis=0), 0)
    got = np.append(times, np.inf)[np.where(final > 0, since, len(times))]
    return float(kendalltau(np.arange(len(final)), got).statistic)


def last_gap(atoms: ArrayLike) -> float:
    """Mean height of the planes with the fewest of the atoms (P,), over that of the highest plane."""
    final = np.asarray(atoms)
    return float(np.flatnonzero(final == final.min()).mean() / (len(final) - 1))


def at(base: EcmDevice, redox_eV: float, hop_eV: float) -> EcmDevice:
    """The device with another redox rate and mobility."""
    slower_by = (redox_eV - base.kinetic("transfer.barrier_eV")) / (kmc.KB_EV * base.ambient_K)
    cap_Hz = _CAP_HZ * float(np.exp(-slower_by))
    shift_eV = hop_eV - base.kinetic("ion.hop_barrier_eV")
    return base.replace({
        "transfer.barrier_eV": redox_eV, "transfer.max_rate_Hz": cap_Hz, "transfer.max_metal_rate_Hz": cap_Hz,
        "ion.hop_barrier_eV": hop_eV,
        "atom.surface_barrier_eV": base.kinetic("atom.surface_barrier_eV") + shift_eV,
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
