"""What a compact model must show, as records with limits: text, equations, simulators, behaviour, arrays.

Each function returns what the machine can check; a tool that is missing leaves its records out. ``trial`` says how a
family is driven.
"""

from collections.abc import Callable

from ionsim.compact.verify.arrays import crossbar_records, selector_records, transistor_records
from ionsim.compact.verify.behaviour import (
    bounds_records,
    fading_memory_records,
    frequency_records,
    passivity_records,
    programming_records,
    square_wave_records,
)
from ionsim.compact.verify.equations import compiled_records, derivative_records, text_records
from ionsim.compact.verify.noise import noise_records
from ionsim.compact.verify.simulators import operating_point_records, pulse_records, retention_records, sweep_records
from ionsim.compact.verify.trial import TRIALS, Trial
from ionsim.verification.record import Record

#: Every check by name; those of text and equations ask for the model alone.
CHECKS: dict[str, Callable[[Trial], list[Record]]] = {
    "text": lambda trial: text_records(trial.model),
    "derivatives": lambda trial: derivative_records(trial.model),
    "compiled": lambda trial: compiled_records(trial.model),
    "operating points": operating_point_records,
    "sweep": sweep_records,
    "pulses": pulse_records,
    "retention": retention_records,
    "passivity": passivity_records,
    "bounds": bounds_records,
    "frequency": frequency_records,
    "fading memory": fading_memory_records,
    "programming": programming_records,
    "square wave": square_wave_records,
    "crossbar": crossbar_records,
    "selector": selector_records,
    "transistor": transistor_records,
    "noise": noise_records,
}

__all__ = [
    "CHECKS",
    "TRIALS",
    "Trial",
    "bounds_records",
    "compiled_records",
    "crossbar_records",
    "derivative_records",
    "fading_memory_records",
    "frequency_records",
    "noise_records",
    "operating_point_records",
    "passivity_records",
    "programming_records",
    "pulse_records",
    "retention_records",
    "selector_records",
    "square_wave_records",
    "sweep_records",
    "text_records",
    "transistor_records",
]
