"""Potential and temperature in turn by conjugate gradients, until both equations hold together."""

import math
from typing import Any

import numpy as np
import ufl
from numpy.typing import NDArray

from fem.circuit import Circuit
from fem.contacts import Exchange
from fem.equations import Equations, Flows, settled
from fem.errors import FemError
from fem.krylov import Krylov, SolverSettings, reason_name
from fem.numbering import CooMatrix, Nodes, Numbering
from fem.weakform import BilinearForm

Array = NDArray[np.float64]
_REDUCTION = 1e-4  # of the error in the energy norm by one solve; the other field moves the source by more than that
_SMALL = 1e-6


class Staggered:
    """Rounds of a solve for the potential at the present temperature, and one for the temperature.

    The potential's matrix is the exact derivative of its equation (symmetric, also where sigma depends on the field);
    the temperature's holds conduction, storage and exchange, and what its coefficients change follows in the next
    round. Converged as fem.coupled.Coupled: both agree to the tolerance. Rounds contract while the steps are short
    enough for the heat of the feedback to be small; near a thermal runaway they do not, and the solve fails.
    """

    def __init__(self, equations: Equations, rtol: float, max_rounds: int, settings: SolverSettings) -> None:
        self.equations, self.rtol, self.max_rounds = equations, rtol, max_rounds
        form = equations.form
        trial = ufl.TrialFunction(form.space)
        driven = [-1 - k for k in equations.driven]
        self._potential = _Solve(
            equations, 0, equations.potential_root, driven, equations.electrical, form.potential_form(trial), settings
        )
        self._temperature = _Solve(
            equations, 1, equations.temperature_root, [], equations.thermal, form.temperature_form(trial), settings
        )
        self._collected = equations.numbering.vector.duplicate()

    def solve(self, circuit: Circuit) -> tuple[Flows, int]:
        """Solve from the present values; the flows of the solution, and the number of rounds. Collective.

        Raises FemError when the rounds do not converge; the values are then of no use.
        """
        equations = self.equations
        for field in (self._potential, self._temperature):
            field.forget()
        self._prepare(circuit)
        flows = self._flows()
        last = flows.error_W
        for count in range(1, self.max_rounds + 1):
            self._potential.correct(flows.raw[:, 0], circuit)
            flows = self._flows()
            self._temperature.correct(flows.raw[:, 1], None)
            lowest = -equations.form.halo.maximum(-float(equations.form.temperature_K().min(initial=np.inf)))
            flows = self._flows() if lowest > 0.0 else flows
            if lowest <= 0.0 or not math.isfinite(flows.error_A + flows.error_W):
                raise FemError(f"potential and temperature in turn: no solution after {count} rounds")
            small = settled(flows.error_W, last, self.rtol * flows.scale_W, self._temperature.rounding)
            last = flows.error_W
            if small and self._electric(flows, circuit):
                return flows, count
        raise FemError(f"potential and temperature in turn did not settle in {self.max_rounds} rounds; residual "
                       f"{flows.error_A:.3g} A of {flows.scale_A:.3g} A and {flows.error_W:.3g} W of "
                       f"{flows.scale_W:.3g} W")  # fmt: skip

    def _prepare(self, circuit: Circuit) -> None:
        """With a given terminal voltage, scale the potential to it; from nothing by way of a millionth of it."""
        equations = self.equations
        if not circuit.held or equations.cell_V == circuit.applied_V:
            return
        if abs(equations.cell_V) < _SMALL * abs(circuit.applied_V):
            self._set_terminal(_SMALL * circuit.applied_V)
            self._potential.correct(self._flows().raw[:, 0], circuit)
        free = equations.potential_root >= 0
        equations.form.values[free, 0] *= circuit.applied_V / equations.cell_V
        self._set_terminal(circuit.applied_V)

    def _set_terminal(self, voltage_V: float) -> None:
        equations = self.equations
        equations.cell_V = voltage_V
        equations.form.values[equations.is_driven, 0] = voltage_V

    def _flows(self) -> Flows:
        return self.equations.flows(self.equations.raw(), self._collected)

    def _electric(self, flows: Flows, circuit: Circuit) -> bool:
        limit = max(self.rtol * flows.scale_A, self._potential.rounding)
        terminal = 0.0 if circuit.held else abs(circuit.residual(self.equations.cell_V, flows.current_A))
        return flows.error_A <= limit and terminal <= limit


