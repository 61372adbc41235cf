"""The command that builds explicit atoms: ``structure``."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import is_root, pairs, say


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(structure)


def structure(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for atoms.xyz and interstitials.xyz.")],
    oxide: Annotated[str, typer.Option(help="HfO2 crystal: monoclinic, tetragonal or cubic.")] = "monoclinic",
    width_nm: Annotated[float, typer.Option(help="Lateral width in nm, rounded to whole cells.")] = 2.5,
    depth_nm: Annotated[float, typer.Option(help="Lateral depth in nm, rounded to whole cells.")] = 2.5,
    oxide_nm: Annotated[float, typer.Option(help="Oxide thickness in nm, rounded to half cells.")] = 5.0,
    bottom_nm: Annotated[float, typer.Option(help="Thickness in nm of the bottom TiN.")] = 2.1,
    cap_nm: Annotated[float, typer.Option(help="Thickness in nm of the Ti cap.")] = 1.4,
    top_nm: Annotated[float, typer.Option(help="Thickness in nm of the TiN on the cap; 0 for none.")] = 2.1,
    axis: Annotated[str, typer.Option(help="Film normal in the files: x, y or z.")] = "x",
) -> None:
    """Build a TiN / HfO2 / Ti / TiN stack of atoms and interstitial sites from crystals."""
    from ionsim.errors import StructureError
    from ionsim.structure import build_stack, write_stack

    stack = build_stack(oxide, width_nm, depth_nm, oxide_nm, bottom_nm, cap_nm, top_nm)
    files = (out / "atoms.xyz", out / "interstitials.xyz")
    if is_root():
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_stack(stack, *files, axis=axis)
        except OSError as error:
            raise StructureError(f"{out}: the files cannot be written ({error})") from error
        table = {"oxide_nm": stack.thickness_nm, "width_nm": stack.cell_nm[0], "depth_nm": stack.cell_nm[1]}
        pairs({**table, **{f"n_{name}": count for name, count in stack.counts().items()}})
        for note in stack.notes:
            say(f"  {note}")
        say(f"wrote {files[0]} and {files[1]} (film normal {axis})")
