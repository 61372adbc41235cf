"""Newton's method for potential, temperature and terminal voltage together, with a direct solver."""

import math
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem.circuit import Circuit
from fem.equations import Equations, Flows, settled
from fem.errors import FemError
from fem.krylov import direct, new_prefix, offer
from fem.numbering import CooMatrix
from fem.petsc import PETSc

Array = NDArray[np.float64]
_CONTRACTION = 0.05  # a kept factorisation goes when an iteration leaves more than this of the residual
_STEP_CHANGE = 0.3  # nor is it tried where the time derivative's factor differs by more than this
_PATIENCE = 5  # iterations in which full steps must at least halve the residual
_NIL = 1e-100  # A or W: a flow below this is none
_ROUNDING = 4.0 * np.finfo(np.float64).eps


class Coupled:
    """PETSc's SNES on Equations: exact Jacobian, MUMPS, its pattern analysed once.

    A factorisation is kept for further iterations and steps while each leaves less than a twentieth of the residual.
    Where that fails, full steps with the Jacobian of each iterate are tried, then a line search.
    Converged when the residuals of all free nodes together are below rtol times the current and the largest heat flow
    (or rounding), after one iteration at least.
    """

    def __init__(self, system: Equations, rtol: float, max_iterations: int) -> None:
        self.system, self.rtol, self.max_iterations = system, rtol, max_iterations
        numbering = system.numbering
        comm = system.form.halo.comm
        self._residual = numbering.vector.duplicate()
        self._x = numbering.vector.duplicate()
        self._pattern()
        self._snes = PETSc.SNES().create(comm)
        self._snes.setType(PETSc.SNES.Type.NEWTONLS)
        ksp, prefix = self._snes.getKSP(), new_prefix()
        offer(self, prefix, direct("lu", comm.size))
        ksp.setOptionsPrefix(prefix)
        ksp.setFromOptions()
        owner = weakref.ref(self)  # PETSc keeps the callbacks alive, unseen by Python's garbage collector

        def function(snes: Any, x: Any, f: Any) -> None:
            if (this := owner()) is not None:
                this._evaluate(x, f)

        def jacobian(snes: Any, x: Any, matrix: Any, other: Any) -> None:
            if (this := owner()) is not None:
                this._refresh()

        def converged(snes: Any, iteration: int, norms: tuple[float, float, float]) -> int:
            this = owner()
            return 0 if this is None else this._test(iteration)

        self._snes.setFunction(function, self._residual.duplicate())
        self._snes.setJacobian(jacobian, self._matrix)
        self._snes.setConvergenceTest(converged)
        self._snes.setTolerances(stol=0.0, max_it=max_iterations)  # only _test says what has converged
        self._circuit = Circuit(0.0)
        self._factored: tuple[tuple[bool, bool, float], float] | None = None
        self._fresh = self._impatient = False
        self._largest = (0.0, 0.0)
        self._floor = (0.0, 0.0)
        self._scale = (1.0, 1.0)
        self.factorisations = 0

    def solve(self, circuit: Circuit) -> tuple[Flows, int]:
        """Solve from the present values; the flows of the solution, and the number of iterations. Collective.

        Raises FemError with the reason when it does not converge; the values are then of no use.
        """
        form = self.system.form
        begin, begin_V = form.values.copy(), self.system.cell_V
        self._begin, self._begin_V = np.abs(begin), abs(begin_V)
        total = 0
        self._circuit = circuit
        for plan in ("kept", "full steps", "line search"):
            self._fresh, self._impatient = plan != "kept", plan != "line search"
            self._snes.getLineSearch().setType("bt" if plan == "line search" else "basic")
            form.values[:], self.system.cell_V = begin, begin_V
            self.system.numbering.start_from(form.values, begin_V, self._x)
            self._errors: list[float] = []
            self._last: tuple[float, float, float] | None = None
            if plan == "full steps" or (plan == "kept" and not self._usable()):
                self._set_scale()
            self._snes.solve(None, self._x)
            total += int(self._snes.getIterationNumber())
            reason = int(self._snes.getConvergedReason())
            if reason == int(PETSc.SNES.ConvergedReason.CONVERGED_FNORM_ABS):
                self._take(self._x)
                return self._flows, total
            if reason == int(PETSc.SNES.ConvergedReason.DIVERGED_LINEAR_SOLVE):
                self._factored = None  # PETSc would refuse to factor again after such an error (a Jacobian with nans)
                self._snes.getKSP().getPC().reset()
            if plan == "full steps":  # the flows at the start may be nil: the line search goes by those met on the way
                self._scale = (max(self._scale[0], self._largest[0]), max(self._scale[1], self._largest[1]))
        name = _REASONS.get(reason, str(reason))
        raise FemError(f"Newton's method did not converge: {name} after {total} iterations; residual "
                       f"{self._flows.error_A:.3g} A of {self._flows.scale_A:.3g} A and {self._flows.error_W:.3g} W of "
                       f"{self._flows.scale_W:.3g} W")  # fmt: skip

    def keep(self) -> dict[str, Array]:
        """The factored matrix (this rank's rows) and what goes with it, by name; empty when none is."""
        if self._factored is None:
            return {}
        (held, limited, series_ohm), leading = self._factored
        start, columns, values = self._matrix.getValuesCSR()
        return {
            "start": start, "columns": columns, "values": values,
            "condition": np.array([held, limited, series_ohm, leading, *self._scale, *self._floor], dtype=np.float64),
        }  # fmt: skip

    def take_up(self, kept: Mapping[str, Array]) -> None:
        """Go on with what ``keep`` returned, of the same equations on the same ranks: factored when it is used next."""
        self._snes.getKSP().getPC().reset()
        self._factored = None
        if not kept:
            return
        pattern = self._coo.pattern()
        if any(not np.array_equal(kept[name], own) for name, own in zip(("start", "columns"), pattern, strict=True)):
            raise FemError("the matrix that was kept is that of other equations, another mesh or other ranks")
        self._matrix.setValuesCSR(*pattern, kept["values"])
        self._matrix.assemble()
        held, limited, series_ohm, leading, *rest = (float(value) for value in kept["condition"])
        self._factored = ((bool(held), bool(limited), series_ohm), leading)
        self._scale, self._floor = (rest[0], rest[1]), (rest[2], rest[3])

    def _take(self, x: Any) -> None:
        system = self.system
        system.numbering.spread(x, system.form.values)
        comm = system.form.halo.comm
        last = float(x.getArray(readonly=True)[-1]) if system.numbering.has_terminal else 0.0
        system.cell_V = float(comm.bcast(last, root=comm.size - 1)) if comm.size > 1 else last

    def _evaluate(self, x: Any, f: Any) -> None:
        self._take(x)
        system = self.system
        if system.form.halo.maximum(-float(system.form.temperature_K().min(initial=np.inf))) >= 0.0:
            f.array[:] = np.nan  # no temperature: the line search shortens the step
            return
        self._flows = system.flows(system.raw(), f)
        owned = 2 * system.form.halo.owned
        array = f.array
        array[0:owned:2] /= self._scale[0]
        array[1:owned:2] /= self._scale[1]
        if system.numbering.has_terminal:
            array[-1] = self._circuit.residual(system.cell_V, self._flows.current_A) / self._terminal_scale()

    def _terminal_scale(self) -> float:
        return 1.0 if self._circuit.held else self._scale[0]

    def _set_scale(self) -> None:
        """Scales of the equations, which matter to the line search only."""
        flows = self.system.flows(self.system.raw(), self._residual)
        scales = max(flows.scale_A, flows.error_A), max(flows.scale_W, flows.error_W)
        self._scale = (scales[0] if scales[0] > _NIL else 1.0, scales[1] if scales[1] > _NIL else 1.0)
        self._largest = (0.0, 0.0)
        self._flows = flows

    def _test(self, iteration: int) -> int:
        reasons = PETSc.SNES.ConvergedReason
        flows = self._flows
        if iteration == 1:
            self._largest = (max(flows.scale_A, flows.error_A), max(flows.scale_W, flows.error_W))
        terminal = abs(self._circuit.residual(self.system.cell_V, flows.current_A))
        errors = (flows.error_A, flows.error_W, 0.0 if self._circuit.held else terminal)
        limits = tuple(max(self.rtol * scale, _NIL) for scale in (flows.scale_A, flows.scale_W, flows.scale_A))
        floors = (*self._floor, self._floor[0])
        last = self._last or errors
        small = all(map(settled, errors, last, limits, floors))
        if self._circuit.held:
            reach = max(abs(self._circuit.applied_V), _ROUNDING / self.rtol * self._begin_V)
            small = small and terminal <= self.rtol * reach
        self._last = errors
        if not math.isfinite(sum(errors)):
            return int(reasons.DIVERGED_FNORM_NAN)
        if small and iteration > 0:
            return int(reasons.CONVERGED_FNORM_ABS)
        self._errors.append(max(flows.error_A / self._scale[0], flows.error_W / self._scale[1]))
        if self._impatient and len(self._errors) > _PATIENCE and self._errors[-1] > 0.5 * self._errors[-_PATIENCE]:
            return int(reasons.DIVERGED_DTOL)
        return int(reasons.DIVERGED_MAX_IT if iteration >= self.max_iterations else reasons.CONVERGED_ITERATING)

    def _pattern(self) -> None:
        """The matrix and where the entries of each part go: cells, interfaces, terminal, rows without an unknown."""
        system, numbering = self.system, self.system.numbering
        halo = system.form.halo
        rows, columns = system.form.jacobian_pattern()
        index = numbering.index.ravel()
        parts = [(index[rows], index[columns])]
        self._cell_scale = rows % 2
        self._pairs = {}
        for name, exchange in (("electrical", system.electrical), ("thermal", system.thermal)):
            ends = np.concatenate([exchange.first, exchange.second])
            unknown = [halo.gather(numbering.index[:, field].astype(np.float64), ends).astype(np.int64).reshape(2, -1)
                       for field in (0, 1)]  # fmt: skip
            first = exchange.first - halo.start
            mine = np.flatnonzero((first >= 0) & (first < halo.owned))
            (va, vb), (ta, tb) = (part[:, mine] for part in unknown)
            self._pairs[name] = mine
            if name == "electrical":
                parts += [(va, va), (va, vb), (vb, va), (vb, vb), (ta, va), (ta, vb), (tb, va), (tb, vb)]
            else:
                parts += [(ta, ta), (ta, tb), (tb, ta), (tb, tb)]
        temperature = numbering.index[: halo.owned, 1]
        parts.append((temperature, temperature))
        self._coo = CooMatrix(numbering, parts)
        self._matrix = self._coo.matrix

    def _refresh(self) -> None:
        """Assemble the Jacobian, unless the one that is factored serves on."""
        errors = self._errors
        slow = len(errors) > 1 and errors[-1] > _CONTRACTION * errors[-2]
        if self._usable() and not slow and not self._fresh:
            return
        self._assemble()
        self._factored = (self._condition(), self.system.form.leading)
        self.factorisations += 1

    def _condition(self) -> tuple[bool, bool, float]:
        return self._circuit.held, self._circuit.limited, self._circuit.series_ohm

    def _usable(self) -> bool:
        """True when the factored matrix has the present condition at the terminal and about the present step."""
        if self._factored is None or self._factored[0] != self._condition():
            return False
        old, new = self._factored[1], self.system.form.leading
        return abs(new - old) <= _STEP_CHANGE * old

    def _assemble(self) -> None:
        system = self.system
        by_field = 1.0 / np.array(self._scale)
        cells = system.form.jacobian() * by_field[self._cell_scale]
        mine = self._pairs["electrical"]
        g = system.electrical.conductance[mine]
        slope = g * system.jump(system.electrical, 0)[mine]
        h = system.thermal.conductance[self._pairs["thermal"]] * by_field[1]
        current, heat = g * by_field[0], slope * by_field[1]
        storage = system.form.storage()[: system.form.halo.owned] * by_field[1]
        values = [cells, current, -current, -current, current, -heat, heat, -heat, heat, h, -h, -h, h, storage]
        held = self._circuit.held
        self._coo.set(values, self._circuit.slope() / self._terminal_scale(), rows=not held)
        size = np.abs(self._matrix.getDiagonal().array[: 2 * system.form.halo.owned]).reshape(-1, 2)
        owned = slice(0, system.form.halo.owned)  # a potential that vanishes in this step was rounded as well
        reach = np.maximum(np.abs(system.form.values[owned]), self._begin[owned])
        sums = _ROUNDING * (size * reach).sum(axis=0) * np.array(self._scale)
        self._floor = (system.form.halo.total(float(sums[0])), system.form.halo.total(float(sums[1])))


_REASONS = {
    value: name for name, value in vars(PETSc.SNES.ConvergedReason).items() if isinstance(value, int) and name.isupper()
}
