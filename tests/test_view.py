"""Films, files for other programs, and what objects show in a notebook."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from PIL import Image
from resume_devices import DEVICES

import ionsim
from ionsim.errors import ResultsError
from ionsim.plots import animation
from ionsim.plots.animation import animate, ffmpeg
from ionsim.results import Run
from ionsim.results.paraview import MeshFrames, read_vtx, site_frames, write_xdmf
from ionsim.simulation.replay import replay, stages_of

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def ecram(tmp_path_factory) -> Run:
    """A run of a small stack: half a second."""
    device = DEVICES["ecram_stack"][0]()
    return ionsim.Simulation(device, seed=3).run(tmp_path_factory.mktemp("ecram") / "out")


def size_of(path: Path) -> tuple[int, int, int]:
    """Width, height and number of frames of a film, as an ffmpeg or Pillow decodes it."""
    if path.suffix == ".gif":
        with Image.open(path) as film:
            return (*film.size, film.n_frames)
    command = [str(ffmpeg()), "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    width, height = (round(inches * 120) for inches in animation.SIZE_IN)
    assert len(raw) % (width * height) == 0
    return width, height, len(raw) // (width * height)


# -- films ----------------------------------------------------------------------------------------------------------


def test_a_repeated_run_is_the_run(ecram):
    moments = replay(ecram, stages_of(ecram, "all"), frames=len(ecram.series["time_s"]))
    assert len(moments) == len(ecram.series["time_s"])
    for name, values in ecram.series.items():
        if name != "stage":
            np.testing.assert_array_equal([moment.row[name] for moment in moments], values, err_msg=name)
    last = ecram.snapshots[list(ecram.snapshots)[-1]]
    np.testing.assert_array_equal(moments[-1].snapshot.extra["cut/fraction"], last.extra["cut/fraction"])


def test_a_run_that_cannot_be_repeated_is_refused(ecram):
    other = dict(ecram.series)
    other["current_A"] = other["current_A"] * (1.0 + 1e-3)
    changed = Run(**{**vars(ecram), "series": other})
    with pytest.raises(ResultsError, match="cannot be repeated here: in row 0 current_A"):
        replay(changed, stages_of(changed))


def test_a_film_as_gif(ecram, tmp_path):
    path = ecram.animate(tmp_path / "film.gif", frames=3, fps=10)
    assert size_of(path)[:2] == (768, 432)
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.info["duration"] == 100
        first = np.asarray(film.convert("RGB"), dtype=int)
        film.seek(2)
        assert film.info["duration"] == 1600  # the last picture stays
        change = np.abs(np.asarray(film.convert("RGB"), dtype=int) - first).max(axis=2)
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 20
    assert 50 < np.count_nonzero(change > 60) < 0.2 * change.size  # something moves, most stays where it is


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "film.avi"), "film.avi: a film is written as .mp4 or .gif"),
        (("--stage", "frist"), "no points of a stage 'frist'"),
        (("--out", "/nowhere/film.gif"), "/nowhere/film.gif: cannot be written"),
    ],
)
def test_bad_input_is_one_message(command, ecram, arguments, message):
    outcome = command("animate", ecram.folder, *arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("name", ["animate", "view"])
def test_a_folder_without_a_run(command, tmp_path, name):
    outcome = command(name, tmp_path)
    assert (outcome.code, outcome.err) == (2, f"ionsim: error: {tmp_path}: holds no run (run.h5 is missing)\n")


def test_no_mp4_without_ffmpeg(ecram, monkeypatch, tmp_path):
    monkeypatch.setattr(animation, "ffmpeg", lambda: None)
    with pytest.raises(ResultsError, match="there is no ffmpeg for MP4"):
        ecram.animate(tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vcm_crystal", "vcm_grains", "vcm_continuum", "ecm_pulses", "ecm_lateral",
                                  "pcm_mushroom", "pcm_3d", "ecram_plane"])  # fmt: skip
def test_films_of_every_family(name, tmp_path):
    run = ionsim.Simulation(DEVICES[name][0](), seed=5).run(tmp_path / "out")
    moments = replay(run, stages_of(run, "all"), frames=100)
    places = {float(time_s): at for at, time_s in enumerate(run.series["time_s"])}
    recorded = [moment for moment in moments if moment.row["time_s"] in places]
    assert moments[-1] is recorded[-1]
    assert places[recorded[-1].row["time_s"]] == len(places) - 1
    for moment in recorded:  # the looks between them have not changed anything, to the last bit of the last row
        at = places[moment.row["time_s"]]
        assert all(moment.row[key] == values[at] for key, values in run.series.items() if key != "stage")
    if name in ("vcm_crystal", "vcm_grains", "vcm_continuum", "pcm_mushroom"):
        assert len(recorded) < len(moments)  # there were looks between them
    film = animate(run, moments[:: max(len(moments) // 8, 1)], tmp_path / "film.gif")
    assert size_of(film)[:2] == (768, 432)
    if ffmpeg() is not None:
        film = animate(run, moments[:5], tmp_path / "film.mp4", fps=10)
        assert size_of(film) == (1152, 648, 5 + 15)  # the last picture stays for 1.5 s


# -- other programs -------------------------------------------------------------------------------------------------


@pytest.fixture
def cubes(tmp_path) -> Path:
    """A VTX folder with two fields on tetrahedra at two times."""
    import dolfinx
    from mpi4py import MPI

    import fem

    mesh = dolfinx.mesh.create_box(MPI.COMM_SELF, [np.zeros(3), np.array([4.0, 3.0, 2.0])], [4, 3, 2])
    space = dolfinx.fem.functionspace(mesh, ("Lagrange", 1))
    x = space.tabulate_dof_coordinates()
    frames = [(time_s, {"height_nm": x[:, 2] * (1.0 + time_s), "across_nm": x[:, 0].copy()}) for time_s in (0.0, 1.5)]
    fem.write_frames(tmp_path / "fields.bp", space, frames)
    return tmp_path / "fields.bp"


def test_fields_reach_meshio_and_pyvista(cubes, tmp_path):
    pytest.importorskip("adios2")
    meshio, pyvista = pytest.importorskip("meshio"), pytest.importorskip("pyvista")
    frames = read_vtx(cubes)
    assert frames.times_s == (0.0, 1.5)
    path, _ = write_xdmf(tmp_path / "fields.xdmf", frames)
    with meshio.xdmf.TimeSeriesReader(path) as reader:
        points, (cells,) = reader.read_points_cells()
        time_s, fields, _ = reader.read_data(1)
    assert (time_s, cells.type) == (1.5, "tetra")
    np.testing.assert_allclose(fields["height_nm"], 2.5 * points[:, 2], rtol=1e-14)
    np.testing.assert_array_equal(fields["across_nm"], points[:, 0])
    reader = pyvista.get_reader(path)
    reader.set_active_time_value(1.5)
    grid = reader.read()
    np.testing.assert_allclose(grid["height_nm"], 2.5 * grid.points[:, 2], rtol=1e-14)
    sizes = grid.compute_cell_sizes()["Volume"]
    assert sizes.min() > 0.0  # cells whose nodes are in the wrong order are inside out
    low, high = points.min(axis=0), points.max(axis=0)
    assert sizes.sum() == pytest.approx(np.prod(high - low))


def test_a_folder_that_is_no_vtx(tmp_path):
    pytest.importorskip("adios2")
    (tmp_path / "fields.bp").mkdir()
    with pytest.raises(ResultsError, match=r"fields\.bp: cannot be read as VTX"):
        read_vtx(tmp_path / "fields.bp")


def test_points_are_read_back(tmp_path):
    meshio = pytest.importorskip("meshio")
    nodes = np.random.default_rng(2).random((7, 3))
    frames = MeshFrames(nodes, np.arange(7)[:, None], "Polyvertex", (2.0,), ({"first_nm": nodes[:, 0]},))
    path, _ = write_xdmf(tmp_path / "points.xdmf", frames)
    with meshio.xdmf.TimeSeriesReader(path) as reader:
        points, _ = reader.read_points_cells()
        _, fields, _ = reader.read_data(0)
    np.testing.assert_array_equal(points, nodes)
    np.testing.assert_array_equal(fields["first_nm"], nodes[:, 0])


def test_view_of_a_run(command, ecram):
    outcome = command("view", ecram.folder)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == f"to look at it: paraview --script={ecram.folder}/paraview/view.py"
    script = (ecram.folder / "paraview" / "view.py").read_text()
    compile(script, "view.py", "exec")
    assert '"fraction"' in script
    outcome = command("view", ecram.folder, "--start")
    assert (outcome.code, "is not on PATH" in outcome.err) == ((0, False) if shutil.which("paraview") else (2, True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize(
    "name", ["vcm_crystal", "ecm_pulses", "vcm_continuum", "pcm_mushroom", "pcm_3d", "ecram_plane"]
)
def test_files_hold_what_the_run_file_holds(name, tmp_path):
    """Cuts of run.h5 are interpolated on the mesh by fem; here the same is done with what pyvista reads."""
    pytest.importorskip("adios2")
    pyvista = pytest.importorskip("pyvista")
    run = ionsim.Simulation(DEVICES[name][0](), seed=5).run(tmp_path / "out")
    written = {path.name: path for path in run.view()}
    reader = pyvista.get_reader(written["fields.xdmf"])
    snapshots = sorted(run.snapshots.values(), key=lambda one: one.time_s)
    assert reader.time_values == pytest.approx([one.time_s for one in snapshots])
    for snapshot in snapshots[1:]:
        reader.set_active_time_value(snapshot.time_s)
        compare_cut(pyvista, reader.read(), snapshot)
    if run.sites is None:
        return
    frames = ase.io.read(run.folder / "sites.extxyz", index=":", parallel=False)
    assert [frame.info["label"] for frame in frames] == list(run.snapshots)
    for frame, snapshot in zip(frames, run.snapshots.values(), strict=True):
        np.testing.assert_allclose(frame.positions, 10.0 * run.sites.positions_nm, atol=1e-7)
        np.testing.assert_array_equal(frame.arrays["occupation"], snapshot.occupation)
        for key in ("potential_V", "temperature_K"):
            np.testing.assert_allclose(frame.arrays[key], getattr(snapshot, key), atol=1e-8, rtol=0, err_msg=key)
    reader = pyvista.get_reader(written["sites.xdmf"])
    reader.set_active_time_value(snapshots[-1].time_s)
    points = reader.read()
    np.testing.assert_array_equal(points.points, run.sites.positions_nm)
    np.testing.assert_array_equal(points["temperature_K"], snapshots[-1].temperature_K)
    assert points["filament"].sum() == len(run.filament(snapshots[-1].label).positions_nm)
    assert site_frames(run).times_s == tuple(one.time_s for one in snapshots)


def compare_cut(pyvista, grid, snapshot):
    cut = {key.removeprefix("cut/"): values for key, values in snapshot.extra.items() if key.startswith("cut/")}
    across = next(key for key in ("r_nm", "y_nm", "x_nm") if key in cut)
    x, z = np.meshgrid(cut[across][1:-1:7], cut["z_nm"][1:-1:7])
    flat = np.ptp(grid.points[:, 2]) == 0.0
    middle = 0.0 if flat else 0.5 * (grid.bounds[2] + grid.bounds[3])
    columns = (x, z, 0.0 * x) if flat else (x, np.full_like(x, middle), z)
    if "inside" in cut and not flat:
        columns = (x, 0.0 * x, z)
    points = np.column_stack([one.ravel() for one in columns])
    names = [name for name in ("potential_V", "temperature_K") if name in cut and name in grid.array_names]
    assert names
    known, found = interpolated(pyvista, grid, points, names)
    assert known.mean() > 0.9
    for name in names:
        wanted = cut[name][1:-1:7, 1:-1:7].ravel()
        scale = float(np.abs(wanted).max()) or 1.0
        np.testing.assert_allclose(found[name][known] / scale, wanted[known] / scale, atol=1e-9, rtol=0, err_msg=name)


def interpolated(pyvista, grid, points, names):
    """Which points (P, 3) lie in the mesh, and fields there.

    VTK takes a neighbouring cell for points within 1e-3 of it, so simplices are searched here, for the cell in which
    the point lies deepest.
    """
    if grid.celltypes[0] == pyvista.CellType.HEXAHEDRON:
        sampled = pyvista.PolyData(points).sample(grid, tolerance=1e-6)
        return np.asarray(sampled["vtkValidPointMask"], dtype=bool), sampled
    cells = next(iter(grid.cells_dict.values()))
    axes = slice(0, cells.shape[1] - 1)
    corners = np.concatenate([grid.points[cells][..., axes], np.ones((*cells.shape, 1))], axis=2)
    inverse = np.linalg.inv(np.swapaxes(corners, 1, 2))
    known, found = np.zeros(len(points), dtype=bool), {name: np.zeros(len(points)) for name in names}
    for at, point in enumerate(points):
        shares = inverse @ np.append(point[axes], 1.0)
        best = int(np.argmax(shares.min(axis=1)))
        known[at] = shares[best].min() > -1e-9
        for name in names:
            found[name][at] = shares[best] @ grid[name][cells[best]]
    return known, found


# -- notebooks ------------------------------------------------------------------------------------------------------


def test_objects_show_themselves(ecram):
    pages = {
        "device": ionsim.load("hfo2_ti_bipolar")._repr_html_(),
        "run": ecram._repr_html_(),
        "table": ecram.iv()._repr_html_(),
        "cut": ecram.cut(list(ecram.snapshots)[-1])._repr_html_(),
        "simulation": ionsim.Simulation(DEVICES["ecram_stack"][0]())._repr_html_(),
    }
    assert "layers" not in pages["table"]
    assert "<td style='text-align:left;padding:2px 10px;max-width:48em'>oxide.thickness_nm</td>" in pages["device"]
    assert "voltage_V" in pages["table"]
    assert "fraction" in pages["cut"]
    assert "complete" in pages["run"]
    assert all(page.count("<table") == page.count("</table>") > 0 for page in pages.values())


def test_figures_show_themselves(ecram):
    for figure in (ecram.transient().plot(), ecram.cut(list(ecram.snapshots)[-1]).plot()):
        assert figure._repr_png_().startswith(b"\x89PNG")


def test_html_is_escaped():
    from ionsim.config.html import table

    assert table([["<b>", 1.23456789, None]], ["a&b"]).count("<b>") == 0
    assert "1.2346" in table([[1.23456789]])


def test_notebooks_are_committed_without_outputs():
    assert [path.stem for path in NOTEBOOKS] == ["ecm", "ecram", "pcm", "vcm", "vcm_continuum_grains"]
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                assert (cell["outputs"], cell["execution_count"]) == ([], None), path.name


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path, tmp_path):
    """Warnings are errors, and so is anything on standard error; outputs stay for a look with --basetemp."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    strict = (
        "import warnings\nwarnings.simplefilter('error')\n"
        "warnings.filterwarnings('ignore', 'Setting the shape on a NumPy array', DeprecationWarning)"
    )
    notebook.cells.insert(0, nbformat.v4.new_code_cell(strict))
    notebook.cells.append(nbformat.v4.new_code_cell("warnings.simplefilter('ignore')"))  # the kernel's own, at its end
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    nbformat.write(notebook, tmp_path / path.name)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert sys.executable  # the kernel is that of this Python
