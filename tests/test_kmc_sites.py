"""Site graphs: shells of crystals, periodic images, opposite edges, files, bad input."""

import dataclasses
import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

import kmc.sites
from kmc import SiteGraph
from kmc.lattice import bcc, fcc, simple_cubic, square

#: ASE 3.29 does that under NumPy 2.5.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

EDGE_NM = 0.4
#: Neighbours in the first shell and up to the second, with cutoffs between shells, in units of the cube's edge.
SHELLS = {"sc": ((1.2, 6), (1.5, 18)), "bcc": ((0.93, 8), (1.2, 14)), "fcc": ((0.85, 12), (1.2, 18))}


def crystal(lattice: str, repeat: int) -> Atoms:
    return bulk("Ag", lattice, a=10.0 * EDGE_NM, cubic=True) * (repeat, repeat, repeat)


def images_within(positions, cell, periodic, cutoff):
    """All (i, j, vector) of neighbours, by trying every image: what a graph must hold."""
    steps = [range(-2, 3) if wrap else (0,) for wrap in periodic]
    found = set()
    for shift in itertools.product(*steps):
        vectors = positions[None, :] + np.array(shift) * cell - positions[:, None]
        near = np.linalg.norm(vectors, axis=2) < cutoff
        if shift == (0, 0, 0):
            np.fill_diagonal(near, False)
        found |= {(i, j, *np.round(vectors[i, j], 7) + 0.0) for i, j in np.argwhere(near).tolist()}
    return found


def edges_of(graph: SiteGraph):
    return {
        (i, j, *np.round(vector, 7) + 0.0)
        for i, j, vector in zip(graph.origin.tolist(), graph.target.tolist(), graph.hop_nm, strict=True)
    }


def assert_opposite_edges(graph: SiteGraph) -> None:
    edges = np.arange(graph.n_edges)
    np.testing.assert_array_equal(graph.reverse[graph.reverse], edges)
    assert not np.any(graph.reverse == edges)
    np.testing.assert_array_equal(graph.origin[graph.reverse], graph.target)
    np.testing.assert_array_equal(graph.hop_nm[graph.reverse], -graph.hop_nm)
    np.testing.assert_array_equal(graph.length_nm[graph.reverse], graph.length_nm)
    np.testing.assert_array_equal(graph.opposite[graph.vector], graph.vector[graph.reverse])
    np.testing.assert_array_equal(graph.vectors_nm[graph.opposite], -graph.vectors_nm)


@pytest.mark.parametrize(("lattice", "shell"), [(name, shell) for name in SHELLS for shell in (0, 1)])
def test_shells_of_cubic_crystals(lattice, shell):
    cutoff, number = SHELLS[lattice][shell]
    graph = SiteGraph.from_atoms(crystal(lattice, 4), cutoff_nm=cutoff * EDGE_NM)
    np.testing.assert_array_equal(np.diff(graph.start), number)
    for site in range(len(graph)):
        vectors = graph.hop_nm[graph.start[site] : graph.start[site + 1]]
        np.testing.assert_allclose(vectors.sum(axis=0), 0.0, atol=1e-12)
    assert_opposite_edges(graph)


def test_open_directions_have_no_neighbours_behind_the_faces():
    atoms = crystal("sc", 4)
    atoms.pbc = (True, True, False)
    graph = SiteGraph.from_atoms(atoms, cutoff_nm=1.2 * EDGE_NM)
    assert graph.n_edges == 2 * (16 * 4 + 16 * 4 + 16 * 3)
    atoms.pbc = False
    assert SiteGraph.from_atoms(atoms, cutoff_nm=1.2 * EDGE_NM).n_edges == 3 * 2 * (16 * 3)


@pytest.mark.parametrize("lattice", ["fcc", "bcc"])
def test_a_single_cell_reaches_the_same_site_through_several_images(lattice):
    cutoff, number = SHELLS[lattice][0]
    graph = SiteGraph.from_atoms(crystal(lattice, 1), cutoff_nm=cutoff * EDGE_NM)
    np.testing.assert_array_equal(np.diff(graph.start), number)
    pairs = set(zip(graph.origin.tolist(), graph.target.tolist(), strict=True))
    assert len(pairs) < graph.n_edges  # several edges join the same two sites
    assert_opposite_edges(graph)


