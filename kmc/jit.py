"""How kernels are compiled: once, cached on disk, and without reference counting.

The tables are tuples of many arrays; counting references to each of them at every call cost 10 to 30 times the
arithmetic (measured). Kernels therefore allocate nothing, and what they need is allocated by the caller.

Numba's cache looks at the file that a kernel stands in, not at the files it calls into: after a change of the rate law
it would go on running the old one. Here every kernel's cache is stamped with the contents of all of this package.

Numba lets an index be negative (from the end, as Python does) and pays for it at every access. The modules in
``_PLAIN`` never use that: their accesses are compiled as they stand, which makes small models a third faster.
There, -1 means "none" and must be asked for before it is used as an index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import types
from numba.core.compiler import Compiler
from numba.np import arrayobj

#: Modules without a negative index.
_PLAIN = {f"kmc.{name}" for name in ("rates", "keeping", "drawing", "lists", "tree", "kernels", "watching", "xoshiro")}


def source_stamp() -> str:
    """A digest of every source file of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_STAMP = source_stamp()


@contextmanager
def _plain_indices() -> Iterator[None]:
    """While a kernel is compiled (one at a time: Numba holds a lock): no code for negative indices."""
    usual = arrayobj.fix_integer_index

    def as_it_stands(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:
        return context.cast(builder, index, kind, types.intp if kind.signed else types.uintp)

    arrayobj.fix_integer_index = as_it_stands
    try:
        yield
    finally:
        arrayobj.fix_integer_index = usual


class _PlainCompiler(Compiler):
    """Numba's compiler with plain indices."""

    def compile_extra(self, func: Any) -> Any:
        with _plain_indices():
            return super().compile_extra(func)


def _compiler(function: Callable[..., Any]) -> type[Compiler]:
    return _PlainCompiler if function.__module__ in _PLAIN else Compiler


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls."""
    return _stamped(njit(cache=True, _nrt=False, error_model="numpy", pipeline_class=_compiler(function))(function))


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
            pipeline_class=_compiler(function),
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
