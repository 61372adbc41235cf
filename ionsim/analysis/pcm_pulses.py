"""Single pulses on a phase-change cell, and what is seen of them: currents, temperatures, molten volume, resistance.

::

    cell = started(load("gst_mushroom"), seed=1)
    outcome = pulse(cell, Shape(amplitude_V=1.9))
    print(outcome.resistance_ohm, outcome.molten_nm3)

The voltage ramps to the amplitude, stays there, ramps down to the read voltage and rests; the circuit is that of the
device file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.config.pcm import PcmDevice
from ionsim.config.pcm_geometry import Mushroom
from ionsim.devices.pcm import Pcm
from ionsim.drive import Circuit

Floats = NDArray[np.float64]

#: Changes of a device file for many pulses: a quarter of the time; R after a RESET differs by 8 %, currents by 0.2 %.
COARSE = (
    "geometry.size_nm=3",
    "geometry.growth=1.4",
    "geometry.largest_nm=25",
    "crystallisation.front_width_nm=2",
    "steps.temperature_K=60",
)


@dataclass(frozen=True)
class Shape:
    """A trapezoidal pulse and the rest after it: amplitude in V, times in s. Edges belong to the pulse: 50 ns here."""

    amplitude_V: float
    rise_s: float = 5e-9
    width_s: float = 40e-9
    fall_s: float = 5e-9
    rest_s: float = 100e-9
    read_V: float = 0.1


@dataclass(frozen=True)
class Outcome:
    """What a pulse did. At the end of its plateau: current, voltage across the cell, hottest point of the cell and of
    the phase-change material (K), volume that is not crystalline (nm^3). After the rest: resistance at read voltage,
    volume that is not crystalline, and its extent (see :func:`extent_nm`). ``energy_J``: what the cell took up in the
    pulse and the rest."""

    amplitude_V: float
    current_A: float
    device_V: float
    peak_K: float
    material_K: float
    molten_nm3: float
    resistance_ohm: float
    left_nm3: float
    energy_J: float
    radius_nm: float
    height_nm: float
    covers: float


def started(device: PcmDevice, seed: int = 1) -> Pcm:
    """A cell of the device at rest."""
    cell = Pcm(device, np.random.SeedSequence(seed))
    cell.initialise()
    return cell


def circuit(cell: Pcm) -> Circuit:
    """The resistor and the limit of the current that the device file gives."""
    drive = cell.device.drive
    return Circuit(drive.series_resistance_ohm, drive.compliance_A)


def resistance_ohm(cell: Pcm, read_V: float = 0.1, settle_s: float = 1e-9) -> float:
    """Resistance of the cell at a small voltage; goes on by twice ``settle_s``."""
    for _ in range(2):
        cell.advance(cell.time_s + settle_s, read_V, circuit(cell))
    return 1.0 / cell.conductance_S


def disordered_nm3(cell: Pcm) -> float:
    """Volume that is not crystalline."""
    return 1e27 * cell.disordered_m3


def pulse(cell: Pcm, shape: Shape) -> Outcome:
    """Apply a pulse and rest."""
    begin_J = cell.electrical_J
    outside = circuit(cell)
    cell.advance(cell.time_s + shape.rise_s, shape.amplitude_V, outside)
    cell.advance(cell.time_s + shape.width_s, shape.amplitude_V, outside)
    plateau = cell.observe()
    material_K, molten_nm3 = cell.material_K, disordered_nm3(cell)
    return fall(cell, shape, plateau, material_K, molten_nm3, begin_J)


def fall(
    cell: Pcm, shape: Shape, plateau: dict[str, float], material_K: float, molten_nm3: float, begin_J: float
) -> Outcome:
    """The falling edge and the rest, with what was seen at the end of the plateau."""
    outside = circuit(cell)
    cell.advance(cell.time_s + shape.fall_s, shape.read_V, outside)
    cell.advance(cell.time_s + shape.rest_s, shape.read_V, outside)
    radius_nm, height_nm, covers = extent_nm(cell)
    return Outcome(
        shape.amplitude_V,
        plateau["current_A"],
        plateau["device_V"],
        plateau["temperature_peak_K"],
        material_K,
        molten_nm3,
        1.0 / cell.conductance_S,
        disordered_nm3(cell),
        cell.electrical_J - begin_J,
        radius_nm,
        height_nm,
        covers,
    )


def extent_nm(cell: Pcm) -> tuple[float, float, float]:
    """The disordered part of a mushroom cell: largest radius, height on the axis, and which share of the heater it
    covers (nan in other geometries). A point is disordered if less than half of it is crystalline; a column covers the
    face if any point above is disordered.
    """
    geometry = cell.device.geometry
    if not isinstance(geometry, Mushroom) or not cell.cell.mesh.axisymmetric:
        return np.nan, np.nan, np.nan
    cut = cell.view.cut({"crystalline": cell.crystalline})
    x_nm = cut["cut/x_nm"]
    glass = (cut["cut/inside"] > 0.5) & (cut["cut/crystalline"] < 0.5)
    columns = glass.any(axis=0)
    radius_nm = float(x_nm[columns].max(initial=0.0))
    height_nm = float(glass[:, 0].sum() * (cut["cut/z_nm"][1] - cut["cut/z_nm"][0]))
    face = x_nm <= geometry.heater_radius_nm
    covers = float((columns[face] * x_nm[face]).sum() / x_nm[face].sum())
    return radius_nm, height_nm, covers


def reset_threshold(
    device: PcmDevice, guess_A: float, ratio: float = 10.0, tolerance: float = 0.02, seed: int = 1
) -> tuple[Outcome, list[Outcome]]:
    """The least pulse of 50 ns after which a crystalline cell has ``ratio`` times its resistance, by bisection.

    ``guess_A`` is a current to begin with. Returns the pulse at the upper end of a bracket of ``tolerance`` (relative),
    and all pulses tried.
    """
    cell = started(device, seed)
    rest = resistance_ohm(cell)
    saved, tried = cell.checkpoint(), list[Outcome]()

    def resets(amplitude_V: float) -> bool:
        cell.restore(saved)
        tried.append(pulse(cell, Shape(amplitude_V, rest_s=20e-9)))
        return tried[-1].resistance_ohm > ratio * rest

    low_V = high_V = guess_A * (rest + circuit(cell).series_resistance_ohm)
    if resets(high_V):
        found = tried[-1]
        while resets(low_V := 0.85 * low_V):
            high_V, found = low_V, tried[-1]
    else:
        while not resets(high_V := 1.15 * high_V):
            low_V = high_V
        found = tried[-1]
    while high_V > (1.0 + tolerance) * low_V:
        middle_V = float(np.sqrt(low_V * high_V))
        if resets(middle_V):
            high_V, found = middle_V, tried[-1]
        else:
            low_V = middle_V
    return found, tried


def power_law(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Exponent, its standard error (nan for two points) and prefactor of y = a x^n, by least squares in logarithms."""
    design = np.column_stack([np.log(x), np.ones(len(x))])
    solution, residual, *_ = np.linalg.lstsq(design, np.log(y), rcond=None)
    spread = float(residual[0]) / (len(x) - 2) if residual.size and len(x) > 2 else np.nan
    error = float(np.sqrt(spread * np.linalg.inv(design.T @ design)[0, 0]))
    return float(solution[0]), error, float(np.exp(solution[1]))


def row(outcome: Outcome) -> dict[str, float]:
    """The numbers of an outcome by name."""
    return asdict(outcome)
