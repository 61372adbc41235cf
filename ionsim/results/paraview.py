"""What ParaView needs to show a run: fields and sites as XDMF, and a script that sets the scene.

``fields.bp`` is VTX, which only a ParaView built with ADIOS2 reads; XDMF (light XML beside HDF5) every ParaView does,
and meshio and pyvista as well. The fields come from ``fields.bp``, since the run file holds no mesh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import h5py
import numpy as np
from numpy.typing import NDArray

from ionsim.errors import ResultsError
from ionsim.results.atomic import replacing, write_text
from ionsim.results.model import FIELDS_FOLDER, VIEW_FOLDER
from ionsim.results.run import Run

Floats = NDArray[np.float64]

SCRIPT = "view.py"
#: Cells of VTX (VTK's numbers of Lagrange cells) with as many nodes as corners: what XDMF calls them.
_TOPOLOGY = {(68, 2): "Polyline", (69, 3): "Triangle", (70, 4): "Quadrilateral", (71, 4): "Tetrahedron",
             (72, 8): "Hexahedron"}  # fmt: skip


@dataclass(frozen=True)
class MeshFrames:
    """Fields on a mesh at several times: nodes (N, 3) in nm, cells (C, k) of one kind, fields (N,) by name."""

    nodes_nm: Floats
    cells: NDArray[np.int64]
    topology: str
    times_s: tuple[float, ...]
    fields: tuple[dict[str, Floats], ...]


def read_vtx(path: str | Path) -> MeshFrames:
    """Read a VTX folder with first-order fields (``fields.bp`` of a run); needs the package adios2.

    Raises ResultsError without it, and for a folder that is no VTX or holds fields of another order.
    """
    try:
        import adios2
    except ImportError as error:
        raise ResultsError(f"{path}: reading it needs adios2: pip install adios2") from error
    times: list[float] = []
    fields: list[dict[str, Floats]] = []
    try:
        with adios2.Stream(str(path), "r") as stream:
            for step in stream:
                names = step.available_variables()
                if not times:
                    nodes, cells, first = _mesh(step)
                    kind = int(np.asarray(step.read("types")).ravel()[0])
                times.append(float(np.asarray(step.read("step")).ravel()[0]))
                found = {name: np.concatenate(_parts(step, name)) for name in names if name not in _OF_THE_MESH}
                fields.append({name: values[first, 0].astype(np.float64) for name, values in found.items()})
    except (RuntimeError, ValueError, KeyError) as error:
        raise ResultsError(f"{path}: cannot be read as VTX ({str(error).strip().splitlines()[-1]})") from error
    if not times or any(len(values) != len(nodes) for one in fields for values in one.values()):
        raise ResultsError(f"{path}: holds no nodal fields of first order")
    if (kind, cells.shape[1]) not in _TOPOLOGY:
        raise ResultsError(f"{path}: cells of {cells.shape[1]} nodes (VTK {kind}) are not of first order")
    return MeshFrames(nodes, cells, _TOPOLOGY[kind, cells.shape[1]], tuple(times), tuple(fields))


def _mesh(stream: Any) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Nodes and cells, each once, and where the values of the nodes are among those of all ranks."""
    parts = _parts(stream, "geometry")
    begins = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    tables = zip(_parts(stream, "connectivity"), begins, strict=True)
    # The first column of a table says how many nodes follow.
    cells = np.concatenate([table[:, 1:].astype(np.int64) + begin for table, begin in tables])
    numbers = np.concatenate(_parts(stream, "vtkOriginalPointIds")).ravel()
    _, first, node = np.unique(numbers, return_index=True, return_inverse=True)
    cells = node[cells]
    _, once = np.unique(np.sort(cells, axis=1), axis=0, return_index=True)
    return np.concatenate(parts).astype(np.float64)[first], cells[np.sort(once)], first


def _parts(stream: Any, name: str) -> list[NDArray[Any]]:
    """What each rank has written of a variable; nodes and cells that ranks share come once for each."""
    blocks = len(stream.engine.blocks_info(name, stream.current_step()))
    return [np.asarray(stream.read(name, block_id=block)) for block in range(blocks)]


#: Variables of a VTX file that are no fields.
_OF_THE_MESH = {"NumberOfEntities", "NumberOfNodes", "connectivity", "geometry", "types", "step", "vtkGhostType",
                "vtkOriginalPointIds"}  # fmt: skip


