"""What rank 0 does for all ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from mpi4py import MPI


def on_chief[T](comm: MPI.Comm, task: Callable[[], T]) -> T:
    """Do something with files on rank 0; its result, or its error, reaches every rank.

    An error that stayed on rank 0 would leave the other ranks waiting for it in their next collective call.
    """
    if comm.size == 1:
        return task()
    result: Any = None
    error: Exception | None = None
    if comm.rank == 0:
        try:
            result = task()
        except Exception as raised:
            error = raised
    result, error = comm.bcast((result, error))
    if error is not None:
        raise error
    return cast(T, result)
