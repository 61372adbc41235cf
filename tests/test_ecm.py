"""The ECM family: sites, energies and processes of the lattice, metal as a conductor, and a cell that forms."""

import numpy as np
import pytest
from scipy.constants import electron_mass, elementary_charge, hbar

import ionsim
import kmc
from ionsim.config import cite
from ionsim.coupling.metal import G0_S, MetalNetwork
from ionsim.devices.ecm import Ecm, metal_network
from ionsim.devices.ecm_film import Film
from ionsim.devices.ecm_lattice import ecm_lattice
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError

SMALL = {
    "layers.electrolyte.thickness_nm": 1.6, "lattice.width_nm": 1.6, "lattice.depth_nm": 1.6,
    "soft_spots": [{"centre_nm": [0.8, 0.8], "radius_nm": 0.6, "hop_shift_eV": -0.12}],
    "mesh.domain_width_nm": 6.0, "numerics.potential_error_kT": 4.0,
}  # fmt: skip
EMPTY, ION, ATOM = range(3)


def small(changes=None):
    return ionsim.load("ag_sio2_memory").replace({**SMALL, **(changes or {})})


def built(occupation=None, changes=None):
    lattice = ecm_lattice(small(changes), np.random.SeedSequence(1))
    if occupation is not None:
        lattice.engine.assign(*occupation)
    return lattice


def test_sites_are_those_of_silver():
    lattice = built()
    atoms_per_nm3 = len(lattice.sites) / np.prod(np.add(lattice.box_nm, (0.2043, 0.2043, 0.0)))
    assert atoms_per_nm3 == pytest.approx(4.0 / 0.40862**3, rel=0.02)
    assert np.diff(lattice.sites.start).max() == 12
    assert lattice.sites.length_nm == pytest.approx(0.40862 / np.sqrt(2.0))


def middle_site(lattice):
    offset = np.linalg.norm(lattice.positions_nm - 0.5 * np.array(lattice.box_nm), axis=1)
    return int(np.argmin(offset))


def neighbours(lattice, site):
    return lattice.sites.target[lattice.sites.start[site] : lattice.sites.start[site + 1]].astype(int)


@pytest.mark.parametrize("beside", [1, 3, 6])
def test_an_ion_gains_the_bonds_that_it_forms_when_it_is_reduced(beside):
    """Bond counting: at a kink (six bonds) an atom costs the strain alone, as in the electrode."""
    device, lattice = small(), built()
    site = middle_site(lattice)
    around = neighbours(lattice, site)[:beside]
    lattice.engine.assign([site, *around], [ION] + [ATOM] * beside)
    changes = [change for here, _, _, change in lattice.engine.rates("reduction") if here == site]
    strain, bond, ion = (device.kinetic(key) for key in ("atom.strain_eV", "atom.bond_eV", "ion.energy_eV"))
    wanted = strain + (6 - beside) * bond - ion
    assert changes == pytest.approx([wanted] * len(changes))


