"""The exception hierarchy of the suite: one root, so that a script can catch everything ionsim raises on purpose."""

import difflib
import sys
from collections.abc import Iterable


class IonsimError(Exception):
    """Root of all errors that ionsim raises on purpose; the command line turns it into exit code 2."""


class DeviceFileError(IonsimError):
    """A device file (or a ``--set`` override) that is not valid; the message names key, value and what is allowed."""


class ResultsError(IonsimError):
    """A run folder or results file that cannot be read or written."""


class StudyError(IonsimError):
    """A study file that is not valid, or a study's folder that cannot be used."""


class FitError(IonsimError):
    """Data, ranges or options of a calibration that cannot be used, or a fit that cannot go on."""


class StructureError(IonsimError):
    """Atoms or interstitials that cannot be read, or do not fit the device."""


def expected_errors() -> tuple[type[Exception], ...]:
    """What ionsim and the engines that are loaded raise on purpose, for an ``except`` clause.

    The engines are not imported for it: they bring DOLFINx, which takes seconds and starts MPI.
    """
    roots = (("fem", "FemError"), ("kmc", "KmcError"), ("meshes", "MeshError"))
    return (IonsimError, *(getattr(sys.modules[module], name) for module, name in roots if module in sys.modules))


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest allowed name, or an empty string when none is close."""
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
