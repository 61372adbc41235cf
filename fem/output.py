"""Fields in files that ParaView reads: VTX (ADIOS2 BP)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import dolfinx.fem
import dolfinx.io
import numpy as np
from numpy.typing import ArrayLike

from fem.errors import FemError, unknown_name


def as_function(space: dolfinx.fem.FunctionSpace, values: ArrayLike, name: str) -> dolfinx.fem.Function:
    """A DOLFINx Function of ``space`` with a copy of the nodal ``values`` (local dofs,); ``name`` carries the unit."""
    function = dolfinx.fem.Function(space, name=name)
    array = np.asarray(values, dtype=np.float64)
    if array.shape != function.x.array.shape:
        raise FemError(
            f"field {name!r}: a nodal array of this space has shape {function.x.array.shape}, got {array.shape}"
        )
    function.x.array[:] = array
    return function


def write_frames(
    path: str | Path, space: dolfinx.fem.FunctionSpace, frames: Sequence[tuple[float, Mapping[str, ArrayLike]]]
) -> None:
    """Write nodal arrays (local dofs,) of several times (s), each frame with the same names, to a VTX folder.

    Collective; nothing is written without a frame.
    """
    if not frames:
        return
    with VtxSeries(path, space, list(frames[0][1])) as series:
        for time_s, fields in sorted(frames, key=lambda frame: frame[0]):
            series.write(time_s, fields)


def write_vtx(
    path: str | Path, functions: dolfinx.fem.Function | Sequence[dolfinx.fem.Function], time_s: float = 0.0
) -> None:
    """Write Functions of one element on one mesh (coordinates in nm) to the folder ``path``, a ``.bp``; collective.

    Raises FemError when ``path`` does not end in .bp, or when the functions have different elements or meshes, which
    VTX cannot hold in one file.
    """
    chosen = [functions] if isinstance(functions, dolfinx.fem.Function) else list(functions)
    if not chosen:
        raise FemError(f"{path}: there is no function to write")
    first = chosen[0].function_space
    for function in chosen[1:]:
        space = function.function_space
        if space.mesh is not first.mesh or space.element != first.element:
            raise FemError(f"{path}: {function.name!r} and {chosen[0].name!r} differ in mesh or element; a VTX file "
                           "holds functions of one element on one mesh, so write them to two files")  # fmt: skip
    with dolfinx.io.VTXWriter(first.mesh.comm, _checked(path), chosen) as writer:
        writer.write(time_s)


class VtxSeries:
    """A VTX file of named nodal fields at several times: ``with VtxSeries(path, space, names) as series``."""

    def __init__(self, path: str | Path, space: dolfinx.fem.FunctionSpace, names: Sequence[str]) -> None:
        self._functions = {name: dolfinx.fem.Function(space, name=name) for name in names}
        if not self._functions:
            raise FemError(f"{path}: there is no field to write")
        self._writer = dolfinx.io.VTXWriter(
            space.mesh.comm, _checked(path), list(self._functions.values()), mesh_policy=dolfinx.io.VTXMeshPolicy.reuse
        )

    def write(self, time_s: float, fields: Mapping[str, ArrayLike]) -> None:
        """Add the fields (local dofs,), all of the names and no other, at ``time_s`` in s; collective."""
        for name in fields:
            if name not in self._functions:
                raise unknown_name("field", name, self._functions)
        for name, function in self._functions.items():
            if name not in fields:
                raise FemError(f"field {name!r} is missing; the file holds {', '.join(self._functions)}")
            function.x.array[:] = as_function(function.function_space, fields[name], name).x.array
        self._writer.write(time_s)

    def close(self) -> None:
        """Finish the file; collective."""
        self._writer.close()

    def __enter__(self) -> "VtxSeries":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _checked(path: str | Path) -> str:
    if Path(path).suffix != ".bp":
        raise FemError(f"{path}: the name of a VTX output must end in .bp")
    return str(path)
