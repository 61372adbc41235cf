"""Circuits of compact models: one description for the reference, VACASK and ngspice."""

from ionsim.compact.circuits.library import crossbar, gated, gated_array, one_transistor, pulses, single, triangle
from ionsim.compact.circuits.netlist import Circuit, Instance, Sine, Solution, Steady, Transient, Waveform
from ionsim.compact.circuits.runners import run_ngspice, run_vacask

__all__ = [
    "Circuit",
    "Instance",
    "Sine",
    "Solution",
    "Steady",
    "Transient",
    "Waveform",
    "crossbar",
    "gated",
    "gated_array",
    "one_transistor",
    "pulses",
    "run_ngspice",
    "run_vacask",
    "single",
    "triangle",
]
