"""Work that rank 0 does for all: a failure there is a failure everywhere."""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from mpi4py import MPI

from meshes.errors import MeshError


def on_root[T](comm: MPI.Comm, make: Callable[[], T]) -> T | None:
    """What ``make`` returns, on rank 0; None on the others. Its MeshError is raised on all of them. Collective."""
    result, failure = None, None
    if comm.rank == 0:
        try:
            result = make()
        except MeshError as error:
            failure = str(error)
    failure = comm.bcast(failure, root=0)
    if failure is not None:
        raise MeshError(failure)
    return result


@contextlib.contextmanager
def gmsh_model(name: str) -> Iterator[Any]:
    """The module gmsh with a new model of this name, silent; what fails in it is raised as MeshError."""
    try:
        gmsh: Any = importlib.import_module("gmsh")
    except (ImportError, OSError) as error:
        hint = "install the package gmsh and the system library libGLU"
        raise MeshError(f"gmsh cannot be loaded ({error}); {hint}") from error
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.model.add(name)
        yield gmsh
    except MeshError:
        raise
    except Exception as error:  # gmsh raises bare Exception
        raise MeshError(f"gmsh failed with {name!r}: {error}") from error
    finally:
        gmsh.finalize()
