"""A VCM device that runs in seconds: 512 oxygen sites, 6,000 nodes, some hundred events.

Its numbers are its own, so that a new calibration of the example changes no test; ``FROZEN`` stops the lattice.
"""

from collections.abc import Mapping
from typing import Any

import ionsim
from ionsim.config import Device

_NUMBERS: dict[str, Any] = {
    "name": "small",
    "lattice": {"width_nm": 2.0, "depth_nm": 2.0},
    "layers.oxide.thickness_nm": 2.0,
    "mesh": {"domain_width_nm": 10.0, "growth": 2.0},
    "weak_spots": [{"centre_nm": [1.0, 1.0], "radius_nm": 0.65, "hop_shift_eV": -0.34, "exchange_shift_eV": -0.2}],
    "vacancy": {"initial_fraction": 0.02, "pair_energy_eV": -0.1, "max_hop_rate_Hz": 30.0},
    "exchange": {"barrier_eV": 1.3, "filling_energy_eV": 2.5, "reservoir_sites": 100, "max_rate_Hz": 100.0},
    "conduction": {"isolated_share": 1.0},
    "heat": {"relaxation_length_nm": 10.0},
    "numerics": {"potential_error_kT": 8.0},
    "materials": {},
    "sources": {},
    "drive": {
        "kind": "sweep",
        "ramp_rate_V_per_s": 8.0,
        "compliance_A": 1e-6,
        "step_V": 0.25,
        "stages": [
            {"name": "forming", "stop_V": 3.0, "turn_at_compliance": True},
            {"name": "reset", "stop_V": -0.8},
            {"name": "set", "stop_V": 1.2, "turn_at_compliance": True},
        ],
    },
}

#: Changes that leave next to no event in the time of a test.
FROZEN = {"vacancy.max_hop_rate_Hz": 1e-9, "exchange.max_rate_Hz": 1e-9}


def small_device(changes: Mapping[str, Any] | None = None) -> Device:
    """The small device, with further changes by key."""
    return ionsim.load("hfo2_ti_bipolar").replace({**_NUMBERS, **(changes or {})})
