"""How long a low-resistance state of a vacancy device lasts at a temperature without a voltage, in both models.

::

    state = formed_state(Run.open("run"))
    bake = bake_lattice(load("hfo2_ti_bipolar"), state, 700.0, seed=1, until_s=1.0)
    print(bake.failure_s(0.2))

A read is a solution of the conduction problem at 0.1 V: no time passes, and nothing moves.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy import stats

from ionsim.analysis.vcm_mapping import around, positions_nm, spacing_nm
from ionsim.analysis.vcm_transfer import Transfer
from ionsim.config import VcmDevice
from ionsim.config.waveforms import Sweep
from ionsim.devices.vcm import Vcm
from ionsim.devices.vcm_continuum import VcmContinuum
from ionsim.devices.vcm_continuum_cell import build_cell
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError, ResultsError
from ionsim.materials.constants import K_EV_PER_K
from ionsim.results import Run
from ionsim.simulation import Simulation

Floats = NDArray[np.float64]

#: Voltage of a read, and reads in each decade of time.
READ_V, PER_DECADE = 0.1, 8

#: Losses of conductance that count as failure: a fifth, and a half.
LOSSES = (0.2, 0.5)

#: Rates of a lattice are not slowed down (1/s): above the attempt frequency.
_NO_CAP_HZ = 1e16


@dataclass(frozen=True)
class LatticeState:
    """What a lattice hands on: species (N,) on its sites, and oxygen ions in the cap."""

    occupation: NDArray[np.int8]
    held: int


@dataclass(frozen=True)
class Bake:
    """Conductance in S at times in s (n,) from the start of a bake at ``kelvin``; ``events`` of a lattice so far."""

    kelvin: float
    time_s: Floats
    conductance_S: Floats
    events: Floats

    @property
    def reached_s(self) -> float:
        """How long it was followed, s."""
        return float(self.time_s[-1])

    @property
    def relative(self) -> Floats:
        """(n,) conductance over that at the start."""
        return self.conductance_S / self.conductance_S[0]

    def failure_s(self, loss: float) -> float:
        """Time (s) at which the conductance has first fallen by this share, between reads on a logarithmic scale.

        Infinity where it has not within ``reached_s``.
        """
        wanted = 1.0 - loss
        below = np.flatnonzero(self.relative <= wanted)
        if not below.size:
            return float("inf")
        k = int(below[0])
        if k < 2:  # the start is at 0 s
            return float(self.time_s[k])
        here, before = self.relative[k], self.relative[k - 1]
        part = (before - wanted) / (before - here)
        return float(self.time_s[k - 1] * (self.time_s[k] / self.time_s[k - 1]) ** part)


@dataclass(frozen=True)
class Activation:
    """ln t = ln(prefactor) + E/kT: E and half of its 95 % interval in eV, prefactor in s, temperatures used."""

    energy_eV: float
    half_eV: float
    prefactor_s: float
    kelvin: tuple[float, ...]

    def time_s(self, kelvin: float) -> float:
        """Extrapolated time at a temperature, s."""
        return float(self.prefactor_s * np.exp(self.energy_eV / (K_EV_PER_K * kelvin)))


def read_times(first_s: float, until_s: float) -> Floats:
    """Times of the reads, ``PER_DECADE`` in each decade."""
    count = max(2, round(PER_DECADE * np.log10(until_s / first_s)) + 1)
    return np.geomspace(first_s, until_s, count)


# -- lattice ------------------------------------------------------------------------------------------------------


def state_of(run: Run, label: str) -> LatticeState:
    """The lattice and the cap at a snapshot of a run. Raises ResultsError where it has none."""
    snapshot = run.snapshot(label)
    if not snapshot.occupation.size or "n_reservoir" not in run.series:
        raise ResultsError(f"{run.path}: a lattice with a cap is needed, and {run.name!r} has none")
    row = int(np.argmin(np.abs(run.series["time_s"] - snapshot.time_s)))
    return LatticeState(snapshot.occupation.copy(), int(run.series["n_reservoir"][row]))


def formed_state(run: Run) -> LatticeState:
    """The state after forming."""
    return state_of(run, "formed")


def bake_lattice(
    device: VcmDevice,
    state: LatticeState,
    kelvin: float,
    seed: int,
    *,
    until_s: float,
    first_s: float = 1e-7,
    wall_s: float = np.inf,
    stop_at: float = 0.45,
    hops_per_exchange: float | None = None,
) -> Bake:
    """Bake a lattice at 0 V; no rate is slowed down unless ``hops_per_exchange`` is given.

    Args:
        device: the lattice's device.
        state: to start from.
        kelvin: temperature.
        seed: of the bake's events; barriers of the lattice are those of the same seed.
        until_s, first_s: times of the last and the first read.
        wall_s: processor time after which it ends early.
        stop_at: share of the first conductance at which it ends early.
        hops_per_exchange: hops and their reverse are slowed down alike to this many times nu exp(-E0/kT) of the
            exchange, which leaves the balance among them as it is: for losses to the cap, which come after it.
    """
    hops_Hz = _NO_CAP_HZ
    if hops_per_exchange is not None and device.exchange is not None:
        slow = np.exp(-device.exchange.barrier_eV / (K_EV_PER_K * kelvin))
        hops_Hz = min(hops_Hz, hops_per_exchange * device.vacancy.attempt_Hz * float(slow))
    hot = device.replace({"ambient_K": kelvin, "vacancy.max_hop_rate_Hz": hops_Hz,
                          **({"exchange.max_rate_Hz": _NO_CAP_HZ} if device.exchange else {})})  # fmt: skip
    assert isinstance(hot, VcmDevice)
    cell = Vcm(hot, np.random.SeedSequence(seed), MPI.COMM_SELF)
    cell.place(state.occupation, {"cap": state.held} if device.exchange else None)
    circuit, begin, rows = Circuit(), time.process_time(), [(0.0, cell.fields.conductance_S, 0)]
    for at_s in read_times(first_s, until_s):
        cell.advance(float(at_s), 0.0, circuit)
        cell.read(circuit)
        rows.append((float(at_s), cell.fields.conductance_S, cell.engine.n_events))
        if rows[-1][1] <= stop_at * rows[0][1] or time.process_time() - begin > wall_s:
            break
    return Bake(kelvin, *np.array(rows, dtype=float).T)


# -- continuum ----------------------------------------------------------------------------------------------------


def bake_continuum(
    device: VcmDevice,
    amounts: Floats | None,
    kelvin: float,
    *,
    until_s: float,
    first_s: float = 1e-7,
    stop_at: float = 0.45,
) -> Bake:
    """Bake a continuum at 0 V, from its own start or from what its nodes hold (local dofs,)."""
    hot = device.replace({"ambient_K": kelvin})
    assert isinstance(hot, VcmDevice)
    cell = VcmContinuum(hot, MPI.COMM_SELF)
    if amounts is not None:
        cell.place(amounts)
    circuit, rows = Circuit(), [(0.0, read_S(cell), 0)]
    for at_s in read_times(first_s, until_s):
        cell.advance(float(at_s), 0.0, circuit)
        rows.append((float(at_s), read_S(cell), cell.n_steps))
        if rows[-1][1] <= stop_at * rows[0][1]:
            break
    return Bake(kelvin, *np.array(rows, dtype=float).T)


def amounts_of(device: VcmDevice, lattice: VcmDevice, states: Sequence[LatticeState]) -> Floats:
    """Mean vacancies of lattices at the nodes of a continuum's mesh (local dofs,)."""
    transfer = Transfer(build_cell(device), around(lattice), positions_nm(lattice), spacing_nm(lattice))
    return transfer.amounts([one.occupation == 1 for one in states])


