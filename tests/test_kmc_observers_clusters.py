"""Clusters, contacts and narrowest cuts of graphs whose answers can be read off, or counted by brute force."""

import itertools

import numpy as np
import pytest

import kmc
from kmc import observers as ob


def grid(nx, ny, nz, periodic=(False, False, False)):
    """A simple cubic lattice with spacing 0.3 nm; site (x, y, z) has the number (x ny + y) nz + z."""
    points = np.stack(np.meshgrid(np.arange(nx), np.arange(ny), np.arange(nz), indexing="ij"), axis=-1).reshape(-1, 3)
    return kmc.SiteGraph.from_positions(
        0.3 * points, cutoff_nm=0.35, cell_nm=0.3 * np.array([nx, ny, nz]), periodic=periodic
    )


def masks(*shape, on):
    """A mask with these (x, y, z) on."""
    mask = np.zeros(shape, dtype=bool)
    for index in on:
        mask[index] = True
    return mask.ravel()


def contacts(*shape):
    """The lowest and the highest layer."""
    layer = np.broadcast_to(np.arange(shape[2]), shape).ravel()
    return {"bottom": layer == 0, "top": layer == shape[2] - 1}


# -- clusters -------------------------------------------------------------------------------------------------------


def test_clusters_by_hand():
    shape = (1, 3, 4)
    on = [(0, 0, 0), (0, 0, 1), (0, 2, 0), (0, 2, 1), (0, 2, 2), (0, 2, 3), (0, 0, 3)]
    found = ob.find_clusters(grid(*shape), masks(*shape, on=on), electrodes=contacts(*shape))
    assert found.sizes.tolist() == [4, 2, 1]
    np.testing.assert_array_equal(found.labels.reshape(3, 4), [[1, 1, -1, 2], [-1] * 4, [0, 0, 0, 0]])
    assert found.touches["bottom"].tolist() == [True, True, False]
    assert found.touches["top"].tolist() == [True, False, True]
    assert found.percolating.tolist() == [0]
    assert found.percolates
    assert found.members(1).tolist() == [0, 1]
    assert len(found) == 3


def test_periodic_directions_wrap():
    on = [(0, 0, 0), (4, 0, 0), (2, 0, 0)]
    mask = masks(5, 1, 1, on=on)
    assert ob.find_clusters(grid(5, 1, 1), mask).sizes.tolist() == [1, 1, 1]
    for periodic, sizes in (((False, False, False), [1, 1, 1]), ((True, False, False), [2, 1])):
        assert ob.find_clusters(grid(5, 1, 1, periodic), mask).sizes.tolist() == sizes


@pytest.mark.parametrize("cutoff", [None, 0.35])
def test_an_own_cutoff_gives_the_same_clusters(cutoff):
    sites = grid(4, 4, 4, (True, True, False))
    mask = np.random.default_rng(1).random(64) < 0.35
    found = ob.find_clusters(sites, mask, cutoff_nm=cutoff)
    labels = np.where(mask, np.arange(64), -1)  # spread the lowest number until nothing changes
    for _ in range(64):
        for i in np.flatnonzero(mask):
            near = [j for j in sites.neighbours(i) if mask[j]]
            labels[i] = min([labels[i], *(labels[j] for j in near)])
    groups = {tuple(np.flatnonzero(labels == k)) for k in set(labels[mask])}
    assert {tuple(found.members(k)) for k in range(len(found))} == groups
    assert sorted(map(len, groups), reverse=True) == found.sizes.tolist()


def test_a_longer_reach_joins_more():
    mask = masks(5, 1, 1, on=[(0, 0, 0), (2, 0, 0), (4, 0, 0)])
    assert ob.find_clusters(grid(5, 1, 1), mask, cutoff_nm=0.65).sizes.tolist() == [3]


