"""A linear system (K + shift) u = source with fixed values at some nodes, solved again and again as K changes."""

import math
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from fem.conductance import Conductance
from fem.errors import FemError
from fem.krylov import Krylov, SolverSettings, reason_name
from fem.petsc import PETSc

Array = NDArray[np.float64]
_ROUNDING = 0.01 * np.finfo(np.float64).eps
_REFINEMENTS = 3
_TIGHT = 1e-9


class System:
    """(K + diag(shift)) u = source, u given at the nodes of ``fixed`` (local dofs,), a mask.

    K is the Conductance at the time of the call; the matrix is refreshed only when it changed. Every solve corrects
    the array it is given, which so serves as the starting guess (warm start).
    """

    def __init__(self, operator: Conductance, fixed: NDArray[np.bool_], settings: SolverSettings) -> None:
        self.operator = operator
        self.fixed = fixed
        self.settings = settings
        halo = operator.halo
        self._krylov = Krylov(halo.comm, settings.choose(operator.space.mesh.topology.dim, halo.size))
        self._free_owned = ~fixed[: halo.owned]
        self._pattern()
        self._key: tuple[int, bytes] | None = None
        self._cells_key: tuple[int, bytes] | None = None
        self._cell_rows: scipy.sparse.csr_array | None = None
        self._bond_version = -1
        self._fresh_iterations = 0
        self._stale = False
        self.iterations = 0

    @property
    def method(self) -> str:
        """The method in use: "ssor", "icc", "gamg" or "lu"."""
        return self._krylov.method

    def solve(
        self, u: Array, source: Array | None = None, shift: Array | None = None, old: Array | None = None
    ) -> None:
        """Correct ``u`` (local dofs,) in place until its error is below rtol in the energy norm; collective.

        ``u`` holds the fixed values on entry. ``source`` (local dofs,) is in A or W; with ``shift`` (local dofs,) the
        equation is K u + shift (u - old) = source. Raises FemError when the iteration does not converge.
        """
        self._refresh(shift)
        self.iterations = 0
        for _ in range(self._runs()):
            before = self.iterations
            error = self._correct(u, source, shift, old)
            if error and self._stale:
                self._krylov.set_matrix(self._current, reuse=False)
                self._stale = False
                error = self._correct(u, source, shift, old)
            if error:
                raise FemError(error)
            if self.iterations == before:
                return

    def _runs(self) -> int:
        """How many runs at most: a direct solve is refined once, an iteration where rounding matters."""
        if self.method == "lu":
            return 2
        return _REFINEMENTS if self.settings.rtol < _TIGHT else 1

    def _correct(self, u: Array, source: Array | None, shift: Array | None, old: Array | None) -> str | None:
        """One run of the iteration from the guess ``u``, which it improves; says what went wrong, if anything.

        The residual that the iteration carries along drifts from the true one, which is computed here. So a solution
        for a tight tolerance is accepted when a further run finds nothing to do, or after the third (rounding stands
        in the way).
        """
        halo = self.operator.halo
        leaving = self.operator.apply(u)
        residual = -leaving if source is None else source - leaving
        energy = halo.sum((u - float(u[0]) if u.size else u) * leaving)
        moved = None if shift is None or old is None else u - old
        if moved is not None and shift is not None:
            residual -= shift * moved
            energy += halo.sum(shift * moved**2)
        start = np.where(self._free_owned, residual[: halo.owned], 0.0)
        self._r.array[:] = start
        # The energy of guess + x follows from that of the guess: what conjugate gradients have found so far, x, is
        # orthogonal to the residual that is left. So E(guess + x) = E(guess) + 2 x.source - x.r, r the first residual.
        change = -start if source is None else 2.0 * source[: halo.owned] - start
        guess = u.copy()
        floor = self._rounding(shift if moved is not None else None)
        target, look = 0.0, math.inf

        def accept(norm: float) -> bool:
            nonlocal target, look
            if norm <= look:
                first = math.isinf(look)
                x = self._krylov.current()
                now = energy + halo.total(float((x * change).sum()))
                u[: halo.owned] = guess[: halo.owned] + x
                rounding = floor * halo.maximum(float(np.abs(u[: halo.owned]).max(initial=0.0)))
                target = max(self.settings.rtol * math.sqrt(max(now, 0.0)), rounding)
                look = max(target, self.settings.rtol * norm) if first else target
            return norm <= target

        limit = self.settings.max_iterations
        if self._stale and self._fresh_iterations:
            limit = min(limit, math.ceil(self.settings.rebuild_above * self._fresh_iterations))
        norm, count, reason = self._krylov.solve(self._r, self._x, accept, limit)
        self.iterations += count
        finite = bool(halo.maximum(float(not np.all(np.isfinite(self._x.array)))) == 0.0)
        u[: halo.owned] = guess[: halo.owned] + (self._x.array if finite else 0.0)
        halo.update(u)
        if reason < 0 or not finite:
            return (f"linear solve ({self.method}, {halo.size} unknowns) did not converge: {reason_name(reason)} "
                    f"after {self.iterations} iterations, error {norm:.3g}, wanted {target:.3g}")  # fmt: skip
        if not self._stale:
            self._fresh_iterations = max(self._fresh_iterations, count)
        return None

    def _rounding(self, shift: Array | None) -> float:
        """What rounding leaves of the error in the energy norm, for values of 1."""
        operator, halo = self.operator, self.operator.halo
        stiffness = halo.total(float(operator.edges.sum())) + float(operator.bond_g.sum())
        if shift is not None:
            stiffness += halo.sum(shift)
        return _ROUNDING * math.sqrt(max(stiffness, 0.0))

    def _refresh(self, shift: Array | None) -> None:
        """Bring the matrix up to date; ``_stale`` when it is used with the preconditioner of an earlier one."""
        key = (self.operator.version, b"" if shift is None else shift.tobytes())
        if self.operator.halo.maximum(float(key != self._key)) == 0.0:
            return
        self._current = self._matrix(shift)
        reusable = self.method == "gamg" and self.settings.rebuild_above > 0.0
        self._stale = reusable and self._bond_version == self.operator.bond_version
        self._krylov.set_matrix(self._current, reuse=self._stale)
        self._key, self._bond_version = key, self.operator.bond_version

    def _pattern(self) -> None:
        """Preallocate the cells' matrix: free rows and columns, and one on the diagonal of the fixed ones."""
        operator, halo = self.operator, self.operator.halo
        dofs = halo.global_dofs.astype(np.int32)
        tail, head = operator.tail, operator.head
        self._edges = np.flatnonzero(~(self.fixed[tail] | self.fixed[head]))
        first, second = dofs[tail[self._edges]], dofs[head[self._edges]]
        self._cells = PETSc.Mat().create(halo.comm)
        self._cells.setSizes(((halo.owned, halo.size), (halo.owned, halo.size)))
        self._cells.setType(PETSc.Mat.Type.AIJ)
        self._cells.setPreallocationCOO(np.concatenate([first, second, dofs]), np.concatenate([second, first, dofs]))
        self._cells.setOption(PETSc.Mat.Option.SPD, True)
        self._r = self._cells.createVecLeft()
        self._x = self._cells.createVecRight()

    def _matrix(self, shift: Array | None) -> Any:
        operator, halo = self.operator, self.operator.halo
        key = (operator.cell_version, b"" if shift is None else shift.tobytes())
        if key != self._cells_key:
            self._fill(shift)
            self._cells_key, self._cell_rows = key, None
        if not operator.bond_g.size:
            return self._cells
        if self._cell_rows is None:
            rows, columns, values = self._cells.getValuesCSR()
            self._cell_rows = scipy.sparse.csr_array((values, columns, rows), shape=(halo.owned, halo.size))
        total = self._cell_rows + self._bond_rows()
        arrays = (total.indptr.astype(np.int32), total.indices.astype(np.int32), total.data)
        sizes = ((halo.owned, halo.size), (halo.owned, halo.size))
        if halo.comm.size == 1:
            matrix = PETSc.Mat().createAIJWithArrays(sizes, arrays, comm=halo.comm)
        else:
            matrix = PETSc.Mat().createAIJ(sizes, csr=arrays, comm=halo.comm)
        matrix.setOption(PETSc.Mat.Option.SPD, True)
        return matrix

    def _fill(self, shift: Array | None) -> None:
        """The cells' part of the matrix: it stays as it is while only bonds change."""
        operator, halo = self.operator, self.operator.halo
        diagonal = operator.diagonal()
        if shift is not None:
            diagonal[: halo.owned] += shift[: halo.owned]
        mean = float(diagonal.mean()) if diagonal.size else 1.0
        diagonal[self.fixed] = 0.0
        diagonal[: halo.owned][~self._free_owned] = mean
        edges = -operator.edges[self._edges]
        self._cells.setValuesCOO(np.concatenate([edges, edges, diagonal]))

    def _bond_rows(self) -> scipy.sparse.csr_array:
        """The owned rows of B^T G B (owned, all dofs), without the fixed rows and columns."""
        operator, halo = self.operator, self.operator.halo
        i = np.concatenate([operator.bond_i, operator.bond_j])
        j = np.concatenate([operator.bond_j, operator.bond_i])
        g = np.concatenate([operator.bond_g, operator.bond_g])
        row = i - halo.start
        mine = (row >= 0) & (row < halo.owned)
        mine[mine] = self._free_owned[row[mine]]
        to_free = mine & (halo.gather(self.fixed.astype(np.float64), j) == 0.0)
        diagonal = np.bincount(row[mine], g[mine], halo.owned)
        touched = np.flatnonzero(diagonal)
        return scipy.sparse.coo_array(
            (
                np.concatenate([-g[to_free], diagonal[touched]]),
                (np.concatenate([row[to_free], touched]), np.concatenate([j[to_free], touched + halo.start])),
            ),
            shape=(halo.owned, halo.size),
        ).tocsr()
