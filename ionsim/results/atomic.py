"""Writing files so that a reader never sees half of one, whenever the writer is killed."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ionsim.errors import ResultsError


@contextmanager
def replacing(path: Path, first: Callable[[], None] | None = None) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it takes the place of ``path`` in one step.

    When the body fails, ``path`` keeps what it held and the temporary file goes. ``first`` is called between the two,
    when the new file is safely on the disk. Raises ResultsError where the disk refuses (full, read-only).
    """
    temporary = _temporary(path, str(os.getpid()))
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        if first is not None:
            first()
        os.replace(temporary, path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error})") from error
    finally:
        with suppress(OSError):  # on a read-only disk also where there is none
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def remove_leftovers(path: Path) -> None:
    """Delete the temporary files of ``path`` that killed writers left behind."""
    for leftover in path.parent.glob(_temporary(path, "*").name):
        leftover.unlink(missing_ok=True)


def try_out(path: Path, size: int = 0) -> None:
    """Raise OSError where no file of ``size`` bytes can be made in the folder of ``path``."""
    temporary = _temporary(path, str(os.getpid()))
    try:
        with open(temporary, "wb") as file:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _temporary(path: Path, tag: str) -> Path:
    return path.with_name(f".{path.name}.{tag}.tmp")
