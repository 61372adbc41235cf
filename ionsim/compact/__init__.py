"""Compact models: equations written once, as a Python reference, Verilog-A, ngspice subcircuits and decks.

``families`` holds the models, ``circuits`` what is built of them, ``reference`` solves circuits in Python.
"""

from ionsim.compact.description import CompactError, Model
from ionsim.compact.render import ngspice_subcircuit, verilog_a

__all__ = ["CompactError", "Model", "ngspice_subcircuit", "verilog_a"]
