"""Text and equations: the exports say what the reference computes, to the last digits."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionsim.compact import tools
from ionsim.compact.description import Model
from ionsim.compact.numeric import residual
from ionsim.compact.osdi import CompiledModel
from ionsim.compact.render import ngspice_subcircuit, verilog_a
from ionsim.compact.scan import forbidden
from ionsim.verification.record import Record

Floats = NDArray[np.float64]

#: Range of the unknowns at which equations are compared: what Newton's method may try, far beyond what devices do.
POTENTIALS_V = (-2.0, 2.0)
RISES_K = (-100.0, 900.0)

#: Relative step of finite differences; central, so that truncation and rounding are both near 1e-10.
STEP = 1e-6


def draw(model: Model, n: int, seed: int = 0) -> Floats:
    """Unknowns (n, nodes + states) spread over potentials, temperatures and states (a tenth beyond their bounds)."""
    random = np.random.default_rng(seed)
    columns = []
    for node in model.nodes:
        columns.append(random.uniform(*(RISES_K if node.kind == "thermal" else POTENTIALS_V), size=n))
    values = model.values()
    for state in model.states:
        start, scale = model.start_and_scale(state.name, values)
        low, high = (
            (state.low, state.high) if np.isfinite([state.low, state.high]).all() else (start - scale, start + scale)
        )
        margin = 0.1 * (high - low)
        columns.append((random.uniform(low - margin, high + margin, size=n) - start) / scale)
    return np.array(columns).T


def text_records(model: Model) -> list[Record]:
    """The scan for forbidden constructs, and the same text from the same model."""
    text = verilog_a(model)
    return [
        Record.below(f"{model.family}: forbidden constructs", len(forbidden(text)), 0),
        Record.below(f"{model.family}: texts that differ", float(text != verilog_a(model)), 0),
        Record.below(f"{model.family}: subcircuits that differ", float(ngspice_subcircuit(model) !=
        ngspice_subcircuit(model)), 0),
    ]  # fmt: skip


def derivative_records(model: Model, n: int = 50, seed: int = 0) -> list[Record]:
    """Exact derivatives of the reference against its finite differences, over the largest entry of a row."""
    worst, values = 0.0, model.values()
    for point in draw(model, n, seed):
        worst = max(worst, _difference(lambda u: residual(model, u, values).resistive, point,
                                       residual(model, point, values).resistive_slope))  # fmt: skip
    return [Record.below(f"{model.family}: derivatives of the reference", worst, 1e-5)]


def compiled_records(model: Model, n: int = 100, seed: int = 0) -> list[Record]:
    """The compiled Verilog-A against the reference and against its own finite differences; none without a compiler.

    Errors of residuals are relative to each entry, of Jacobians to the largest entry of a row.
    """
    if not tools.have("openvaf"):
        return []
    with tempfile.TemporaryDirectory(prefix="ionsim-compact-") as name:
        source = Path(name) / f"{model.name}.va"
        source.write_text(verilog_a(model), encoding="utf-8")
        compiled = CompiledModel(tools.compile_model(source))
    values, worst = model.values(), {"residual": 0.0, "held residual": 0.0, "charge": 0.0, "Jacobian": 0.0}
    for point in draw(model, n, seed):
        for held in (False, True):
            ours = residual(model, point, values, held=held)
            theirs = compiled.evaluate(point, time_s=0.0 if held else 1e-6, static=held)
            key = "held residual" if held else "residual"
            worst[key] = max(worst[key], _relative(theirs.resistive, ours.resistive))
            worst["charge"] = max(worst["charge"], _relative(theirs.reactive, ours.reactive))
        found = _difference(lambda u: compiled.evaluate(u, 1e-6).resistive, point,
                            compiled.evaluate(point, 1e-6).resistive_slope)  # fmt: skip
        worst["Jacobian"] = max(worst["Jacobian"], found)
    limits = {"residual": 1e-9, "held residual": 1e-9, "charge": 1e-9, "Jacobian": 1e-5}
    return [Record.below(f"{model.family}: compiled {key}", value, limits[key]) for key, value in worst.items()]


def _relative(theirs: Floats, ours: Floats) -> float:
    scale = np.where(ours == 0, 1.0, np.abs(ours))
    error = np.abs(theirs - ours) / scale
    return float(np.max(np.where(np.isfinite(error), error, np.inf)))


def _difference(function: object, point: Floats, slope: Floats) -> float:
    """Largest error of ``slope`` against central differences, by row."""
    assert callable(function)
    numeric = np.zeros_like(slope)
    for column in range(len(point)):
        step = STEP * max(1.0, abs(point[column]))
        above, below = point.copy(), point.copy()
        above[column] += step
        below[column] -= step
        numeric[:, column] = (function(above) - function(below)) / (above[column] - below[column])
    scale = np.abs(slope).max(axis=1)
    return float(np.max(np.abs(numeric - slope).max(axis=1) / np.where(scale == 0, 1.0, scale)))
