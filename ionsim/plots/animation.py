"""Films as MP4 or GIF, drawn with matplotlib alone: no display and no OpenGL needed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray
from PIL import Image

from ionsim.errors import ResultsError
from ionsim.plots.film_curves import MomentLike
from ionsim.plots.films import SIZE_IN, Film
from ionsim.results.atomic import replacing, try_out

Picture = NDArray[np.uint8]

#: Pixels an inch of an MP4 and of a GIF, which has no more than 256 colours and is larger; sides of an MP4 are even.
_DPI = {".mp4": 120, ".gif": 80}
#: The last frame stays for this time, s.
_END_S = 1.5
#: Quality of H.264: 18 cannot be told from the original, 28 is coarse.
_CRF = "20"
#: Colour scales that a GIF keeps smooth, and how many of its rows they count as in the choice of its colours.
_SCALES, _ROWS = ("inferno", "viridis"), 600
#: Frames from which the colours of a GIF are taken.
_SAMPLES = 8


def animate(
    run: Any,
    moments: Sequence[MomentLike],
    out: str | Path,
    *,
    fps: float = 12.0,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write a film of moments (:func:`ionsim.simulation.replay.replay`) of a run as ``out``, ``.mp4`` or ``.gif``.

    It shows the sites of a filament, or maps of vacancies, phases or ions, with temperature, beside the I-V curve or
    the transient with a moving point; stage, simulated time, voltage, current and peak temperature stand above.
    ``progress`` is called with the share that is drawn. Raises ResultsError when the name has another ending, the disk
    refuses, or an MP4 is asked for where there is no ffmpeg.
    """
    path = Path(out)
    ending = checked_ending(path)
    with replacing(path) as part:
        pictures = _pictures(Film(run, moments), _DPI[ending], progress)
        if ending == ".mp4":
            _write_mp4(part, pictures, fps)
        else:
            _write_gif(part, list(pictures), fps)
    return path


def checked_ending(path: Path) -> str:
    """The ending of a film's name, ResultsError when it is none or cannot be written here: before anything runs."""
    if path.suffix not in _DPI:
        raise ResultsError(f"{path}: a film is written as .mp4 or .gif")
    if path.suffix == ".mp4" and ffmpeg() is None:
        raise ResultsError(f"{path}: there is no ffmpeg for MP4; pip install 'ionsim[film]', or write a .gif")
    try:
        try_out(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error})") from error
    return path.suffix


def ffmpeg() -> str | None:
    """Path of an ffmpeg: that of the package imageio-ffmpeg, else the one on PATH; None without either."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return cast(str, get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # RuntimeError: the package has no binary for this machine
        return shutil.which("ffmpeg")


def _pictures(film: Film, dpi: int, progress: Callable[[float], None] | None) -> Iterator[Picture]:
    """The frames as (height, width, 3) bytes."""
    film.figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(film.figure)
    for number, moment in enumerate(film.moments, start=1):
        film.show(moment)
        canvas.draw()
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()
        if progress is not None:
            progress(number / len(film.moments))


def _write_mp4(path: Path, pictures: Iterable[Picture], fps: float) -> None:
    """H.264 in the pixel format that every player knows; raw frames go to ffmpeg through a pipe."""
    width, height = (round(inches * _DPI[".mp4"]) for inches in SIZE_IN)
    command = [
        str(ffmpeg()), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
        "-r", f"{fps:g}", "-i", "-", "-an", "-c:v", "libx264", "-crf", _CRF, "-pix_fmt", "yuv420p",
        "-vf", f"tpad=stop_mode=clone:stop_duration={_END_S:g}", "-movflags", "+faststart", "-f", "mp4", str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        pipe = cast(IO[bytes], process.stdin)
        try:
            for picture in pictures:
                pipe.write(picture.tobytes())
            pipe.close()
        except BrokenPipeError:
            pass  # it has said why
        words = cast(IO[bytes], process.stderr).read().decode(errors="replace").strip()
    if process.returncode != 0:
        why = words.splitlines()[-1] if words else f"exit code {process.returncode}"
        raise ResultsError(f"{path.parent}: ffmpeg could not write the film ({why})")


def _write_gif(path: Path, pictures: Sequence[Picture], fps: float) -> None:
    """One palette for all frames: neighbouring ones differ only where something moves, and the file stays small."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, _SAMPLES).astype(int))
    shown = np.vstack([*(pictures[at] for at in chosen), *(_scale(name, pictures[0].shape[1]) for name in _SCALES)])
    palette = Image.fromarray(shown).quantize(255)
    frames = [Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    step_ms = max(round(100.0 / fps), 2) * 10  # GIF counts in hundredths of a second, players take 0.02 s at least
    times = [step_ms] * (len(frames) - 1) + [step_ms + round(1000 * _END_S)]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=False)


def _scale(name: str, width: int) -> Picture:
    """A strip (rows, width, 3) with all colours of a scale."""
    colours = (255.0 * colormaps[name](np.linspace(0.0, 1.0, width))[:, :3]).astype(np.uint8)
    return np.broadcast_to(colours, (_ROWS, width, 3)).copy()
