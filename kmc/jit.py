"""How kernels are compiled: once, cached on disk, and without reference counting.

The tables are tuples of many arrays; counting references to each of them at every call cost 10 to 30 times the
arithmetic (measured). Kernels therefore allocate nothing, and what they need is allocated by the caller.

Numba's cache looks at the file that a kernel stands in, not at the files it calls into: after a change of the rate law
it would go on running the old one. Here every kernel's cache is stamped with the contents of all of this package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def source_stamp() -> str:
    """A digest of every source file of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_STAMP = source_stamp()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls."""
    return _stamped(njit(cache=True, _nrt=False, error_model="numpy")(function))


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only other kernels call: without the entry from Python, in about half the time."""
    return _stamped(
        njit(
            cache=True,
            _nrt=False,
            error_model="numpy",
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
            forceinline=True,
        )(function)
    )


def part(function: Callable[..., Any]) -> Any:
    """Compile a function that only other kernels call, and that is too large to be copied to where they do."""
    return _stamped(
        njit(cache=True, _nrt=False, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    )


def _stamped(dispatcher: Any) -> Any:
    index = getattr(dispatcher._cache, "_cache_file", None)  # None where caching is switched off
    if index is not None:
        index._source_stamp = _STAMP
    return dispatcher