def amounts_after(device: VcmDevice, stages: int) -> Floats:
    """What the nodes of a continuum hold (local dofs,) after so many stages of its sweep."""
    drive = device.drive
    if not isinstance(drive, Sweep):
        raise DeviceFileError(f"drive.kind: {drive.kind!r}; a sweep is needed that sets the device")
    short = device.replace({"drive.stages": [stage.model_dump() for stage in drive.stages[:stages]]})
    simulation = Simulation(short, comm=MPI.COMM_SELF)
    for _ in simulation:
        pass
    cell = simulation.family
    assert isinstance(cell, VcmContinuum)
    return cell.cell.vacancies.amounts


def read_S(cell: VcmContinuum, volts: float = READ_V) -> float:
    """Conductance of a continuum as it is, S; nothing moves."""
    saved = cell.cell.coupled.save()
    state = cell.problem.steady(volts)
    cell.cell.coupled.restore(saved)
    return float(state.current_A * cell.cell.share / volts)


# -- fits ---------------------------------------------------------------------------------------------------------


def activation(kelvin: Sequence[float], time_s: Sequence[float]) -> Activation:
    """Least squares of ln t by 1/kT over single bakes; Student's interval of the slope. Infinite times are left out.

    Raises:
        ResultsError: with fewer than two temperatures, or three times in all.
    """
    kelvins, times = np.asarray(kelvin, dtype=float), np.asarray(time_s, dtype=float)
    good = np.isfinite(times)
    if len(np.unique(kelvins[good])) < 2 or good.sum() < 3:
        raise ResultsError("an activation energy needs three failures, at two temperatures or more")
    x, y = 1.0 / (K_EV_PER_K * kelvins[good]), np.log(times[good])
    fit = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2) * fit.stderr)
    used = tuple(sorted(set(kelvins[good].tolist())))
    return Activation(float(fit.slope), half, float(np.exp(fit.intercept)), used)


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Median and the least and largest of the values: order statistics, which hold it with 1 - 2^(1 - n)."""
    ordered = np.sort(np.asarray(values, dtype=float))
    return float(np.median(ordered)), float(ordered[0]), float(ordered[-1])