def test_an_empty_mask_has_no_clusters():
    found = ob.find_clusters(grid(2, 2, 2), np.zeros(8, dtype=bool), electrodes=contacts(2, 2, 2))
    assert len(found) == 0
    assert not found.percolates
    assert not ob.find_clusters(grid(2, 2, 2), np.ones(8, dtype=bool)).percolates  # no electrodes
    assert ob.narrowest_cut(grid(2, 2, 2), np.zeros(8, dtype=bool), contacts(2, 2, 2)).size == 0
    assert ob.thinnest_layer(grid(2, 2, 2), np.zeros(8, dtype=bool), 0.3) == 0


# -- cuts -----------------------------------------------------------------------------------------------------------


def test_a_known_bottleneck():
    """A 3 x 3 rod of 7 layers with 2 sites in layer 4: the cut is those two, or what lies next to them in the rod."""
    shape = (3, 3, 7)
    mask = np.ones(shape, dtype=bool)
    mask[:, :, 4] = False
    mask[0, 1, 4] = mask[2, 2, 4] = True
    sites = grid(*shape)
    cut = ob.narrowest_cut(sites, mask.ravel(), contacts(*shape))
    x, y, z = np.unravel_index(cut.sites, shape)
    assert cut.size == 2
    assert set(zip(x, y, strict=True)) == {(0, 1), (2, 2)}
    assert set(z) <= {3, 4, 5}
    assert ob.thinnest_layer(sites, mask.ravel(), 0.3) == 2


def test_a_cut_that_is_not_a_layer():
    """A staircase: two sites in every layer, but one path."""
    shape = (3, 1, 3)
    on = [(0, 0, 0), (1, 0, 0), (1, 0, 1), (2, 0, 1), (2, 0, 2), (0, 0, 2)]
    sites, mask = grid(*shape), masks(*shape, on=on)
    assert ob.thinnest_layer(sites, mask, 0.3) == 2
    cut = ob.narrowest_cut(sites, mask, contacts(*shape))
    assert cut.size == 1
    assert not _connected(sites, _without(mask, cut.sites), contacts(*shape))


def test_without_a_path_the_cut_is_empty():
    shape = (1, 1, 3)
    cut = ob.narrowest_cut(grid(*shape), masks(*shape, on=[(0, 0, 0), (0, 0, 2)]), contacts(*shape))
    assert (cut.size, len(cut.sites)) == (0, 0)
    assert ob.thinnest_layer(grid(*shape), masks(*shape, on=[(0, 0, 0), (0, 0, 2)]), 0.3) == 0


def test_a_site_at_both_electrodes_is_a_path():
    sites, mask = grid(1, 1, 1), np.ones(1, dtype=bool)
    cut = ob.narrowest_cut(sites, mask, {"bottom": mask, "top": mask})
    assert (cut.size, cut.sites.tolist()) == (1, [0])


