"""Binary raw files of VACASK and ngspice."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.description import CompactError


def read_raw(path: Path) -> dict[str, NDArray[np.float64]]:
    """The first plot of a raw file with real vectors, each (n,), by name in lower case.

    Raises CompactError for a file that is missing, cut short, complex or not binary.
    """
    if not path.is_file():
        raise CompactError(f"{path.name}: the simulator wrote no results")
    content = path.read_bytes()
    mark = content.find(b"Binary:\n")
    if mark < 0:
        raise CompactError(f"{path.name}: no binary raw file")
    header = content[:mark].decode("utf-8", errors="replace")
    if "complex" in _entry(header, "Flags"):
        raise CompactError(f"{path.name}: complex vectors are not read")
    n_vectors, n_points = int(_entry(header, "No. Variables")), int(_entry(header, "No. Points"))
    names = re.findall(r"^\s*\d+\s+(\S+)\s", header.split("Variables:\n", 1)[1], flags=re.MULTILINE)
    body = content[mark + len(b"Binary:\n") :]
    if len(names) != n_vectors or len(body) < 8 * n_vectors * n_points or n_points == 0:
        raise CompactError(f"{path.name}: {n_points} points of {n_vectors} vectors were announced, fewer are there")
    table = np.frombuffer(body, dtype="<f8", count=n_vectors * n_points).reshape(n_points, n_vectors)
    return {name.lower(): table[:, index].copy() for index, name in enumerate(names)}


def _entry(header: str, key: str) -> str:
    found = re.search(rf"^{re.escape(key)}:\s*(.+?)\s*$", header, flags=re.MULTILINE)
    if not found:
        raise CompactError(f"a raw file without {key!r}")
    return found.group(1)
