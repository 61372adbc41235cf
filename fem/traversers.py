"""UFL's traversers of expressions let go of what they have seen.

``functools.singledispatchmethod`` of Python 3.13.0 and 3.13.1 keeps a method for each object in a dictionary with weak
keys, but the method refers to the object, so that none is ever freed (CPython issue 127750). A traverser holds the
expressions that it has been through, these their meshes, and a mesh eleven MPI communicators: after some 200 solvers a
process has none left.
"""

from __future__ import annotations

import functools

from ufl.algorithms import apply_coefficient_split, apply_derivatives
from ufl.corealg import dag_traverser


def forget() -> None:
    """Turn that dictionary off in all traversers of UFL; does nothing in a Python that has none."""
    for module in (dag_traverser, apply_derivatives, apply_coefficient_split):
        for one in list(vars(module).values()):
            if not isinstance(one, type):
                continue
            for method in vars(one).values():
                if isinstance(method, functools.singledispatchmethod) and hasattr(method, "_method_cache"):
                    method._method_cache = None
