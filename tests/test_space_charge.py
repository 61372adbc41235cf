"""Space charge of ions: potentials of films and metal, the engine's events, and a cell with the switch on."""

import numpy as np
import pytest
from test_ecm import ATOM, EMPTY, ION, small

import kmc
from ionsim.coupling import FilmPotential, SpaceCharge
from ionsim.coupling.film_potential import COULOMB_V_NM
from ionsim.devices.ecm import Ecm
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError
from ionsim.verification import cases
from ionsim.verification.ion_cell import STEP_NM, film_sites

QUICK = ("charged-metal", "ion-pair")
LONG = ("film-potential", "ion-equilibrium", "counter-ions", "open-circuit")


def passes(name):
    records = cases()[name]()
    assert [(record.name, record.value) for record in records if record.passed is False] == []
    assert any(record.passed for record in records)


@pytest.mark.parametrize("name", QUICK)
def test_quick_case_passes(name):
    passes(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_case_passes(name):
    passes(name)


def charge_of(cells, charge_e=1.0, permittivity=3.9):
    sites = film_sites(cells)
    film = FilmPotential(sites.positions_nm, STEP_NM * cells[2], STEP_NM, permittivity)
    touching = sites.positions_nm[:, 2] < STEP_NM
    return sites, SpaceCharge(sites, film, charge_e=charge_e, touching=touching, atom_radius_nm=0.16)


def masks(sites, **species):
    return [np.isin(np.arange(len(sites)), list(members)) for members in species.values()]


def test_a_film_screens_by_images():
    """In the first plane of a thick film the potential is that of the charge and its image in the near electrode."""
    sites, charge = charge_of((6, 6, 50))
    first = np.flatnonzero(sites.positions_nm[:, 2] < STEP_NM)
    apart = np.linalg.norm(sites.positions_nm[first] - sites.positions_nm[first[0]], axis=1)[1:]
    image = np.hypot(apart, STEP_NM)
    found = charge.film.everywhere(int(first[0]))[first][1:]
    assert found == pytest.approx(COULOMB_V_NM / 3.9 * (1.0 / apart - 1.0 / image), rel=2e-3)
    own = charge.film.everywhere(int(first[0]))[first[0]]
    assert own == pytest.approx(-COULOMB_V_NM / 3.9 / STEP_NM, rel=1e-3)


def test_the_charge_is_followed_to_the_last_bit_whatever_the_way():
    sites, charge = charge_of((8, 8, 8))
    random = np.random.default_rng(1)
    for _ in range(30):
        species = random.choice(3, len(sites), p=[0.8, 0.1, 0.1])
        charge.update(species == ION, species == ATOM)
    fresh = charge_of((8, 8, 8))[1]
    fresh.update(species == ION, species == ATOM)
    assert np.array_equal(fresh.potential_V, charge.potential_V)
    assert np.array_equal(fresh.own_V, charge.own_V)


def test_metal_is_equipotential_earthed_where_it_touches_and_without_charge_where_it_floats():
    sites, charge = charge_of((8, 8, 10))
    z = sites.positions_nm[:, 2]
    offset = np.hypot(*(sites.positions_nm[:, :2] - 0.6).T)
    earthed = (offset < 0.3) & (z < 0.8)
    floating = (offset < 0.3) & (z > 1.2) & (z < 1.8)
    ion = int(np.argmin(np.linalg.norm(sites.positions_nm - [1.4, 0.6, 1.5], axis=1)))
    (ions,) = masks(sites, ions=[ion])
    charge.update(ions, earthed | floating)
    assert np.ptp(charge.potential_V[floating]) == 0.0
    assert np.all(charge.potential_V[earthed] == 0.0)
    assert charge.potential_V[floating][0] > 0.1
    # Green's reciprocity: what the ion makes at a site is what an ion there makes at its own.
    free = np.flatnonzero(~(earthed | floating | ions))[::7]
    for site in free:
        (other,) = masks(sites, ions=[site])
        there = charge.potential_V[site]
        charge.update(other, earthed | floating)
        assert charge.potential_V[ion] == pytest.approx(there, abs=1e-10)
        charge.update(ions, earthed | floating)


def test_energies_of_pairs_are_what_events_of_a_cell_change():
    """dU of hops and transfers against the energy of all pairs, before and after; metal earthed and floating beside."""
    cell = Ecm(small({"ion.space_charge": True}), np.random.SeedSequence(1))
    engine, sites = cell.engine, cell.lattice.sites
    random = np.random.default_rng(2)
    start = random.choice(3, len(sites), p=[0.8, 0.06, 0.14])
    reach = {"injection": [ION], "ion_hop": [EMPTY, ION], "absorption": [EMPTY]}

    def follow():
        cell._update_charge(cell.charge)
        engine.set_fields(cell.charge.potential_V, 300.0, {"active": 0.0, "inert": 0.0}, own_V=cell.charge.own_V)

    def energy_eV():
        follow()
        return 0.5 * float(cell.charge.potential_V[engine.occupation == ION].sum())

    engine.assign(np.arange(len(sites)), start)
    before = energy_eV()
    assert before > 1.0
    ion_eV = cell.device.kinetic("ion.energy_eV")
    bare = {"injection": ion_eV, "ion_hop": 0.0, "absorption": -ion_eV}
    for name, after in reach.items():
        events = engine.rates(name)
        for site, partner, _, change in [events[k] for k in random.choice(len(events), 4)]:
            touched = [site] if partner < 0 else [site, partner]
            engine.assign(touched, after)
            assert change == pytest.approx(energy_eV() - before + bare[name], abs=1e-9)
            engine.assign(touched, start[touched])
            follow()


def advanced(cell, steps):
    rows = []
    for step in steps:
        cell.advance(2e-8 * step, 1.8, Circuit(0.0, 1e-5))
        rows.append(cell.observe())
    return rows


def test_a_restored_cell_with_space_charge_goes_on_bit_by_bit():
    device = small({"ion.space_charge": True})
    straight, other = (Ecm(device, np.random.SeedSequence(3)) for _ in range(2))
    positions = straight.lattice.positions_nm
    stub = np.flatnonzero((np.hypot(*(positions[:, :2] - 0.8).T) < 0.45) & (positions[:, 2] < 0.7))
    straight.engine.assign(stub, np.full(len(stub), ATOM))
    straight.initialise()
    advanced(straight, range(1, 9))
    saved = straight.checkpoint()
    rest = advanced(straight, range(9, 15))
    other.initialise()
    other.restore(saved)
    assert advanced(other, range(9, 15)) == rest
    assert rest[-1]["n_atoms"] > 10
    assert rest[-1]["n_ions"] > 3
    assert other.summary() == straight.summary()
    assert np.array_equal(other.potential_V, straight.potential_V)
    # After every event of an ion the potential was followed; what is in use is that of where ions are now.
    ions = straight.engine.occupation == ION
    assert np.array_equal(straight.charge._ions, ions)
    assert straight.charge.n_updates > straight.fields.n_solves


def test_ions_in_the_first_plane_keep_each_other_out():
    held = {}
    for switch in (True, False):
        changes = {"ion.space_charge": switch, "ion.repulsion_eV": 0.0, "ion.energy_eV": 0.7}
        cell = Ecm(small(changes), np.random.SeedSequence(1))
        cell.initialise()
        cell.advance(1e-7, 1.8, Circuit(0.0, 1e-5))
        first = cell.lattice.positions_nm[:, 2] > cell.lattice.box_nm[2] - cell.lattice.mesh_size_nm
        held[switch] = np.count_nonzero(cell.engine.occupation[first] == ION) / np.count_nonzero(first)
    assert held[True] < 0.3
    assert held[False] > 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers.electrolyte.material": "Ti"}, "ion.space_charge needs its relative_permittivity"),
        ({"numerics.superbasin_states": 16}, "not with ion.space_charge"),
    ],
)
def test_what_space_charge_needs_is_asked_for(changes, message):
    with pytest.raises(DeviceFileError, match=message):
        small({"ion.space_charge": True, **changes})


