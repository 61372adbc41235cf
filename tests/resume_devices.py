"""A small device of every family and kind, whose run of some dozen points is stopped and gone on with."""

from collections.abc import Callable
from typing import Any

from small_device import small_device

import ionsim
from ionsim.config import Device, PcmDevice, load

#: Vacancies that hop to and fro in a thin column.
_FLICKER = {
    "numerics.superbasin_states": 32, "exchange": None, "vacancy.max_hop_rate_Hz": 1e6,
    "vacancy.initial_fraction": 0.05, "drive.ramp_rate_V_per_s": 0.08,
    "weak_spots": [{"centre_nm": [1.0, 1.0], "radius_nm": 0.3, "hop_shift_eV": -0.5}],
}  # fmt: skip
_ECM: dict[str, Any] = {
    "layers.electrolyte.thickness_nm": 1.6, "lattice.width_nm": 1.6, "lattice.depth_nm": 1.6,
    "soft_spots": [{"centre_nm": [0.8, 0.8], "radius_nm": 0.6, "hop_shift_eV": -0.12}],
    "mesh.domain_width_nm": 6.0, "numerics.potential_error_kT": 4.0, "drive.step_V": 0.1, "sources": {},
}  # fmt: skip
_ECM_PULSES = {
    "kind": "pulses", "amplitude_V": 1.6, "width_s": 8e-8, "rise_s": 4e-9, "period_s": 4e-7, "count": 2,
    "second_amplitude_V": -0.5, "compliance_A": 1e-5,
}  # fmt: skip
_FORMING = [{"name": "forming", "stop_V": 2.0}]
_ATOMS = {
    "lattice": {"width_nm": 1.1, "depth_nm": 1.1, "crystal": "monoclinic"}, "layers.oxide.thickness_nm": 1.6,
    "layers.bottom.thickness_nm": 4.0, "layers.cap.thickness_nm": 0.8, "layers.top.thickness_nm": 4.0,
    "mesh": {"domain_width_nm": 5.0, "growth": 2.0}, "drive.step_V": 0.2, "sources": {},
    "drive.stages": [{"name": "forming", "stop_V": 4.0, "turn_at_compliance": True}, {"name": "reset", "stop_V": -1.0}],
}  # fmt: skip
_CONTINUUM = {
    "continuum.size_nm": 1.5, "continuum.height_nm": 0.5, "continuum.outer_radius_nm": 30.0,
    "continuum.density_step": 0.4, "continuum.temperature_step_K": 100.0, "continuum.voltage_step_V": 0.2,
    "drive.step_V": 0.2,
}  # fmt: skip
_MUSHROOM = (
    "geometry.heater_radius_nm=8", "geometry.size_nm=4", "geometry.growth=2", "geometry.largest_nm=30",
    "geometry.fine_radius_nm=20", "geometry.phase_change_nm=30", "geometry.heater_nm=30", "geometry.bottom_nm=15",
    "geometry.top_nm=15", "geometry.outer_radius_nm=50", "crystallisation.front_width_nm=2.7", "steps.first_s=5e-11",
    "steps.temperature_K=100", "steps.crystalline=0.5", "crystallisation.rate_factor=1e4",
    'drive={kind="pulses", amplitude_V=1.5, width_s=4e-9, rise_s=2e-9, period_s=2e-8, count=2, '
    "series_resistance_ohm=1000.0}",
)  # fmt: skip
_LINE = (
    "geometry.size_nm=6", "geometry.largest_nm=40", "steps.temperature_K=100", "steps.crystalline=0.5",
    'drive={kind="pulses", amplitude_V=5.8, width_s=2e-8, rise_s=2e-9, period_s=6e-8, count=1, '
    "series_resistance_ohm=1e4}",
)  # fmt: skip
_QUARTER = {
    "name": "quarter", "family": "pcm",
    "geometry": {
        "kind": "mushroom_3d", "quarter": True, "size_nm": 8.0, "fine_radius_nm": 25.0, "outer_radius_nm": 100.0,
        "largest_nm": 40.0,
    },
    "phase_change": {"material": "GST-225"},
    "steps": {"first_s": 2e-10, "temperature_K": 100.0, "crystalline": 0.5},
    "drive": {"kind": "pulses", "amplitude_V": 0.5, "width_s": 4e-9, "rise_s": 2e-9, "period_s": 1.2e-8, "count": 1,
              "series_resistance_ohm": 100.0},
}  # fmt: skip
_TRAIN = (
    'drive={kind="gate_pulses", amplitude_V=11.0, second_amplitude_V=-11.5, width_s=1e-9, rise_s=1e-9, period_s=1.0, '
    "count=3, rest_V=-0.2}",
)
_STACK = ("geometry.electrolyte_nm=10", "geometry.channel_nm=20", *_TRAIN)
_CURRENTS = ("drive.count=2", "geometry.size_nm=4", "geometry.largest_nm=10")
_PLANE = ("geometry.lateral_nm=20", "geometry.edge_nm=10", *_TRAIN)


