"""Trajectory files: what ASE and h5py read is what the engine held, also after a kill."""

import signal
import subprocess
import sys
import types
from pathlib import Path

import h5py
import numpy as np
import pytest

import kmc
from kmc import observers as ob

pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

MODEL = kmc.Model(
    species=("empty", "Ag", "big ion"),
    processes=[
        kmc.hop("Ag", into="empty", barrier_eV=0.3),
        kmc.hop("big ion", into="empty", barrier_eV=0.3, name="big hop"),
    ],
)


def lattice():
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(3), np.arange(3), indexing="ij"), axis=-1).reshape(-1, 3)
    return kmc.SiteGraph.from_positions(
        0.3 * grid, cutoff_nm=0.35, cell_nm=[1.2, 0.9, 0.9], periodic=(True, False, True)
    )


def engine(model=MODEL, seed=1):
    occupation = np.zeros(36, dtype=int)
    occupation[[0, 7, 11]], occupation[[5, 30]] = 1, 2
    return kmc.Engine(lattice(), model, occupation, seed=seed)


def traced(number):
    return types.SimpleNamespace(
        species=np.ones(number, dtype=np.int8),
        displacement_nm=np.full((number, 3), 0.5),
        hops=np.arange(number),
        site=np.arange(number),
    )


class With:
    """An engine with something added."""

    def __init__(self, inner, **more):
        self.inner = inner
        self.__dict__.update(more)

    def __getattr__(self, name):
        return getattr(self.inner, name)


# -- extxyz ---------------------------------------------------------------------------------------------------------


def test_ase_reads_back_every_frame(tmp_path):
    from ase.io import read

    path, run, held = tmp_path / "run.xyz", engine(), []
    writer = ob.ExtxyzWriter(path, ob.EveryEvents(10), species=["Ag", "big ion"], elements={"big ion": "Cs"})
    noted = ob.Call(ob.EveryEvents(10), lambda e: held.append((e.time_s, e.n_events, e.occupation.copy())))
    ob.observe(run, max_events=25, observers=[writer, noted])
    frames = read(path, index=":")
    assert len(frames) == len(held) == 3
    for frame, (time_s, events, occupation) in zip(frames, held, strict=True):
        site = np.flatnonzero(occupation)
        assert (frame.info["time_s"], frame.info["n_events"]) == (time_s, events)
        np.testing.assert_array_equal(frame.arrays["site"], site)
        np.testing.assert_allclose(frame.positions, 10.0 * run.sites.positions_nm[site], atol=1e-8)
        assert frame.get_chemical_symbols() == [{1: "Ag", 2: "Cs"}[k] for k in occupation[site]]
        assert list(frame.arrays["kind"]) == [{1: "Ag", 2: "big_ion"}[k] for k in occupation[site]]
        np.testing.assert_allclose(frame.cell.lengths(), [12.0, 9.0, 9.0])
        assert frame.pbc.tolist() == [True, False, True]


def test_every_species_by_default_and_none_at_all(tmp_path):
    from ase.io import read

    run = engine()
    ob.ExtxyzWriter(tmp_path / "all.xyz", ob.EveryEvents(1)).look(run)
    frame = read(tmp_path / "all.xyz")
    assert (len(frame), frame.get_chemical_symbols()[:6]) == (36, ["Ag", "X", "X", "X", "X", "X"])
    for site in (5, 30):
        run.set_occupation(site, "empty")
    writer = ob.ExtxyzWriter(tmp_path / "none.xyz", ob.EveryEvents(1), species="big ion")
    writer.look(run)
    run.set_occupation(5, "big ion")
    writer.look(run)
    assert [len(frame) for frame in read(tmp_path / "none.xyz", index=":")] == [0, 1]


# -- HDF5 -----------------------------------------------------------------------------------------------------------


