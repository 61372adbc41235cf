"""Commands that look at device files: ``examples``, ``check``, ``cite``."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionsim.cli.console import number_text, say
from ionsim.errors import IonsimError, nearest

if TYPE_CHECKING:
    from ionsim.config.files import ExampleTime

FileArgument = Annotated[str, typer.Argument(metavar="FILE_OR_EXAMPLE", help="A device file, or an example's name.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one key, such as layers.oxide.thickness_nm=6.0; repeatable."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(examples)
    app.command()(check)
    app.command()(cite)


def examples(
    copy: Annotated[
        str | None, typer.Option("--copy", metavar="NAME", help="Copy this example to NAME.toml here.")
    ] = None,
) -> None:
    """List the device files that come with ionsim, or copy one to start from."""
    from ionsim.config import example_files

    files = example_files()
    if copy is not None:
        _copy(files, copy)
        return
    from ionsim.config import example_times, load

    width, times = max(map(len, files), default=0), example_times()
    for name in files:
        say(f"{name:<{width}}  {run_time(times.get(name)):>7}  {load(name).description}")
    say("times: about how long a run takes on one core")


def run_time(time: "ExampleTime | None") -> str:
    """About how long a run takes, in words; of a run that was never timed to its end that it takes longer."""
    if time is None:
        return "-"
    return about(time.time_s) if time.whole else f"> {about(time.time_s)}"


def about(time_s: float) -> str:
    """A time in words, rough as it is: seconds to ten, minutes to one, above ten to five."""
    if time_s < 55.0:
        return f"{max(10, round(time_s, -1)):.0f} s"
    minutes = max(1, round(time_s / 60.0))
    return f"{minutes if minutes <= 10 else 5 * round(minutes / 5)} min"


def _copy(files: dict[str, Path], name: str) -> None:
    if name not in files:
        raise IonsimError(f"no example {name!r}{nearest(name, files)}; there are: {', '.join(files)}")
    target = Path(f"{name}.toml")
    if target.exists():
        raise IonsimError(f"{target}: exists already; move it away first")
    try:
        shutil.copyfile(files[name], target)
    except OSError as error:
        raise IonsimError(f"{target}: cannot be written ({error})") from error
    say(f"wrote {target}")


def check(file: FileArgument, changes: SetOption = None) -> None:
    """Check a device file; every problem is one line, and the exit code is 2.

    Remarks about a valid device (a limit that does not reach all stages, numbers of another material) change no code.
    """
    from ionsim.config import load, remarks
    from ionsim.drive import Drive

    device = load(file, changes or ())
    drive = Drive(device.drive)
    say(f"{file}: valid {device.family} device {device.name!r}")
    say(f"  drive: {device.drive.kind}, stages {', '.join(drive.stages)}, up to {drive.duration_s:g} s")
    materials = dict.fromkeys(name for _, name in device.material_keys())
    if materials:
        say(f"  materials: {', '.join(materials)}")
    for remark in remarks(device):
        say(f"  remark: {remark}")


def cite(file: FileArgument, changes: SetOption = None) -> None:
    """Print key, value, unit and source of every number that a run of this device uses."""
    from ionsim.config import cite as citations
    from ionsim.config import load

    rows = [
        (item.key, number_text(item.value), item.unit, item.source) for item in citations(load(file, changes or ()))
    ]
    header = ("key", "value", "unit", "source")
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(3)]
    for row in [header, *rows]:
        # The source comes last and unpadded: it may be long, and a terminal wraps it where it likes.
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*cells, row[3]]))
