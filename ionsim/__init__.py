"""ionsim: physics-based simulation of memristive devices.

::

    device = ionsim.load("hfo2_ti_bipolar")
    run = ionsim.Simulation(device, seed=1).run("out/")
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionsim.config import load
from ionsim.errors import IonsimError

if TYPE_CHECKING:
    from ionsim.results import Run
    from ionsim.simulation import Simulation, Stop, ensemble, resume

__all__ = ["IonsimError", "Simulation", "Stop", "__version__", "ensemble", "load", "open_run", "resume"]

try:
    __version__ = version("ionsim")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"


def open_run(folder: str | Path) -> "Run":
    """The results of a run, from its folder or its ``run.h5``."""
    from ionsim.results import Run

    return Run.open(folder)


def __getattr__(name: str) -> Any:
    """What needs the finite-element stack, which takes seconds, is imported when first asked for."""
    if name in ("Simulation", "Stop", "ensemble", "resume"):
        from ionsim import simulation

        return getattr(simulation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