def test_h5py_reads_back_every_frame(tmp_path):
    path, run, held = tmp_path / "run.h5", engine(), []
    writer = ob.Hdf5Writer(path, ob.EveryEvents(10))
    noted = ob.Call(ob.EveryEvents(10), lambda e: held.append((e.time_s, e.occupation.copy(), dict(e.counts))))
    ob.observe(run, max_events=15, observers=[writer, noted])
    more = ob.Hdf5Writer(path, ob.EveryEvents(10), existing="append")
    ob.observe(run, max_events=15, observers=[more, noted])
    with h5py.File(path, "r") as file:
        assert list(file.attrs["species"]) == ["empty", "Ag", "big ion"]
        assert list(file.attrs["processes"]) == ["hop", "big hop"]
        assert (file.attrs["format"], file.attrs["version"]) == ("kmc-trajectory", 1)
        assert file["n_events"][:].tolist() == [0, 10, 20, 30]
        np.testing.assert_array_equal(file["time_s"], [time for time, _, _ in held])
        np.testing.assert_array_equal(file["occupation"], [occupation for _, occupation, _ in held])
        assert file["occupation"].dtype == np.int8
        np.testing.assert_array_equal(file["counts"], [list(counts.values()) for _, _, counts in held])
        np.testing.assert_array_equal(file["sites/positions_nm"], run.sites.positions_nm)
        np.testing.assert_array_equal(file["sites/cell_nm"], run.sites.cell_nm)
        assert file["sites/periodic"][:].tolist() == [True, False, True]
        assert "tracers" not in file


def test_large_occupations_are_compressed(tmp_path):
    positions = np.zeros((5000, 3))
    positions[:, 0] = 0.3 * np.arange(5000)
    run = kmc.Engine(kmc.SiteGraph.from_positions(positions, cutoff_nm=0.35), MODEL, kmc.random(Ag=0.1), seed=1)
    writer = ob.Hdf5Writer(tmp_path / "run.h5", ob.EveryEvents(1))
    for _ in range(3):
        writer.look(run)
    with h5py.File(tmp_path / "run.h5", "r") as file:
        data = file["occupation"]
        assert (data.shape, data.chunks, data.compression) == ((3, 5000), (1, 5000), "gzip")
        assert data.id.get_storage_size() < 0.5 * data.size
        np.testing.assert_array_equal(data[2], run.occupation)


def test_tracers_that_come_later_are_not_there_before(tmp_path):
    run = engine()
    writer = ob.Hdf5Writer(tmp_path / "run.h5", ob.EveryEvents(1))
    writer.look(run)
    writer.look(With(run, tracers=traced(2)))
    writer.look(With(run, tracers=traced(3)))
    with h5py.File(tmp_path / "run.h5", "r") as file:
        place = file["tracers/displacement_nm"][:]
        assert place.shape == (3, 3, 3)
        assert np.isnan(place[:, :, 0]).tolist() == [[True] * 3, [False, False, True], [False] * 3]
        assert file["tracers/hops"][:].tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 2]]
        assert file["tracers/site"][:].tolist() == [[-1] * 3, [0, 1, -1], [0, 1, 2]]
    with pytest.raises(kmc.KmcError, match=r"holds 3 entries a frame; now there are 1"):
        writer.look(With(run, tracers=traced(1)))
    without = ob.Hdf5Writer(tmp_path / "without.h5", ob.EveryEvents(1), tracers=False)
    without.look(With(run, tracers=traced(2)))
    with h5py.File(tmp_path / "without.h5", "r") as file:
        assert "tracers" not in file
    with pytest.raises(kmc.KmcError, match="tracers is True"):
        ob.Hdf5Writer(tmp_path / "must.h5", ob.EveryEvents(1), tracers=True).look(With(run, tracers=None))


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
import test_kmc_observers_files as files
from kmc import observers as ob
run = files.engine()
def stop(engine):
    if engine.n_events == 40:
        os.kill(os.getpid(), signal.SIGKILL)
