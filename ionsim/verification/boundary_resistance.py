"""Thermal boundary resistance as a thin layer: the layers of a stack in series, exactly."""

import numpy as np
from mpi4py import MPI

import fem
import meshes
from ionsim.verification import figure
from ionsim.verification.record import Record, case

_KAPPA = {"bottom": 20.0, "oxide": 0.8, "cap": 5.0, "top": 30.0}  # W/(m K)
_THICKNESS_NM = {"bottom": 7.0, "oxide": 4.0, "cap": 3.0, "top": 9.0}
_BOUNDARY_W_PER_M2K = {"bottom_interface": 1.4e8, "top_interface": 3e8}
_INTERFACE_NM = 0.1
_BOTTOM = -_THICKNESS_NM["bottom"]


@case(
    "boundary-resistance", "finite elements",
    problem=(
        "A stack of four layers between 300 and 350 K, with thermal boundary resistances of 1.4e8 and 3e8 W/(m^2 K) "
        "as layers 0.1 nm thin of conductivity h t; on hexahedra and tetrahedra."
    ),
    exact=(
        r"Resistances in series: $q = \Delta T\,/\,(\sum_i d_i/\kappa_i + \sum_j 1/h_j)$, with the jump $q/h_j$ at "
        r"each boundary."
    ),
    sources=("E. T. Swartz, R. O. Pohl, Rev. Mod. Phys. 61, 605 (1989): boundary resistance",),
    quick=True,
)  # fmt: skip
def boundary_resistance() -> list[Record]:
    """A layer of conductivity h t has the resistance 1/h: heat through the stack is the series of its resistances."""
    resistance = sum(1.0 / h for h in _BOUNDARY_W_PER_M2K.values())
    for name, kappa in _KAPPA.items():
        thickness = _THICKNESS_NM[name] - (_INTERFACE_NM if name in ("bottom", "cap") else 0.0)
        resistance += thickness * 1e-9 / kappa
    stack, profile = [(_BOTTOM, 300.0)], 300.0
    for name in ("bottom", "bottom_interface", "oxide", "top_interface", "cap", "top"):
        thin = name in _BOUNDARY_W_PER_M2K
        less = _INTERFACE_NM if name in ("bottom", "cap") else 0.0
        thickness = _INTERFACE_NM if thin else _THICKNESS_NM[name] - less
        of_layer = 1.0 / _BOUNDARY_W_PER_M2K[name] if thin else thickness * 1e-9 / _KAPPA[name]
        profile += 50.0 * of_layer / resistance
        stack.append((stack[-1][0] + thickness, profile))
    exact_W = 50.0 * (10e-9) ** 2 / resistance
    records, curves = [], [figure.exact("resistances in series", *np.transpose(stack))]
    for kind in meshes.KINDS:
        cell = meshes.filament_cell(
            _THICKNESS_NM["oxide"], 10.0, 1.0, (4.0, 4.0), _THICKNESS_NM["bottom"], _THICKNESS_NM["cap"],
            _THICKNESS_NM["top"], interface_nm=_INTERFACE_NM, kind=kind, comm=MPI.COMM_SELF,
        )  # fmt: skip
        thermal = _KAPPA | {name: h * _INTERFACE_NM * 1e-9 for name, h in _BOUNDARY_W_PER_M2K.items()}
        problem = fem.Heat(cell, thermal, {"bottom": 300.0, "top": 350.0}, settings=fem.SolverSettings(rtol=1e-13))
        temperature = problem.solve()
        nodes = problem.space.tabulate_dof_coordinates()
        jump = temperature[abs(nodes[:, 2] - 4.1) < 1e-6].mean() - temperature[abs(nodes[:, 2] - 4.0) < 1e-6].mean()
        column = np.flatnonzero(np.hypot(*(nodes[:, :2] - nodes[0, :2]).T) < 1e-6)
        curves.append(figure.computed(f"finite elements, {kind}", nodes[column, 2], temperature[column]))
        exact_jump = 50.0 / resistance / _BOUNDARY_W_PER_M2K["top_interface"]
        records += [
            Record.below(f"heat through the stack, {kind}, relative", problem.reaction("top") / exact_W - 1.0, 1e-9),
            Record.below(f"jump at the boundary, {kind}, relative", float(jump) / exact_jump - 1.0, 1e-9),
        ]
    figure.draw(figure.Panel("temperature through the stack", "z (nm)", "temperature (K)", curves))
    return records
