"""Explicit atoms as a VCM device: sites, energies, charge rule, fields on an irregular lattice, and a short run."""

import csv
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import fem
import ionsim
import kmc
from ionsim.config import Device
from ionsim.coupling.heat_path import HeatLines
from ionsim.devices import vcm_atoms
from ionsim.devices.vcm import Vcm
from ionsim.devices.vcm_atoms import EMPTY, ION, NEUTRAL, OXYGEN, SPECIES, VACANCY, atoms_lattice
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError
from ionsim.simulation import Simulation
from ionsim.structure import build_stack, read_stack, write_stack
from ionsim.study.observables import observables, of_summary

PUBLIC = Path(__file__).resolve().parents[2] / "shared" / "data" / "tin_hfo2_ti_2p5nm"
needs_public = pytest.mark.skipif(
    not (PUBLIC / "atoms.xyz").is_file(),
    reason=f"the public stack is not at {PUBLIC} (it is not part of the repository)",
)
FILES = [f"structure.{key}={PUBLIC / key}.xyz" for key in ("atoms", "interstitials")]

SMALL = {
    "name": "small_atoms",
    "lattice": {"width_nm": 1.1, "depth_nm": 1.1, "crystal": "monoclinic"},
    "layers.oxide.thickness_nm": 1.6,
    "layers.bottom.thickness_nm": 4.0,
    "layers.cap.thickness_nm": 0.8,
    "layers.top.thickness_nm": 4.0,
    "mesh": {"domain_width_nm": 5.0, "growth": 2.0},
    "drive.stages": [{"name": "forming", "stop_V": 4.0, "turn_at_compliance": True}],
    "drive.step_V": 0.2,
    "sources": {},
}
#: Nothing moves but the charges of vacancies.
STILL = {f"frenkel.max_{name}_rate_Hz": 1e-9 for name in ("generation", "ion_hop")} | {"vacancy.max_hop_rate_Hz": 1e-9}


def small_atoms(changes=None) -> Device:
    return ionsim.load("tin_hfo2_ti_atoms").replace({**SMALL, **(changes or {})})


def lattice_of(device, seed=1):
    return atoms_lattice(device, np.random.SeedSequence(seed))


@pytest.fixture(scope="module")
def public():
    return ionsim.load("tin_hfo2_ti_atoms", FILES)


