"""Heat needs room: the peak temperature of a filament against the width of the domain around it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from mpi4py import MPI

import fem
import meshes
from ionsim.verification import figure
from ionsim.verification.record import Record, case

_CORE_NM = (5.0, 5.0)
_OXIDE_NM = 5.0


def peak_temperature(widths_nm: Sequence[float], voltage_V: float = 0.3) -> list[tuple[float, float, float]]:
    """Rows (width_nm, peak temperature in K, current in A) of one conducting filament in domains of these widths.

    The filament is 1 x 1 nm of 1e5 S/m through 5 nm of oxide, between electrodes of 20 nm held at 300 K outside.
    """
    rows = []
    for width in widths_nm:
        cell = meshes.filament_cell(_OXIDE_NM, width, 0.5, _CORE_NM, growth=1.4, comm=MPI.COMM_SELF)
        centre = fem.midpoints_nm(cell)
        filament = np.abs(centre[:, :2] - 2.5).max(axis=1) < 0.5
        sigma = np.where(filament, 1e5, 1e-2)[fem.region_cells(cell, "oxide")]
        problem = fem.ElectroThermal(
            cell,
            {"bottom": 1e6, "oxide": sigma, "top": 1e6},
            {"bottom": 20.0, "oxide": 0.8, "top": 20.0, "bottom_interface": 0.01, "top_interface": 0.01},
        )
        state = problem.solve({"top": voltage_V, "bottom": 0.0})
        rows.append((float(width), float(state.temperature_K.max()), state.current_A))
    return rows


@case(
    "domain-width", "finite elements",
    problem=(
        "A filament of 1 x 1 nm of 1e5 S/m through 5 nm of oxide at 0.3 V, between electrodes of 20 nm held at 300 K "
        "outside, in domains 5 to 80 nm wide. No formula: a study of what the side walls, through which no heat "
        "goes, do to the temperature."
    ),
    exact=(
        "Successive changes of the peak temperature fall as the domain widens, and the last is below 0.2 % of the "
        "rise. The limit is that of a large domain."
    ),
)  # fmt: skip
def domain_width() -> list[Record]:
    """Peak temperature settles as the domain widens; a domain as narrow as the lattice box overheats."""
    rows = peak_temperature((5.0, 10.0, 20.0, 40.0, 80.0))
    rise = [peak - 300.0 for _, peak, _ in rows]
    records = [Record(f"peak temperature, width {width:g} nm", peak, "K") for width, peak, _ in rows]
    changes = [abs(wide - narrow) / rise[-1] for narrow, wide in pairwise(rise)]
    widths = [width for width, _, _ in rows]
    figure.draw(
        figure.Panel("peak temperature", "width of the domain (nm)", "rise (K)", [
            figure.computed("finite elements", widths, rise), figure.other("widest domain", widths, [rise[-1]] * 5),
        ], True),
        figure.Panel("what doubling the width changes", "width of the wider domain (nm)", "change over the rise", [
            figure.computed("finite elements", widths[1:], changes),
            figure.limit("limit of the last", widths[1:], 2e-3),
        ], True, True),
    )  # fmt: skip
    return [
        *records,
        Record.below("last change of the temperature rise, relative", changes[-1], 2e-3),
        Record.below("largest ratio of successive changes", max(b / a for a, b in pairwise(changes)), 0.9),
        Record.above("rise at 5 nm over rise at 80 nm", rise[0] / rise[-1], 1.0),
    ]
