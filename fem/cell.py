"""What the solvers need of a mesh with names, and how a coefficient given by region becomes a number per cell."""

from collections.abc import Callable, Mapping
from typing import Protocol

import dolfinx.fem
import dolfinx.mesh
import numpy as np
from dolfinx.mesh import Mesh, MeshTags
from numpy.typing import ArrayLike, NDArray

from fem.errors import FemError, unknown_name

Array = NDArray[np.float64]

#: A number, a function of the temperature (n,) in K, or an array with a number for each cell.
Coefficient = float | Callable[[Array], ArrayLike] | ArrayLike


class Cell(Protocol):
    """Any object with a DOLFINx mesh in nm, tagged cells and facets, and names for the tags.

    An optional attribute ``within`` (dict region -> region) names the region that a region takes a coefficient from
    when it is given none of its own, for instance a thin interface layer inside an electrode.
    """

    @property
    def mesh(self) -> Mesh: ...
    @property
    def cells(self) -> MeshTags: ...
    @property
    def facets(self) -> MeshTags: ...
    @property
    def regions(self) -> dict[str, int]: ...
    @property
    def surfaces(self) -> dict[str, int]: ...


def scalar_space(cell: Cell) -> dolfinx.fem.FunctionSpace:
    """The first-order Lagrange space on the mesh of ``cell``: one unknown a vertex."""
    return dolfinx.fem.functionspace(cell.mesh, ("Lagrange", 1))


def owned_cells(cell: Cell) -> int:
    """The number of cells that this rank owns; a local cell array has one entry for each of them."""
    return int(cell.mesh.topology.index_map(cell.mesh.topology.dim).size_local)


def region_cells(cell: Cell, name: str) -> NDArray[np.int32]:
    """Local indices (n,) of the owned cells of region ``name``. Raises FemError for an unknown name."""
    if name not in cell.regions:
        raise unknown_name("region", name, cell.regions)
    found = cell.cells.find(cell.regions[name])
    return np.asarray(found[found < owned_cells(cell)], dtype=np.int32)


def midpoints_nm(cell: Cell) -> Array:
    """Centres (owned cells, 3) in nm, to write a coefficient as an array from a function of position."""
    count = owned_cells(cell)
    tdim = cell.mesh.topology.dim
    return np.asarray(dolfinx.mesh.compute_midpoints(cell.mesh, tdim, np.arange(count, dtype=np.int32)))


def metres_of_area(cell: Cell) -> float:
    """What turns an area of the mesh into m^2 (m in a plane, 1 in 1D)."""
    dim = 3 if getattr(cell, "axisymmetric", False) else cell.mesh.topology.dim
    return float(1e-9 ** (dim - 1))


class CellCoefficient:
    """A positive coefficient by region: a number, a function of temperature, or an array per cell.

    A function takes the temperatures (n,) in K at the centres of the region's cells and returns (n,) values. An array
    has one value for each owned cell of the region, or for each owned cell of the mesh. Every region needs a value,
    of its own or through ``within`` of the cell. Raises FemError naming the region otherwise.
    """

    def __init__(self, cell: Cell, values: Mapping[str, Coefficient], quantity: str) -> None:
        self._cell = cell
        self._quantity = quantity
        self._count = owned_cells(cell)
        self._parts: dict[str, tuple[NDArray[np.int32], Coefficient]] = {}
        self.set(values)

    @property
    def depends_on_temperature(self) -> bool:
        """True when any region's value is a function of temperature."""
        return any(callable(value) for _, value in self._parts.values())

    def set(self, values: Mapping[str, Coefficient]) -> None:
        """Replace the values of the regions named; the first call must cover all of them."""
        for name in values:
            if name not in self._cell.regions:
                raise unknown_name(f"{self._quantity}: region", name, self._cell.regions)
        within: Mapping[str, str] = getattr(self._cell, "within", {})
        for name in self._cell.regions:
            source: str | None = name
            while source is not None and source not in values:
                source = within.get(source)
            if source is not None:
                self._parts[name] = (region_cells(self._cell, name), values[source])
            elif name not in self._parts:
                raise FemError(f"{self._quantity}: region {name!r} has no value; given: {', '.join(values) or 'none'}")

    def values(self, temperature_K: Array | None = None) -> Array:
        """The coefficient (owned cells,), at temperatures (owned cells,) where it depends on them; collective.

        A value that is wrong on one rank raises on all.
        """
        result = np.empty(self._count)
        wrong: str | None = None
        for name, (cells, value) in self._parts.items():
            part = self._part(value, cells, temperature_K)
            flat = np.ravel(part)
            good = np.isfinite(flat) & (flat > 0.0)
            if part.ndim and part.shape != cells.shape:
                wrong = (f"region {name!r} needs a number or {cells.size} values (its owned cells) or {self._count} "
                         f"(all owned cells), got shape {part.shape}")  # fmt: skip
            elif not np.all(good):
                wrong = f"region {name!r} must be positive and finite, got {float(flat[~good][0])!r}"
            else:
                result[cells] = part
        comm = self._cell.mesh.comm
        wrong = next(filter(None, comm.allgather(wrong)), None) if comm.size > 1 else wrong
        if wrong:
            raise FemError(f"{self._quantity}: {wrong}")
        return result

    def _part(self, value: Coefficient, cells: NDArray[np.int32], temperature_K: Array | None) -> Array:
        if callable(value):
            if temperature_K is None:
                raise FemError(f"{self._quantity}: a value is a function of temperature; give temperature_K first")
            return np.asarray(value(temperature_K[cells]), dtype=np.float64)
        part = np.asarray(value, dtype=np.float64)
        return part[cells] if part.shape == (self._count,) else part


def surface_dofs(space: dolfinx.fem.FunctionSpace, cell: Cell, name: str) -> NDArray[np.int32]:
    """Local dofs (n,), ghosts included, on the named surface. Collective. Raises FemError for an unknown name."""
    if name not in cell.surfaces:
        raise unknown_name("surface", name, cell.surfaces)
    mesh = cell.mesh
    fdim = mesh.topology.dim - 1
    mesh.topology.create_connectivity(fdim, fdim + 1)
    facets = cell.facets.find(cell.surfaces[name])
    dofs = np.asarray(dolfinx.fem.locate_dofs_topological(space, fdim, facets), dtype=np.int32)
    if mesh.comm.allreduce(dofs.size) == 0:
        raise FemError(f"surface {name!r} has no facets on this mesh")
    return dofs