def write_xdmf(path: Path, frames: MeshFrames) -> list[Path]:
    """Write frames as ``path`` (.xdmf) and an HDF5 file beside it, each whole or not at all; returns both paths."""
    heavy = path.with_suffix(".h5")
    with replacing(heavy) as part, h5py.File(part, "w") as file:
        file["nodes_nm"], file["cells"] = frames.nodes_nm, frames.cells
        for number, fields in enumerate(frames.fields):
            for name, values in fields.items():
                file[f"{number}/{name}"] = values
    lines = ['<?xml version="1.0"?>', '<Xdmf Version="3.0">', "<Domain>",
             '<Grid Name="run" GridType="Collection" CollectionType="Temporal">']  # fmt: skip
    count, corners = frames.cells.shape
    per = f' NodesPerElement="{corners}"' if frames.topology in ("Polyline", "Polyvertex") else ""
    for number, (time_s, fields) in enumerate(zip(frames.times_s, frames.fields, strict=True)):
        lines += [
            f'<Grid Name="{number}" GridType="Uniform">', f'<Time Value="{time_s!r}"/>',
            f'<Topology TopologyType="{frames.topology}" NumberOfElements="{count}"{per}>',
            _item(heavy, "cells", frames.cells), "</Topology>",
            '<Geometry GeometryType="XYZ">', _item(heavy, "nodes_nm", frames.nodes_nm), "</Geometry>",
        ]  # fmt: skip
        for name, values in fields.items():
            lines += [f'<Attribute Name={quoteattr(name)} AttributeType="Scalar" Center="Node">',
                      _item(heavy, f"{number}/{name}", values), "</Attribute>"]  # fmt: skip
        lines.append("</Grid>")
    write_text(path, "\n".join([*lines, "</Grid>", "</Domain>", "</Xdmf>"]) + "\n")
    return [path, heavy]


def _item(file: Path, place: str, values: NDArray[Any]) -> str:
    kind, size = ("Float" if values.dtype.kind == "f" else "Int"), values.dtype.itemsize
    shape = " ".join(map(str, values.shape))
    return (f'<DataItem Dimensions="{shape}" NumberType="{kind}" Precision="{size}" Format="HDF">'
            f"{file.name}:/{place}</DataItem>")  # fmt: skip


def site_frames(run: Run) -> MeshFrames:
    """The occupied sites of the lattice as points: all sites that are of another species at any snapshot.

    Fields: ``occupation`` (index into the species), ``filament`` (1 where the site carries it), ``potential_V``,
    ``temperature_K``, ``region``.
    """
    sites = run.sites
    if sites is None or not run.snapshots:
        raise ResultsError(f"{run.path}: the run has no lattice, or no snapshots of it")
    snapshots = sorted(run.snapshots.values(), key=lambda one: one.time_s)
    codes = [list(sites.species).index(name) for name in sites.filament]
    count = len(sites.positions_nm)
    fields = tuple(_site_fields(one, codes, np.asarray(sites.region)) for one in snapshots)
    return MeshFrames(
        np.asarray(sites.positions_nm, dtype=np.float64), np.arange(count, dtype=np.int64)[:, None], "Polyvertex",
        tuple(one.time_s for one in snapshots), fields,
    )  # fmt: skip


def _site_fields(snapshot: Any, codes: Sequence[int], region: NDArray[Any]) -> dict[str, Floats]:
    arrays: Mapping[str, Any] = {
        "occupation": snapshot.occupation, "filament": np.isin(snapshot.occupation, codes),
        "potential_V": snapshot.potential_V, "temperature_K": snapshot.temperature_K, "region": region,
    }  # fmt: skip
    return {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()}


def write_view(run: Run) -> list[Path]:
    """Write ``paraview/`` into the run's folder: ``fields.xdmf``, ``sites.xdmf`` and ``view.py``; returns the paths.

    Without the package adios2 the script has ParaView read ``fields.bp`` itself. Raises ResultsError where a run has
    neither fields nor sites, or the disk refuses.
    """
    folder, vtx = run.folder / VIEW_FOLDER, run.folder / FIELDS_FOLDER
    written: list[Path] = []
    if run.sites is None and not vtx.exists():
        raise ResultsError(f"{run.folder}: holds neither sites nor {FIELDS_FOLDER}; a finished run has them")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be made ({error})") from error
    source = ""
    if vtx.exists():
        source = f"../{FIELDS_FOLDER}"
        if _has_adios():
            written += write_xdmf(folder / "fields.xdmf", read_vtx(vtx))
            source = "fields.xdmf"
    if run.sites is not None and run.snapshots:
        written += write_xdmf(folder / "sites.xdmf", site_frames(run))
    field = "temperature_K" if run.sites is not None else _field(run)
    moments = sorted(run.snapshots.values(), key=lambda one: one.time_s)
    hottest = max(moments, key=lambda one: float(np.max(one.extra.get("cut/temperature_K", 0.0))))
    script = _SCRIPT.format(
        name=run.name, fields=source, sites="sites.xdmf" if run.sites is not None else "", field=field,
        labels=", ".join(f"{one.label} {one.time_s:.6g} s" for one in moments), flat=run.sites is None,
        middle=None if run.sites is None else [round(0.5 * float(length), 6) for length in run.sites.cell_nm],
        normal=[1, 0, 0] if "cut/y_nm" in moments[0].extra else [0, 1, 0],
        moment=hottest.label, moment_s=hottest.time_s,
    )  # fmt: skip
    write_text(folder / SCRIPT, script)
    return [*written, folder / SCRIPT]


