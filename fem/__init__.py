"""Continuum solvers on DOLFINx and PETSc: conduction, heat, and what couples them to points."""

import contextlib

with contextlib.suppress(ImportError):  # the PyPI build of DOLFINx; conda, Spack and Debian builds do without
    import dolfinx_solver  # noqa: F401

from fem.cell import Cell, Coefficient, midpoints_nm, region_cells, scalar_space
from fem.channel import ChannelConduction, ChannelState
from fem.chargetransfer import ChargeTransfer, Conductor, Junction, Terminal, coupled_exchange, insertion_exchange
from fem.conductance import Conductance
from fem.conduction import Conduction, ConductionState
from fem.contacts import Contact
from fem.electrothermal import ElectroThermal, ElectroThermalState
from fem.errors import FemError
from fem.extension import Extension
from fem.front import FrontStep, PhaseFront
from fem.functions import cosh, exp, log, maximum, minimum, sinh, sqrt, tanh, where
from fem.heat import Heat
from fem.heatnetwork import HeatNetwork
from fem.ionphases import ONE_MOLAR_PER_M3, Excess, Phase, Species, lattice_gas, regular_solution
from fem.krylov import SolverSettings
from fem.latent import HeatStep, LatentHeat, LatentStep, heat_step
from fem.nucleation import Nucleation, Nucleus
from fem.output import VtxSeries, as_function, write_frames, write_vtx
from fem.properties import Property
from fem.sites import SiteOperator, inside_mesh
from fem.timecontrol import Attempt, Step, TimeControl
from fem.transient import Balance, Saved, Transient, TransientSettings, TransientState
from fem.transport import SavedTransport, Transport, TransportState
from fem.traversers import forget
from fem.vacancies import SavedVacancies, VacancyState, VacancyTransport
from fem.vacanciescell import SavedVacancyCell, VacancyCell, VacancyCellState
from fem.vacanciesparts import FastLayer, VacancyElectrode, VacancyRegion

forget()

__all__ = [
    "ONE_MOLAR_PER_M3",
    "Attempt",
    "Balance",
    "Cell",
    "ChannelConduction",
    "ChannelState",
    "ChargeTransfer",
    "Coefficient",
    "Conductance",
    "Conduction",
    "ConductionState",
    "Conductor",
    "Contact",
    "ElectroThermal",
    "ElectroThermalState",
    "Excess",
    "Extension",
    "FastLayer",
    "FemError",
    "FrontStep",
    "Heat",
    "HeatNetwork",
    "HeatStep",
    "Junction",
    "LatentHeat",
    "LatentStep",
    "Nucleation",
    "Nucleus",
    "Phase",
    "PhaseFront",
    "Property",
    "Saved",
    "SavedTransport",
    "SavedVacancies",
    "SavedVacancyCell",
    "SiteOperator",
    "SolverSettings",
    "Species",
    "Step",
    "Terminal",
    "TimeControl",
    "Transient",
    "TransientSettings",
    "TransientState",
    "Transport",
    "TransportState",
    "VacancyCell",
    "VacancyCellState",
    "VacancyElectrode",
    "VacancyRegion",
    "VacancyState",
    "VacancyTransport",
    "VtxSeries",
    "as_function",
    "cosh",
    "coupled_exchange",
    "exp",
    "heat_step",
    "insertion_exchange",
    "inside_mesh",
    "lattice_gas",
    "log",
    "maximum",
    "midpoints_nm",
    "minimum",
    "region_cells",
    "regular_solution",
    "scalar_space",
    "sinh",
    "sqrt",
    "tanh",
    "where",
    "write_frames",
    "write_vtx",
]