def hopping(**given):
    sites = film_sites((4, 4, 4))
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", "empty", 0.3, charge_e=1.0)])
    occupation = (np.arange(len(sites)) == 3).astype(int)
    return kmc.Engine(sites, model, occupation, **given)


def test_a_particle_does_not_feel_what_it_makes_itself():
    engine = hopping(null_events=False)
    sites = engine.sites
    own_V = np.where(sites.origin == 3, 0.25, 0.0)
    potential_V = np.zeros(len(sites))
    potential_V[sites.target[sites.start[3] : sites.start[4]]] = 0.25
    engine.set_fields(potential_V, 300.0, own_V=own_V)
    hops = engine.rates("hop")
    assert len(hops) == sites.start[4] - sites.start[3] > 3
    assert [change for *_, change in hops] == pytest.approx([0.0] * len(hops), abs=1e-12)
    engine.set_fields(own_V=np.zeros(sites.n_edges))
    assert [change for *_, change in engine.rates("hop")] == pytest.approx([0.25] * len(hops))


def test_the_watch_stops_at_every_event_of_a_species():
    engine = hopping()
    engine.watch(np.zeros(len(engine.sites)), 1.0, stop=("ion",))
    assert engine.run(until_s=np.inf, max_events=100) == "watch"
    assert engine.n_events == 1
    engine.watch(np.zeros(len(engine.sites)), 1.0)
    assert engine.run(until_s=np.inf, max_events=100) == "events"
    assert engine.n_events == 101


def test_what_makes_no_own_potential_is_refused():
    engine = hopping(null_events=False)
    with pytest.raises(kmc.KmcError, match="own_V has shape"):
        engine.set_fields(0.0, 300.0, own_V=np.zeros(3))
    with pytest.raises(kmc.KmcError, match="all rates kept"):
        hopping(null_events=True).set_fields(0.0, 300.0, own_V=np.zeros(engine.sites.n_edges))