def assert_balance(lattice, reservoirs):
    """ln(k/k') = -dU/kT for each event and the one that undoes it, over all processes, at random potentials."""
    engine = lattice.engine
    generator = np.random.default_rng(3)
    count = len(lattice.sites)
    engine.assign(np.arange(count), generator.choice(3, count, p=[0.5, 0.2, 0.3]))
    engine.set_fields(generator.normal(0.0, 0.1, count), 350.0, reservoirs, generator.normal(0.0, 0.1, count))
    kt = kmc.KB_EV * 350.0
    names = {"injection": "absorption", "reduction": "oxidation", "plating_active": "stripping_active",
             "plating_inert": "stripping_inert", "attachment": "detachment", "ion_hop": "ion_hop",
             "surface_hop": "surface_hop", "film_reduction": "film_oxidation"}  # fmt: skip
    after = {"injection": [ION], "reduction": [ATOM, ATOM], "plating_active": [ATOM], "plating_inert": [ATOM],
             "attachment": [EMPTY], "ion_hop": [EMPTY, ION], "surface_hop": [EMPTY, ATOM],
             "film_reduction": [ATOM]}  # fmt: skip
    if "film" not in reservoirs:
        del names["film_reduction"]
    start = np.array(engine.occupation)
    for name, reverse in names.items():
        events = engine.rates(name)
        assert events
        for site, partner, rate, change in [events[k] for k in generator.choice(len(events), 5)]:
            sites = [site] if partner < 0 else [site, partner]
            engine.assign(sites, after[name])
            back = {(i, j): (k, du) for i, j, k, du in engine.rates(reverse)}
            key = (partner, site) if reverse == name else (site, partner)
            assert back[key][1] == pytest.approx(-change, abs=1e-12)
            assert np.log(rate / back[key][0]) == pytest.approx(-change / kt, abs=1e-9)
            engine.assign(sites, start[sites])


def test_the_active_electrode_may_exchange_ions_faster_than_the_deposit():
    def rates_Hz(barrier_eV):
        lattice = built(changes={"transfer.active_barrier_eV": barrier_eV, "ion.energy_eV": 0.3})
        site = middle_site(lattice)
        lattice.engine.assign([site, neighbours(lattice, site)[0]], [ION, ATOM])
        return [lattice.engine.rates(name)[0][2] for name in ("injection", "reduction")]

    (injected, reduced), (faster, same) = rates_Hz(None), rates_Hz(0.3)
    assert faster / injected == pytest.approx(np.exp(0.1 / (kmc.KB_EV * 300.0)))  # else the 0.4 eV of the material set
    assert same == reduced


def test_every_process_balances_its_reverse_in_a_field():
    changes = {"transfer.nucleation_barrier_eV": 0.1, "transfer.active_barrier_eV": 0.25}
    lattice = built(changes={"film_reduction.decay_nm": 0.5, **changes})
    assert_balance(lattice, {"active": 0.3, "inert": -0.1, "film": -0.1})


def test_metal_joined_to_the_active_electrode_is_electrode():
    """Ions leave it over sites beside it, and electrons of the film do not reduce ions there; each balances."""
    cell = Ecm(small({"film_reduction.decay_nm": 0.5, "transfer.joined_metal": True}), np.random.SeedSequence(1))
    lattice, engine = cell.lattice, cell.engine
    height, step = lattice.positions_nm[:, 2], lattice.mesh_size_nm
    planes = np.round(height / step - 0.5).astype(int)
    joined = np.flatnonzero(planes >= planes.max() - 1)
    alone = np.flatnonzero(planes == 0)[:1]
    cell.initialise()
    assert not engine.rates("injection_joined")
    engine.assign([*joined, *alone], np.full(len(joined) + 1, ATOM))
    cell.read(Circuit(0.0, None))
    beside = np.flatnonzero(planes == planes.max() - 2)  # one plane below; the next one has no neighbour in the metal
    below = np.flatnonzero(planes == planes.max() - 3)
    touched = {site for site, *_ in engine.rates("injection_joined")}
    assert set(beside) <= touched
    assert not touched & ({*alone, *joined} | set(below[~np.isin(below, np.concatenate(
        [neighbours(lattice, site) for site in joined]))]))  # fmt: skip
    assert not touched & set(neighbours(lattice, alone[0])[planes[neighbours(lattice, alone[0])] == 0])
    engine.assign([beside[0], below[0]], [ION, ION])
    reduced = {site: rate for site, _, rate, _ in engine.rates("film_reduction")}
    assert reduced[below[0]] > 0.0
    assert reduced.get(beside[0], 0.0) == 0.0
    out = next(change for site, _, _, change in engine.rates("injection_joined") if site == beside[1])
    engine.assign([beside[1]], [ION])
    back = next(change for site, _, _, change in engine.rates("absorption_joined") if site == beside[1])
    assert back == pytest.approx(-out)
    bridge = np.flatnonzero(planes >= 0)
    engine.assign(bridge[planes[bridge] != 3], np.full(np.count_nonzero(planes != 3), ATOM))
    engine.assign(np.flatnonzero(planes == 3)[:1], [ATOM])
    cell.read(Circuit(0.0, None))
    assert not any(rate for _, _, rate, _ in engine.rates("injection_joined"))


