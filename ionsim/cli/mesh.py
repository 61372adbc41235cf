"""The command that builds a geometry: ``mesh``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionsim.cli.console import is_root, number_text, pairs, say, show

if TYPE_CHECKING:
    import meshes


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(mesh)


def mesh(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A geometry; without it they are listed.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one parameter, such as size_nm=1.5; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="MSH", help="Write the mesh as a gmsh file.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw it: MSH's name (or NAME) with .png.")] = False,
) -> None:
    """Build the mesh of a parametric geometry, say how good it is, write it and draw it."""
    import meshes
    from ionsim.config.changes import parse_assignments

    if name is None:
        width = max(map(len, meshes.GEOMETRIES))
        for known in meshes.GEOMETRIES:
            say(f"{known:<{width}}  {meshes.summary(known)}")
        return
    values = {**meshes.defaults(name), **parse_assignments(changes or ())}
    if out is not None:
        meshes.msh_path(out)  # before the work
    labelled = meshes.build(name, values)
    say(f"{name}: {meshes.summary(name)}")
    pairs({key: value for key, value in values.items() if value != ()})
    _report(meshes.quality(labelled))
    for interface, pair in labelled.interfaces.items():
        say(f"  split at {interface}: {len(pair.nodes)} pairs of nodes, {number_text(float(pair.area_nm2.sum()))} nm2")
    if out is not None:
        say(f"wrote {meshes.write_msh(labelled, out)}")
    if plot:
        _draw(labelled, name, Path(f"{name}.png") if out is None else out.with_suffix(".png"))


def _report(quality: "meshes.Quality") -> None:
    from rich.table import Table

    table = Table(title=f"{quality.cells} cells, {quality.nodes} nodes", box=None, title_justify="left")
    table.add_column("region")
    for column in ("cells", "volume nm3", "edges nm", "radius ratio: least, 1 %, median", "angle deg: likewise"):
        table.add_column(column, justify="right")
    for name, region in quality.regions.items():
        table.add_row(
            name, str(region.cells), f"{region.volume_nm3:.6g}",
            f"{region.shortest_edge_nm:.3g} to {region.longest_edge_nm:.3g}",
            ", ".join(f"{value:.2f}" for value in region.radius_ratio),
            ", ".join(f"{value:.0f}" for value in region.angle_deg),
        )  # fmt: skip
    show(table)
    say(f"  worst cell: in {quality.worst_region} at {number_text(quality.worst_midpoint_nm)} nm, "
        f"radius ratio {quality.worst_radius_ratio:.2f}")  # fmt: skip


def _draw(labelled: "meshes.LabelledMesh", name: str, path: Path) -> None:
    from ionsim.plots import mesh_figure, save

    figure = mesh_figure(labelled, title=name)
    if figure is not None and is_root():
        save(figure, path)
        say(f"wrote {path}")
