"""Kohlrausch: with kappa = L sigma T the hottest point depends on the voltage alone, whatever the shape.

T_max^2 = T0^2 + V^2 / (4 L) for any insulated conductor between two electrodes at T0 (F. Kohlrausch, Ann. Phys. 306,
132 (1900); R. Holm, Electric Contacts, 4th ed., Springer 1967).
"""

from collections.abc import Callable

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy import constants

import fem
import meshes
from ionsim.verification import figure
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]
_AMBIENT_K = 300.0
_LORENZ = np.pi**2 / 3.0 * (constants.k / constants.e) ** 2


@case(
    "kohlrausch", "finite elements",
    problem=(
        "An off-centre conical constriction, insulated, with kappa = L sigma T everywhere, between electrodes at 300 "
        "K; sigma goes as 1/T (a metal), or is activated; 0.05 and 0.15 V."
    ),
    exact=r"$T_{max}^2 = T_0^2 + V^2/4L$ with $L = \frac{\pi^2}{3}(k/q)^2$, whatever the shape and sigma(T).",
    sources=("F. Kohlrausch, Ann. Phys. 306, 132 (1900)", "R. Holm, Electric Contacts, 4th ed., Springer 1967"),
)  # fmt: skip
def kohlrausch() -> list[Record]:
    """Peak temperature of an off-centre constriction follows T_max^2 = T0^2 + V^2 / 4L, for two laws sigma(T)."""
    x = meshes.graded(-3.0, 3.0, 0.75, -7.0, 9.0, 1.3)
    z = meshes.graded(-4.0, 4.0, 0.4, -12.0, 12.0, 1.3)
    cell = meshes.tensor_box(x, x, z, {"metal": (-12.0, 12.0)}, MPI.COMM_SELF)
    centre = fem.midpoints_nm(cell)
    neck = np.hypot(centre[:, 0] - 0.5, centre[:, 1]) < 2.0 + 0.3 * centre[:, 2]
    at_300_K = np.where((np.abs(centre[:, 2]) > 3.0) | neck, 1e6, 1e-3)
    laws: dict[str, Callable[[Array], Array]] = {
        "metal, 1/T": lambda temperature: at_300_K * _AMBIENT_K / temperature,
        "activated": lambda temperature: at_300_K * np.exp(2.0 * (1.0 - _AMBIENT_K / temperature)),
    }
    records, curves = [], []
    for name, sigma in laws.items():

        def kappa(temperature: Array, sigma: Callable[[Array], Array] = sigma) -> Array:
            return _LORENZ * sigma(temperature) * temperature

        problem = fem.ElectroThermal(cell, {"metal": sigma}, {"metal": kappa})
        peaks = []
        for voltage in (0.05, 0.15):
            state = problem.solve({"top": voltage, "bottom": 0.0})
            exact = np.sqrt(_AMBIENT_K**2 + voltage**2 / (4.0 * _LORENZ))
            peaks.append(float(state.temperature_K.max()))
            error = float(state.temperature_K.max() / exact - 1.0)
            records.append(Record.below(f"T_max at {voltage} V, {name}, relative", error, 5e-3))
        curves.append(figure.computed(name, (0.05, 0.15), peaks))
    volts = np.linspace(0.0, 0.2, 100)
    law = np.sqrt(_AMBIENT_K**2 + volts**2 / (4.0 * _LORENZ))
    figure.draw(figure.Panel("hottest point", "voltage (V)", "temperature (K)", [
        figure.exact("Kohlrausch", volts, law), *curves,
    ]))  # fmt: skip
    return records
