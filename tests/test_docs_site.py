"""The documentation: every key of a device file is described, pages of scripts are up to date, no link is dead."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin

import pytest
from pydantic_core import PydanticUndefined
from typer.main import get_command

from ionsim import materials
from ionsim.cli import app
from ionsim.config import EcmDevice, EcramDevice, PcmDevice, VcmDevice, example_files, schema
from ionsim.config.base import Section, number, setting

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FAMILIES = (VcmDevice, EcmDevice, PcmDevice, EcramDevice)
#: What tells a reader what an absent optional number means.
OTHERWISE = re.compile(r"\b(else|without|none|instead)\b")
PAGES = [
    path
    for path in (*sorted(DOCS.glob("*.md")), ROOT / "hpc" / "README.md", ROOT / "README.md")
    if "```sh" in path.read_text("utf-8")
]
MKDOCS = importlib.util.find_spec("mkdocs") and importlib.util.find_spec("mkdocstrings")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kinds(field: Any) -> list[Any]:
    """Types of the values of a key, those inside lists too, with the constraints on each."""
    found = []
    for member in get_args(field.annotation) if schema._is_union(field.annotation) else (field.annotation,):
        inside = schema.bare(member)
        found.append(get_args(inside)[0] if get_origin(inside) is tuple else member)
    return found


def lacks(family: type[Section], key: str, field: Any) -> list[str]:
    """What a reader of the reference would miss about a key."""
    missing = [] if field.description else ["description"]
    if not field.is_required() and field.default is PydanticUndefined:  # made by a function, which no page can show
        missing.append("default")
    if not any(schema.bare(kind) in (int, float) for kind in kinds(field)):
        phrase = schema.allowed(field).removesuffix(f" ({field.description})")
        return missing if phrase else [*missing, "range"]
    if not isinstance(field.json_schema_extra, dict) or "unit" not in field.json_schema_extra:
        missing.append("unit, or that it has none")
    phrase = schema.allowed(field).removesuffix(f" ({field.description})")
    missing += [f"{end} bound" for end, sign in (("lower", ">"), ("upper", "<")) if sign not in phrase]
    if not field.is_required() and field.default is None and not OTHERWISE.search(field.description or ""):
        missing.append("what holds without it")
    name = get_args(family.model_fields["family"].annotation)[0]
    default = None if field.is_required() else field.default
    if isinstance(default, int | float) and not materials.default_source(name, key):
        missing.append("source of the default")
    return missing


def walk(family: type[Section]) -> dict[str, list[Any]]:
    """Fields of a family's keys by path; tables are no keys."""
    found: dict[str, list[Any]] = {}
    for key, field in schema.fields(family):
        if not key.endswith(".*"):
            found.setdefault(key, []).append(field)
    return found


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_key_has_description_unit_default_and_range(family):
    keys = walk(family)
    assert len(keys) > 100
    missing = {key: lack for key, found in keys.items() for field in found if (lack := lacks(family, key, field))}
    assert missing == {}


def test_the_walk_sees_what_is_missing():
    class Poor(Section):
        family: str = setting("vcm", "family")
        bare: float
        open_above: float = number(1.0, "V", "a voltage", ge=0)
        unexplained_V: float | None = number(None, "V", "a voltage", ge=0, le=1)
        unitless: int = setting(..., "a count", ge=0, le=1)

    Poor.model_fields["family"].annotation = VcmDevice.model_fields["family"].annotation
    seen = {key: lacks(Poor, key, field) for key, field in Poor.model_fields.items()}
    assert seen["bare"] == ["description", "unit, or that it has none", "lower bound", "upper bound"]
    assert seen["open_above"] == ["upper bound", "source of the default"]
    assert seen["unexplained_V"] == ["what holds without it"]
    assert seen["unitless"] == ["unit, or that it has none"]
    assert seen["family"] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_the_page_has_a_row_for_every_key(family):
    reference = script("device_reference")
    text = reference.page(family)
    rows = {line.split("`")[1]: line.split(" | ") for line in text.splitlines() if line.startswith("| `")}
    for key, found in walk(family).items():
        field, name = found[0], key.rpartition(".")[2]
        if any(schema.is_section(reference._inner(member)) for member in schema.alternatives(field.annotation)):
            continue
        _, unit, default, allowed, meaning, _ = rows[name]
        assert bool(unit.strip()) == reference.is_number(field), key
        assert all(cell.strip() for cell in (default, allowed, meaning)), key


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_of_pages_exist(page):
    """Every command line in a block: the command, its options."""
    commands = get_command(app).commands
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        # what stands in a line of its own or behind a launcher, up to the next comment, pipe or command
        for words in re.findall(r"(?:^|&& |-n \d+ )ionsim ([^#|&>]+)", line):
            name, *rest = words.split()
            if name.startswith("-"):
                continue
            assert name in commands, line
            command = commands[name]
            if group := getattr(command, "commands", None):
                command = group[rest[0]]
            options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            assert {word for word in rest if word.startswith("--")} <= options, line