def test_what_joined_metal_gives_and_takes_is_counted():
    cell = Ecm(small({"transfer.joined_metal": True}), np.random.SeedSequence(2))
    cell.initialise()
    top = np.flatnonzero(cell.lattice.positions_nm[:, 2] > cell.lattice.box_nm[2] - cell.lattice.mesh_size_nm)
    cell.engine.assign(top, np.full(len(top), ATOM))
    cell.read(Circuit(0.0, None))
    cell.advance(6e-7, 1.8, Circuit(0.0, 1e-4))
    counts, row = cell.engine.counts, cell.observe()
    came = counts["injection"] - counts["absorption"] + counts["detachment"] - counts["attachment"]
    came += counts["injection_joined"] - counts["absorption_joined"]
    assert counts["injection_joined"] > 10
    assert row["n_ions"] + row["n_atoms"] == len(top) + came


BARRIER = {
    "material": "HfO2", "thickness_nm": 0.8, "hop_shift_eV": 0.2, "ion_shift_eV": 0.1, "atom_shift_eV": 1.2,
    "tunnel_barrier_eV": 2.0, "effective_mass": 0.1,
}  # fmt: skip


def test_an_atom_costs_more_in_a_dense_barrier_and_every_process_there_balances():
    device = small({"layers.barrier": BARRIER})
    lattice = ecm_lattice(device, np.random.SeedSequence(1))
    height = lattice.positions_nm[:, 2]
    low, high = (np.flatnonzero(np.abs(height - z) < lattice.mesh_size_nm)[30] for z in (1.0, 2.0))
    lattice.engine.assign([low, high], [ION, ION])
    lattice.engine.assign([neighbours(lattice, site)[0] for site in (low, high)], [ATOM, ATOM])
    change = {site: change for site, _, _, change in lattice.engine.rates("reduction")}
    assert change[high] - change[low] == pytest.approx(1.2 - 0.1)  # the ion there is dearer as well
    assert_balance(lattice, {"active": 0.3, "inert": -0.1})


def test_electrons_tunnel_under_the_barrier_of_each_layer():
    """WKB: the exponents of the two films add up, counted by hand from the end of the atom."""
    device = small({"layers.barrier": BARRIER, "conduction.cutoff_nm": 2.0})
    lattice = ecm_lattice(device, np.random.SeedSequence(1))
    net, thickness, step = metal_network(device, lattice), lattice.box_nm[2], lattice.mesh_size_nm
    site = np.flatnonzero(np.abs(lattice.positions_nm[:, 2] - 1.0) < 0.6 * step)[0]
    z = lattice.positions_nm[site, 2]
    film, barrier = (1e9 * hbar / np.sqrt(2.0 * m * electron_mass * eV * elementary_charge)
                     for eV, m in ((3.0, 0.5), (2.0, 0.1)))  # fmt: skip
    below = 1.6 - (z + 0.5 * step)
    wanted = G0_S * np.exp(-2.0 * (below / film + (thickness - 1.6) / barrier))
    assert net.top_S[site] == pytest.approx(wanted, rel=1e-9)
    assert net.bottom_S[site] == pytest.approx(G0_S * np.exp(-2.0 * (z - 0.5 * step) / film), rel=1e-9)
    inside = np.flatnonzero((lattice.positions_nm[:, 2] > 1.8) & (lattice.positions_nm[:, 2] < 2.0))[0]
    gap = lattice.positions_nm[inside, 2] - 0.5 * step
    wanted = G0_S * np.exp(-2.0 * (1.6 / film + (gap - 1.6) / barrier))
    assert net.bottom_S[inside] == pytest.approx(wanted, rel=1e-9)