@pytest.mark.parametrize("periodic", list(itertools.product((False, True), repeat=3)))
def test_random_positions_against_all_images(periodic):
    generator = np.random.default_rng(7)
    cell, cutoff = np.array([1.0, 1.1, 1.3]), 0.9  # every edge shorter than two cutoffs
    positions = generator.uniform(0.0, 1.0, (17, 3)) * cell
    graph = SiteGraph.from_positions(positions, cutoff_nm=cutoff, cell_nm=cell, periodic=periodic)
    assert edges_of(graph) == images_within(positions, cell, periodic, cutoff)
    assert len(edges_of(graph)) == graph.n_edges
    assert_opposite_edges(graph)


def test_opposite_edges_are_exact_whatever_the_numbers():
    """Quarters of such edges lie halfway between two millionths of a nm, where rounded vectors could mismatch."""
    generator = np.random.default_rng(3)
    for _ in range(200):
        edge = round(generator.uniform(0.4, 0.6), 5) + 2e-6
        positions = generator.permutation(np.array(list(itertools.product((0.0, 0.25, 0.5, 0.75), repeat=3)))) * edge
        positions = positions[:12] + generator.uniform(-1.0, 1.0, 3)
        graph = SiteGraph.from_positions(
            positions, cutoff_nm=0.9 * edge, cell_nm=[edge] * 3, periodic=(True, True, True)
        )
        assert_opposite_edges(graph)


def test_a_crystal_holds_each_vector_once():
    graph = SiteGraph.from_atoms(crystal("fcc", 3), cutoff_nm=1.2 * EDGE_NM)
    assert graph.vectors_nm.shape == (18, 3)
    assert graph.vector.dtype == np.uint8
    assert graph.target.dtype == graph.reverse.dtype == np.int32
    assert graph.start.dtype == graph.origin.dtype == np.int64
    np.testing.assert_array_equal(np.unique(graph.vector), np.arange(18))
    np.testing.assert_array_equal(graph.vector_length_nm, np.linalg.norm(graph.vectors_nm, axis=1))
    apart = graph.positions_nm[graph.target] - graph.positions_nm[graph.origin] - graph.hop_nm
    np.testing.assert_allclose(apart / graph.cell_nm, np.round(apart / graph.cell_nm), atol=1e-12)


@pytest.mark.parametrize("edge", [0.409, 0.5 + 1e-9, 0.5 + 2e-9, 1.0 / 3.0])  # halves of some are halfway too
def test_rounding_makes_no_new_vectors(edge):
    generator = np.random.default_rng(1)
    positions = crystal("fcc", 4).get_positions() / (10.0 * EDGE_NM) * edge + generator.uniform(-9.0, 9.0, 3)
    graph = SiteGraph.from_positions(
        positions, cutoff_nm=0.85 * edge, cell_nm=[4 * edge] * 3, periodic=(True, True, True)
    )
    assert len(graph.vectors_nm) == 12
    assert_opposite_edges(graph)