def test_pages_that_scripts_write_are_up_to_date():
    for name, page in (("material_reference", "material-data.md"), ("gallery", "gallery.md")):
        assert (DOCS / page).read_text(encoding="utf-8") == script(name).page(), f"run python scripts/{name}.py"


def test_the_gallery_has_a_small_picture_of_every_example():
    largest = script("gallery").LARGEST_BYTES
    sizes = {path.stem: path.stat().st_size for path in (DOCS / "pictures" / "gallery").glob("*.png")}
    assert set(sizes) == set(example_files())
    assert max(sizes.values()) <= largest


@pytest.mark.parametrize("page", [pytest.param("own-geometry.md", marks=pytest.mark.slow), "own-process.md"])
def test_scripts_of_how_to_pages_print_what_the_page_says(page, capsys):
    text = (DOCS / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, page, "exec"), {})
    first = capsys.readouterr().out.splitlines()[0]
    assert first in text


def test_device_files_of_how_to_pages_are_devices(tmp_path):
    """The tables of the page on materials, put into the examples that it is about."""
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "own-material.md").read_text(encoding="utf-8"), re.DOTALL)
    electrode, film, electrolyte = blocks
    text = example_files()["hfo2_ti_bipolar"].read_text(encoding="utf-8")
    text = re.sub(r"\[layers\.top\]\n.*?\n\n", "", text, flags=re.DOTALL).replace(
        "[materials.HfO2]\nthermal_W_per_mK = 1.1\n", ""
    )
    tables, sources = electrode.split("[sources]\n")
    device = VcmDevice.from_toml(text.replace("[sources]\n", f"{tables}\n{film}\n[sources]\n{sources}\n"))
    assert device.layers.top.material == "Ru"
    assert "four-point" in device.source_of("materials.Ru.electrical_S_per_m")
    text = example_files()["ag_sio2_memory"].read_text(encoding="utf-8")
    for name in re.findall(r"^\[(.+)\]$", electrolyte, re.MULTILINE):
        text = re.sub(rf"^\[{re.escape(name)}\]\n.*?(?=^\[)", "", text, flags=re.DOTALL | re.MULTILINE)
    device = EcmDevice.from_toml(text.replace("[sources]", f"{electrolyte}\n[sources]"))
    assert device.layers.electrolyte.material == "Ta2O5"


@pytest.mark.slow
@pytest.mark.skipif(not MKDOCS, reason="mkdocs is not installed: pip install -e '.[docs]'")
def test_the_site_builds_strictly_and_needs_no_network(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr.replace("NO_MKDOCS_2_WARNING", "").replace("MkDocs 2.0", "")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(https?:[^\"' >]+)", page.read_text("utf-8")
        )
        assert loaded == [], page
    for module in ("ionsim", "kmc", "fem", "meshes"):
        shown = (tmp_path / "site" / "api" / f"{module}.html").read_text("utf-8")
        public = set(importlib.import_module(module).__all__) - {"__version__"}
        assert {name for name in public if not re.search(rf'id="[\w.]+\.{name}"|fem\.{name}</code>', shown)} == set()
    assert json.loads((tmp_path / "site" / "search" / "search_index.json").read_text("utf-8"))["docs"]


@pytest.mark.slow
@pytest.mark.skipif(not MKDOCS, reason="mkdocs is not installed: pip install -e '.[docs]'")
def test_a_dead_link_and_a_dead_anchor_fail(tmp_path):
    for folder in ("docs", "hpc", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("mkdocs.yml", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        re.sub(r"  - mkdocstrings:\n(?: {6,}.*\n)+", "", config.read_text("utf-8"))
    )  # the API takes most of the time
    shutil.rmtree(tmp_path / "docs" / "api")
    with (tmp_path / "docs" / "resume.md").open("a") as page:
        page.write("\n[one](no-such-page.md) [two](studies.md#no-such-heading)\n")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    assert "no-such-page.md" in done.stderr
    assert "no-such-heading" in done.stderr
