"""What a device family offers to the run loop: one small protocol for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ionsim.drive import Circuit


class Family(Protocol):
    """A device that the run loop can advance; every rank of the communicator calls every method."""

    #: Called within :meth:`advance` after each step that leaves a state to :meth:`observe`: to look between recorded
    #: points. Must change nothing; devices whose reading is part of their trajectory (ECRAM) never call it.
    on_step: Callable[[], None] | None

    @property
    def time_s(self) -> float:
        """Simulated time, s."""

    @property
    def field_time_s(self) -> float:
        """Wall time spent on potential and temperature by this process since it built the device, s."""

    def initialise(self) -> None:
        """Solve the fields of the virgin device."""

    def advance(self, until_s: float, applied_V: float, circuit: Circuit) -> None:
        """Go on to ``until_s``, where the applied voltage is ``applied_V``, behind ``circuit``.

        Lattices dwell at that voltage from now on; continua ramp to it from the one before.
        """

    def observe(self) -> dict[str, float]:
        """One row of the time series: current, voltages, temperature, counts (keys carry units)."""

    def sites(self) -> dict[str, Any] | None:
        """What does not change: the arguments of :class:`ionsim.results.Sites`; None without a lattice."""

    def state(self) -> dict[str, Any]:
        """A snapshot for pictures and files: with a lattice occupation, potential_V, temperature_K per site; cuts."""

    def checkpoint(self) -> dict[str, Any]:
        """Everything that :meth:`restore` needs to go on with the same trajectory."""

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a checkpoint."""

    def summary(self) -> dict[str, Any]:
        """Family-specific totals of the run (event counts by process, flicker share, refreshes)."""

    def mesh_fields(self) -> dict[str, NDArray[np.float64]]:
        """Nodal fields on the mesh now (local dofs,), by a name that carries the unit."""

    def write_fields(self, path: Path, frames: Sequence[tuple[float, dict[str, NDArray[np.float64]]]]) -> None:
        """Write :meth:`mesh_fields` of several times (s) to a VTX folder that ParaView reads; collective."""