writers = [ob.Hdf5Writer({h5!r}, ob.EveryEvents(10)), ob.ExtxyzWriter({xyz!r}, ob.EveryEvents(10), species="Ag")]
ob.observe(run, max_events=100, observers=[*writers, ob.Call(ob.EveryEvents(1), stop)])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a process that can be killed")
def test_files_are_whole_after_a_kill(tmp_path):
    from ase.io import read

    h5, xyz = tmp_path / "run.h5", tmp_path / "run.xyz"
    script = KILLED.format(here=str(Path(__file__).parent), h5=str(h5), xyz=str(xyz))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with h5py.File(h5, "r") as file:
        assert file["n_events"][:].tolist() == [0, 10, 20, 30, 40]
        assert file["occupation"].shape == (5, 36)
    assert [frame.info["n_events"] for frame in read(xyz, index=":")] == [0, 10, 20, 30, 40]


def test_a_frame_that_was_cut_short_is_written_over(tmp_path):
    path, run = tmp_path / "run.h5", engine()
    ob.Hdf5Writer(path, ob.EveryEvents(1)).look(run)
    with h5py.File(path, "a") as file:  # as left by a kill between two arrays
        file["n_events"].resize((2,))
        file["occupation"].resize((2, 36))
    run.run(until_s=np.inf, max_events=5)
    ob.Hdf5Writer(path, ob.EveryEvents(1), existing="append").look(run)
    with h5py.File(path, "r") as file:
        assert file["n_events"][:].tolist() == [0, 5]
        np.testing.assert_array_equal(file["occupation"][1], run.occupation)


# -- errors ---------------------------------------------------------------------------------------------------------


def test_files_are_not_lost(tmp_path):
    path, cadence = tmp_path / "run.h5", ob.EveryEvents(1)
    ob.Hdf5Writer(path, cadence).look(engine())
    for kind in (ob.Hdf5Writer, ob.ExtxyzWriter):
        with pytest.raises(kmc.KmcError, match="exists; give existing='append' or existing='replace'"):
            kind(path, cadence)
        with pytest.raises(kmc.KmcError, match="existing is 'no'; allowed are refuse, replace, append"):
            kind(path, cadence, existing="no")
        with pytest.raises(kmc.KmcError, match="there is no folder"):
            kind(tmp_path / "none" / "run", cadence)
        with pytest.raises(kmc.KmcError, match="is a folder"):
            kind(tmp_path, cadence)
    other = kmc.Model(species=("empty", "Cu", "big ion"), processes=[kmc.hop("Cu", into="empty", barrier_eV=0.3)])
    with pytest.raises(kmc.KmcError, match="its species are"):
        ob.Hdf5Writer(path, cadence, existing="append").look(engine(other))
    shifted = types.SimpleNamespace(positions_nm=np.ones((36, 3)))
    with pytest.raises(kmc.KmcError, match="its sites are not those"):
        ob.Hdf5Writer(path, cadence, existing="append").look(With(engine(), sites=shifted))
    with h5py.File(tmp_path / "else.h5", "w") as file:
        file.create_dataset("time_s", data=[0.0])
    with pytest.raises(kmc.KmcError, match="format is not"):
        ob.Hdf5Writer(tmp_path / "else.h5", cadence, existing="append").look(engine())
    replaced = ob.Hdf5Writer(path, cadence, existing="replace")
    replaced.look(engine(other))
    with h5py.File(path, "r") as file:
        assert list(file.attrs["species"]) == ["empty", "Cu", "big ion"]


def test_names_are_checked(tmp_path):
    cadence = ob.EveryEvents(1)
    with pytest.raises(kmc.KmcError, match="'Zz' of species 'Ag' is no chemical symbol"):
        ob.ExtxyzWriter(tmp_path / "a.xyz", cadence, elements={"Ag": "Zz"})
    with pytest.raises(kmc.KmcError, match="elements: unknown species 'Au'"):
        ob.ExtxyzWriter(tmp_path / "a.xyz", cadence, elements={"Au": "Au"}).look(engine())
    with pytest.raises(kmc.KmcError, match="ExtxyzWriter: unknown species 'Au'"):
        ob.ExtxyzWriter(tmp_path / "a.xyz", cadence, species="Au").look(engine())