def test_the_potential_is_watched_where_metal_may_dissolve():
    """What an atom of the surface leaves behind comes to the potential around; one inside leaves nothing."""
    cell = Ecm(small(), np.random.SeedSequence(1))
    cell.initialise()
    height, step = cell.lattice.positions_nm[:, 2], cell.lattice.mesh_size_nm
    stub = np.flatnonzero(height < 4.0 * step)
    cell.engine.assign(stub, np.full(len(stub), ATOM))
    cell.advance(1e-15, -1.0, Circuit(0.0, None))
    cell.read(Circuit(0.0, None))
    metal = cell.lattice.conducting(cell.engine.occupation)
    top = np.flatnonzero(metal & (height > 3.0 * step))
    for site in top:
        outside = [other for other in neighbours(cell.lattice, site) if not metal[other]]
        jump = np.abs(cell.potential_V[outside] - cell.potential_V[site]).max()
        assert cell._weight[site] == pytest.approx(jump)
        assert jump > 0.05
    assert cell._weight[metal & (height < 2.0 * step)].max() < 1e-3


def test_electrons_of_the_film_come_through_traps():
    lattice = built(changes={"film_reduction.decay_nm": 0.5})
    height = lattice.positions_nm[:, 2]
    low, top = np.argmin(height), np.argmax(height)
    high = np.flatnonzero(np.isclose(height, height[top] - lattice.mesh_size_nm))[0]
    for site in (low, high, top):
        lattice.engine.assign([site], [ION])
    rate = {site: rate for site, _, rate, _ in lattice.engine.rates("film_reduction")}
    energy = {site: change for site, _, _, change in lattice.engine.rates("film_reduction")}
    assert top not in rate  # an electron goes into the active electrode there
    distance = np.ptp(height[[low, high]])
    barrier = {site: max(0.40, 0.5 * abs(energy[site])) + 0.5 * energy[site] for site in (low, high)}
    wanted = np.exp(-distance / 0.5 - (barrier[high] - barrier[low]) / (kmc.KB_EV * 300.0))
    assert rate[high] / rate[low] == pytest.approx(wanted)


def test_an_atom_feels_what_the_ion_would_that_it_turns_into():
    """On metal: the mean over the sites around without metal; beside it: electrons of the metal around."""
    lattice = built()
    site = middle_site(lattice)
    around = neighbours(lattice, site)
    metal = np.zeros(len(lattice.sites), dtype=bool)
    metal[[site, around[0]]] = True
    potential = np.random.default_rng(1).random(len(metal))
    ion, electron = network(lattice).two_sides(metal, potential)
    assert ion[site] == pytest.approx(potential[around[1:]].mean())
    assert electron[site] == potential[site]
    both = np.intersect1d(neighbours(lattice, around[0]), around)
    assert np.allclose(electron[both], potential[[site, around[0]]].mean())
    assert np.all(ion[~metal] == potential[~metal])


def test_numbers_of_metal_and_electrolyte_come_from_their_set():
    silver, copper = small(), small({"layers.active.material": "Cu"})
    assert (silver.kinetic("atom.bond_eV"), copper.kinetic("atom.bond_eV")) == (0.34, 0.41)
    assert small({"atom.bond_eV": 0.2}).kinetic("atom.bond_eV") == 0.2
    cited = {item.key: item for item in cite(copper)}
    assert cited["atom.bond_eV"].value == 0.41
    assert "10.1103" in cited["atom.bond_eV"].source
    with pytest.raises(DeviceFileError, match="no numbers of Ag in it are known"):
        small({"layers.electrolyte.material": "TaOx"})


