"""Explicit atoms: reading the public stack, building one from crystals, voids, and messages for broken files."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from ionsim.cli import structure as command
from ionsim.errors import StructureError
from ionsim.structure import (
    OXIDES,
    build_stack,
    oxygen_coordination,
    oxygen_sublattice,
    read_stack,
    remove_oxygen,
    voronoi_voids,
    write_stack,
)
from ionsim.structure.crystals import CRYSTALS, film_cell
from ionsim.structure.film import cut_film
from ionsim.structure.stack import KINDS, REGIONS, periodic_tree

PUBLIC = Path(__file__).resolve().parents[2] / "shared" / "data" / "tin_hfo2_ti_2p5nm"
needs_public = pytest.mark.skipif(
    not (PUBLIC / "atoms.xyz").is_file(),
    reason=f"the public stack is not at {PUBLIC} (it is not part of the repository)",
)


@pytest.fixture(scope="module")
def built():
    return build_stack("monoclinic", width_nm=2.0, depth_nm=2.1, oxide_nm=2.1, bottom_nm=0.8, cap_nm=0.9, top_nm=0.8)


def small_stack(rotation=(0, 1, 2), comment="Cell: 30 10 8", swap=None):
    """Lines of a tiny stack along x (or another axis): TiN below, HfO2, Ti above."""
    rows = [("Ti", -2, 1, 1), ("N", -2, 5, 5), ("Hf", 0, 1, 1), ("O", 1, 2, 2), ("O", 2, 9, 7), ("Hf", 6, 5, 5),
            ("O", 7, 1, 7), ("Ti", 9, 1, 1), ("Ti", 11, 5, 5)]  # fmt: skip
    lines = []
    for name, *place in rows:
        x, y, z = (place[axis] for axis in rotation)
        lines.append(f"{name} {x}.0 {y}.0 {z}.0")
    for index, line in (swap or {}).items():
        lines[index] = line
    return "\n".join([str(len(rows)), comment, *lines, ""])


def write(folder, text, name="atoms.xyz"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@needs_public
class TestPublicStack:
    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls):
        return read_stack(PUBLIC / "atoms.xyz", PUBLIC / "interstitials.xyz")

    def test_sites(self, stack):
        assert len(stack) == 6420 + 2978
        assert stack.counts() == {"Hf": 1000, "N": 1440, "O": 2000, "Ti": 1980, "d": 2978}
        assert stack.cell_nm == pytest.approx((2.5575, 2.5575))
        assert stack.notes == ()
        lateral = stack.positions_nm[:, :2]
        assert (lateral >= 0).all()
        assert (lateral < stack.cell_nm).all()

    def test_layers_are_those_of_the_readme(self, stack):
        """README: interface 0 to 3, oxide 3 to 48.14, Ti interface 48.14 to 52.64 Angstrom."""
        np.testing.assert_allclose(np.array(stack.layer_edges_nm()) * 10, [0, 3, 48.14, 52.64], atol=0.01)
        assert len(stack.where("bottom_metal")) == 2 * 720
        assert len(stack.where("top_metal", "top")) == 1980
        assert len(stack.where(["bottom_metal", "top_metal"], ["bottom_interface", "oxide", "top_interface"])) == 0
        assert len(stack.where(["metal_cation", "oxygen"], ["bottom", "top"])) == 0

    def test_explicit_layers_win(self):
        stack = read_stack(PUBLIC / "atoms.xyz", oxide_nm=(0.0, 5.26431), interface_nm=((0.0, 0.3), (4.81431, 5.26431)))
        assert stack.thickness_nm == pytest.approx(5.26431)
        assert stack.positions_nm[:, 2].min() == pytest.approx(-2.10212)

    def test_five_percent_of_the_oxygen(self, stack):
        removed = remove_oxygen(stack, 0.05, seed=4)
        assert len(removed) == 100
        assert len(set(removed.tolist())) == 100
        assert set(stack.symbol[removed]) == {"O"}
        np.testing.assert_array_equal(removed, remove_oxygen(stack, 0.05, seed=np.random.default_rng(4)))
        assert not np.array_equal(removed, remove_oxygen(stack, 0.05, seed=5))

    def test_round_trip_along_every_axis(self, stack, tmp_path):
        for axis in "xyz":
            files = tmp_path / f"{axis}.xyz", tmp_path / f"{axis}_sites.xyz"
            write_stack(stack, *files, axis=axis)
            again = read_stack(*files, axis=axis)
            np.testing.assert_allclose(again.positions_nm, stack.positions_nm, atol=1e-6)
            np.testing.assert_array_equal(again.symbol, stack.symbol)
            np.testing.assert_array_equal(again.region, stack.region)

    def test_wrong_axis_is_noticed(self):
        with pytest.raises(StructureError, match="is the film normal \\(axis\\) right"):
            read_stack(PUBLIC / "atoms.xyz", axis="z")


class TestCrystals:
    @pytest.mark.parametrize("name", CRYSTALS)
    def test_every_crystal_has_a_source_and_stands_upright(self, name):
        assert len(CRYSTALS[name].source) > 20
        cell = film_cell(name).vectors_nm
        assert cell[0, 1] == cell[0, 2] == cell[1, 0] == cell[1, 2] == cell[2, 1] == 0

    @pytest.mark.parametrize(("name", "volume_A3"), [("cubic", 32.8), ("tetragonal", 33.5), ("monoclinic", 34.6)])
    def test_volume_of_a_formula_unit(self, name, volume_A3):
        assert 1000 * np.linalg.det(film_cell(name).vectors_nm) / 4 == pytest.approx(volume_A3, abs=0.1)

    def test_monoclinic_hops_are_those_of_the_barrier_table(self):
        """O-O distances against PHYSICS.md section 2 (VacHopPy, 10.1016/j.cpc.2025.110010)."""
        sites = oxygen_sublattice("monoclinic", 2.6, 2.6, 2.6)
        films = cut_film(film_cell("monoclinic"), 5, 5, 10)
        cations = films.positions_nm[films.symbol == "Hf"]
        middle = np.abs(sites.positions_nm[:, 2] - 1.3) < 0.27
        centres = sites.positions_nm[middle]
        number = periodic_tree(cations, films.cell_nm).query_ball_point(centres, 0.26, return_length=True)
        assert sorted(set(number.tolist())) == [3, 4]
        tree = periodic_tree(sites.positions_nm, sites.cell_nm)
        table = {
            3: [2.542, 2.574, 2.785, 2.837, 2.937, 2.965, 2.989],
            4: [2.542, 2.576, 2.662, 2.724, 2.937, 2.965, 2.989],
        }
        for coordination, expected in table.items():
            distance = tree.query(centres[number == coordination][0], k=12)[0][1:] * 10
            found = distance[distance < 3.05]
            for value in expected:
                assert np.abs(found - value).min() < 0.04
            for value in found:
                assert np.abs(np.array(expected) - value).min() < 0.04


class TestOxygenSublattice:
    def test_cubic_is_simple_cubic_in_whole_spacings(self):
        sites = oxygen_sublattice("cubic", 5.0, 5.0, 5.0)
        assert sites.positions_nm.shape == (20**3, 3)
        assert sites.spacing_nm == pytest.approx(0.254)
        assert sites.cell_nm == pytest.approx((5.08, 5.08))
        assert sites.thickness_nm == pytest.approx(5.08)
        np.testing.assert_allclose(sites.positions_nm[:2] / 0.254, [[0.5, 0.5, 0.5], [1.5, 0.5, 0.5]])
        assert oxygen_sublattice("cubic", 1.0, 1.3, 3.0).positions_nm.shape == (4 * 5 * 12, 3)

    @pytest.mark.parametrize("crystal", OXIDES)
    def test_fills_the_box_at_crystal_density(self, crystal):
        sites = oxygen_sublattice(crystal, 2.6, 2.6, 3.9)
        volume = np.prod(sites.cell_nm) * sites.thickness_nm
        assert len(sites.positions_nm) / volume == pytest.approx(8 / np.linalg.det(film_cell(crystal).vectors_nm))
        z = sites.positions_nm[:, 2]
        assert 0 < z.min() < z.max() < sites.thickness_nm
        assert sites.thickness_nm == pytest.approx(3.9, abs=0.14)
        nearest = periodic_tree(sites.positions_nm, sites.cell_nm).query(sites.positions_nm, k=2)[0][:, 1]
        assert 0.24 < nearest.min() < nearest.max() < 0.28  # fewer neighbours at the surfaces

    def test_bad_arguments(self):
        with pytest.raises(StructureError, match="allowed: cubic, tetragonal, monoclinic"):
            oxygen_sublattice("amorphous", 5, 5, 5)
        with pytest.raises(StructureError, match="width_nm: got -1"):
            oxygen_sublattice("cubic", -1, 5, 5)
        with pytest.raises(StructureError, match=r"thickness_nm: got 0\.1, less than half"):
            oxygen_sublattice("cubic", 5, 5, 0.1)


class TestBuiltStack:
    def test_is_stoichiometric_and_layered(self, built):
        counts = built.counts()
        assert counts["O"] == 2 * counts["Hf"] > 0
        assert set(built.kind) == set(KINDS)
        assert set(built.region) == set(REGIONS)
        assert built.thickness_nm == pytest.approx(2.1, abs=0.15)
        assert any("TiN" in note and "strain" in note for note in built.notes)

    def test_no_atoms_closer_than_a_bond(self, built):
        atoms = built.positions_nm[built.kind != "interstitial"]
        assert periodic_tree(atoms, built.cell_nm).query(atoms, k=2)[0][:, 1].min() > 0.199

    def test_oxygen_is_three_and_fourfold_inside(self, built):
        z = built.positions_nm[built.where("oxygen"), 2]
        inside = (z > 0.4) & (z < built.thickness_nm - 0.4)
        assert np.bincount(oxygen_coordination(built)[inside]).tolist()[3:] == [inside.sum() // 2] * 2

    def test_interstitial_density_is_like_the_public_stack(self, built):
        """Public amorphous stack: 47 sites per nm^3 of oxide, 145 per nm^3 of Ti."""
        z = built.positions_nm[built.where("interstitial"), 2]
        area = np.prod(built.cell_nm)
        low, high = 0.5, built.thickness_nm - 0.5
        assert 35 < np.count_nonzero((z > low) & (z < high)) / (area * (high - low)) < 70
        assert 100 < np.count_nonzero(z > built.interface_nm[1][1] + 0.1) / (area * 0.6) < 200

    def test_round_trip(self, built, tmp_path):
        write_stack(built, tmp_path / "a.xyz", tmp_path / "i.xyz")
        assert (tmp_path / "a.xyz").read_text().splitlines()[1].startswith("Cell: ")
        assert (tmp_path / "i.xyz").read_text().splitlines()[1] == ""
        again = read_stack(tmp_path / "a.xyz", tmp_path / "i.xyz")
        np.testing.assert_array_equal(again.kind, built.kind)
        np.testing.assert_array_equal(again.region, built.region)
        assert again.cell_nm == pytest.approx(built.cell_nm, abs=1e-6)
        assert again.thickness_nm == pytest.approx(built.thickness_nm, abs=1e-6)

    def test_merged_file_without_a_cell_needs_one(self, built, tmp_path):
        write_stack(built, tmp_path / "all.xyz")
        lines = (tmp_path / "all.xyz").read_text().splitlines()
        path = write(tmp_path, "\n".join([lines[0], "", *lines[2:], ""]), "merged.xyz")
        with pytest.raises(StructureError, match="gives no cell"):
            read_stack(path)
        again = read_stack(path, cell_nm=built.cell_nm)
        assert again.counts() == built.counts()

    def test_without_a_top_and_with_bad_lengths(self):
        bare = build_stack("cubic", 1.0, 1.0, 1.0, bottom_nm=0.4, cap_nm=0.5, top_nm=0)
        assert "N" not in bare.symbol[bare.where("top_metal")]
        with pytest.raises(StructureError, match="cap_nm: got 0"):
            build_stack(cap_nm=0)
        with pytest.raises(StructureError, match="top_nm: got nan"):
            build_stack(top_nm=float("nan"))

    def test_a_hundred_and_fifty_thousand_rows(self, built, tmp_path):
        many = 8
        shifts = np.indices((many, many, 1)).reshape(3, -1).T * [*built.cell_nm, 0.0]
        large = replace(
            built,
            positions_nm=(built.positions_nm[None] + shifts[:, None]).reshape(-1, 3),
            cell_nm=(many * built.cell_nm[0], many * built.cell_nm[1]),
            **{name: np.tile(getattr(built, name), many**2) for name in ("symbol", "kind", "region")},
        )
        assert len(large) > 150_000
        write_stack(large, tmp_path / "large.xyz")
        begin = time.perf_counter()
        stack = read_stack(tmp_path / "large.xyz")
        assert time.perf_counter() - begin < 5.0  # 0.6 s on an idle core, but the machine of a test is shared
        np.testing.assert_array_equal(stack.kind, large.kind)


class TestVoids:
    def test_simple_cubic_voids_are_the_body_centres(self):
        atoms = (np.indices((4, 4, 6)).reshape(3, -1).T + 0.1) * 0.4
        voids = voronoi_voids(atoms, (1.6, 1.6), (0.5, 1.5), radius_nm=0.2, merge_nm=0.1)
        assert len(voids) == 4 * 4 * 3
        np.testing.assert_allclose(np.mod((voids / 0.4) - 0.6, 1.0) % 1.0 % 0.999999, 0, atol=2e-6)
        assert len(voronoi_voids(atoms, (1.6, 1.6), (0.5, 1.5), radius_nm=0.35, merge_nm=0.1)) == 0

    def test_hcp_has_two_tetrahedral_and_one_octahedral_void_an_atom(self):
        film = cut_film(film_cell("Ti"), 4, 3, 10)
        inside = (0.6, 0.6 + 2 * 0.4686)
        voids = voronoi_voids(film.positions_nm, film.cell_nm, inside, radius_nm=0.16, merge_nm=0.1)
        assert len(voids) == 3 * 4 * 3 * 4 * 2


class TestReading:
    def test_any_axis_and_cell_line(self, tmp_path):
        along_x = read_stack(write(tmp_path, small_stack()))
        assert along_x.cell_nm == pytest.approx((1.0, 0.8))
        assert along_x.thickness_nm == pytest.approx(0.7)
        along_z = read_stack(write(tmp_path, small_stack((1, 2, 0), "10 8 30")), axis="z")
        np.testing.assert_allclose(along_z.positions_nm, along_x.positions_nm)
        lattice = 'Lattice="8 0 0 0 30 0 0 0 10" pbc="T F T"'
        along_y = read_stack(write(tmp_path, small_stack((2, 0, 1), lattice)), axis="y")
        np.testing.assert_allclose(along_y.positions_nm, along_x.positions_nm)
        np.testing.assert_array_equal(along_y.kind, along_x.kind)

    def test_extended_properties_give_the_columns(self, tmp_path):
        text = small_stack(comment='Lattice="30 0 0 0 10 0 0 0 8" Properties=id:I:1:species:S:1:pos:R:3:q:R:1')
        head, comment, *rows = text.splitlines()
        text = "\n".join([head, comment, *(f"{i} {row} 0.5" for i, row in enumerate(rows)), ""])
        np.testing.assert_array_equal(read_stack(write(tmp_path, text)).counts(), {"Hf": 2, "N": 1, "O": 3, "Ti": 3})

    def test_vacancies_and_ions_of_a_snapshot(self, tmp_path):
        text = small_stack(swap={4: "V 2 9 7 0.1 0", 1: "Od -2 5 5 0.2 0"})
        stack = read_stack(write(tmp_path, text))
        assert stack.kind[4] == "oxygen"
        assert stack.kind[1] == "interstitial"
        assert 4 not in remove_oxygen(stack, 1.0, seed=1)

    def test_duplicates_are_dropped_and_reported(self, tmp_path):
        stack = read_stack(write(tmp_path, small_stack(swap={8: "Ti 9.0 11.0 1.0"})))
        assert len(stack) == 8
        assert "1 duplicate" in stack.notes[0]

    @pytest.mark.parametrize(
        ("text", "options", "message"),
        [
            ("", {}, "line 1 must be the number of sites"),
            ("many\n\n", {}, "line 1 must be .* got 'many'"),
            ("3\n\nO 1 2 3\n", {}, "announces 3 sites, but 1 rows"),
            (small_stack(swap={4: "O 2 9"}), {}, "line 7 has 3 columns, 4 are needed"),
            (small_stack(swap={4: "O 2 9 x"}), {}, "line 7 has the coordinate 'x'"),
            (small_stack(swap={4: "O 2 nan 7"}), {}, "line 7 has a coordinate that is not finite"),
            (small_stack(swap={4: "Hff 2 9 7"}), {}, "line 7 has the unknown site 'Hff' .did you mean 'Hf'"),
            (small_stack(comment=""), {}, "line 2 gives no cell"),
            (small_stack(comment="Cell: 30 0 8"), {}, "must be positive"),
            (small_stack(comment='Lattice="30 0 0 0 10"'), {}, "5 numbers, 9 are needed"),
            (small_stack(comment='Lattice="30 0 0 1 10 0 0 0 8"'), {}, "tilted Lattice"),
            (small_stack(comment="Cell: 30 10 8 Properties=pos:R:3"), {}, "must list species:S:1 and pos:R:3"),
            (small_stack(), {"cell_nm": (0.4, 0.8)}, "more than the lateral cell Lx = 0.4"),
            (small_stack(), {"axis": "w"}, "got 'w', allowed: x, y, z"),
            (small_stack(), {"cation": "Zr"}, "cation 'Zr' is not among the sites"),
            (small_stack(), {"oxide_nm": (0.5, 0.0)}, "lower end must be below"),
            (small_stack(), {"interface_nm": ((0.0, 0.4), (0.3, 0.6))}, "must rise from bottom to top"),
            (small_stack(swap={8: "O 9 1 1"}), {}, "lie at the same place"),
            (small_stack().replace("O ", "S "), {}, "no oxygen"),
            (small_stack().replace("Hf ", "d "), {}, "no metal atoms between the oxygen atoms"),
        ],
    )
    def test_broken_files_name_the_place(self, tmp_path, text, options, message):
        path = write(tmp_path, text)
        with pytest.raises(StructureError, match=message) as caught:
            read_stack(path, **options)
        assert "atoms.xyz" in str(caught.value)

    def test_missing_file(self, tmp_path):
        with pytest.raises(StructureError, match=r"none\.xyz: cannot be read"):
            read_stack(tmp_path / "none.xyz")

    def test_selection_and_fraction_messages(self, tmp_path):
        stack = read_stack(write(tmp_path, small_stack()))
        with pytest.raises(StructureError, match="allowed: metal_cation"):
            stack.where("oxigen")
        with pytest.raises(StructureError, match=r"got 1\.5, allowed is 0 to 1"):
            remove_oxygen(stack, 1.5, seed=1)
        with pytest.raises(StructureError, match="allowed: x, y, z"):
            write_stack(stack, tmp_path / "a.xyz", axis="n")


class TestCommand:
    @pytest.fixture
    def app(self):
        app = Typer()
        command.register(app)
        return app

    def test_writes_a_readable_pair(self, app, tmp_path):
        options = ["--out", str(tmp_path / "s"), "--oxide", "cubic", "--width-nm", "1", "--depth-nm", "1", "--oxide-nm",
                   "1.5", "--bottom-nm", "0.5", "--cap-nm", "0.5", "--top-nm", "0", "--axis", "z"]  # fmt: skip
        result = CliRunner().invoke(app, options)
        assert result.exit_code == 0, result.output
        assert "strain" in result.output
        stack = read_stack(tmp_path / "s" / "atoms.xyz", tmp_path / "s" / "interstitials.xyz", axis="z")
        assert stack.cell_nm == pytest.approx((1.016, 1.016))

    def test_bad_oxide_is_a_structure_error(self, app, tmp_path):
        result = CliRunner().invoke(app, ["--out", str(tmp_path), "--oxide", "amorphous"])
        assert isinstance(result.exception, StructureError)
        assert list(tmp_path.iterdir()) == []

    def test_bad_axis_leaves_no_files(self, app, tmp_path):
        result = CliRunner().invoke(app, ["--out", str(tmp_path), "--axis", "q", "--width-nm", "1", "--depth-nm", "1"])
        assert isinstance(result.exception, StructureError)
        assert list(tmp_path.iterdir()) == []
