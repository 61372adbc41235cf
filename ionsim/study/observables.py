"""Which numbers a run of a device will have in its summary, so that a misspelt one is refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from ionsim.analysis.switching import SWEEP_KEYS, cannot_occur
from ionsim.config import Device
from ionsim.config.ecm import EcmDevice
from ionsim.config.ecram import EcramDevice
from ionsim.config.pcm import PcmDevice
from ionsim.config.vcm import VcmDevice
from ionsim.config.waveforms import Sequence, Sweep
from ionsim.drive import Drive
from ionsim.results import TIMING

#: Keys of any family's summary; those of a sweep (SWEEP_KEYS) come with another drive too, as null.
_ANY = ("I_max_A", "E_total_J", "duration_s")
_STEPS = ("n_steps", "n_steps_rejected")
_ENERGIES = ("E_electrical_J", "E_out_J", "E_residual_J")
#: What says how the solvers and the engine worked, not what the device did: kept and drawn by a study that asks for it.
SOLVER = (
    *_STEPS, "n_newton", "n_rounds", "E_residual_J", "n_field_refreshes", "potential_error_rms_kT",
    "potential_error_median_kT", "potential_error_p95_kT", "potential_error_max_kT", "n_visits", "n_events_inside",
)  # fmt: skip
_FILAMENT = (
    "n_events", "flicker_share", "n_field_refreshes", "potential_error_rms_kT", "potential_error_median_kT",
    "potential_error_p95_kT", "potential_error_max_kT", "T_peak_K",
)  # fmt: skip
_SUPERBASIN = ("n_visits", "n_events_inside")
_CRYSTAL_EVENTS = ("n_vacancy_hop", "n_oxygen_release", "n_oxygen_return")
_ATOM_EVENTS = (
    "n_vacancy_hop", "n_pair_generation", "n_pair_recombination", "n_neutral_hop", "n_ion_hop", "n_neutralisation",
    "n_ionisation",
)  # fmt: skip
_METAL_EVENTS = (
    "n_ion_hop", "n_injection", "n_absorption", "n_reduction", "n_oxidation", "n_plating_active", "n_stripping_active",
    "n_plating_inert", "n_stripping_inert", "n_surface_hop", "n_attachment", "n_detachment",
)  # fmt: skip
_TRAIN = (
    "G_min_S", "G_max_S", "on_off_ratio", "n_states", "n_pulses", "E_pulse_J", "nonlinearity_up", "curvature_up",
    "nonlinearity_down", "curvature_down", "asymmetry", "dG_pulse_S",
)  # fmt: skip


def observables(device: Device) -> tuple[str, ...]:
    """Keys that the summary of a device's run may have, without its seed and timings, in the order of a summary."""
    if isinstance(device, EcramDevice):
        found = [*_ANY, "G_start_S", "G_end_S", "x_end", "P_standby_W", *_TRAIN, *_STEPS, "n_newton", "channel_drop_V"]
        return tuple(found)
    stages = Drive(device.drive).stages
    of_stages = []
    if isinstance(device.drive, Sweep | Sequence):
        of_stages += [key for name in stages for key in (f"E_{name}_J", f"T_peak_{name}_K")]
    if isinstance(device, PcmDevice):
        of_stages += [f"R_{name}_ohm" for name in stages]
    return tuple(dict.fromkeys([*_ANY, *SWEEP_KEYS, *of_stages, *_of_family(device)]))


def _of_family(device: Device) -> list[str]:
    if isinstance(device, PcmDevice):
        return ["T_peak_K", "crystalline_share", "n_nuclei", *_STEPS, "n_newton", *_ENERGIES, "E_latent_J"]
    if isinstance(device, VcmDevice) and device.model == "continuum":
        return ["T_peak_K", "vacancy_share", *_STEPS, "n_rounds", *_ENERGIES]
    events: list[str] = []
    if isinstance(device, VcmDevice):
        events += _CRYSTAL_EVENTS if device.structure is None else _ATOM_EVENTS
    if isinstance(device, EcmDevice):
        events += _METAL_EVENTS
        events += ["n_film_reduction", "n_film_oxidation"] if device.film_reduction is not None else []
        events += ["n_injection_joined", "n_absorption_joined", "n_charge"]
    events += _SUPERBASIN if device.numerics.superbasin_states is not None else ()
    return [*_FILAMENT, *events]


def of_summary(device: Device, summary: Mapping[str, object], wanted: tuple[str, ...]) -> dict[str, object]:
    """What a study keeps of a summary: the wanted keys, else all of it but the seed, the timings, what counts the
    solver's work (:data:`SOLVER`), and what is null whatever a run of this device does."""
    left_out = {*TIMING, *SOLVER, "seed", *(key for key in cannot_occur(device) if summary.get(key) is None)}
    keys = wanted or tuple(key for key in summary if key not in left_out)
    return {key: summary.get(key) for key in keys}
