"""The floors of docs/architecture.md hold: an import goes down, or stays on its floor."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ENGINES = ("kmc", "fem", "meshes")

#: Calls that go up on purpose, inside a function; the page names them.
UPWARD = {("ionsim.simulation", "ionsim.analysis"), ("ionsim.results", "ionsim.plots"),
          ("ionsim.results", "ionsim.report")}  # fmt: skip


def floors() -> dict[str, int]:
    """Floor of each package, from the table of the page."""
    rows = re.findall(r"^\| (\d) \| ([^|]+) \|", PAGE, flags=re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`([\w.]+)`", names)}


def package(module: str) -> str:
    """``ionsim.config.vcm`` -> ``ionsim.config``; an engine's module -> the engine."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "ionsim" else parts[0]


def imports(path: Path) -> Iterator[str]:
    """Modules of this distribution that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "ionsim":
                names = [f"ionsim.{alias.name}" for alias in node.names]
        yield from (name for name in names if name.split(".")[0] in (*ENGINES, "ionsim"))


def files() -> list[Path]:
    return [path for name in (*ENGINES, "ionsim") for path in sorted((ROOT / name).rglob("*.py"))]


def test_the_page_has_every_package():
    packages = {package(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in files()}
    assert packages - {"ionsim.__init__"} == set(floors())


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    own, level = package(".".join(path.relative_to(ROOT).with_suffix("").parts)), floors()
    if own == "ionsim.__init__":
        return
    for name in map(package, imports(path)):
        if name == own or (own, name) in UPWARD:
            continue
        if name not in level:  # ``from ionsim import Simulation``, ``import ionsim``: the front door
            assert level[own] >= level["ionsim.simulation"], f"{path} goes through the front door"
            continue
        assert level[name] <= level[own], f"{path}: {own} (floor {level[own]}) imports {name} (floor {level[name]})"
        assert not (own in ENGINES and name in ENGINES), f"{path}: engines know nothing of each other"