def test_vectors_that_differ_are_kept_apart():
    positions = np.cumsum([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.3, 0.0, 3e-9], [0.3, 0.0, 1e-13]], axis=0)
    graph = SiteGraph.from_positions(positions, cutoff_nm=0.35)
    assert len(graph.vectors_nm) == 4
    np.testing.assert_allclose(graph.hop_nm[graph.pair_edges()], np.diff(positions, axis=0), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("most", [2**15, 8])
def test_a_disordered_structure_whether_or_not_vectors_are_shared(most, monkeypatch):
    monkeypatch.setattr(kmc.sites, "_MOST_SHARED", most)
    positions = np.random.default_rng(5).uniform(0.0, 2.0, (150, 3))
    box = {"cell_nm": [2.0, 2.0, 2.0], "periodic": (True, True, True)}
    graph = SiteGraph.from_positions(positions, cutoff_nm=0.5, **box)
    assert len(graph.vectors_nm) == graph.n_edges
    assert graph.vector.dtype == (np.uint32 if most == 8 else np.uint16)
    assert edges_of(graph) == images_within(positions, np.array(box["cell_nm"]), box["periodic"], 0.5)
    assert_opposite_edges(graph)


def test_searching_in_parts_changes_nothing(monkeypatch):
    positions = np.random.default_rng(6).uniform(0.0, 2.0, (100, 3))
    box = {"cell_nm": [2.0, 2.0, 2.0], "periodic": (True, False, True)}
    whole = SiteGraph.from_positions(positions, cutoff_nm=0.5, **box)
    monkeypatch.setattr(kmc.sites, "_CHUNK", 7)
    parts = SiteGraph.from_positions(positions, cutoff_nm=0.5, **box)
    for name in ("start", "target", "reverse", "vector", "vectors_nm"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    with pytest.raises(kmc.KmcError, match="the distance of sites 8 and 9"):
        SiteGraph.from_positions([[0.3 * k + 0.1 * (k == 9), 0.0, 0.0] for k in range(10)], cutoff_nm=0.4)
    with pytest.raises(kmc.KmcError, match=r"site [89] at .* coincides"):
        SiteGraph.from_positions([[0.3 * min(k, 8), 0.0, 0.0] for k in range(10)], cutoff_nm=0.4)


#: Edges, basis, numbers of cells and cutoff of unit cells: shells of crystals, and a cutoff longer than the cell.
LATTICES = {
    "simple": ([0.4, 0.4, 0.4], [[0.0, 0.0, 0.0]], (3, 4, 5), 0.48),
    "second shell": ([0.4, 0.4, 0.4], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], (3, 2, 4), 0.48),
    "fcc": ([0.4, 0.4, 0.4], [[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]], (1, 3, 2), 0.34),
    "low": ([0.4, 0.5, 0.2], [[0.1, 0.8, 0.9], [0.3, 0.2, 0.05], [0.95, 0.33, 0.5]], (2, 2, 4), 0.57),
    "one cell": ([0.6, 0.7, 0.8], [[0.1, 0.8, 0.9], [0.3, 0.2, 0.05], [0.95, 0.33, 0.5]], (1, 1, 1), 0.57),
}


@pytest.mark.parametrize("periodic", list(itertools.product((False, True), repeat=3)))
@pytest.mark.parametrize("name", list(LATTICES))
def test_a_repeated_cell_is_the_graph_of_its_positions(name, periodic):
    a_nm, basis, repeat, cutoff = LATTICES[name]
    graph = SiteGraph.from_lattice(a_nm, basis, repeat, cutoff_nm=cutoff, periodic=periodic)
    found = SiteGraph.from_positions(graph.positions_nm, cutoff_nm=cutoff, cell_nm=graph.cell_nm, periodic=periodic)
    assert len(graph) == np.prod(repeat) * len(basis)
    np.testing.assert_allclose(graph.positions_nm, found.positions_nm, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(graph.cell_nm, np.multiply(a_nm, repeat))
    np.testing.assert_array_equal(graph.start, found.start)
    assert graph.periodic == found.periodic == periodic
    assert edges_of(graph) == edges_of(found)
    assert len(edges_of(graph)) == graph.n_edges
    assert len(graph.vectors_nm) == len(found.vectors_nm)
    for one in (graph, found):
        assert_opposite_edges(one)
        for attribute in ("start", "target", "reverse", "vector", "opposite"):
            assert getattr(one, attribute).dtype == getattr(found, attribute).dtype
            assert getattr(one, attribute).flags.c_contiguous


def test_numbers_and_labels_of_a_repeated_cell():
    graph = SiteGraph.from_lattice(
        [0.4, 0.5, 0.6], [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]], (2, 3, 4), cutoff_nm=0.3, sublattice=[3, 7],
        region=np.arange(48), periodic=(True, False, False),
    )  # fmt: skip
    np.testing.assert_array_equal(graph.sublattice, [3, 7] * 24)
    np.testing.assert_array_equal(graph.region, np.arange(48))
    np.testing.assert_allclose(graph.positions_nm[((1 * 3 + 2) * 4 + 3) * 2 + 1], [1.5 * 0.4, 2 * 0.5, 3 * 0.6])
    alone = SiteGraph.from_lattice([0.4] * 3, [[0.0, 0.0, 0.0]], (2, 2, 2), cutoff_nm=0.3)
    assert (len(alone), alone.n_edges, len(alone.vectors_nm)) == (8, 0, 0)
    assert alone.length_nm.shape == alone.origin.shape == (0,)
    assert alone.hop_nm.shape == (0, 3)


def test_textbook_lattices():
    for build, in_cell, lattice in ((simple_cubic, 1, "sc"), (bcc, 2, "bcc"), (fcc, 4, "fcc")):
        (_, first), (second_cutoff, second) = SHELLS[lattice]
        graph = build(3, EDGE_NM)
        assert len(graph) == 27 * in_cell
        np.testing.assert_array_equal(np.diff(graph.start), first)
        assert len(graph.vectors_nm) == first
        np.testing.assert_array_equal(np.diff(build(3, EDGE_NM, cutoff_nm=second_cutoff * EDGE_NM).start), second)
        assert len(build((2, 3, 4), EDGE_NM, periodic=(True, True, False))) == 24 * in_cell
    assert len(fcc(np.array([2, 3, 4]), EDGE_NM)) == len(fcc((2, 3, 4), EDGE_NM)) == 96
    graph = square(5, 7, 0.3)
    assert (len(graph), graph.n_edges, graph.periodic) == (35, 140, (True, True, False))
    assert graph.neighbours(8).tolist() == [1, 7, 9, 15]
    assert square(5, 7, 0.3, periodic=(False, False)).n_edges == 2 * (4 * 7 + 5 * 6)
    with pytest.raises(kmc.KmcError, match="its own neighbour"):
        square(5, 1, 0.3)


CELL = {"a_nm": [0.4] * 3, "basis": [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], "repeat": (3, 3, 3), "cutoff_nm": 0.38}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a_nm": [0.4, 0.4]}, r"a_nm is \[0.4, 0.4\]; three finite lengths above 0"),
        ({"a_nm": [0.4, 0.0, 0.4]}, "a_nm is .*above 0"),
        ({"a_nm": [0.4, np.nan, 0.4]}, "a_nm is .*finite"),
        ({"basis": [0.0, 0.0, 0.0]}, r"basis has shape \(3,\)"),
        ({"basis": np.zeros((0, 3))}, r"basis has shape \(0, 3\)"),
        ({"basis": [[0.0, 1.0, 0.0]]}, "basis holds 1.0; fractions from 0 to below 1"),
        ({"basis": [[0.0, np.nan, 0.0]]}, "basis holds nan"),
        ({"basis": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]}, "sites 0 and 1 coincide"),
        ({"basis": [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0 - 1e-9]]}, "sites 4 and 3 coincide"),
        ({"repeat": (3, 3)}, r"repeat is \(3, 3\); three whole numbers above 0"),
        ({"repeat": (3, 3, 0)}, "repeat is"),
        ({"repeat": (3, 3, 1.5)}, "repeat is"),
        ({"repeat": (2000, 2000, 2000)}, "16000000000 sites; at most 2147483647"),
        ({"cutoff_nm": -1.0}, "cutoff_nm is -1.0"),
        ({"cutoff_nm": 0.4}, "cutoff_nm is 0.4, the distance of sites 36 and 18"),
        ({"repeat": (3, 1, 3), "cutoff_nm": 0.41}, r"cell_nm\[1\] is 0.4, .* its own neighbour"),
        ({"periodic": (True, False)}, "periodic has 2 entries"),
        ({"sublattice": [0, 1, 2]}, r"sublattice has shape \(3,\); \(2,\)"),
        ({"region": [0, 1]}, r"region has shape \(2,\); \(54,\)"),
    ],
)
def test_bad_unit_cells_are_refused(change, message):
    with pytest.raises(kmc.KmcError, match=message):
        SiteGraph.from_lattice(**{**CELL, **change})


