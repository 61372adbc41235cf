"""Errors of the mesh builders."""

import difflib
from collections.abc import Iterable


class MeshError(Exception):
    """Root of all errors that the builders raise on purpose."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The allowed name that looks most like ``name``."""
    return difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.0)[0]