@needs_public
class TestPublicStack:
    def test_sites_are_oxygen_and_interstitials_of_oxide_and_cap(self, public):
        lattice = lattice_of(public)
        z = lattice.positions_nm[:, 2]
        assert lattice.carriers.sum() == 2000
        assert np.count_nonzero(~lattice.carriers) == 2978 - 89  # 89 lie in the bottom electrode
        assert lattice.box_nm == pytest.approx((2.5575, 2.5575, 5.1140531))
        assert (z.min(), z.max()) == pytest.approx((0.0, 6.598923))
        counts = lattice.counts()
        assert (counts["n_vacancies"], counts["n_ions"]) == (100.0, 0.0)
        assert 0.0 < counts["n_neutral"] < 30.0

    def test_the_seed_draws_the_missing_oxygen(self, public):
        first, again, other = (lattice_of(public, seed).engine.occupation for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_a_ramp_carries_current_and_heats(self, public):
        frames = list(Simulation(public.replace({
            "drive.stages": [{"name": "forming", "stop_V": 2.0, "return_to_zero": False}], "drive.step_V": 1.0,
        }), seed=1))  # fmt: skip
        row = frames[-1].row
        assert 1e-9 < row["current_A"] < 1e-5
        assert 300.1 < row["temperature_peak_K"] < 400.0
        assert row["n_vacancies"] - 100.0 == row["n_ions"]


@pytest.fixture(scope="module")
def setting():
    device = small_atoms()
    lattice = lattice_of(device)
    stack = vcm_atoms._stack(device)
    rng = np.random.default_rng(3)
    engine = lattice.engine
    occupation = np.where(
        lattice.carriers,
        rng.choice([0, 1, 2], len(lattice.carriers), p=[0.6, 0.2, 0.2]),
        rng.choice([3, 4], len(lattice.carriers), p=[0.6, 0.4]),
    )
    engine.assign(np.arange(len(occupation)), occupation)
    potential = rng.uniform(0.0, 0.3, len(occupation))
    engine.set_fields(potential, 700.0)
    return device, lattice, stack, potential


class TestEnergies:
    """Rates against an energy written down here a second time, from the rules in words."""

    @staticmethod
    def energy(device, lattice, stack, potential, occupation, electrons):
        """Energy (eV) of a configuration, without that of the electrons that a charge-state change takes up."""
        frenkel, names = device.frenkel, np.array(SPECIES)[occupation]
        z, top = lattice.positions_nm[:, 2], stack.interface_nm[1]
        layer = np.where(z > top[1] - 1e-6, 1.73, np.where(z > top[0] - 1e-6, 1.66, 3.93))
        metal = stack.positions_nm[stack.where(("bottom_metal", "top_metal"))]
        images = [
            metal + np.array([i * stack.cell_nm[0], j * stack.cell_nm[1], 0]) for i in (-1, 0, 1) for j in (-1, 0, 1)
        ]
        near_metal = cdist(lattice.positions_nm, np.vstack(images)).min(axis=1) <= 0.35
        near = cdist(lattice.positions_nm, lattice.positions_nm) < 0.35
        np.fill_diagonal(near, False)
        vacant = np.isin(names, (VACANCY, NEUTRAL))
        neutral = names == NEUTRAL
        x = frenkel.neutral_gain_eV
        total = layer[names == ION].sum()
        total += (x * (1.5 - 2.0 * near_metal - near @ vacant.astype(float)))[neutral].sum()
        if electrons:
            return total
        return total + 2.0 * (potential[names == VACANCY].sum() - potential[names == ION].sum())

    @pytest.mark.parametrize("process", [
        "pair_generation", "pair_recombination", "vacancy_hop", "neutral_hop", "ion_hop", "neutralisation",
        "ionisation",
    ])  # fmt: skip
    def test_detailed_balance_of_every_process(self, setting, process):
        device, lattice, stack, potential = setting
        engine = lattice.engine
        before = engine.occupation.copy()
        events = engine.rates(process)
        assert len(events) > 5
        electrons = process in ("neutralisation", "ionisation")
        direction = {"pair_generation": "pair_recombination", "neutralisation": "ionisation"}
        reverse = {**direction, **{back: there for there, back in direction.items()}}.get(process, process)
        row = [name for name, _, _ in engine.model.directions()].index(process)
        start = self.energy(device, lattice, stack, potential, before, electrons)
        for site, partner, rate, change in events[:: max(1, len(events) // 6)]:
            engine.set_occupation(site, SPECIES[engine.table.after[row, 0]])
            if partner >= 0:
                engine.set_occupation(partner, SPECIES[engine.table.after[row, 1]])
            end = self.energy(device, lattice, stack, potential, engine.occupation, electrons)
            places = {(site, partner), (partner, site)}
            back = [other for other in engine.rates(reverse) if (other[0], other[1]) in places]
            assert len(back) == 1
            assert change == pytest.approx(end - start, abs=1e-9)
            assert rate / back[0][2] == pytest.approx(np.exp(-change / (kmc.KB_EV * 700.0)), rel=1e-9)
            for place in (site, partner):
                if place >= 0:
                    engine.set_occupation(place, SPECIES[before[place]])

    def test_barriers_are_those_of_the_table(self):
        """Far from everything, without caps: 3.93, 1.66 and 1.73 eV up, 0 down; hops 1.09, 0.76 and 2.8 eV."""
        device = small_atoms({
            "vacancy.initial_fraction": 0.0, "vacancy.max_hop_rate_Hz": None,
            **{f"frenkel.max_{name}_rate_Hz": None for name in ("generation", "ion_hop", "charge")},
        })  # fmt: skip
        lattice = lattice_of(device)
        engine, kT = lattice.engine, kmc.KB_EV * 300.0
        engine.set_fields(0.0, 300.0)

        def barriers(process):
            return {(i, j): -kT * np.log(rate / 1e14) for i, j, rate, _ in engine.rates(process)}

        region = np.array(lattice.regions)[engine.sites.region]
        expected = {"top": 1.73, "top_interface": 1.66, "oxide": 3.93, "bottom_interface": 3.93}
        for (_, place), barrier in barriers("pair_generation").items():
            assert barrier == pytest.approx(expected[region[place]], abs=1e-6)
        places = {name: np.flatnonzero(~lattice.carriers & (region == name)) for name in ("top", "oxide")}
        for name, hop in (("top", 2.8), ("oxide", 0.76)):
            site = next(i for i in places[name] if any(j in places[name] for j in engine.sites.neighbours(i)))
            engine.set_occupation(int(site), ION)
            within = [value for (i, j), value in barriers("ion_hop").items() if site in (i, j)
                      and {i, j} - {site} <= set(places[name])]  # fmt: skip
            assert within == pytest.approx([hop] * len(within), abs=1e-6)
            assert within
            engine.set_occupation(int(site), EMPTY)
        middle = int(np.argmin(np.abs(lattice.positions_nm[:, 2] - 0.8) + 9.0 * ~lattice.carriers))
        engine.set_occupation(middle, VACANCY)
        assert list(barriers("vacancy_hop").values()) == pytest.approx([1.09] * len(barriers("vacancy_hop")), abs=1e-6)


def test_the_charge_follows_the_rule_in_equilibrium():
    """Neutral next to metal or to two or more vacancies, else 2+: time averages against Boltzmann, site by site."""
    device = small_atoms({**STILL, "vacancy.initial_fraction": 0.25})
    lattice = lattice_of(device)
    engine = lattice.engine
    engine.set_fields(np.linspace(0.0, 1.0, len(engine.sites)), 300.0)  # electrons are local: no effect
    vacant = lattice.conducting(engine.occupation)
    metal = engine.table.site_energy[:, SPECIES.index(NEUTRAL)] < 0.0
    count = np.array([vacant[engine.sites.neighbours(i)].sum() for i in range(len(vacant))])
    rule = metal | (count >= 2)
    assert {0, 1, 2, 3} <= set(count[vacant & ~metal])
    for site in np.flatnonzero(vacant):  # start wrong
        engine.state.occupation[site] = SPECIES.index(VACANCY if rule[site] else NEUTRAL)
    engine.refresh()
    engine.run(until_s=1.0)
    samples, neutral = 500, np.zeros(len(vacant))
    for sample in range(samples):
        engine.run(until_s=1.0 + 0.05 * (sample + 1))
        neutral += engine.occupation == SPECIES.index(NEUTRAL)
    share = neutral[vacant] / samples
    np.testing.assert_array_equal(share > 0.5, rule[vacant])
    energy = 0.3 * (1.5 - count - 2.0 * metal)[vacant]
    expected = 1.0 / (1.0 + np.exp(energy / (kmc.KB_EV * 300.0)))
    assert np.abs(share - expected).max() < 0.02
    assert np.array_equal(lattice.conducting(engine.occupation), vacant)


def test_changes_of_charge_need_no_new_fields():
    family = Vcm(small_atoms({**STILL, "numerics.potential_error_kT": 0.1}), np.random.SeedSequence(1))
    family.initialise()
    solves = family.fields.n_solves
    family.advance(0.5, 2.0, Circuit(0.0, None))
    row = family.observe()
    assert row["events_neutralisation"] > 30
    assert row["n_events"] == row["events_neutralisation"] + row["events_ionisation"]
    assert family.fields.n_solves == solves


@pytest.fixture(scope="module")
def family():
    family = Vcm(small_atoms({"vacancy.initial_fraction": 0.3}), np.random.SeedSequence(1))
    family.initialise()
    return family


class TestFields:
    def test_sites_on_one_node_make_no_loop(self):
        """A coarse mesh puts several sites on a node; their bond is none, and the solution stands."""
        device = small_atoms({"vacancy.initial_fraction": 0.4, "mesh.size_nm": 0.4})
        family = Vcm(device, np.random.SeedSequence(1))
        dofs = family.fields.sites.dofs[family.lattice.carriers]
        assert len(np.unique(dofs)) < len(dofs)
        family.initialise()
        fine = Vcm(device.replace({"mesh.size_nm": 0.2}), np.random.SeedSequence(1))
        fine.initialise()
        assert family.fields.conductance_S == pytest.approx(fine.fields.conductance_S, rel=0.5)

    def test_current_is_power_over_voltage_and_heat_is_kept(self, family):
        fields = family.fields
        vacant = family.lattice.conducting(family.engine.occupation)
        fields.solve_potential(vacant)
        state = fields.conduction.solve({"top": 1.0, "bottom": 0.0})
        assert state.power_W == pytest.approx(fields.conductance_S, rel=1e-9)
        with mock.patch.object(fields.heat, "solve", wraps=fields.heat.solve) as solve:
            fields.solve_heat(vacant, 0.5, None)
        source = solve.call_args.args[0]
        assert source.sum() == pytest.approx(0.25 * fields.conductance_S, rel=1e-9)
        out = -sum(fields.heat.reaction(surface, source) for surface in ("bottom", "top"))
        assert out == pytest.approx(0.25 * fields.conductance_S, rel=1e-6)

    def test_sites_feel_what_lies_between_nodes(self, family):
        lattice, fields = family.lattice, family.fields
        fields.solve_potential(np.zeros(len(lattice.carriers), dtype=bool))
        inside = lattice.carriers
        share = lattice.positions_nm[inside, 2] / lattice.box_nm[2]
        assert np.abs(fields.unit_potential[inside] - share).max() < 1e-3
        cap = lattice.positions_nm[:, 2] > lattice.box_nm[2] + 0.1
        np.testing.assert_allclose(fields.unit_potential[cap], 1.0, atol=1e-3)

    def test_heat_lines_keep_sums_and_have_the_mean_length(self, family):
        space = family.fields.heat.space
        height = space.tabulate_dof_coordinates()[:, 2]
        sites = family.lattice.positions_nm[family.lattice.carriers]
        heat = np.random.default_rng(2).uniform(0.0, 1.0, len(sites))
        for length, spread in ((0.3, 0.0), (2.0, 0.0), (2.0, 0.35)):
            lines = HeatLines(space, sites, length, spread)
            for sign, end in ((1, height.max()), (-1, height.min())):
                source = np.zeros(len(height))
                lines.add_to(source, heat, sign)
                assert source.sum() == pytest.approx(heat.sum(), rel=1e-12)
                assert source.min() >= -1e-15
                room = np.abs(end - sites[:, 2])
                mean = length * (1.0 - np.exp(-room / length))  # what is left at the end stays there
                moved = source @ height - heat @ sites[:, 2]
                if spread == 0.0:
                    assert moved == pytest.approx(sign * heat @ mean, rel=1e-9)

    def test_heat_lines_need_a_tensor_mesh(self, family):
        from mpi4py import MPI

        import meshes

        cell = meshes.filament_cell(2.0, 6.0, 0.5, (2.0, 2.0), 2.0, 1.0, 2.0, kind="tetrahedra", comm=MPI.COMM_SELF)
        space = fem.cell.scalar_space(cell)
        with pytest.raises(fem.FemError, match="tensor mesh"):
            HeatLines(space, np.array([[1.0, 1.0, 1.0]]), 1.0, 0.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A forming ramp of the small stack."""
    return Simulation(small_atoms(), seed=1).run(tmp_path_factory.mktemp("atoms") / "out")


def test_voltage_steps_add_up(run):
    with open(run.folder / "voltage_steps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(run.series["time_s"])
    assert rows[0].keys() >= {"stage", "voltage_V", "current_A", "temperature_peak_K", "events_pair_generation"}
    np.testing.assert_allclose([float(row["voltage_V"]) for row in rows], run.series["voltage_V"], atol=1e-9)
    for name in [name for name in run.series if name.startswith("events_")]:
        assert sum(int(row[name]) for row in rows) == run.series[name][-1] == run.summary[name.replace("events_", "n_")]
    total = sum(run.summary[f"n_{name}"] for name in ("pair_generation", "pair_recombination", "vacancy_hop",
                "neutral_hop", "ion_hop", "neutralisation", "ionisation"))  # fmt: skip
    assert total == run.summary["n_events"] > 0
    assert set(of_summary(small_atoms(), run.summary, ())) <= set(observables(small_atoms()))


def test_the_run_ends_and_says_what_flickered(run):
    assert run.status == "complete"
    assert run.series["voltage_V"][-1] == pytest.approx(0.0, abs=1e-9)
    assert 0.0 <= run.summary["flicker_share"] < 1.0
    assert run.summary["T_peak_K"] >= run.series["temperature_peak_K"].max()
    assert np.abs(run.series["current_A"]).max() <= 1.05 * 1e-5


def test_oxygen_is_conserved_and_stays_on_its_sites(run):
    made = run.series["events_pair_generation"] - run.series["events_pair_recombination"]
    initial = np.isin(run.snapshot("virgin").occupation, (1, 2)).sum()
    np.testing.assert_array_equal(run.series["n_ions"], made)
    np.testing.assert_array_equal(run.series["n_vacancies"], initial + made)
    for snapshot in run.snapshots.values():
        names = np.array(run.sites.species)[snapshot.occupation]
        oxygen = np.array(run.sites.sublattices)[run.sites.sublattice] == "oxygen"
        assert set(names[oxygen]) <= {OXYGEN, VACANCY, NEUTRAL}
        assert set(names[~oxygen]) <= {EMPTY, ION}


def test_the_same_seed_gives_the_same_bytes(run, tmp_path):
    again = Simulation(small_atoms(), seed=1).run(tmp_path)
    for name in ("iv.csv", "voltage_steps.csv"):
        assert (again.folder / name).read_bytes() == (run.folder / name).read_bytes()


def test_ions_and_vacancies_of_a_file_are_taken_over(tmp_path):
    stack = build_stack("monoclinic", 1.1, 1.1, 1.6, 1.0, 0.8, 0.0)
    symbol = stack.symbol.astype("<U2")
    symbol[stack.where("oxygen")[:3]] = "V"
    symbol[stack.where("interstitial", "oxide")[:2]] = "Od"
    files = (tmp_path / "atoms.xyz", tmp_path / "interstitials.xyz")
    write_stack(replace(stack, symbol=symbol), *files)
    given = {"structure.atoms": str(files[0]), "structure.interstitials": str(files[1])}
    counts = lattice_of(small_atoms({**given, "vacancy.initial_fraction": 0.0})).counts()
    assert (counts["n_vacancies"], counts["n_ions"]) == (3.0, 2.0)
    low, high = 0.0, read_stack(*files).thickness_nm
    ranges = {"structure.oxide_nm": [low, high], "structure.interface_nm": [high - 0.8, high]}
    lattice = lattice_of(small_atoms({**given, **ranges}))
    region = np.array(lattice.regions)[lattice.engine.sites.region]
    assert lattice.positions_nm[region == "top_interface", 2].min() < high - 0.5
    with pytest.raises(DeviceFileError, match=r"structure\.interstitials: the atoms have no interstitial site"):
        lattice_of(small_atoms({"structure.atoms": str(files[0])}))


@pytest.mark.parametrize(("changes", "message"), [
    ({"layers.oxide.thickness_nm": 2.4, "structure.atoms": "FILE"}, r"layers\.oxide\.thickness_nm = 2\.4: .* 0\.3 nm"),
    ({"mesh.domain_width_nm": 0.8}, r"mesh\.domain_width_nm = 0\.8: must be at least"),
    ({"layers.cap.thickness_nm": 0.3, "layers.top.thickness_nm": 0.3, "structure.atoms": "FILE"}, "be thicker"),
])  # fmt: skip
def test_atoms_that_do_not_fit_the_layers(changes, message, tmp_path):
    if "structure.atoms" in changes:
        write_stack(build_stack("monoclinic", 1.1, 1.1, 1.6, 1.0, 0.9, 0.0), tmp_path / "atoms.xyz")
        changes = {**changes, "structure.atoms": str(tmp_path / "atoms.xyz")}
    with pytest.raises(DeviceFileError, match=message):
        lattice_of(small_atoms(changes))
