"""The coupled equations of potential and temperature in weak form, on first-order simplices.

div(sigma grad V) = 0 and C dT/dt = div(kappa grad T) + sigma |grad V|^2, with sigma, kappa of (T, F, states) and C of
(T, states). Coordinates are in nm and coefficients in SI units, so that an integral has one scale factor, and with
axial symmetry the weight 2 pi r. Conduction is integrated by a rule of degree 1 (one point a cell, at its centre: exact
for a coefficient that is constant over the cell, second-order accurate otherwise), which also makes the Joule heat
over all nodes equal the electrical power to rounding. Capacity is lumped: each node has its share of the volume
(with the weight 2 pi r inside the integral, so that nodes on the axis have theirs), and steps much shorter than
h^2 C / kappa do not undershoot.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dolfinx.fem
import dolfinx.la
import dolfinx.mesh
import numpy as np
import ufl
from numpy.typing import NDArray

from fem.cell import Cell, owned_cells, scalar_space
from fem.errors import FemError
from fem.halo import Halo
from fem.properties import FIELD, TEMPERATURE, Properties, Property

Array = NDArray[np.float64]
_LEAST_FIELD = 1.0  # V/m, chosen: far below any field that matters; makes |grad V| differentiable at zero
_SIMPLICES = ("interval", "triangle", "tetrahedron")
_COMPILE_S = 600  # how long ranks wait for the one that compiles a form


class WeakForm:
    """Unknowns, states and coefficients of a cell, and the assembly of residual and Jacobian.

    ``values`` (local dofs, 2): potential (V) and temperature above ``reference_K`` (K), a view of the Function that the
    forms read; without the reference, the small rise of a device that is read would drown in the rounding of 300 K.
    ``history``, ``base`` (local dofs,) and ``leading`` make the time derivative leading * (T - base) + history (K/s);
    ``history`` and ``leading`` are 0 in a steady state.
    ``volumes``: region -> volume (local dofs,) in m^3 of each node, ghosts included.
    """

    def __init__(
        self,
        cell: Cell,
        electrical: Mapping[str, Property],
        thermal: Mapping[str, Property],
        capacity: Mapping[str, Property],
        states: Iterable[str],
    ) -> None:
        mesh = cell.mesh
        if mesh.topology.cell_type.name not in _SIMPLICES:
            raise FemError(f"the transient solver needs cells of type {', '.join(_SIMPLICES)}, got "
                           f"{mesh.topology.cell_type.name!r}")  # fmt: skip
        self.cell = cell
        self.axisymmetric = bool(getattr(cell, "axisymmetric", False))
        if self.axisymmetric and mesh.geometry.dim != 2:
            raise FemError(f"an axisymmetric mesh is one of (r, z) in 2D, got {mesh.geometry.dim}D")
        names = tuple(states)
        for name in names:
            if name in (TEMPERATURE, FIELD) or not name.isidentifier():
                raise FemError(f"{name!r} cannot be the name of a state; it must be an identifier other than "
                               f"{TEMPERATURE} and {FIELD}")  # fmt: skip
        fields = (TEMPERATURE, FIELD, *names)
        self.electrical = Properties(cell, electrical, "electrical_S_per_m", fields, zero=True)
        self.thermal = Properties(cell, thermal, "thermal_W_per_mK", fields)
        self.capacity = Properties(cell, capacity, "capacity_J_per_m3K", (TEMPERATURE, *names))
        self.dimension = 3 if self.axisymmetric else mesh.topology.dim
        self.space = scalar_space(cell)
        self.halo = Halo(self.space)
        self.both = dolfinx.fem.functionspace(mesh, ("Lagrange", 1, (2,)))
        if not np.array_equal(self.both.dofmap.list, self.space.dofmap.list):
            raise FemError("DOLFINx numbers the scalar and the blocked space differently on this mesh")
        self.unknown = dolfinx.fem.Function(self.both)
        self.values: Array = self.unknown.x.array.reshape(-1, 2)
        self.states = {name: dolfinx.fem.Function(self.space, name=name) for name in names}
        self._history, self._base = dolfinx.fem.Function(self.space), dolfinx.fem.Function(self.space)
        self.history: Array = self._history.x.array
        self.base: Array = self._base.x.array
        self._leading = dolfinx.fem.Constant(mesh, 0.0)
        self._reference = dolfinx.fem.Constant(mesh, 0.0)
        self._numbers = [_by_cell(cell, part.numbers) for part in (self.electrical, self.thermal)]
        self._volumes()
        self._residual_form: Any = None
        self._jacobian: Any = None
        self._slope_form: Any = None
        self._capacity: Array | None = None

    @property
    def leading(self) -> float:
        """The factor (1/s) of the new temperature in its time derivative."""
        return float(self._leading.value)

    @leading.setter
    def leading(self, value: float) -> None:
        self._leading.value = value

    @property
    def reference_K(self) -> float:
        """The temperature that ``values`` are relative to."""
        return float(self._reference.value)

    @reference_K.setter
    def reference_K(self, value: float) -> None:
        self._reference.value = value

    def temperature_K(self) -> Array:
        """Temperature (local dofs,) in K."""
        return self.values[:, 1] + self.reference_K

    def residual(self) -> Array:
        """Residual (local dofs, 2) in A and W: this rank's cells and owned nodes, not yet summed over ranks."""
        if self._residual_form is None:
            self._residual_form = _compiled(self._equations())
        result = np.zeros(2 * self.halo.local)
        dolfinx.fem.assemble_vector(result, self._residual_form)
        owned = self.halo.owned
        result[1 : 2 * owned : 2] += self.stored_W()[:owned]
        return result.reshape(-1, 2)

    def jacobian_pattern(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns (entries,) of ``jacobian``: 2 * local dof + field."""
        if self._jacobian is None:
            self._jacobian = BilinearForm(ufl.derivative(self._equations(), self.unknown))
        return self._jacobian.pattern()

    def jacobian(self) -> Array:
        """Entries (entries,) of the derivative of ``residual``, without ``storage``, as ``jacobian_pattern``."""
        if self._jacobian is None:
            self._jacobian = BilinearForm(ufl.derivative(self._equations(), self.unknown))
        return self._jacobian.entries()

    def potential_form(self, trial: Any) -> "BilinearForm":
        """The derivative of the potential's equation by the potential."""
        v = ufl.TestFunction(self.space)
        total = 0
        for weight, dx, sigma, _ in self._integrals():
            total += weight * ufl.inner(sigma * ufl.grad(ufl.split(self.unknown)[0]), ufl.grad(v)) * dx
        return BilinearForm(ufl.derivative(total, self.unknown, ufl.as_vector([trial, 0.0])))

    def temperature_form(self, trial: Any) -> "BilinearForm":
        """Conduction of heat with kappa as it is."""
        v = ufl.TestFunction(self.space)
        total = 0
        for weight, dx, _, kappa in self._integrals():
            total += weight * kappa * ufl.inner(ufl.grad(trial), ufl.grad(v)) * dx
        return BilinearForm(total)

    def storage(self) -> Array:
        """Derivative (local dofs,) in W/K of ``stored_W`` by each node's own temperature."""
        result = self.leading * self.lumped()
        if self.capacity.laws and self.leading:
            if self._slope_form is None:
                self._slope_form = _compiled(self._capacity_slope())
            slope = np.zeros(self.halo.local)
            dolfinx.fem.assemble_vector(slope, self._slope_form)
            result += self.halo.accumulate(slope)
        return result

    def stored_W(self) -> Array:
        """Heat stored per time (local dofs,) in W, each node's own: C dT/dt times its volume."""
        return self.lumped() * (self.leading * (self.values[:, 1] - self.base) + self.history)

    def lumped(self) -> Array:
        """Heat capacity (local dofs,) in J/K at the present temperature."""
        if self._capacity is None:
            constant = [name for name in self.cell.regions if name not in self.capacity.laws]
            self._capacity = self._share(self.capacity.numbers, constant)
        total = self._capacity.copy()
        fields = self.nodal_fields()
        for name, law in self.capacity.laws.items():
            total += self.volumes[name] * np.asarray(law(fields), dtype=np.float64)
        return total

    def nodal_fields(self) -> dict[str, Array]:
        """Temperature (K) and states by name, (local dofs,): the arguments of a capacity."""
        return {TEMPERATURE: self.temperature_K()} | {name: state.x.array for name, state in self.states.items()}

    def insulated(self) -> NDArray[np.int32]:
        """Local dofs (n,) that no cell with a conductivity above zero touches."""
        conducting = (self.electrical.numbers > 0.0).astype(np.float64)
        touched = np.zeros(self.halo.local)
        touched[np.asarray(self.space.dofmap.list)[: conducting.size][conducting > 0.0].ravel()] = 1.0
        return np.flatnonzero(self.halo.accumulate(touched) == 0.0).astype(np.int32)

    def _volumes(self) -> None:
        """Lumped volumes by region: the integral of each node's hat function, with 2 pi r where it applies."""
        mesh, count = self.cell.mesh, owned_cells(self.cell)
        corners = mesh.geometry.x[np.asarray(mesh.geometry.dofmaps[0])]
        edges = corners[:, 1:, : mesh.geometry.dim] - corners[:, :1, : mesh.geometry.dim]
        tdim = mesh.topology.dim
        if tdim == mesh.geometry.dim:
            volume = np.abs(np.linalg.det(edges)) / float(np.prod(np.arange(1, tdim + 1)))
        else:
            raise FemError(f"cells of {tdim} dimensions in a space of {mesh.geometry.dim} are not supported")
        if not np.all(volume > 0.0):
            raise FemError(f"cell {int(np.argmin(volume))} of the mesh is flat: its volume is zero")
        weight = np.ones(corners.shape[:2])
        if self.axisymmetric:
            radius = corners[:, :, 0]
            weight = 2.0 * np.pi * (0.75 * radius.mean(axis=1, keepdims=True) + 0.25 * radius)
        self._shares = (volume[:, None] * weight / (tdim + 1) * 1e-9**self.dimension)[:count]
        self._dofs = np.asarray(self.space.dofmap.list)[:count]
        self._mean_radius = _by_cell(self.cell, corners[:, :, 0].mean(axis=1))
        ones = np.ones(count)
        self.volumes = {name: self._share(ones, [name]) for name in self.cell.regions}

    def _share(self, by_cell: Array, regions: Iterable[str]) -> Array:
        """Nodal sums (local dofs,) of a number per owned cell times volume, over the cells of ``regions``."""
        tags = [self.cell.regions[name] for name in regions]
        cells = self.cell.cells
        chosen = np.zeros(owned_cells(self.cell), dtype=bool)
        inside = cells.indices[np.isin(cells.values, tags)]
        chosen[inside[inside < chosen.size]] = True
        amount = (self._shares * by_cell[:, None])[chosen]
        total = np.bincount(self._dofs[chosen].ravel(), amount.ravel(), self.halo.local)
        return self.halo.accumulate(total.astype(np.float64))  # integers if no cell is chosen

    def _equations(self) -> Any:
        potential, rise = ufl.split(self.unknown)
        v, q = ufl.TestFunctions(self.both)
        gradient = ufl.grad(potential)
        total = 0
        for weight, dx, sigma, kappa in self._integrals():
            current = sigma * gradient
            conduction = ufl.inner(current, ufl.grad(v)) + kappa * ufl.inner(ufl.grad(rise), ufl.grad(q))
            total += weight * (conduction - ufl.inner(current, gradient) * q) * dx
        return total

    def _integrals(self) -> Iterator[tuple[Any, Any, Any, Any]]:
        """Weight, measure, sigma and kappa of each group of regions."""
        potential, rise = ufl.split(self.unknown)
        gradient = ufl.grad(potential)
        fields = {
            TEMPERATURE: rise + self._reference,
            FIELD: ufl.sqrt(1e18 * ufl.inner(gradient, gradient) + _LEAST_FIELD**2),
            **self.states,
        }
        dx = ufl.Measure("dx", metadata={"quadrature_degree": 1}, **self._domain())
        weight = dolfinx.fem.Constant(self.cell.mesh, 1e-9 ** (self.dimension - 2))
        if self.axisymmetric:
            weight *= 2.0 * np.pi * self._mean_radius
        for tags, (sigma, kappa) in self._groups(fields):
            yield weight, dx(tags), sigma, kappa

    def _capacity_slope(self) -> Any:
        """The integral of dC/dT dT/dt over each node's share, by a rule at the vertices with its weights."""
        vertices = ufl.Measure("dx", metadata={"quadrature_rule": "vertex", "quadrature_degree": 1}, **self._domain())
        weight = dolfinx.fem.Constant(self.cell.mesh, 1e-9**self.dimension)
        if self.axisymmetric:
            radius = ufl.SpatialCoordinate(self.cell.mesh)[0]
            weight *= 2.0 * np.pi * (0.75 * self._mean_radius + 0.25 * radius)
        rise = ufl.split(self.unknown)[1]
        temperature = ufl.variable(rise + self._reference)
        rate = self._leading * (rise - self._base) + self._history
        total = 0
        for name, law in self.capacity.laws.items():
            slope = ufl.diff(ufl.as_ufl(law({TEMPERATURE: temperature, **self.states})), temperature)
            total += weight * slope * rate * ufl.TestFunction(self.space) * vertices(self.cell.regions[name])
        return total

    def _domain(self) -> dict[str, Any]:
        return {"domain": self.cell.mesh, "subdomain_data": self.cell.cells}

    def _groups(self, fields: Mapping[str, Any]) -> list[tuple[tuple[int, ...], tuple[Any, Any]]]:
        """Regions with the same functions together: their tags and (sigma, kappa) as expressions of ``fields``."""
        found: dict[tuple[Any, ...], tuple[list[int], list[Any]]] = {}
        for name, tag in self.cell.regions.items():
            laws = [part.laws.get(name) for part in (self.electrical, self.thermal)]
            key = tuple(None if law is None else law.function for law in laws)
            if key not in found:
                pairs = zip(laws, self._numbers, strict=True)
                found[key] = ([], [numbers if law is None else law(fields) for law, numbers in pairs])
            found[key][0].append(tag)
        return [(tuple(tags), (parts[0], parts[1])) for tags, parts in found.values()]


class BilinearForm:
    """A compiled bilinear form and its matrix over the local dofs, blocks of the space expanded."""

    def __init__(self, form: Any) -> None:
        self._form = _compiled(form)
        self._matrix = dolfinx.fem.create_matrix(self._form, block_mode=dolfinx.la.BlockMode.expanded)
        dofmap = self._form.function_spaces[0].dofmap
        local = (dofmap.index_map.size_local + dofmap.index_map.num_ghosts) * dofmap.index_map_bs
        # More columns are there for what other ranks would add to our rows, which nobody does here.
        self._kept = np.flatnonzero(np.asarray(self._matrix.indices) < local)

    def pattern(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns (entries,)."""
        rows = np.repeat(np.arange(len(self._matrix.indptr) - 1), np.diff(self._matrix.indptr))
        columns = np.asarray(self._matrix.indices, dtype=np.int64)
        return rows[self._kept].astype(np.int64), columns[self._kept]

    def entries(self) -> Array:
        """Values (entries,) of this rank's cells, not yet summed over ranks."""
        self._matrix.data[:] = 0.0
        dolfinx.fem.assemble_matrix(self._matrix, self._form)
        return np.asarray(self._matrix.data[self._kept])


def _by_cell(cell: Cell, numbers: Array) -> dolfinx.fem.Function:
    function = dolfinx.fem.Function(dolfinx.fem.functionspace(cell.mesh, ("DG", 0)))
    dofs = np.asarray(function.function_space.dofmap.list)[: numbers.size, 0]
    function.x.array[dofs] = numbers
    return function


def _compiled(form: Any) -> Any:
    return dolfinx.fem.form(form, jit_options={"timeout": _COMPILE_S})
