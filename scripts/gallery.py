"""Pictures of all examples for docs/gallery.md, drawn from real runs, and the page itself.

python scripts/gallery.py --runs gallery            # runs what is not in gallery/ yet (an hour of a core), draws all
python scripts/gallery.py --runs gallery gst_mushroom   # only this one
python scripts/gallery.py                           # only writes the page
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageChops

from ionsim.cli.devices import run_time
from ionsim.config import Device, example_files, example_times, load
from ionsim.results import Run
from ionsim.results.model import PICTURES

DOCS = Path(__file__).parents[1] / "docs"
PAGE, FOLDER = DOCS / "gallery.md", DOCS / "pictures" / "gallery"
HEIGHT_PX, MARGIN_PX, COLOURS, LARGEST_BYTES = 400, 24, 256, 150_000
#: Widest sheet with both pictures side by side, in heights.
WIDEST = 4.1
#: The example of README and home page, whose picture is side by side all the same.
LEAD = "hfo2_ti_bipolar"

#: A curve and a state: of each row the first picture that a run has drawn.
SHOWN = (
    ("train.png", "currents.png", "retention.png", "resistance.png", "current.png", "iv.png"),
    ("boundaries.png", "filament.png", "phases.png", "vacancies.png", "ions.png", "cut.png"),
)

FAMILIES = {"vcm": "Vacancy filaments", "ecm": "Metal filaments", "pcm": "Phase change", "ecram": "ECRAM"}
MODELS = {"vcm": "vcm-model.md", "ecm": "ecm-model.md", "pcm": "pcm-model.md", "ecram": "ecram-model.md"}

INTRODUCTION = """\
# Gallery

<!-- Written by scripts/gallery.py from the examples; edit that, then run it. -->

One picture for each example that comes with ionsim, from a run with the seed of its file. `ionsim run NAME --out DIR`
makes the same run and draws more pictures; `ionsim examples --copy NAME` copies the device file, to be changed.
Times are those of one core, and rough.
"""
TIMES = example_times()


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    devices = {name: load(name) for name in example_files()}
    for family, heading in FAMILIES.items():
        parts.append(f"## {heading}\n\nEquations: [{MODELS[family]}]({MODELS[family]}).\n")
        parts += [_entry(name, device) for name, device in sorted(devices.items()) if device.family == family]
    return "\n".join(parts)


def _entry(name: str, device: Device) -> str:
    text = f"{device.description[:1].upper()}{device.description[1:]}. A run takes {_takes(name)}."
    picture = f"\n![{name}](pictures/gallery/{name}.png)\n" if (FOLDER / f"{name}.png").is_file() else ""
    return f"### {name}\n\n{text}\n{picture}"


def _takes(name: str) -> str:
    return run_time(TIMES.get(name)).replace("> ", "more than ")


def draw(folder: Path, target: Path, widest: float = WIDEST) -> None:
    """One picture of at most LARGEST_BYTES out of two that a run has drawn."""
    found = [next((folder / name for name in row if (folder / name).is_file()), None) for row in SHOWN]
    images = [_cropped(Image.open(path).convert("RGB")) for path in found if path is not None]
    height = HEIGHT_PX
    while True:
        sheet = _sheet(images, height, widest)
        # the usual median cut gives thin lines of different colours one colour
        palette = Image.Quantize.MAXCOVERAGE
        sheet.quantize(COLOURS, method=palette, dither=Image.Dither.NONE).save(target, optimize=True)
        if target.stat().st_size <= LARGEST_BYTES:
            return
        height = round(0.9 * height)


def _sheet(images: list[Image.Image], height: int, widest: float) -> Image.Image:
    """Side by side at this height; one above the other, all as wide, where that would be a strip."""
    scaled = [image.resize((round(image.width * height / image.height), height), Image.LANCZOS) for image in images]
    width = sum(image.width for image in scaled) + MARGIN_PX * (len(images) - 1)
    if width <= widest * height:
        places = [sum(image.width + MARGIN_PX for image in scaled[:index]) for index in range(len(scaled))]
        sheet = Image.new("RGB", (width, height), "white")
        for image, left in zip(scaled, places, strict=True):
            sheet.paste(image, (left, 0))
        return sheet
    wide = max(image.width for image in scaled)
    sheet = Image.new("RGB", (wide, height * len(scaled) + MARGIN_PX), "white")
    for index, image in enumerate(scaled):
        sheet.paste(image, ((wide - image.width) // 2, index * (height + MARGIN_PX)))
    return sheet


def _cropped(image: Image.Image) -> Image.Image:
    """Without the white around it."""
    return image.crop(ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox())


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Examples; else all.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder of the runs; without it only the page is written.")] = None,
) -> None:
    """Run, draw, and write the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if runs is not None:
        for name in names or list(example_files()):
            folder = runs / name
            if not (folder / "run.h5").is_file() or Run.open(folder).status != "complete":
                subprocess.run(
                    [sys.executable, "-m", "ionsim.cli", "run", name, "--out", str(folder), "--force"], check=True
                )
            if not any((folder / picture).is_file() for picture in PICTURES):
                Run.open(folder).plot()
            draw(folder, FOLDER / f"{name}.png")
            if name == LEAD:
                draw(folder, DOCS / "pictures" / f"{name}.png", widest=10.0)
            typer.echo(f"drew {name}")
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    typer.echo(f"wrote {PAGE}")


if __name__ == "__main__":
    typer.run(main)
