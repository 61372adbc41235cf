"""The geometries by name, and building one from keys and values that came as text."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from mpi4py import MPI

from meshes.array import pcm_array
from meshes.ecram import ecram_lateral, ecram_stack, ecram_vertical, ecram_vertical_3d
from meshes.errors import MeshError, nearest
from meshes.filament import filament_cell
from meshes.labelled import LabelledMesh
from meshes.line import line_cell, line_cell_3d
from meshes.mushroom import mushroom, mushroom_3d
from meshes.pillar import pillar
from meshes.polycrystal_geometries import bicrystal, bicrystal_3d, equiaxed, polycrystal, polycrystal_3d

#: Every geometry of simplices by its name.
GEOMETRIES: dict[str, Callable[..., LabelledMesh]] = {
    "bicrystal": bicrystal,
    "bicrystal_3d": bicrystal_3d,
    "ecram_lateral": ecram_lateral,
    "ecram_stack": ecram_stack,
    "ecram_vertical": ecram_vertical,
    "ecram_vertical_3d": ecram_vertical_3d,
    "equiaxed": equiaxed,
    "filament": functools.partial(filament_cell, kind="tetrahedra"),
    "line_cell": line_cell,
    "line_cell_3d": line_cell_3d,
    "mushroom": mushroom,
    "mushroom_3d": mushroom_3d,
    "pcm_array": pcm_array,
    "pillar": pillar,
    "polycrystal": polycrystal,
    "polycrystal_3d": polycrystal_3d,
}


def build(name: str, changes: Mapping[str, Any] | None = None, comm: MPI.Comm | None = None) -> LabelledMesh:
    """Build a geometry of :data:`GEOMETRIES` with its defaults changed. Collective over ``comm`` (COMM_WORLD).

    Raises MeshError for a name, key or value that is not allowed; the message says what is.
    """
    allowed = defaults(name)
    hints = get_type_hints(_function(name))
    arguments = {}
    for key, value in (changes or {}).items():
        if key not in allowed:
            raise MeshError(f"{name}: no parameter {key!r}; allowed: {', '.join(allowed)} "
                            f"(nearest: {nearest(key, allowed)!r})")  # fmt: skip
        arguments[key] = _checked(f"{name}: {key}", value, hints[key])
    return GEOMETRIES[name](**arguments, comm=comm)


def defaults(name: str) -> dict[str, Any]:
    """The parameters of a geometry with their default values. Raises MeshError for an unknown name."""
    if name not in GEOMETRIES:
        raise MeshError(f"no geometry {name!r}; allowed: {', '.join(GEOMETRIES)} "
                        f"(nearest: {nearest(name, GEOMETRIES)!r})")  # fmt: skip
    build_it = GEOMETRIES[name]
    fixed = build_it.keywords if isinstance(build_it, functools.partial) else {}
    parameters = inspect.signature(build_it).parameters.values()
    return {item.name: item.default for item in parameters if item.name not in (*fixed, "comm")}


def summary(name: str) -> str:
    """The first sentence of a geometry's description."""
    text = inspect.getdoc(_function(name)) or ""
    return text.split("\n", 1)[0].partition(". ")[0].rstrip(".").replace("``", "")


def _function(name: str) -> Callable[..., LabelledMesh]:
    made = GEOMETRIES[name]
    return made.func if isinstance(made, functools.partial) else made


def _checked(what: str, value: Any, kind: Any) -> Any:
    """The value if it is of the kind that the parameter has; a whole number is a length as well."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number:
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind == Sequence[str]:
        names = [value] if isinstance(value, str) else value
        if isinstance(names, list | tuple) and all(isinstance(item, str) for item in names):
            return tuple(names)
    if kind == tuple[float, float] and isinstance(value, list | tuple) and len(value) == 2:
        return tuple(_checked(f"{what}[{k}]", item, float) for k, item in enumerate(value))
    words = {float: "a number", int: "a whole number", bool: "true or false", tuple[float, float]: "two numbers"}
    raise MeshError(f"{what} must be {words.get(kind, 'names such as \"heater/phase_change\"')}, got {value!r}")
