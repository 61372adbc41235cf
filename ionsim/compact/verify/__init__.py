"""What a compact model must show, as records with limits: text, equations, simulators, behaviour, arrays.

Each function returns what the machine can check; a tool that is missing leaves its records out. ``trial`` says how a
family is driven.
"""

from ionsim.compact.verify.arrays import crossbar_records, transistor_records
from ionsim.compact.verify.behaviour import (
    bounds_records,
    fading_memory_records,
    frequency_records,
    passivity_records,
    programming_records,
    square_wave_records,
)
from ionsim.compact.verify.equations import compiled_records, derivative_records, text_records
from ionsim.compact.verify.simulators import operating_point_records, pulse_records, retention_records, sweep_records
from ionsim.compact.verify.trial import TRIALS, Trial

__all__ = [
    "TRIALS",
    "Trial",
    "bounds_records",
    "compiled_records",
    "crossbar_records",
    "derivative_records",
    "fading_memory_records",
    "frequency_records",
    "operating_point_records",
    "passivity_records",
    "programming_records",
    "pulse_records",
    "retention_records",
    "square_wave_records",
    "sweep_records",
    "text_records",
    "transistor_records",
]
