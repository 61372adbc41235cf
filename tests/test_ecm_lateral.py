"""Lateral ECM cells: regions of the mesh, conductance and heat of known answers, bad files, a filament that grows."""

import numpy as np
import pytest
import scipy.special
from mpi4py import MPI

import fem
import ionsim
from fem.cell import surface_dofs
from ionsim.coupling import lateral_mesh
from ionsim.devices.ecm import Ecm
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError

SMALL = {
    "layers.electrolyte.thickness_nm": 1.6, "lattice.width_nm": 1.6, "lattice.depth_nm": 1.2,
    "soft_spots": [{"centre_nm": [0.8, 0.6], "radius_nm": 0.6, "hop_shift_eV": -0.12}],
    "mesh.domain_width_nm": 6.0, "numerics.potential_error_kT": 4.0,
}  # fmt: skip
LATERAL = {"layout": "lateral", "layers.substrate": {"material": "SiO2", "thickness_nm": 10.0}}
AIR = {"layers.capping": {"material": "air", "thickness_nm": 5.0}}
#: A material through which no heat passes.
WOOL = {"materials.wool": {"electrical_S_per_m": 1e-15, "thermal_W_per_mK": 1e-9, "capacity_J_per_m3K": 1e6}}


def lateral(changes=None):
    return ionsim.load("ag_sio2_memory").replace({**SMALL, **LATERAL, **(changes or {})})


def bridged(device):
    """A cell with a rod of metal between the electrodes, and its heat solved at 0.1 V."""
    cell = Ecm(device, np.random.SeedSequence(1))
    away = cell.lattice.positions_nm[:, :2] - 0.5 * np.array(cell.lattice.box_nm[:2])
    metal = np.hypot(*away.T) < 0.35
    cell.fields.solve_potential(metal)
    cell.fields.solve_heat(metal, 0.1, None)
    return cell.fields


def thermal_K_per_W(device):
    fields = bridged(device)
    return (fields.peak_K - 300.0) / (0.01 * fields.conductance_S)


def sites_of_a_grid(*axes):
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def test_regions_lie_around_the_film():
    """A film 1 x 0.8 x 2 nm in a domain 3 nm wide, electrodes 1.5 nm high, a substrate below, a capping layer above."""
    axis = np.linspace(0.0, 2.0, 11)
    cell = lateral_mesh(
        sites_of_a_grid(axis[:6], axis[:5], axis), (1.0, 0.8, 2.0), size_nm=0.2, growth=1.5, comm=MPI.COMM_SELF,
        electrodes_nm={"bottom": 3.0, "cap": 2.0, "top": 1.0}, height_nm=1.5, substrate_nm=4.0, capping_nm=0.5,
        domain_width_nm=3.0,
    )  # fmt: skip
    operator = fem.Conductance(fem.Conduction(cell, dict.fromkeys(cell.regions, 1.0)).space)
    volume = {}
    for name in cell.regions:
        mask = np.zeros(operator.cell_count)
        mask[fem.region_cells(cell, name)] = 1.0
        volume[name] = float(operator.capacity(mask).sum() * 1e27)
    exact = {
        "bottom": 2.9 * 1.5, "bottom_interface": 0.1 * 0.8, "oxide": 2.0 * 0.8, "top_interface": 0.1 * 0.8,
        "cap": 1.9 * 1.5, "top": 1.0 * 1.5, "substrate": 8.0 * 3.9, "substrate_interface": 8.0 * 0.1,
        "capping": 2.2 * 0.7 + 8.0 * 0.5,
    }  # fmt: skip
    assert volume == pytest.approx({name: 3.0 * area for name, area in exact.items()})
    assert set(cell.surfaces) == {"bottom", "top", "substrate", "side"}


@pytest.mark.parametrize("changes", [{}, {**AIR, "layers.electrode_height_nm": 3.0}])
def test_a_virgin_cell_is_a_film_between_two_interfaces(changes):
    """G = A / (L/sigma + 2/g), whatever insulators lie around: the same law as of a vertical cell."""
    cell = Ecm(lateral(changes), np.random.SeedSequence(1))
    cell.initialise()
    _, depth_nm, length_nm = cell.lattice.box_nm
    per_area = length_nm * 1e-9 / 1e-3 + 2.0 / 1e5
    assert cell.fields.conductance_S == pytest.approx(6.0 * depth_nm * 1e-18 / per_area, rel=1e-6)


