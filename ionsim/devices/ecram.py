"""ECRAM: a gate moves ions from a reservoir through an electrolyte into a channel, which then conducts differently.

Ions and potentials are stepped together (:class:`fem.Transport`) under a voltage, a current, or an open gate; the
channel is read without touching them (:mod:`ionsim.devices.ecram_channel`). Currents come apart by where the charge
goes: onto the metal of gate, source and drain (displacement), to the channel's surface (field effect, gone when the
voltage is), or with ions through an interface (Faradaic, which stays).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
from ionsim.config.ecram import EcramDevice
from ionsim.devices.corners import is_corner
from ionsim.devices.ecram_cell import GATE, INSERTED, ION, build_cell
from ionsim.devices.ecram_channel import ENDS, PARTS, ConductingChannel, Reading
from ionsim.devices.ecram_view import View
from ionsim.devices.same_mesh import check_mesh, mesh_mark
from ionsim.drive import Circuit

Floats = NDArray[np.float64]

#: A slope of the drive that changes by more than this share of the larger one is a corner.
_CORNER = 1e-3

#: BDF2 is stable while steps grow by less than 1 + sqrt 2; longer ones are backward Euler.
_STABLE_GROWTH = 2.4

#: A run ends with an error after so many steps in a row that are shorter than this share of ``steps.first_s``.
_MOST_SHORT, _SHORT = 300, 1e-3


class Ecram:
    """An ECRAM device; see :class:`ionsim.devices.protocol.Family` for the methods.

    The applied voltage is that of the gate against the channel; source and drain are at 0 V. At the start the gate is
    open; a voltage that follows an open gate, or a current, ramps from the voltage that it finds.
    """

    def __init__(self, device: EcramDevice, seed: np.random.SeedSequence, comm: MPI.Comm | None = None) -> None:
        self.device = device
        self.cell = build_cell(device, comm)
        self.transport = self.cell.transport
        self.view = View(device, self.cell)
        self.time_s = self.field_time_s = 0.0
        self.applied_V = self.device_V = self.energy_J = self.largest_drop_V = 0.0
        self._source_V: float | None = None  # None: the gate was open, or a current was forced
        self._dt_s, self._slope = device.steps.first_s, np.nan
        self._last_dt_s = self._counted_C = 0.0
        self._hottest_K = device.ambient_K
        self.n_steps = self.n_rejected = self.n_newton = 0
        self.on_step: Callable[[], None] | None = None  # not called: a reading takes part in what follows
        self._state: fem.TransportState | None = None
        self._reading: Reading | None = None
        self._parts = {f"{end}_A": 0.0 for end in ENDS} | {f"{end}_{part}_A": 0.0 for end in ENDS for part in PARTS}

    # -- running ----------------------------------------------------------------------------------------------

    def initialise(self) -> None:
        """Rest at open circuit: double layers form, and ions spread evenly. Charges are counted from then on."""
        state = self.transport.steady(self._rest, {GATE: 0.0})
        self._follow()
        self.device_V = self.applied_V = state.voltages_V[GATE] + self.cell.offset_V

    def advance(self, until_s: float, applied_V: float, circuit: Circuit) -> None:
        """Go on to ``until_s``; voltage, or the current that the circuit forces, changes linearly to its new value."""
        begun = time.monotonic()
        self._hottest_K = self._hottest_now_K()
        steps = self.device.steps
        begin_s, length_s = self.time_s, until_s - self.time_s
        forced = circuit.forced_A is not None
        if circuit.forced_A is not None:
            begin, end = (value / self.cell.scale for value in circuit.forced_A)
        else:
            begin, end = self.device_V if self._source_V is None else self._source_V, applied_V
        slope = (end - begin) / length_s
        same = forced == (self._source_V is None)
        if not same or is_corner(slope, self._slope, _CORNER):
            self.transport.restart()
            self._dt_s = steps.first_s
        self._slope = slope
        first_s = min(self._dt_s, length_s)
        control = fem.TimeControl(
            0.0, length_s, first_s, dt_min_s=min(steps.shortest_s, first_s), growth=steps.growth,
            limits={"potential_V": steps.potential_V, INSERTED: steps.fraction, ION: steps.fraction},
        )  # fmt: skip
        short = 0
        while not control.finished:
            grown = control.dt_s
            step = control.advance(
                lambda dt_s: self._attempt(dt_s, begin + slope * (control.time_s + dt_s), forced, circuit)
            )
            self._accept(step.attempt.result, step.dt_s)
            short = short + 1 if step.dt_s < _SHORT * steps.first_s else 0
            if short > _MOST_SHORT:
                inside = self.filled[self.cell.channel.nodes]
                most = self.transport.halo.maximum(float(inside.max(initial=0.0)))
                raise fem.FemError(
                    f"at {self.time_s!r} s the steps stay at {step.dt_s:.2g} s: the channel's surface is filled to "
                    f"{most:.6g}; a lower amplitude or a shorter pulse leaves room in it"
                )
            self.n_steps, self.n_rejected = self.n_steps + 1, self.n_rejected + step.rejected
            self._dt_s = control.dt_s if not control.finished else max(grown, step.dt_s)
            self.time_s = begin_s + min(control.time_s, length_s)
        self.time_s = until_s
        if self._state is not None:
            parts = self.cell.channel.split(self._state)
            self._parts = {name: value * self.cell.scale for name, value in parts.items()}
        self._source_V = None if forced else applied_V
        self.applied_V = self.device_V if forced else applied_V
        self._reading = None
        self.field_time_s += time.monotonic() - begun

    def _attempt(self, dt_s: float, value: float, forced: bool, circuit: Circuit) -> fem.Attempt:
        if dt_s > _STABLE_GROWTH * self._last_dt_s:
            self.transport.restart()
        voltages = dict(self._rest)
        currents: dict[str, float] = {}
        (currents if forced else voltages)[GATE] = value if forced else value - self.cell.offset_V
        resistance = circuit.series_resistance_ohm * self.cell.scale
        return self.transport.attempt(
            dt_s, voltages, currents, resistances_ohm={GATE: resistance} if resistance and not forced else {}
        )

    def _accept(self, state: fem.TransportState, dt_s: float) -> None:
        """Take over what a step has found: energy, parts of the currents."""
        gate_V = state.voltages_V[GATE] + self.cell.offset_V
        self.energy_J += 0.5 * (self.device_V + gate_V) * self._passed() * self.cell.scale
        self.device_V, self._state, self._last_dt_s = gate_V, state, dt_s
        self.n_newton += state.newton_iterations
        if isinstance(self.cell.channel, ConductingChannel):
            self.largest_drop_V = max(self.largest_drop_V, self.cell.channel.drop_V(state))
        if self.cell.heat is not None:
            temperature_K = self.cell.heat.step(dt_s, self.transport.dissipation_W())
            self.transport.temperature_K = temperature_K
            self._hottest_K = max(self._hottest_K, self._hottest_now_K())
        self._follow()

    @property
    def temperature_K(self) -> float | Floats:
        """That of the device, or (local dofs,) where heat is coupled."""
        return self.device.ambient_K if self.cell.heat is None else self.cell.heat.temperature_K

    def _hottest_now_K(self) -> float:
        return self.transport.halo.maximum(float(np.max(self.temperature_K)))

    def _follow(self) -> None:
        """The channel conducts in the next step as it does now."""
        self.cell.channel.follow(self.filled, self.transport.metal_charge_C, self.temperature_K)

    @property
    def _rest(self) -> dict[str, float]:
        """Voltages of the terminals that are not driven."""
        return dict.fromkeys(self.cell.grounded, 0.0)

    def _passed(self) -> float:
        """Charge that the gate's wire has brought since this was last asked."""
        now = self.transport.charge_C[GATE]
        passed, self._counted_C = now - self._counted_C, now
        return passed

    # -- reading ----------------------------------------------------------------------------------------------

    @property
    def filled(self) -> Floats:
        """Share of the channel's sites (local dofs,) that ions fill, nan outside."""
        return self.transport.fraction(INSERTED)

    @property
    def inserted_C(self) -> float:
        """Charge of the ions that have entered the channel since the start, C."""
        return -self._channel_faradaic_C() * self.cell.scale

    def _channel_faradaic_C(self) -> float:
        """Charge that followed ions into the channel, of all metal but the gate."""
        return sum(charge for name, charge in self.transport.faradaic_C.items() if name != GATE)

    def read(self) -> Reading:
        """The channel as it is now, for the whole width."""
        if self._reading is None:
            found = self.cell.channel.read(self.filled, self.transport.metal_charge_C, self.temperature_K)
            scale = self.cell.scale
            self._reading = Reading(found.conductance_S * scale, found.state_S * scale, found.sheet_C_per_m2)
            if self._state is not None and not isinstance(self.cell.channel, ConductingChannel):
                self.largest_drop_V = max(self.largest_drop_V, self.cell.channel.drop_V(self._state))
        return self._reading

    def observe(self) -> dict[str, float]:
        """One row of the time series; currents are those of the latest step, and enter the device."""
        scale, reading = self.cell.scale, self.read()
        state, charge = self._state, self.transport
        gate = (state.currents_A[GATE], state.displacement_A[GATE], state.faradaic_A[GATE]) if state else (0.0,) * 3
        current, displacement, faradaic = (scale * value for value in gate)
        x = self.filled
        channel = self.cell.channel
        volume = charge.volume_m3(INSERTED)[channel.nodes]
        read_A = reading.conductance_S * self.device.channel.read_V
        return {
            "time_s": self.time_s,
            "voltage_V": self.applied_V,
            "device_V": self.device_V,
            "current_A": current,
            "conductance_S": reading.conductance_S,
            "state_S": reading.state_S,
            "power_W": self.device_V * current,
            "temperature_peak_K": self._hottest_K,
            "limited": 0.0,
            "gate_displacement_A": displacement,
            "gate_faradaic_A": faradaic,
            "gate_charge_C": charge.charge_C[GATE] * scale,
            "gate_faradaic_C": charge.faradaic_C[GATE] * scale,
            "channel_faradaic_C": self._channel_faradaic_C() * scale,
            **self._parts,
            "source_A": self._parts["source_A"] - read_A,
            "drain_A": self._parts["drain_A"] + read_A,
            "read_A": read_A,
            "sheet_C_per_m2": reading.sheet_C_per_m2,
            "x_mean": channel.mean(x[channel.nodes], volume, channel.nodes),
            "x_surface": channel.mean(x[channel.surface], channel.area, channel.surface),
            "energy_J": self.energy_J,
            "n_steps": float(self.n_steps),
        }

    def sites(self) -> None:
        """There is no lattice."""
        return

    def state(self) -> dict[str, NDArray[Any]]:
        """A cut in (x, z); see :class:`ionsim.devices.ecram_view.View`."""
        return self.view.cut(self.mesh_fields())

    def checkpoint(self) -> dict[str, Any]:
        """Densities, potentials, charges and totals: what a restart needs."""
        saved = self.transport.save()
        scalars = [
            saved.previous_dt_s, np.nan if self._source_V is None else self._source_V,
            *(getattr(self, name) for name in _SCALARS),
        ]  # fmt: skip
        return {
            "mesh": mesh_mark(self.transport.space), "u": saved.u, "free": dict(saved.free), "owed": saved.owed,
            "previous": saved.u[:0] if saved.previous is None else saved.previous,
            "charges": saved.charges, "last_charges": saved.last_charges, "parts": dict(self._parts),
            "scalars": np.array(scalars, dtype=np.float64),
            "rise_K": np.empty(0) if self.cell.heat is None else self.cell.heat.save(),
        }  # fmt: skip

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a checkpoint of the same device."""
        check_mesh(self.transport.space, saved["mesh"])
        previous_dt, source_V, *rest = (float(value) for value in saved["scalars"])
        previous = np.array(saved["previous"])
        self.transport.restore(
            fem.SavedTransport(
                np.array(saved["u"]), {name: np.array(value) for name, value in saved["free"].items()},
                np.array(saved["owed"]), previous if len(previous) else None, previous_dt, np.array(saved["charges"]),
                np.array(saved["last_charges"]),
            )
        )  # fmt: skip
        self._source_V = None if np.isnan(source_V) else source_V
        for name, value in zip(_SCALARS, rest, strict=True):
            setattr(self, name, type(getattr(self, name))(value))
        self._parts = {name: float(value) for name, value in saved["parts"].items()}
        if self.cell.heat is not None:
            self.cell.heat.restore(np.array(saved["rise_K"]))
            self.transport.temperature_K = self.cell.heat.temperature_K
        self._reading, self._state = None, None
        self._follow()
        self.read()  # whose shares of source and drain the currents of the next step are split by

    def summary(self) -> dict[str, Any]:
        """Steps, and the largest voltage in the channel: of a channel with one potential, that which is left out."""
        return {
            "n_steps": self.n_steps,
            "n_steps_rejected": self.n_rejected,
            "n_newton": self.n_newton,
            "E_total_J": self.energy_J,
            "channel_drop_V": self.largest_drop_V,
        }

    def mesh_fields(self) -> dict[str, NDArray[np.float64]]:
        """Potential, and the share of sites that ions fill in electrolyte and channel."""
        ion, inserted = self.transport.fraction(ION), self.filled
        return {
            "potential_V": self.transport.potential_V,
            "fraction": np.where(np.isfinite(inserted), inserted, np.where(np.isfinite(ion), ion, 0.0)),
        }

    def write_fields(self, path: Path, frames: Sequence[tuple[float, dict[str, NDArray[np.float64]]]]) -> None:
        """Write mesh fields of several times for ParaView."""
        fem.write_frames(path, self.transport.space, frames)


#: Numbers of a checkpoint, in this order.
_SCALARS = (
    "time_s", "applied_V", "device_V", "energy_J", "largest_drop_V", "_dt_s", "_slope", "_last_dt_s",
    "_counted_C", "_hottest_K", "n_steps", "n_rejected", "n_newton",
)  # fmt: skip
