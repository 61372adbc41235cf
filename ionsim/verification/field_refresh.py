"""The field refresh: how far the potential that the rates use is from that of the present configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mpi4py import MPI

import ionsim
from ionsim.config.vcm import VcmDevice
from ionsim.devices.vcm import Vcm
from ionsim.drive import Circuit
from ionsim.verification import figure
from ionsim.verification.record import Record, case

#: A small device whose vacancies move at low voltage, so that some events need no refresh.
_CHANGES = {
    "lattice": {"width_nm": 2.0, "depth_nm": 2.0},
    "layers.oxide.thickness_nm": 2.0,
    "mesh": {"domain_width_nm": 10.0, "growth": 2.0},
    "weak_spots": [],
    "vacancy": {"initial_fraction": 0.03, "hop_barrier_eV": 0.6, "pair_energy_eV": -0.05, "max_hop_rate_Hz": 100.0},
    "exchange": {"reservoir_sites": 100},
    "conduction": {},
    "heat": {},
    "materials": {},
    "sources": {},
}
_VOLTAGE_V = 0.06
_EVENTS = 400
_SETTINGS_KT = (0.1, 0.2)

#: Limits of the error in use over the setting: it is aimed at for the moment before a refresh, and less after one.
_FACTOR = 2.0

#: Two solutions of one problem from different starting guesses agree to this, V (at 0.06 V; ``field_rtol`` 1e-8).
_SAME_V = 1e-8


class Watched:
    """Stands in for the engine of a device: after every event it measures the error with a second device."""

    def __init__(self, device: Vcm, twin: Vcm) -> None:
        self.engine, self.device, self.twin = device.engine, device, twin
        self.errors_V: list[float] = []  # of the potential in use, after each event that asks for no refresh
        self.refreshed_V: list[float] = []  # of the potential that a refresh replaces, after several events
        self.left = self._since = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def run(self, *, until_s: float) -> str:
        """Like :meth:`kmc.Engine.run`, event by event; ends early when no event is left."""
        while self.left > 0:
            reason = self.engine.run(until_s=until_s, max_events=1)
            if reason not in ("events", "watch"):
                return reason
            self.left -= 1
            self._since += 1
            if reason == "events":
                self.errors_V.append(self._error_V())
                continue
            if self._since > 1:
                self.refreshed_V.append(self._error_V())
            self._since = 0
            return reason
        return "time"

    def _error_V(self) -> float:
        """Root mean square (V) over the vacancies of the potential in the rates against that of a solve now."""
        vacant = self.twin.lattice.conducting(self.engine.occupation)
        self.twin.fields.solve_potential(vacant)
        change = (self.twin.fields.unit_potential - self.device.fields.unit_potential)[vacant]
        return float(np.sqrt(np.mean(change**2)) * abs(self.device.device_V))


def watched(setting_kT: float, seed: int = 4, n_events: int = _EVENTS) -> tuple[Vcm, Watched]:
    """The small device after some hundred events at a setting, and who measured its errors."""
    device = ionsim.load("hfo2_ti_bipolar").replace({**_CHANGES, "numerics": {"potential_error_kT": setting_kT}})
    if not isinstance(device, VcmDevice):
        raise TypeError("the example is no VCM device")
    family, twin = (Vcm(device, np.random.SeedSequence(seed), MPI.COMM_SELF) for _ in range(2))
    family.initialise()
    watch = Watched(family, twin)
    family.engine = watch  # type: ignore[assignment]
    watch.left = n_events
    family.advance(1e3, _VOLTAGE_V, Circuit())
    return family, watch


def rms(errors: Sequence[float]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))


@case(
    "field-refresh", "VCM",
    problem=(
        "A small HfO2 device at 0.06 V whose vacancies move; its potential is solved anew only when the error that "
        "events have made since is predicted to reach a setting (0.1 and 0.2 kT/q). A second device solves after "
        "every event and so knows the error in use."
    ),
    exact=(
        "The potential of a fresh solution for the present vacancies, event by event. The error in use follows its "
        "setting within a factor 2, and is measured as a fresh solution finds it."
    ),
)  # fmt: skip
def field_refresh() -> list[Record]:
    """The error of the potential in the rates follows its setting, and is measured as a fresh solve finds it."""
    records = []
    for setting_kT in _SETTINGS_KT:
        family, watch = watched(setting_kT)
        ratio = rms(watch.errors_V) / family.refresh.setting_V
        known = np.array(family.refresh.errors_V)[: len(watch.refreshed_V)]  # one more may follow at the end
        apart = known - np.array(watch.refreshed_V)
        name = f"setting {setting_kT:g} kT/q"
        event = np.arange(1.0, len(watch.errors_V) + 1)
        level = family.refresh.setting_V
        figure.draw(
            figure.Panel(f"error in use, {name}", "event that asks for no refresh", "rms error of the potential (mV)", [
                figure.computed("against a fresh solution", event, 1e3 * np.array(watch.errors_V)),
                figure.other("rms of all", event, np.full(len(event), 1e3 * rms(watch.errors_V))),
                figure.exact("setting", event, np.full(len(event), 1e3 * level)),
            ]),
            figure.parity(f"error at refreshes, {name}", "rms error (mV)", [
                ("", 1e3 * np.array(watch.refreshed_V), 1e3 * known)], names=("fresh solution", "as the device says")),
        )  # fmt: skip
        records += [
            Record(f"rms error in use over the setting, {name}", ratio),
            Record.below(f"factor between them, {name}", max(ratio, 1.0 / ratio), _FACTOR),
            Record.below(f"measured error against a fresh solve, {name}", float(np.abs(apart).max()), _SAME_V, "V"),
            Record.above(f"errors measured, {name}", len(apart), 10),
        ]
    return records