def command(run: Run) -> list[str]:
    """The command that shows a run in ParaView."""
    return ["paraview", f"--script={(run.folder / VIEW_FOLDER / SCRIPT).resolve()}"]


def _has_adios() -> bool:
    try:
        import adios2  # noqa: F401
    except ImportError:
        return False
    return True


def _field(run: Run) -> str:
    """The field that says most of a family without a lattice."""
    known = next(iter(run.snapshots.values())).extra if run.snapshots else {}
    names = ("crystalline", "vacancies_per_m3", "fraction", "temperature_K")
    return next((name for name in names if f"cut/{name}" in known), "potential_V")


_SCRIPT = '''"""{name} in ParaView: paraview --script=view.py, or pvpython view.py picture.png without a window.

Times: {labels}
"""

import os
import sys

from paraview.simple import *

here = os.path.dirname(os.path.abspath(__file__)) if "__file__" in globals() else os.getcwd()
fields, sites, name, flat = "{fields}", "{sites}", "{field}", {flat}
view = GetActiveViewOrCreate("RenderView")
view.ViewSize = [1200, 800]
view.Background = [1, 1, 1]
view.UseColorPaletteForBackground = 0


def read(path):
    path = os.path.normpath(os.path.join(here, path))
    return Xdmf3ReaderT(FileName=[path]) if path.endswith(".xdmf") else OpenDataFile(path)


def colour(display, name):
    ColorBy(display, ("POINTS", name))
    display.RescaleTransferFunctionToDataRangeOverTime()
    display.SetScalarBarVisibility(view, True)
    bar = GetScalarBar(GetColorTransferFunction(name), view)
    bar.Title, bar.ComponentTitle, bar.TitleColor, bar.LabelColor = name, "", [0, 0, 0], [0, 0, 0]


if fields:
    mesh = read(fields)
    if mesh is None:
        print("this ParaView has no reader of VTX (ADIOS2); pip install adios2, and write the view again")
    else:
        RenameSource("fields", mesh)
        shown = mesh
        if not flat:  # a cut through the middle of the lattice
            shown = Slice(Input=mesh)
            shown.SliceType.Origin, shown.SliceType.Normal = {middle}, {normal}
        display = Show(shown, view)
        colour(display, name)
        if not flat:
            display.Opacity = 0.6
if sites:
    lattice = read(sites)
    RenameSource("sites", lattice)
    filament = Threshold(Input=lattice)
    filament.Scalars = ["POINTS", "filament"]
    filament.LowerThreshold, filament.UpperThreshold = 0.5, 1.5
    RenameSource("filament", filament)
    glyph = Glyph(Input=filament, GlyphType="Sphere")
    glyph.ScaleArray, glyph.ScaleFactor, glyph.GlyphMode = ["POINTS", "No scale array"], 0.3, "All Points"
    display = Show(glyph, view)
    ColorBy(display, None)
    display.AmbientColor = display.DiffuseColor = [0.84, 0.37, 0.0]

scene = GetAnimationScene()
scene.UpdateAnimationUsingDataTimeSteps()
scene.AnimationTime = {moment_s!r}  # {moment}
if flat:
    view.InteractionMode = "2D"
    ResetCamera(view)
else:
    view.CameraPosition, view.CameraFocalPoint, view.CameraViewUp = [1, -2, 0.6], [0, 0, 0], [0, 0, 1]
    ResetCamera(view)
    lattice.UpdatePipeline()
    view.ResetCamera(*lattice.GetDataInformation().GetBounds())
    GetActiveCamera().Dolly(0.6)
Render(view)
if len(sys.argv) > 1 and sys.argv[-1].endswith(".png"):
    SaveScreenshot(sys.argv[-1], view)
'''
