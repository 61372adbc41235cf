"""Compliance and retention of silver filaments: the fit of the script, and the crossover in one cell."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import ionsim

SCRIPT = Path(__file__).parents[1] / "scripts" / "ecm_compliance.py"

#: The cell of docs/ecm-results.md: a thin column in 3 nm of SiO2.
THIN = {
    "layers.electrolyte.thickness_nm": 3.0, "numerics.superbasin_states": 64,
    "soft_spots": [{"centre_nm": [2.0, 2.0], "radius_nm": 0.4, "hop_shift_eV": -0.2}],
}  # fmt: skip


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("ecm_compliance", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def cell(script, compliance_A, conductance_S):
    return script.Left(compliance_A, 1, 1e-6, 1e-6, conductance_S, 0, 100, [1e-6], [conductance_S], [100], False)


def test_power_law_of_scattered_cells(script):
    """Three limits with two cells each, a factor of 2 above and below a line of slope 1/2: s = ln 2 sqrt(6/4)."""
    cells = [cell(script, i, f * 1e-3 * i**0.5) for i in (1e-8, 1e-6, 1e-4) for f in (0.5, 2.0)]
    exponent, error = script.power_law(cells)
    spread = np.sum(np.log([1e-2, 1e-2, 1.0, 1.0, 1e2, 1e2]) ** 2)
    assert exponent == pytest.approx(0.5)
    assert error == pytest.approx(np.log(2.0) * np.sqrt(6.0 / 4.0 / spread))
    assert np.isnan(script.power_law(cells[:2])[0])


@pytest.mark.slow
def test_a_bridge_outlives_a_filament_behind_a_gap(script):
    """100 nA leave a gap, and a tenth of the conductance within 1 s; 100 uA leave a bridge that stays for 10 s."""
    device = ionsim.load("ag_sio2_memory").replace(THIN)
    gap, bridge = (script.leave(device, limit_A, 1, 1.8, 1e-3, 10.0, 600.0) for limit_A in (1e-7, 1e-4))
    assert gap.held_s == bridge.held_s == 1e-3
    assert gap.channels == 0
    assert bridge.channels > 0
    assert gap.gone
    assert gap.lifetime_s < 1.0
    assert not bridge.gone
    assert bridge.times_s[-1] == pytest.approx(10.0)
