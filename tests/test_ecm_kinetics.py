"""SET time against voltage where the transfer of charge limits (``scripts/ecm_kinetics.py``)."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import ionsim
import kmc
from ionsim.devices.ecm_lattice import ecm_lattice
from ionsim.errors import DeviceFileError

SCRIPT = Path(__file__).parents[1] / "scripts" / "ecm_kinetics.py"
COUNTS = {
    "reduction": 90, "plating_inert": 10, "plating_active": 0, "oxidation": 0, "stripping_inert": 0,
    "stripping_active": 0, "ion_hop": 500, "injection": 10, "absorption": 9,
}  # fmt: skip


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("ecm_kinetics", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["ecm_kinetics"] = module
    spec.loader.exec_module(module)
    return module


def cell():
    return ionsim.load("ag_gese_kinetics")


def test_the_transfer_to_a_flat_facet_is_that_of_the_lattice(script):
    """A layer of silver on platinum, an ion in the hollow of four atoms, the film at the voltage of the electrode."""
    device = cell()
    lattice = ecm_lattice(device, np.random.SeedSequence(1))
    z = lattice.positions_nm[:, 2]
    layer = np.flatnonzero(np.isclose(z, z.min()))
    middle = np.linalg.norm(lattice.positions_nm[:, :2] - 0.5 * np.array(lattice.box_nm[:2]), axis=1)
    above = np.flatnonzero(np.isclose(z, z.min() + lattice.mesh_size_nm))
    site = int(above[np.argmin(middle[above])])
    lattice.engine.assign([site, *layer], [1] + [2] * len(layer))
    electron = np.where(np.isin(np.arange(len(z)), layer), 0.0, 0.9)
    lattice.engine.set_fields(np.full(len(z), 0.9), 300.0, {"active": 0.9, "inert": 0.0}, electron_V=electron)
    rates_Hz = [rate for here, _, rate, _ in lattice.engine.rates("reduction") if here == site]
    # Each of the four atoms may give the electron.
    assert rates_Hz == pytest.approx([script.adatom_rates_Hz(device, 0.9)[0]] * 4)


def test_a_lead_needs_the_voltage_at_the_deposit(script):
    with pytest.raises(DeviceFileError, match="of the voltage is overpotential at the inert electrode"):
        script.capped(cell().replace({"conduction.deposit_S_per_m2": 1e9}), 0.9, 100.0)


def test_what_limits_is_told_by_the_events_and_by_a_slower_supply(script):
    def regime(slowed_s, **counts):
        return script.Point(1.0, np.array([1.0]), np.array([slowed_s]), {**COUNTS, **counts}).regime

    assert regime(1.2) == "transfer"
    assert regime(8.0) == "migration"
    assert regime(3.0) == "mixed"
    assert regime(1.2, oxidation=20) == "mixed"
    assert regime(1.2, oxidation=70) == "nucleation"


def test_a_slope_is_fitted_to_all_runs(script):
    off = np.array([-0.1, 0.1, np.nan])
    points = [script.Point(v, np.exp(off - 20.0 * v), np.array([]), COUNTS) for v in (1.0, 1.1, 1.3)]
    slope, error = script.fitted_slope_per_V(points)
    assert slope == pytest.approx(-20.0)
    two = [point._replace(times_s=point.times_s[:1]) for point in points[:2]]
    assert script.fitted_slope_per_V(two) == pytest.approx((-20.0, np.nan), nan_ok=True)
    assert error == pytest.approx(np.sqrt(6 * 0.01 / 4 / (2 * 0.14 / 3)), rel=1e-6)


@pytest.mark.slow
def test_transfer_gives_the_slope_of_butler_and_volmer(script):
    """alpha z e/kT = 19.3/V; a supply ten times slower shows that the caps on hops are not what sets it."""
    device = cell()
    points = []
    for voltage_V in (0.75, 1.05):
        limited = script.capped(device, voltage_V, 2000.0)
        runs, slower = (
            [script.set_time(one, voltage_V, 1e-6, seed, 1e3) for seed in range(1, 5)]
            for one in (limited, script.slowed(limited))
        )
        counts = {name: sum(run.counts[name] for run in runs) for name in runs[0].counts}
        points.append(script.Point(voltage_V, *(np.array([r.time_s for r in some]) for some in (runs, slower)), counts))
        assert points[-1].stays > 0.95
        assert points[-1].supply < 0.15
    slope, error = script.fitted_slope_per_V(points)
    assert error < 1.5
    assert slope == pytest.approx(-0.5 / (kmc.KB_EV * 300.0), rel=0.1)
