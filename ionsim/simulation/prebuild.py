"""Compiling beforehand what runs would compile when they begin: kernels of the lattice and forms of finite elements.

Both are kept on the disk, and thousands of processes of a study can read what one has made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mpi4py import MPI

from ionsim.config import load
from ionsim.simulation.loop import Simulation

#: One example of each kind of device: between them they use every kernel and most forms.
EXAMPLES = (
    "hfo2_ti_bipolar", "hfo2_single_boundary", "hfo2_continuum", "ag_sio2_memory", "gst_mushroom", "licoo2_channel",
    "psg_wo3_three_currents",
)  # fmt: skip

#: Recorded points of a run after which all that it compiles is compiled.
FRAMES = 2


@dataclass(frozen=True)
class Cache:
    """Where compiled code is kept: what the variables of the environment have to be, and what is there."""

    numba: Path
    fenics: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables that runs need to find it."""
        return {"NUMBA_CACHE_DIR": str(self.numba), "XDG_CACHE_HOME": str(self.fenics.parent)}

    def count(self) -> tuple[int, int]:
        """Compiled kernels and compiled forms in it."""
        return sum(1 for _ in self.numba.rglob("*.nbc")), sum(1 for _ in self.fenics.glob("*.so"))


def cache_in(folder: str | Path) -> Cache:
    """The cache in a folder."""
    folder = Path(folder).absolute()
    return Cache(folder / "numba", folder / "fenics")


def prebuild(
    devices: Iterable[str | Path] = EXAMPLES, on_done: Callable[[str, float], None] | None = None, frames: int = FRAMES
) -> None:
    """Begin a run of each device (a path or an example's name) in this process, which compiles what it needs.

    ``on_done`` is called with the device and the seconds that it took. The environment says where it is kept.
    Raises DeviceFileError for what is no device file.
    """
    described = [(str(name), load(name)) for name in devices]
    for name, device in described:
        begin = time.monotonic()
        for _ in islice(Simulation(device, comm=MPI.COMM_SELF), frames):
            pass
        if on_done is not None:
            on_done(name, time.monotonic() - begin)