def test_a_periodic_wrap_is_a_second_path():
    """A strip in x with a hole: round the back of the cell there is another way."""
    mask = masks(6, 1, 1, on=[(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (5, 0, 0), (4, 0, 0)])
    ends = {"left": np.arange(6) == 0, "right": np.arange(6) == 3}
    assert ob.narrowest_cut(grid(6, 1, 1), mask, ends).size == 1
    wrapped = grid(6, 1, 1, (True, False, False))
    near = {"left": np.isin(np.arange(6), [0, 1]), "right": np.isin(np.arange(6), [3, 4])}
    assert ob.narrowest_cut(wrapped, mask, near).size == 2
    assert ob.narrowest_cut(grid(6, 1, 1), mask, near).size == 1


@pytest.mark.parametrize("seed", range(6))
def test_cuts_against_brute_force(seed):
    """No smaller set separates, and the set that is given does."""
    shape = (3, 2, 4)
    sites, ends = grid(*shape, (True, False, False) if seed % 2 else (False,) * 3), contacts(*shape)
    mask = np.random.default_rng(seed).random(24) < 0.75
    cut = ob.narrowest_cut(sites, mask, ends)
    assert len(cut.sites) == cut.size
    assert not _connected(sites, _without(mask, cut.sites), ends)
    for fewer in range(cut.size):
        for some in itertools.combinations(np.flatnonzero(mask), fewer):
            assert _connected(sites, _without(mask, some), ends)


def _without(mask, members):
    left = mask.copy()
    left[list(members)] = False
    return left


def _connected(sites, mask, ends):
    reached = list(np.flatnonzero(mask & ends["bottom"]))
    seen = set(reached)
    for i in reached:
        for j in sites.neighbours(i):
            if mask[j] and j not in seen:
                seen.add(j)
                reached.append(j)
    return any(ends["top"][i] for i in seen)


# -- layers, series, errors -----------------------------------------------------------------------------------------


def test_layers_count_every_plane():
    sites = grid(2, 2, 3)
    mask = masks(2, 2, 3, on=[(0, 0, 0), (1, 1, 0), (0, 0, 2)])
    middle, count = ob.layer_counts(sites, mask, 0.3)
    np.testing.assert_allclose(middle, [0.0, 0.3, 0.6])
    assert count.tolist() == [2, 0, 1]
    assert ob.layer_counts(sites, mask, 0.3, axis=0)[1].tolist() == [2, 1]


class Still:
    """A stand-in for the engine: sites and an occupation."""

    time_s, n_events = 0.0, 0
    model = kmc.Model(species=("empty", "V", "M"), processes=[kmc.hop("V", into="empty", barrier_eV=1.0)])

    def __init__(self, sites, occupation):
        self.sites, self.occupation = sites, occupation


def test_a_series_of_clusters():
    shape = (1, 2, 3)
    series = ob.ClusterSeries(ob.EveryEvents(1), ["V", "M"], contacts(*shape))
    engine = Still(grid(*shape), np.array([1, 0, 2, 0, 0, 1], dtype=np.int8))
    series.look(engine)
    engine.occupation[1], engine.n_events, engine.time_s = 1, 1, 0.5
    series.look(engine)
    assert series.number.tolist() == [2, 1]
    assert series.largest.tolist() == [2, 4]
    assert series.percolates.tolist() == [False, True]
    assert series.narrowest.tolist() == [0, 1]
    assert series.time_s.tolist() == [0.0, 0.5]
    assert series.n_events.tolist() == [0, 1]
    alone = ob.ClusterSeries(ob.EveryEvents(1), "V")
    alone.look(engine)
    assert alone.number.tolist() == [2]
    with pytest.raises(kmc.KmcError, match="a cut needs two electrodes; given are none"):
        _ = alone.narrowest


SITES = grid(2, 1, 2)
ON = np.ones(4, dtype=bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ob.find_clusters(SITES, np.ones(3, dtype=bool)), r"mask has shape \(3,\)"),
        (lambda: ob.find_clusters(SITES, [0, 1]), "mask has shape .2,. and type int64"),
        (lambda: ob.find_clusters(SITES, ON, electrodes={"top": ON[:2]}), "electrode 'top' has shape"),
        (lambda: ob.find_clusters(SITES, ON, cutoff_nm=-1.0), "cutoff_nm is -1.0"),
        (lambda: ob.find_clusters(SITES, ON).members(5), "cluster 5: clusters are numbered 0..0"),
        (lambda: ob.narrowest_cut(SITES, ON, {"top": ON}), "two different electrodes"),
        (lambda: ob.narrowest_cut(SITES, ON, {"top": ON, "low": ON}, between=("top", "lo")), "did you mean 'low'"),
        (lambda: ob.layer_counts(SITES, ON, 0.0), "layer_nm is 0.0"),
        (lambda: ob.layer_counts(SITES, ON, 0.3, axis=3), "axis is 3; allowed are 0, 1, 2"),
        (lambda: ob.ClusterSeries(ob.EveryEvents(1), "W").look(Still(SITES, np.zeros(4, int))), "species 'W'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(kmc.KmcError, match=message):
        call()
