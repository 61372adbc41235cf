"""PETSc solvers for the symmetric positive definite systems of this package."""

import itertools
import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from fem.errors import FemError, unknown_name
from fem.petsc import PETSc

METHODS = ("auto", "ssor", "icc", "gamg", "lu")
_LU_DOFS_3D = 3_000
_SSOR_DOFS = 150_000
#: Relaxation of SSOR. Measured on conduction, heat and networks of bonds (35,000 and 100,000 unknowns): to the same
#: true error 1.0 takes 1.3 to 2 times the iterations of 1.6.
_OMEGA = 1.6
_prefixes = itertools.count()
_REASONS = {
    value: name for name, value in vars(PETSc.KSP.ConvergedReason).items() if isinstance(value, int) and name.isupper()
}


@dataclass(frozen=True)
class SolverSettings:
    """How a linear system is solved.

    ``method``: "ssor" (conjugate gradients, symmetric overrelaxation; on one rank in Eisenstat's form (1981,
    10.1137/0902001), whose iteration reads the matrix once; on several, each sweeps its own part), "icc" (the same
    with incomplete Cholesky of level 1 on each rank), "gamg" (with algebraic multigrid), "lu" (MUMPS), or "auto": LU
    in 1D, 2D and below 3000 unknowns, multigrid above 150,000, else "ssor", which has nothing to set up for a new
    matrix. ``rtol``: error of the solution relative to the solution, both in the energy norm (square root of the
    power), so a relative error of the power of about rtol**2; what is watched is the residual in the norm of the
    preconditioner, which can be below the true error (measured: "ssor" up to 2.4 times, "icc" 4 and once 10).
    ``rebuild_above``: when coefficients or the time step change, but not the bonds, a multigrid preconditioner is kept
    until a solve needs more than rebuild_above times the iterations of a fresh one; 0 makes it anew for every matrix,
    so that a solution depends on nothing but the matrix, the source and the starting guess (as it always does with the
    other methods).
    ``short_S``: conductors (edges and bonds) above this are first taken as short circuits, which gives the starting
    guess (:mod:`fem.shorts`; conduction on one rank only); for good conductors among others that are worse by decades.
    """

    method: str = "auto"
    rtol: float = 1e-8
    max_iterations: int = 2000
    rebuild_above: float = 1.5
    short_S: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown_name("solver method", self.method, METHODS)
        if not 0.0 < self.rtol < 1.0:
            raise FemError(f"rtol must lie between 0 and 1, got {self.rtol!r}")
        if self.short_S is not None and not self.short_S > 0.0:
            raise FemError(f"short_S must be above 0 S, or None, got {self.short_S!r}")
        if self.max_iterations < 1 or self.rebuild_above < 0.0:
            raise FemError(f"max_iterations must be >= 1 and rebuild_above >= 0, got {self.max_iterations!r} and "
                           f"{self.rebuild_above!r}")  # fmt: skip

    def choose(self, dim: int, dofs: int) -> str:
        """The method for a problem in ``dim`` dimensions with ``dofs`` unknowns in all."""
        if self.method != "auto":
            return self.method
        if dim < 3 or dofs < _LU_DOFS_3D:
            return "lu"
        return "ssor" if dofs <= _SSOR_DOFS else "gamg"


def direct(kind: str, ranks: int) -> dict[str, str | int | float]:
    """PETSc options of MUMPS, ``kind`` "lu" or "cholesky"; on several ranks each factors all of the matrix.

    Among ranks MUMPS adds up what it gets in the order of arrival, so that one run in five differed from the others in
    its last digits (119 nodes on two busy cores). What is solved directly is small enough to be solved twice: for 2,600
    unknowns a factorisation took 4 ms instead of 15 to 30, a solve 0.5 ms instead of 18 to 27.
    """
    one: dict[str, str | int | float] = {"pc_type": kind, "pc_factor_mat_solver_type": "mumps"}
    if ranks == 1:
        return {"ksp_type": "preonly"} | one
    # an order of elimination that looks at the values of the first matrix would be unknown to a restart
    one |= {"ksp_type": "preonly", "mat_mumps_icntl_6": 0, "mat_mumps_icntl_12": 1}
    return {"ksp_type": "preonly", "pc_type": "redundant"} | {f"redundant_{name}": value for name, value in one.items()}


def options(method: str, ranks: int) -> dict[str, str | int | float]:
    """PETSc options of a method.

    Plain aggregation with a small threshold keeps clusters of strong bonds together; smoothed aggregation fills in
    around them (measured: set-up 20 times longer). Convergence is tested in the natural norm sqrt(r^T M^-1 r).
    """
    if method == "lu":
        return direct("cholesky", ranks)
    common: dict[str, str | int | float] = {"ksp_type": "cg", "ksp_norm_type": "natural"}
    if method == "ssor":
        if ranks > 1:
            return common | {"pc_type": "sor", "pc_sor_omega": _OMEGA, "pc_sor_local_symmetric": ""}
        return common | {"pc_type": "eisenstat", "pc_eisenstat_omega": _OMEGA}
    if method == "gamg":
        return common | {
            "pc_type": "gamg", "pc_gamg_agg_nsmooths": 0, "pc_gamg_threshold": 0.01, "pc_gamg_aggressive_coarsening": 1,
            "mg_levels_ksp_type": "richardson", "mg_levels_ksp_max_it": 1, "mg_levels_pc_type": "sor",
        }  # fmt: skip
    factor: dict[str, str | int | float] = {
        "pc_type": "icc", "pc_factor_levels": 1, "pc_factor_shift_type": "positive_definite"
    }  # fmt: skip
    if ranks == 1:
        return common | factor
    return common | {"pc_type": "bjacobi"} | {f"sub_{name}": value for name, value in factor.items()}


