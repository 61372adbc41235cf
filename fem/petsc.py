"""PETSc, untyped: the stubs of petsc4py reject the numpy arrays and mpi4py communicators that it accepts."""

from typing import Any

import petsc4py.PETSc

PETSc: Any = petsc4py.PETSc