def test_a_cutoff_is_compared_with_distances_that_occur():
    """A single layer has no sites one layer apart."""
    layer = {"a_nm": [0.4, 0.4, 0.5], "basis": [[0.0, 0.0, 0.0]], "cutoff_nm": 0.5, "periodic": (True, True, False)}
    assert SiteGraph.from_lattice(repeat=(4, 4, 1), **layer).n_edges == 64
    with pytest.raises(kmc.KmcError, match="the distance of sites 1 and 0:"):
        SiteGraph.from_lattice(repeat=(4, 4, 2), **layer)


def test_too_many_edges_are_refused(monkeypatch):
    monkeypatch.setattr(kmc.sites, "_MOST_EDGES", 900)
    positions = fcc(2, EDGE_NM).positions_nm
    assert SiteGraph.from_positions(positions, cutoff_nm=0.85 * EDGE_NM).n_edges < 900
    with pytest.raises(kmc.KmcError, match="edges or more; at most 900"):
        fcc(3, EDGE_NM)
    with pytest.raises(kmc.KmcError, match="edges or more; at most 900"):
        SiteGraph.from_positions(positions, cutoff_nm=9.0 * EDGE_NM)


def test_positions_are_wrapped_into_the_cell():
    graph = SiteGraph.from_positions(
        [[-1e-18, 0.1, 5.0], [2.3, 0.1, 5.0]], cutoff_nm=0.4, cell_nm=[1.0, 1.0, 1.0], periodic=(True, False, False)
    )
    np.testing.assert_allclose(graph.positions_nm, [[0.0, 0.1, 5.0], [0.3, 0.1, 5.0]], atol=1e-12)
    np.testing.assert_allclose(graph.hop_nm, [[0.3, 0.0, 0.0], [-0.3, 0.0, 0.0]], atol=1e-12)