class Krylov:
    """One PETSc solver with its own options prefix. Direct solvers ignore what concerns iterations."""

    def __init__(self, comm: MPI.Comm, method: str) -> None:
        self.method = method
        self._ksp = PETSc.KSP().create(comm)
        self._options = options(method, comm.size)
        self._parallel = comm.size > 1
        self._matrix: Any = None
        self._correction: Any = None
        self._untransformed: Any = None
        self.prefix = new_prefix()
        self._ksp.setOptionsPrefix(self.prefix)
        self._ready = False
        self._accept: Callable[[float], bool] | None = None

    def set_matrix(self, matrix: Any, reuse: bool) -> None:
        """Use ``matrix`` from now on; with ``reuse`` the preconditioner of an earlier one is kept.

        Without, it is that of a new object: PETSc's multigrid keeps things from matrix to matrix (measured: with equal
        matrices, sources and guesses the solutions differ by 1e-9), which a restart could not know.
        """
        if not self._ready:
            self._set_up()
        elif self.method == "gamg" and not reuse:
            pc = self._ksp.getPC()
            pc.setType("none")
            pc.setType("gamg")
            pc.setFromOptions()
        self._matrix = matrix
        self._ksp.setOperators(matrix)
        self._ksp.getPC().setReusePreconditioner(reuse)
        self._ksp.setUp()

    def solve(
        self, residual: Any, correction: Any, accept: Callable[[float], bool], max_iterations: int
    ) -> tuple[float, int, int]:
        """Solve from zero until ``accept(norm)`` is true, where norm = sqrt(r^T M^-1 r); it may ask for ``current()``.

        Returns the final norm, the number of iterations and PETSc's reason (negative: not converged).
        """
        self._accept, self._correction = accept, correction
        self._ksp.setTolerances(max_it=max_iterations)
        self._ksp.solve(residual, correction)
        self._accept = self._correction = None
        ksp = self._ksp
        return float(ksp.getResidualNorm()), int(ksp.getIterationNumber()), int(ksp.getConvergedReason())

    def current(self) -> NDArray[np.float64]:
        """The correction (owned unknowns,) so far, for ``accept``."""
        if self._ksp.getIterationNumber() == 0:
            return np.zeros(self._correction.getLocalSize())
        if self.method != "ssor" or self._parallel:
            return np.asarray(self._correction.array)
        # Eisenstat's iteration holds (D/omega + U) times it.
        if self._untransformed is None:
            self._untransformed = self._correction.duplicate()
        sweep = PETSc.Mat.SORType.ZERO_INITIAL_GUESS | PETSc.Mat.SORType.LOCAL_BACKWARD_SWEEP
        self._matrix.SOR(self._correction, self._untransformed, omega=_OMEGA, sortype=sweep)
        return np.asarray(self._untransformed.array)

    def _set_up(self) -> None:
        """Hand the options to PETSc, at the first use: it complains about options that nobody read.

        They stay as long as this object, since multigrid reads them whenever it is made anew. PETSc keeps the
        convergence test alive, out of sight of Python's garbage collector, so the test must not hold this object.
        """
        offer(self, self.prefix, self._options)
        self._ksp.setFromOptions()
        if self.method != "lu":
            owner = weakref.ref(self)

            def test(ksp: Any, iteration: int, norm: float) -> int:
                solver = owner()
                reasons = PETSc.KSP.ConvergedReason
                if not math.isfinite(norm):
                    return int(reasons.DIVERGED_NANORINF)
                if solver is None or solver._accept is None or solver._accept(norm):
                    return int(reasons.CONVERGED_ATOL)
                return int(reasons.DIVERGED_MAX_IT if iteration >= ksp.max_it else reasons.CONVERGED_ITERATING)

            self._ksp.setConvergenceTest(test)
        self._ready = True


def new_prefix() -> str:
    """A prefix of PETSc options that no other solver has."""
    return f"fem_{next(_prefixes)}_"


def offer(owner: object, prefix: str, values: Mapping[str, str | int | float]) -> None:
    """Put options into PETSc's database as long as ``owner`` lives; those that are there already stay."""
    database = PETSc.Options()
    mine = {prefix + name: value for name, value in values.items() if not database.hasName(prefix + name)}
    for name, value in mine.items():
        database[name] = value
    weakref.finalize(owner, _forget, list(mine)).atexit = False


def _forget(names: list[str]) -> None:
    database = PETSc.Options()
    for name in names:
        database.delValue(name)


def reason_name(reason: int) -> str:
    """PETSc's name of a reason for stopping."""
    return _REASONS.get(reason, str(reason))
