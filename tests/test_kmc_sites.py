"""Site graphs: shells of crystals, periodic images, opposite edges, files, bad input."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

import kmc
from kmc import SiteGraph

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