def test_the_film_holds_dopants_clusters_and_a_barrier_layer():
    changes = {
        "layers.electrolyte.thickness_nm": 3.0, "lattice.width_nm": 4.0, "lattice.depth_nm": 4.0, "soft_spots": [],
        "dopants": {"fraction": 0.2, "binding_eV": 0.3}, "clusters": {"fraction": 0.05, "radius_nm": 0.4},
        "layers.barrier": {"material": "HfO2", "thickness_nm": 1.0, "hop_shift_eV": 0.2, "ion_shift_eV": 0.1},
    }  # fmt: skip
    lattice = built(changes=changes)
    film = Film.build(small(changes), lattice.positions_nm, np.random.SeedSequence(4))
    height = lattice.positions_nm[:, 2]
    barrier = height > 3.0
    assert lattice.box_nm[2] == pytest.approx(4.0, abs=0.11)
    assert np.array_equal(film.hop_shift_eV, np.where(barrier, 0.2, 0.0))
    assert np.mean(film.ion_energy_eV[~barrier] < -0.2) == pytest.approx(0.2, abs=0.03)
    assert film.metal.sum() == pytest.approx(0.05 * np.sum(height < 3.0), rel=0.3)
    assert height[film.metal].min() > 0.2
    assert height[film.metal].max() < 3.0
    assert np.sum(lattice.engine.occupation == ATOM) > 0
    with pytest.raises(DeviceFileError, match=r"clusters.fraction: 0.5; clusters of radius 0.4 nm that do not touch"):
        built(changes={**changes, "clusters": {"fraction": 0.5, "radius_nm": 0.4}})


def test_clusters_between_inert_electrodes_are_all_the_metal_there_is():
    changes = {
        "layers.active.material": "Pt", "clusters": {"material": "Ag", "fraction": 0.1, "radius_nm": 0.35},
        "layers.electrolyte.thickness_nm": 2.4,
    }  # fmt: skip
    cell = Ecm(small(changes), np.random.SeedSequence(2))
    cell.initialise()
    assert "materials.Ag.electrical_S_per_m" in {item.key for item in cite(small(changes))}
    atoms = cell.observe()["n_atoms"]
    cell.advance(1e-6, 1.8, Circuit(0.0, 1e-5))
    row = cell.observe()
    assert row["n_atoms"] + row["n_ions"] == atoms > 10
    assert row["n_events"] > 100
    assert not {"injection", "attachment"} & set(cell.engine.counts)
    with pytest.raises(DeviceFileError, match=r"clusters\.material"):
        small({**changes, "layers.active.material": "Cu"})


def network(lattice):
    return MetalNetwork.build(
        lattice.sites, lattice.box_nm[2], bulk_S=0.01, spacing_nm=lattice.mesh_size_nm, decay_nm=0.15, cutoff_nm=1.0
    )


