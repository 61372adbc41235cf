"""Circuits of compact models: one description for the reference, VACASK and ngspice."""

from ionsim.compact.circuits.library import crossbar, gated, gated_array, one_transistor, pulses, single, triangle
from ionsim.compact.circuits.netlist import (
    Analysis,
    Circuit,
    Instance,
    Sine,
    Solution,
    Spectrum,
    Steady,
    Transient,
    Waveform,
)
from ionsim.compact.circuits.runners import noise_ngspice, noise_vacask, run_ngspice, run_vacask

__all__ = [
    "Analysis",
    "Circuit",
    "Instance",
    "Sine",
    "Solution",
    "Spectrum",
    "Steady",
    "Transient",
    "Waveform",
    "crossbar",
    "gated",
    "gated_array",
    "noise_ngspice",
    "noise_vacask",
    "one_transistor",
    "pulses",
    "run_ngspice",
    "run_vacask",
    "single",
    "triangle",
]
