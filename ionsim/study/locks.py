"""Locks on files: held by a process, released by its death, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ionsim.errors import StudyError

_TAKEN = (errno.EWOULDBLOCK, errno.EACCES)


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file for the time of the context; False when another process has it and ``wait`` is not set.

    The file is made where it is missing, and stays. Processes that this one starts do not inherit the lock.

    Raises:
        StudyError: where the file cannot be written, or the file system has no locks.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StudyError(f"{path}: cannot be written ({error})") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not wait and error.errno in _TAKEN:
                yield False
                return
            raise StudyError(
                f"{path}: cannot be locked ({error}); a study's folder needs a file system with locks (flock), see "
                "docs/studies.md"
            ) from error
        yield True
    finally:
        os.close(handle)
