"""Continuum solvers on DOLFINx and PETSc: conduction, heat, and what couples them to points."""

import contextlib

with contextlib.suppress(ImportError):  # the PyPI build of DOLFINx; conda, Spack and Debian builds do without
    import dolfinx_solver  # noqa: F401

from fem.cell import Cell, Coefficient, midpoints_nm, region_cells, scalar_space
from fem.conductance import Conductance
from fem.conduction import Conduction, ConductionState
from fem.contacts import Contact
from fem.electrothermal import ElectroThermal, ElectroThermalState
from fem.errors import FemError
from fem.extension import Extension
from fem.front import FrontStep, PhaseFront
from fem.functions import cosh, exp, log, maximum, minimum, sinh, sqrt, tanh, where
from fem.heat import Heat
from fem.krylov import SolverSettings
from fem.latent import HeatStep, LatentHeat, LatentStep, heat_step
from fem.nucleation import Nucleation, Nucleus
from fem.output import VtxSeries, as_function, write_vtx
from fem.properties import Property
from fem.sites import SiteOperator
from fem.timecontrol import Attempt, Step, TimeControl
from fem.transient import Balance, Saved, Transient, TransientSettings, TransientState

__all__ = [
    "Attempt",
    "Balance",
    "Cell",
    "Coefficient",
    "Conductance",
    "Conduction",
    "ConductionState",
    "Contact",
    "ElectroThermal",
    "ElectroThermalState",
    "Extension",
    "FemError",
    "FrontStep",
    "Heat",
    "HeatStep",
    "LatentHeat",
    "LatentStep",
    "Nucleation",
    "Nucleus",
    "PhaseFront",
    "Property",
    "Saved",
    "SiteOperator",
    "SolverSettings",
    "Step",
    "TimeControl",
    "Transient",
    "TransientSettings",
    "TransientState",
    "VtxSeries",
    "as_function",
    "cosh",
    "exp",
    "heat_step",
    "log",
    "maximum",
    "midpoints_nm",
    "minimum",
    "region_cells",
    "scalar_space",
    "sinh",
    "sqrt",
    "tanh",
    "where",
    "write_vtx",
]
