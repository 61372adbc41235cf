"""What a run of each family can be asked for: columns of its series, numbers of a pulse, keys of its summary."""

from __future__ import annotations

from ionsim.config import Device
from ionsim.config.ecm import EcmDevice
from ionsim.config.ecram import EcramDevice
from ionsim.config.gate import GatePulses
from ionsim.config.pcm import PcmDevice
from ionsim.config.vcm import VcmDevice
from ionsim.config.waveforms import Pulses, Sequence
from ionsim.study.observables import observables

#: The time at which a constant voltage has switched the device.
SWITCHING = "switching_time_s"

#: Made of other columns: resistance as the inverse of the conductance.
RESISTANCE = "resistance_ohm"

#: A number at the end of a pulse's plateau, instead of at the end of the rest after it.
PLATEAU = "plateau_"

_ANY = ("current_A", "conductance_S", RESISTANCE, "device_V", "power_W", "temperature_peak_K")
_CONTINUUM = ("vacancy_share", "gap_per_m3")
_CRYSTAL = ("n_vacancies", "n_reservoir")
_ECM = ("n_ions", "n_atoms")
_PCM = ("crystalline_share", "n_nuclei")
_ECRAM = ("state_S", "read_A", "x_mean", "x_surface", "gate_charge_C", "energy_J", "source_A", "drain_A")
#: The conductance after a pulse of the gate and at the end of its plateau, as ``pulses.csv`` names them.
_LEVELS = ("level_S", "plateau_S")


def columns(device: Device) -> tuple[str, ...]:
    """Columns of a run's series that data may hold, without time and applied voltage."""
    if isinstance(device, EcramDevice):
        return (*_ANY, *_ECRAM)
    if isinstance(device, PcmDevice):
        return (*_ANY, *_PCM)
    if isinstance(device, EcmDevice):
        return (*_ANY, *_ECM)
    if isinstance(device, VcmDevice) and device.model == "continuum":
        return (*_ANY, *_CONTINUUM)
    if isinstance(device, VcmDevice) and device.structure is None:
        return (*_ANY, *_CRYSTAL)
    return _ANY


def of_pulses(device: Device) -> tuple[str, ...]:
    """What can be said of each pulse of the drive; empty without pulses."""
    if not isinstance(device.drive, GatePulses | Pulses | Sequence):
        return ()
    levels = _LEVELS if isinstance(device, EcramDevice) and not isinstance(device.drive, Sequence) else ()
    return (*columns(device), *(PLATEAU + name for name in columns(device)), *levels)


def of_summary(device: Device) -> tuple[str, ...]:
    """Keys of the summary that data may hold."""
    return observables(device)
