"""S-shaped current-voltage curve of a slab whose conductivity grows with temperature, traced through a load line."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.constants
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import fem
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.split_blocks import blocks

# Chosen so that the slab turns over at about 1 V and 330 K and stays below 2000 K at that voltage.
SLAB_NM, LEAD_NM = 20.0, 5.0
LEAD_S_PER_M, LEAD_W_PER_MK = 1e7, 100.0
SLAB_W_PER_MK, BOUNDARY_W_PER_M2K = 5.0, 5e7
_ACTIVATION_K = 0.3 * scipy.constants.e / scipy.constants.k
SERIES_OHM = 1e-8  # of 1 m^2: above the steepest negative slope of the slab


def sigma(T_K: Any) -> Any:
    """Thermally activated with 0.3 eV, and limited."""
    return 1.0 / (1e-6 * fem.exp(_ACTIVATION_K / T_K) + 1e-3)


def reference_V(density: float) -> float:
    """Cell voltage (V) at a current density (A/m^2), from ordinary differential equations.

    The top of the slab is insulated, so its Joule heat j V leaves through the boundary and the lead; T at the top is
    found such that the boundary carries just that.
    """
    lead = LEAD_NM * 1e-9

    def slab(top_K: float) -> tuple[float, float]:
        def slope(_: float, y: NDArray[np.float64]) -> list[float]:
            conductivity = float(
                sigma(max(float(y[0]), 290.0))
            )  # the solution is above 300 K; wrong guesses stay finite
            return [float(y[1]), -(density**2) / (SLAB_W_PER_MK * conductivity), density / conductivity]

        end = solve_ivp(slope, (0.0, SLAB_NM * 1e-9), [top_K, 0.0, 0.0], rtol=1e-10, atol=1e-12, method="LSODA").y[
            :, -1
        ]
        flow = density * end[2]
        below = 300.0 + flow * lead / LEAD_W_PER_MK + density**2 * lead**2 / (2.0 * LEAD_S_PER_M * LEAD_W_PER_MK)
        return BOUNDARY_W_PER_M2K * (end[0] - below) - flow, float(end[2])

    top_K = brentq(lambda value: slab(value)[0], 300.0, 20_000.0, xtol=1e-9)
    return slab(top_K)[1] + density * lead / LEAD_S_PER_M


@dataclass(frozen=True)
class Point:
    """One steady state: terminal voltage (V), current density (A/m^2), hottest temperature (K)."""

    cell_V: float
    current_A: float
    hottest_K: float


def device(cells: int = 80) -> fem.Transient:
    """Lead below, slab above, boundary resistance between them; per m^2."""
    cell = blocks(LEAD_NM, SLAB_NM, (2, cells))
    return fem.Transient(
        cell, {"lower": LEAD_S_PER_M, "upper": sigma}, {"lower": LEAD_W_PER_MK, "upper": SLAB_W_PER_MK},
        {"lower": 2e6, "upper": 2e6}, {"bottom": 300.0},
        interfaces={"lower/upper": fem.Contact(thermal_W_per_m2K=BOUNDARY_W_PER_M2K)},
    )  # fmt: skip


def trace(problem: fem.Transient, applied_V: list[float], series_ohm: float) -> list[Point]:
    """Steady states one after another."""
    points = []
    for voltage in applied_V:
        state = problem.steady(voltage, series_ohm=series_ohm)
        points.append(Point(state.cell_V, state.current_A, float(problem.temperature_K.max())))
    return points


@case(
    "thermal-runaway", "finite elements",
    problem=(
        "A slab of 20 nm whose conductivity is thermally activated (0.3 eV) and limited, insulated above, on a lead "
        "with a boundary resistance; traced through a series resistor."
    ),
    exact=(
        r"Ordinary differential equations by shooting: $\kappa T'' = -j^2/\sigma(T)$, with the boundary's heat equal "
        r"to $jV$: an S-shaped curve. At a given voltage the current jumps."
    ),
    sources=("The reference solution is solved in the case's file (scipy, LSODA, relative tolerance 1e-10)",),
)  # fmt: skip
def thermal_runaway() -> list[Record]:
    """An S-shaped curve is traced through a series resistor, as its exact solution; a voltage alone jumps."""
    applied_V = [float(v) for v in np.geomspace(0.2, 900.0, 40)]
    points = trace(device(), applied_V, SERIES_OHM)
    error = max(abs(point.cell_V / reference_V(point.current_A) - 1.0) for point in points)
    voltages = [point.cell_V for point in points]
    turn = int(np.argmax(voltages[:30]))
    hold = turn + int(np.argmin(voltages[turn:]))
    sweep = [float(v) for v in np.linspace(0.8, 1.02 * voltages[turn], 12)]
    jumped = trace(device(), sweep, 0.0)
    ratios = [b.current_A / a.current_A for a, b in pairwise(jumped)]
    currents = np.array([point.current_A for point in points])
    law = np.geomspace(currents[0], currents[-1], 120)
    figure.draw(figure.Panel("S-shaped curve of a slab", "cell voltage (V)", "current density (A/m$^2$)", [
        figure.exact("differential equations, shooting", [reference_V(float(j)) for j in law], law),
        figure.computed("traced through a resistor", voltages, currents),
        figure.computed("voltage alone", [point.cell_V for point in jumped], [point.current_A for point in jumped]),
    ], y_log=True), figure.Panel("error of the voltage", "current density (A/m$^2$)", "|relative error|", [
        figure.computed("finite elements", currents, [abs(p.cell_V / reference_V(p.current_A) - 1.0) for p in points]),
        figure.limit("limit", currents, 5e-6),
    ], True, True))  # fmt: skip
    return [
        Record.below("voltage at the traced currents, relative", error, 5e-6),
        Record.above("points on the branch of negative slope", hold - turn, 5.0),
        Record("turnover", voltages[turn], "V"),
        Record("hold", voltages[hold], "V"),
        Record.above("jump of the current at given voltage, ratio", max(ratios), 20.0),
    ]