def _ecm(**changes: Any) -> Device:
    return ionsim.load("ag_sio2_memory").replace({**_ECM, **{key.replace("__", "."): v for key, v in changes.items()}})


#: Name -> how it is built, and after how many points it is stopped each time.
DEVICES: dict[str, tuple[Callable[[], Device], int]] = {
    "vcm_crystal": (small_device, 4),
    "vcm_superbasin": (lambda: small_device(_FLICKER), 4),
    "vcm_steady_heat": (lambda: small_device({"numerics.transient_heat": False}), 7),
    "vcm_boundary": (lambda: small_device({"weak_spots": [], "grains": {"kind": "boundary", "width_nm": 0.8}}), 7),
    "vcm_grains": (
        lambda: small_device({"weak_spots": [], "grains": {"kind": "voronoi", "grain_nm": 1.5, "film_nm": 4.0,
                                                           "shape": "columnar", "width_nm": 0.5}}), 7,
    ),
    "vcm_atoms": (lambda: ionsim.load("tin_hfo2_ti_atoms").replace(_ATOMS), 11),
    "vcm_divided": (
        lambda: small_device({"numerics.distributed_lattice": True, "lattice.width_nm": 4.1,
                              "weak_spots.0.centre_nm": [2.05, 1.0], "drive.stages": _FORMING}), 4,
    ),
    "vcm_continuum": (lambda: ionsim.load("hfo2_continuum").replace(_CONTINUUM), 9),
    "vcm_continuum_load": (lambda: ionsim.load("hfo2_continuum_load").replace({**_CONTINUUM, "drive.step_V": 0.4}), 9),
    "ecm_pulses": (lambda: _ecm(drive=_ECM_PULSES), 13),
    "ecm_sweep": (lambda: _ecm(), 13),
    "ecm_space_charge": (lambda: _ecm(ion__space_charge=True, drive=_ECM_PULSES), 13),
    "ecm_lateral": (
        lambda: _ecm(layout="lateral", layers__substrate={"material": "SiO2", "thickness_nm": 10.0},
                     layers__capping={"material": "air", "thickness_nm": 5.0}, drive=_ECM_PULSES), 13,
    ),
    "pcm_mushroom": (lambda: load("gst_mushroom", _MUSHROOM), 5),
    "pcm_line": (lambda: load("aist_line", _LINE), 5),
    "pcm_3d": (lambda: PcmDevice.model_validate(_QUARTER), 5),
    "ecram_stack": (lambda: load("ecram_retention", _STACK), 5),
    "ecram_currents": (lambda: load("licoo2_channel", _CURRENTS), 5),
    "ecram_plane": (lambda: load("psg_wo3_pulse_train", _PLANE), 5),
    "ecram_equipotential": (lambda: load("psg_wo3_pulse_train", [*_PLANE, "channel.equipotential=true"]), 5),
    "ecram_heat": (lambda: load("psg_wo3_pulse_train", [*_PLANE, "heat.coupled=true"]), 5),
}  # fmt: skip