def chain(lattice):
    """Sites of a path of neighbours from the bottom to the top."""
    z = lattice.positions_nm[:, 2]
    path = [int(np.flatnonzero(z == z.min())[len(lattice.sites) // 40])]
    while True:
        near = neighbours(lattice, path[-1])
        up = near[z[near] > z[path[-1]] + 1e-6]
        if not len(up):
            return path
        path.append(int(up[0]))


def test_a_chain_of_atoms_is_one_channel_and_a_broken_one_is_none():
    lattice = built()
    metal = np.zeros(len(lattice.sites), dtype=bool)
    path = chain(lattice)
    metal[path] = True
    net = network(lattice)
    assert net.channels(metal) == 1
    bonds = net.bonds(metal)
    resistance = np.sum(1.0 / bonds.strength_S) + 1.0 / (0.01 * bonds.shares["bottom"][path[0]])
    resistance += 1.0 / (0.01 * bonds.shares["top"][path[-1]])
    assert resistance == pytest.approx(1.0 / G0_S + (len(path)) / 0.01, rel=1e-6)
    metal[path[len(path) // 2]] = False
    assert net.channels(metal) == 0
    assert np.all(net.bonds(metal).strength_S == 0.01)


@pytest.fixture(scope="module")
def grown():
    """A cell under 1.8 V until metal bridges it, with all rows on the way."""
    device = Ecm(small(), np.random.SeedSequence(2))
    device.initialise()
    rows = [device.observe()]
    for step in range(1, 900):
        device.advance(2e-8 * step, 1.8, Circuit(0.0, 1e-4))
        rows.append(device.observe())
        if rows[-1]["limited"]:
            break
    return device, rows


def test_a_filament_grows_from_ions_until_the_compliance_limits_the_current(grown):
    _, rows = grown
    last = rows[-1]
    assert last["limited"]
    assert last["current_A"] == pytest.approx(1e-4)
    assert last["channels"] >= 1
    assert last["device_V"] == pytest.approx(1e-4 / last["conductance_S"])
    assert last["device_V"] < 1.8
    assert rows[0]["current_A"] == 0.0
    assert 0.0 < rows[1]["current_A"] < 1e-9


def test_metal_and_ions_come_from_the_active_electrode(grown):
    device, rows = grown
    counts = device.engine.counts
    came = counts["injection"] - counts["absorption"] + counts["detachment"] - counts["attachment"]
    assert rows[-1]["n_ions"] + rows[-1]["n_atoms"] == came > 10


def test_a_restored_cell_goes_on_bit_by_bit():
    def run(device, steps):
        rows = []
        for step in steps:
            device.advance(1e-8 * step, 1.6, Circuit(0.0, 1e-5))
            rows.append(device.observe())
        return rows

    straight, other = (Ecm(small(), np.random.SeedSequence(3)) for _ in range(2))
    straight.initialise()
    run(straight, range(1, 9))
    saved = straight.checkpoint()
    rest = run(straight, range(9, 13))
    other.initialise()
    other.restore(saved)
    assert run(other, range(9, 13)) == rest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers.active.material": "Xy"}, "layers.active.material"),
        ({"layers.active.material": "Pt"}, "must be a metal that dissolves as ions: Ag, Cu"),
        ({"layers.bottom.material": "Ag"}, "must be inert, none of Ag, Cu"),
        ({"ion.charge_e": 0.0}, "ion.charge_e"),
        ({"soft_spots": [{"centre_nm": [9.0, 0.5], "radius_nm": 0.5}]}, "must lie in the lattice box"),
        ({"numerics.distributed_lattice": True, "ion.space_charge": True}, "not with ion.space_charge"),
    ],
)
def test_what_makes_no_cell_is_refused_by_key_and_value(changes, message):
    with pytest.raises(DeviceFileError, match=message):
        small(changes)


def test_what_one_atom_changes_in_the_conductance_is_known_before_the_fields_are_solved():
    """Atoms put on and taken off a stub with a gap, one by one, against a solution; tunnelling limits the current."""
    cell = Ecm(small({"layers.electrolyte.thickness_nm": 2.0}), np.random.SeedSequence(1))
    cell.initialise()
    fields, height, step = cell.fields, cell.lattice.positions_nm[:, 2], cell.lattice.mesh_size_nm
    metal = height < 6.0 * step
    fields.solve_potential(metal)
    before_S, change = fields.conductance_S, fields.conductance_changes(metal)
    tip = np.flatnonzero(metal & (height > 5.0 * step))
    above = np.flatnonzero(~metal & (height < 7.0 * step))
    inside = np.flatnonzero(metal & (height < 3.0 * step))
    for site in (*tip[:3], *above[:3]):
        other = metal.copy()
        other[site] = not metal[site]
        fields.solve_potential(other)
        true_S = fields.conductance_S - before_S
        assert abs(true_S) > 0.02 * before_S
        assert change[site] == pytest.approx(true_S, rel=0.1)
    assert np.abs(change[inside]).max() < 1e-3 * before_S