def test_current_through_a_substrate_spreads_as_conformal_mapping_says():
    """Two electrodes on a rectangle, on half its upper side and on its ends: sn maps it to a known one."""
    length, depth, half = 4.0, 6.0, 8.0
    planes = np.linspace(0.0, length, 41)
    cell = lateral_mesh(
        sites_of_a_grid(planes[:2], planes[:5], planes), (0.1, 0.4, length), size_nm=0.1, growth=1.05,
        electrodes_nm={"bottom": half - 2.0, "cap": half - 4.0, "top": 2.0}, height_nm=0.4, substrate_nm=depth,
        capping_nm=0.0, domain_width_nm=0.1, comm=MPI.COMM_SELF,
    )  # fmt: skip
    sigma = dict.fromkeys(cell.regions, 1e-7) | dict.fromkeys(("bottom", "cap", "top"), 1e7)
    sigma |= {"substrate": 1.0, "substrate_interface": 1.0}
    found = fem.Conduction(cell, sigma).solve({"top": 1.0, "bottom": 0.0})
    # The modulus m of the map of the rectangle, from its ratio of sides; then that of the four ends of the electrodes.
    low, high = 1e-12, 1.0 - 1e-12
    for _ in range(100):
        m = 0.5 * (low + high)
        ratio = scipy.special.ellipkm1(m) / scipy.special.ellipk(m)
        low, high = (m, high) if ratio > depth / half else (low, m)
    gap = length + 0.2
    inner = scipy.special.ellipj(scipy.special.ellipk(m) * 0.5 * gap / half, m)[0]
    modulus = m * inner**2
    exact = 0.5 * scipy.special.ellipkm1(modulus) / scipy.special.ellipk(modulus)
    assert found.current_A / 0.1e-9 == pytest.approx(exact, rel=0.01)


def test_what_is_released_leaves_through_ends_and_substrate():
    fields = bridged(lateral(AIR))
    source = fields._heat_at(1) * 0.01
    assert source.sum() == pytest.approx(0.01 * fields.conductance_S, rel=1e-6)
    leaving = source - fields.heat.operator.apply(fields.heat.temperature_K)
    sinks = [surface_dofs(fields.heat.space, fields.cell, name) for name in ("bottom", "top", "substrate")]
    assert leaving[np.unique(np.concatenate(sinks))].sum() == pytest.approx(source.sum(), rel=1e-4)
    assert leaving[np.setdiff1d(sinks[2], np.concatenate(sinks[:2]))].sum() > 0.02 * source.sum()
    assert fields.peak_K - 300.0 <= fields._bound.rise_K(source)


def test_without_heat_to_its_surroundings_a_cell_is_as_hot_as_a_vertical_one():
    """Both are then a square rod of film, as wide as the lattice, between two electrodes."""
    rod = {"lattice.depth_nm": 1.6, "mesh.domain_width_nm": 1.6}
    around = {"material": "wool", "thickness_nm": 5.0}
    closed = {"heat.boundary_substrate_W_per_m2K": 1.0}
    wrapped = lateral({**rod, **WOOL, **closed, "layers.substrate": around, "layers.capping": around})
    vertical = ionsim.load("ag_sio2_memory").replace({**SMALL, **rod})
    assert thermal_K_per_W(wrapped) == pytest.approx(thermal_K_per_W(vertical), rel=1e-4)


def test_surroundings_cool_in_the_order_of_their_conductivity():
    diamond = {"thermal_W_per_mK": 1e3, "electrical_S_per_m": 1e-12, "capacity_J_per_m3K": 1.8e6}
    on_diamond = {"materials.diamond": diamond, "layers.substrate": {"material": "diamond", "thickness_nm": 10.0}}
    capped = {"layers.capping": {"material": "SiO2", "thickness_nm": 10.0}}
    changes = [{}, capped, capped | on_diamond | {"heat.boundary_substrate_W_per_m2K": 1e10}]
    rise = [thermal_K_per_W(lateral(change)) for change in changes]
    assert np.all(np.diff(rise) < 0.0)
    vertical = thermal_K_per_W(ionsim.load("ag_sio2_memory").replace({**SMALL, "mesh.domain_width_nm": 20.0}))
    assert rise[-1] < vertical < rise[0]