def test_values_drawn_per_pair_are_the_same_both_ways():
    graph = SiteGraph.from_atoms(crystal("fcc", 2), cutoff_nm=0.85 * EDGE_NM)
    pairs = graph.pair_edges()
    assert 2 * len(pairs) == graph.n_edges
    values = graph.symmetric(np.arange(len(pairs), dtype=float))
    np.testing.assert_array_equal(values[graph.reverse], values)
    assert len(np.unique(values)) == len(pairs)


def test_an_xyz_file_gives_the_graph_of_its_atoms(tmp_path):
    atoms = crystal("fcc", 3)
    write(tmp_path / "sites.xyz", atoms)  # extended xyz: with cell and periodicity
    from_file = SiteGraph.from_xyz(str(tmp_path / "sites.xyz"), cutoff_nm=0.3)
    from_memory = SiteGraph.from_atoms(atoms, cutoff_nm=0.3)
    np.testing.assert_array_equal(from_file.target, from_memory.target)
    np.testing.assert_allclose(from_file.hop_nm, from_memory.hop_nm, atol=1e-9)
    (tmp_path / "bare.xyz").write_text("2\n\nO 0 0 0\nO 2 0 0\n")
    bare = SiteGraph.from_xyz(str(tmp_path / "bare.xyz"), cutoff_nm=0.3)
    assert bare.periodic == (False, False, False)
    assert bare.neighbours(0).tolist() == [1]


@pytest.mark.parametrize("text", [None, "2\n\nO 0 0 0\n", "hello\n"])
def test_a_file_without_atoms_is_refused_by_name(tmp_path, text):
    path = tmp_path / "broken.xyz"
    if text is not None:
        path.write_text(text)
    with pytest.raises(kmc.KmcError, match=r"broken\.xyz: no atoms can be read"):
        SiteGraph.from_xyz(str(path), cutoff_nm=0.3)


LINE = np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.6, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions_nm": LINE[:, :2]}, r"shape \(3, 2\)"),
        ({"positions_nm": np.zeros((0, 3))}, r"shape \(0, 3\)"),
        ({"positions_nm": np.where(LINE == 0.6, np.nan, LINE)}, "not finite"),
        ({"cutoff_nm": 0.0}, "cutoff_nm is 0.0"),
        ({"cutoff_nm": np.inf}, "cutoff_nm is inf"),
        ({"cutoff_nm": 0.3}, "cutoff_nm is 0.3, the distance of sites 0 and 1"),
        ({"cutoff_nm": 0.6}, "the distance of sites 0 and 2"),
        ({"periodic": (True, False, False)}, "cell_nm is needed"),
        ({"periodic": (True, False)}, "periodic has 2 entries"),
        ({"periodic": (True, False, False), "cell_nm": [1.0, 1.0]}, "three finite lengths"),
        ({"periodic": (True, False, False), "cell_nm": [-1.0, 1.0, 1.0]}, r"cell_nm\[0\] is -1.0"),
        ({"periodic": (False, True, False), "cell_nm": [1.0, 0.35, 1.0]}, r"cell_nm\[1\] is 0.35.* its own neighbour"),
        ({"positions_nm": LINE[[0, 1, 0]]}, "coincides"),
        ({"sublattice": [0, 1]}, r"sublattice has shape \(2,\)"),
        ({"region": [0, 1, 2, 3]}, r"region has shape \(4,\)"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(kmc.KmcError, match=message):
        SiteGraph.from_positions(**{"positions_nm": LINE, "cutoff_nm": 0.35, **change})


def test_a_skew_cell_is_refused():
    with pytest.raises(kmc.KmcError, match="not orthorhombic"):
        SiteGraph.from_atoms(bulk("Ag", "fcc", a=4.09), cutoff_nm=0.3)


def test_values_of_pairs_are_zero_on_edges_that_have_no_pair():
    """A part of a graph is filled up with edges from a site to itself; what memory held must not become their value."""
    graph = square(4, 4, 0.3)
    alone = np.array([0, int(graph.reverse[0])])
    reverse = graph.reverse.copy()
    reverse[alone] = alone
    part = dataclasses.replace(graph, reverse=reverse)
    for _ in range(20):
        used = np.full(part.n_edges, 7.0)  # what the next array of this size is made of
        del used
        values = part.symmetric(np.ones(len(part.pair_edges())))
        assert values[alone].tolist() == [0.0, 0.0]
        assert np.count_nonzero(values == 1.0) == part.n_edges - 2
        del values
