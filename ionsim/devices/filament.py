"""Filaments: a lattice of mobile species in finite-element fields.

What the sites are and what happens on them is the lattice's business (rates, barriers and detailed balance:
:mod:`kmc.rates`). Conductors near each other and near the electrodes carry current; its potential and its heat are what
the rates feel. The families :mod:`ionsim.devices.vcm` and :mod:`ionsim.devices.ecm` say what both are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kmc
from ionsim.config import Device
from ionsim.coupling import LatticeFields, RefreshControl
from ionsim.devices.filament_lattice import FilamentLattice
from ionsim.devices.same_mesh import check_mesh, mesh_mark
from ionsim.drive import Circuit
from ionsim.errors import IonsimError

#: Largest change of the device's voltage by its circuit before the fields are solved again, in kT/q: a rate with a
#: transfer coefficient of 1/2 is off by a factor of 1.6 then. Chosen; less where the potential's error is to be less.
_POINT_KT = 1.0

#: The same as a share of the device's voltage, and the share by which a recorded current may be off. Chosen.
_POINT_SHARE, _RECORDED_SHARE = 0.1, 0.05


class FilamentDevice:
    """A device whose filament is conductors on a lattice; see :class:`ionsim.devices.protocol.Family` for the methods.

    Args:
        device: its description.
        lattice: the sites with their engine.
        fields: potential and temperature at the sites.
    """

    #: Axis across which :meth:`state` cuts the mesh.
    cut_normal = 1

    def __init__(self, device: Device, lattice: FilamentLattice, fields: LatticeFields) -> None:
        self.device, self.lattice, self.fields = device, lattice, fields
        self.engine = lattice.engine
        self.species: tuple[str, ...] = lattice.species
        self.refresh = RefreshControl(device.numerics.potential_error_kT * kmc.KB_EV * device.ambient_K)
        self.applied_V = self.device_V = self.current_A = 0.0
        self.limited = False
        self.peak_K = self._hottest_K = device.ambient_K
        self._weight = np.zeros(len(self.lattice.sites))
        self._change_S: NDArray[np.float64] | None = None
        self._within_S = (-np.inf, np.inf)
        self._felt_V = np.zeros(len(self.lattice.sites))
        self._solved, self._n_events = self.engine.occupation.copy(), 0
        self._heat_time = self._dwell_end_s = 0.0
        self.on_step: Callable[[], None] | None = None

    # -- running ----------------------------------------------------------------------------------------------

    @property
    def time_s(self) -> float:
        """Simulated time, s."""
        return self.engine.time_s

    @property
    def field_time_s(self) -> float:
        """Wall time spent on potential and temperature by this process, s."""
        return self.fields.wall_s

    def initialise(self) -> None:
        """Solve the fields of the virgin device."""
        self._solve(Circuit(0.0, None))

    def advance(self, until_s: float, applied_V: float, circuit: Circuit) -> None:
        """Run the lattice to ``until_s``; the fields follow whenever their estimated error passes the threshold.

        So they do when the conductance may have changed so far that the circuit gives the device another voltage:
        behind a compliance every atom at the tip takes some of it away, until what is left drives no more growth. What
        is recorded at ``until_s`` is held to the estimates as they are: where little happens, the neck of a filament
        may change while that of the potential is calibrated on its busy middle.
        """
        self.applied_V = applied_V
        self._dwell_end_s = until_s
        self._hottest_K = 0.0
        self._operate(circuit)
        if self._off_point:
            self._refresh(circuit)
        while self.engine.run(until_s=until_s) == "watch":
            self._follow(circuit)
            if self.on_step is not None:
                self.on_step()
        misread = self._change_S is not None and abs(self.engine.shift) > _RECORDED_SHARE * self.fields.conductance_S
        if self.engine.drift > self.refresh.target_V(self.device_V) or self._off_point or misread:
            self._refresh(circuit)

    def _follow(self, circuit: Circuit) -> None:
        """The run was stopped by the watch: bring the fields up to date."""
        self._refresh(circuit)

    @property
    def potential_V(self) -> NDArray[np.float64]:
        """(N,) the potential that ions feel."""
        return self.fields.unit_potential * self.device_V

    def _solve(self, circuit: Circuit) -> None:
        """Solve the potential of the present configuration, then everything that follows from it."""
        self._solved, self._n_events = self.engine.occupation.copy(), self.engine.n_events
        self.fields.solve_potential(self.lattice.conducting(self._solved))
        self._operate(circuit)

    @property
    def _off_point(self) -> bool:
        """Whether the conductance may be another one by so much that the device's voltage is."""
        low_S, high_S = self._within_S
        return not low_S <= self.engine.shift <= high_S

    @property
    def _threshold_V(self) -> float:
        return self.refresh.threshold_V(self.device_V)

    def _refresh(self, circuit: Circuit) -> None:
        """Solve, and learn how far (V, root mean square over what feels it) the potential in use had been off."""
        used_V, estimate_V, n_events = self._felt_V, self.engine.drift, self._n_events
        self._solve(circuit)
        change = (self._felt_V - used_V)[self.lattice.feeling(self._solved)]
        error_V = float(np.sqrt(np.mean(change**2))) if len(change) else 0.0
        self.refresh.learn(error_V, estimate_V, self._n_events - n_events)
        self._watch()

    def _operate(self, circuit: Circuit) -> None:
        """Operating point, heat and rates; the potential is linear in the voltage and only scaled."""
        conducting = self.lattice.conducting(self._solved)
        point = circuit.operating_point(self.applied_V, self.fields.conductance_S)
        self.device_V, self.current_A, self.limited = point
        numerics = self.device.numerics
        if not numerics.freeze_temperature:
            # Heat settles within nanoseconds: where a longer dwell lies ahead, it is lived at the steady temperature.
            elapsed = max(self.time_s - self._heat_time, self._dwell_end_s - self.time_s)
            settled = not numerics.transient_heat or elapsed > self.fields.settling_time_s
            self.fields.solve_heat(conducting, self.device_V, None if settled else self.time_s - self._heat_time)
            self._heat_time = self.time_s
        self._set_fields()
        self.fields.weights(conducting, self.device_V, self._weight)
        self._change_S = self.fields.conductance_changes(conducting)
        if self._change_S is not None:
            point_V = min(_POINT_KT * kmc.KB_EV * self.device.ambient_K, self.refresh.setting_V)
            point_V = min(point_V, _POINT_SHARE * abs(self.device_V))
            conductance_S = self.fields.conductance_S
            low_S, high_S = circuit.conductance_range(self.applied_V, conductance_S, point_V)
            low_S = low_S if low_S > 0.0 else -np.inf  # an estimate may take away more than there is
            self._within_S = (low_S - conductance_S, high_S - conductance_S)
        self._watch()
        self._hottest_K = max(self._hottest_K, self.fields.peak_K)
        self.peak_K = max(self.peak_K, self.fields.peak_K)

    def _set_fields(self) -> None:
        """Give the engine what it is to feel."""
        self._felt_V, more = self._felt(self.potential_V)
        reservoir_V = self.lattice.reservoir_V(self.device_V)
        self.engine.set_fields(self._felt_V, self.fields.temperature_K, reservoir_V, **more)

    def _felt(self, potential_V: NDArray[np.float64]) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """(N,) the potential (V) that ions feel at the sites, and what else the engine needs to know of potentials."""
        return potential_V, {}

    def _watch(self) -> None:
        """Have the engine stop when conductors have come and gone so that the potential may be past the threshold."""
        self.engine.watch(
            self._weight, self._threshold_V, since=self._solved, alike=self.lattice.alike,
            change=self._change_S, within=self._within_S,
        )  # fmt: skip

    def place(self, occupation: NDArray[np.int8], reservoirs: Mapping[str, int] | None = None) -> None:
        """Put species (N,) on the sites and particles into reservoirs from outside, and solve the fields at 0 V.

        For states that come from another run or another model; time and random stream go on. Not on a divided lattice.
        """
        engine = self.engine
        if isinstance(engine, kmc.ParallelEngine):
            raise IonsimError("numerics.distributed_lattice: a divided lattice takes no state from outside")
        engine.assign(np.arange(len(self.lattice.sites)), occupation)
        if reservoirs:
            saved, rows = engine.checkpoint(), [one.name for one in engine.model.reservoirs]
            for name, number in reservoirs.items():
                saved["reservoir_count"][rows.index(name)] = number
            engine.restore(saved)
        self._solve(Circuit(0.0, None))

    def read(self, circuit: Circuit) -> None:
        """Solve the fields of the present configuration, as a read does that the estimate does not ask for."""
        self._solve(circuit)

    # -- reading ----------------------------------------------------------------------------------------------

    def observe(self) -> dict[str, float]:
        """One row of the time series; ``events_<process>`` counts from the start of the run."""
        row = {
            "time_s": self.time_s,
            "voltage_V": self.applied_V,
            "device_V": self.device_V,
            "current_A": self.current_A,
            "conductance_S": self.fields.conductance_S,
            "power_W": self.device_V * self.current_A,
            "temperature_peak_K": self._hottest_K,
            "limited": float(self.limited),
            "n_events": float(self.engine.n_events),
            "n_refreshes": float(self.fields.n_solves),
        }
        events = {f"events_{name}": float(number) for name, number in self.engine.counts.items()}
        return {**row, **self.lattice.counts(), **events}

    def sites(self) -> dict[str, Any]:
        """Positions, labels and box of the lattice; the arguments of :class:`ionsim.results.Sites`."""
        lattice = self.lattice
        return {
            "positions_nm": lattice.positions_nm,
            "sublattice": lattice.sites.sublattice,
            "region": lattice.sites.region,
            "cell_nm": np.array(lattice.box_nm),
            "species": lattice.species,
            "elements": lattice.elements,
            "filament": lattice.conductors,
            "sublattices": lattice.sublattices,
            "regions": lattice.regions,
            "periodic": (False, False, False),
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """Occupation and fields at the sites, and a cut through the middle of the lattice along z."""
        return {
            "occupation": self.engine.occupation.copy(),
            "potential_V": self.potential_V,
            "temperature_K": self.fields.temperature_K.copy(),
            **self.fields.cut(self.cut_normal, 0.5 * self.lattice.box_nm[self.cut_normal], self.device_V),
        }

    def checkpoint(self) -> dict[str, Any]:
        """Lattice, random stream and the fields that serve as starting guesses: what a bit-identical restart needs."""
        return {
            "engine": self.engine.checkpoint(),
            "mesh": mesh_mark(self.fields.conduction.space),
            "fields": self.fields.checkpoint(),
            "refresh": self.refresh.checkpoint(),
            "solved": self._solved.copy(),
            "n_events": np.array([self._n_events]),
            "scalars": np.array([self.applied_V, self.device_V, self.current_A, self.peak_K, self._heat_time]),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a checkpoint of the same device."""
        check_mesh(self.fields.conduction.space, saved["mesh"])
        self.engine.restore(saved["engine"])
        self.fields.restore(saved["fields"])
        self.refresh.restore(saved["refresh"])
        self._solved, self._n_events = np.array(saved["solved"]), int(saved["n_events"][0])
        scalars = [float(value) for value in saved["scalars"]]
        self.applied_V, self.device_V, self.current_A, self.peak_K, self._heat_time = scalars

    def summary(self) -> dict[str, Any]:
        """Event counts by process, the share of them that was flicker, field refreshes and their errors."""
        counts = self.engine.counts
        visits = None if isinstance(self.engine, kmc.ParallelEngine) else self.engine.superbasin
        inside = {} if visits is None else {"n_visits": visits.n_visits, "n_events_inside": sum(visits.events.values())}
        return {
            "n_events": sum(counts.values()),
            **inside,
            **{f"n_{name}": number for name, number in counts.items()},
            "flicker_share": self.lattice.flicker_share,
            "n_field_refreshes": self.fields.n_solves,
            **self.refresh.summary(kmc.KB_EV * self.device.ambient_K),
            "T_peak_K": self.peak_K,
        }

    def mesh_fields(self) -> dict[str, NDArray[np.float64]]:
        """Potential and temperature at the nodes of the mesh."""
        return self.fields.mesh_fields(self.device_V)

    def write_fields(self, path: Path, frames: Sequence[tuple[float, dict[str, NDArray[np.float64]]]]) -> None:
        """Write mesh fields of several times for ParaView."""
        self.fields.write(path, frames)