@pytest.mark.slow
def test_a_filament_grows_along_the_substrate_until_the_compliance_limits_the_current():
    cell = Ecm(lateral({**AIR, "layers.electrode_height_nm": 2.0}), np.random.SeedSequence(2))
    cell.initialise()
    for step in range(1, 1500):
        cell.advance(1e-8 * step, 2.2, Circuit(0.0, 1e-4))
        row = cell.observe()
        if row["limited"]:
            break
    assert row["limited"]
    assert row["current_A"] == pytest.approx(1e-4)
    assert row["channels"] >= 1
    assert row["n_atoms"] > 10
    assert row["temperature_peak_K"] > 300.0
    cut = cell.state()
    assert (cut["cut/y_nm"][0], cut["cut/y_nm"][-1]) == pytest.approx((-10.0, 7.0), abs=1e-5)
    kelvin = cut["cut/temperature_K"]
    assert 300.0 < kelvin.max() <= cell.fields.peak_K
    assert kelvin[:, 0] == pytest.approx(300.0)  # the lower face of the substrate, all along z


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers.substrate": None}, "layers.substrate: missing"),
        ({"layout": "vertical"}, 'layers.substrate: only with layout = "lateral".*would overlap layers.bottom'),
        ({"layers.substrate.material": "Pt"}, 'layers.substrate.material = "Pt": must be an insulator'),
        ({"layers.capping": {"material": "TaOx", "thickness_nm": 5.0}}, 'layers.capping.material = "TaOx": must be'),
        ({"layers.electrode_height_nm": 1.0}, "layers.electrode_height_nm = 1.0: must be at least lattice.depth_nm"),
        ({"layers.electrode_height_nm": 3.0}, "layers.capping: missing; it fills the gap"),
        ({"ion.space_charge": True}, "ion.space_charge = true: not with layout"),
        ({"mesh.domain_width_nm": 1.4}, "mesh.domain_width_nm = 1.4: must be at least the lattice box, 1.6 nm"),
    ],
)
def test_what_makes_no_lateral_cell_is_refused_by_key(changes, message):
    with pytest.raises(DeviceFileError, match=message):
        lateral(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"layers.active.begins_nm": 1.0},
            "layers.active.begins_nm = 1.0: overlaps layers.electrolyte, which ends at 1.6",
        ),
        (
            {"layers.top.begins_nm": 12.0},
            "layers.top.begins_nm = 12.0: leaves a gap to layers.active, which ends at 11.6",
        ),
        ({"layers.bottom.begins_nm": -9.0}, "layers.bottom.begins_nm = -9.0: overlaps layers.electrolyte"),
        ({"layers.electrolyte.begins_nm": -1.0}, "layers.electrolyte.begins_nm = -1.0: overlaps layers.bottom"),
    ],
)
def test_layers_that_overlap_or_leave_a_gap_are_refused_by_key(changes, message):
    with pytest.raises(DeviceFileError, match=message):
        lateral(changes)


def test_layers_may_say_where_they_begin():
    device = lateral({"layers.bottom.begins_nm": -10.0, "layers.active.begins_nm": 1.6})
    assert device.layers.active.begins_nm == 1.6


BROKEN = {
    "unknown metal": ('material = "Ag"', 'material = "Agg"', "layers.active.material"),
    "overlapping layers": ('material = "Ag"', 'material = "Ag"\nbegins_nm = 3.0', "layers.active.begins_nm"),
    "no active electrode": ('[layers.active]\nmaterial = "Ag"\nthickness_nm = 10.0\n', "", "layers.active"),
    "an active electrode that does not dissolve": ('material = "Ag"', 'material = "W"', "layers.active.material"),
    "a film over the electrodes": (
        "[lattice]",
        'layout = "lateral"\n[layers]\nelectrode_height_nm = 2.0\n[layers.substrate]\nmaterial = "SiO2"\n'
        "thickness_nm = 10.0\n[lattice]",
        "layers.electrode_height_nm",
    ),
    "z = 0": ("[transfer]", "[ion]\ncharge_e = 0\n[transfer]", "ion.charge_e"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_check_names_the_key_and_gives_exit_code_2(case, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command("examples", "--copy", "ag_sio2_memory")
    path = tmp_path / "ag_sio2_memory.toml"
    old, new, key = BROKEN[case]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    result = command("check", path)
    assert (result.code, result.out) == (2, "")
    assert f"  {key}" in result.err
    assert "Traceback" not in result.err