class _Solve:
    """One correction of one field: matrix, preconditioner, right-hand side."""

    def __init__(
        self,
        equations: Equations,
        column: int,
        root: Nodes,
        driven: list[int],
        exchange: Exchange,
        form: BilinearForm,
        settings: SolverSettings,
    ) -> None:
        self.equations, self.column, self.exchange, self.form = equations, column, exchange, form
        halo = equations.form.halo
        self.numbering = Numbering(halo, [root], driven)
        index = self.numbering.index[:, 0]
        rows, columns = form.pattern()
        ends = np.concatenate([exchange.first, exchange.second])
        a, b = halo.gather(index.astype(np.float64), ends).astype(np.int64).reshape(2, -1)
        first = exchange.first - halo.start
        self._mine = np.flatnonzero((first >= 0) & (first < halo.owned))
        a, b = a[self._mine], b[self._mine]
        own = index[: halo.owned]
        self._coo = CooMatrix(
            self.numbering, [(index[rows], index[columns]), (a, a), (a, b), (b, a), (b, b), (own, own)]
        )
        self._krylov = Krylov(halo.comm, settings.choose(equations.form.cell.mesh.topology.dim, halo.size))
        self._limit, self._rebuild = settings.max_iterations, settings.rebuild_above
        self._r = self.numbering.vector.duplicate()
        self._x = self.numbering.vector.duplicate()
        self._fresh = 0
        self.rounding = 0.0

    def forget(self) -> None:
        """Make the next preconditioner anew: what a step finds hangs on no earlier one, so that a restart repeats it.
        """
        self._fresh = 0

    def correct(self, raw: Array, circuit: Circuit | None) -> None:
        """Add to the field the solution of the linearised equation for its residual ``raw`` (local dofs,)."""
        equations, numbering = self.equations, self.numbering
        matrix = self._assemble(circuit)
        numbering.collect(-raw[:, None], self._r)
        if circuit is not None and numbering.has_terminal:
            known = circuit.held
            current = -float(self._r.array[-1])
            self._r.array[-1] = 0.0 if known else -circuit.residual(equations.cell_V, current)
        stale = self._fresh > 0 and self._krylov.method == "gamg" and self._rebuild > 0.0
        error = self._run(matrix, stale)
        if error and stale:
            error = self._run(matrix, False)
        if error:
            raise FemError(error)
        values = np.zeros((equations.form.halo.local, 1))
        numbering.spread(self._x, values)
        equations.form.values[:, self.column] += values[:, 0]
        if circuit is not None:
            comm = equations.form.halo.comm
            last = float(self._x.array[-1]) if numbering.has_terminal else 0.0
            equations.cell_V += float(comm.bcast(last, root=comm.size - 1)) if comm.size > 1 else last

    def _run(self, matrix: Any, stale: bool) -> str | None:
        limit = math.ceil(self._rebuild * self._fresh) if stale else self._limit
        target = math.nan

        def accept(norm: float) -> bool:
            nonlocal target
            if math.isnan(target):
                target = _REDUCTION * norm
            return norm <= target

        self._krylov.set_matrix(matrix, reuse=stale)
        norm, count, reason = self._krylov.solve(self._r, self._x, accept, limit)
        if reason < 0:
            return (f"linear solve ({self._krylov.method}) did not converge: {reason_name(reason)} after {count} "
                    f"iterations, error {norm:.3g}, wanted {target:.3g}")  # fmt: skip
        if not stale:
            self._fresh = max(count, 1)
        return None

    def _assemble(self, circuit: Circuit | None) -> Any:
        halo = self.equations.form.halo
        g = self.exchange.conductance[self._mine]
        storage = np.zeros(halo.owned) if circuit else self.equations.form.leading * self.equations.form.lumped()
        values = [self.form.entries(), g, -g, -g, g, storage[: halo.owned]]
        held = circuit is None or circuit.held
        slope = 1.0 if circuit is None else circuit.slope()
        matrix = self._coo.set(values, slope, rows=not held, columns=not held)
        diagonal = np.abs(matrix.getDiagonal().array[: halo.owned])
        values_now = np.abs(self.equations.form.values[: halo.owned, self.column])
        self.rounding = 4.0 * np.finfo(np.float64).eps * halo.total(float((diagonal * values_now).sum()))
        return matrix
