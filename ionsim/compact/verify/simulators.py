"""Circuit simulators against the reference: operating points, hysteresis, pulses, retention."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import sympy
from numpy.typing import NDArray

from ionsim.compact import tools
from ionsim.compact.circuits import (
    Circuit,
    Solution,
    Steady,
    Transient,
    Waveform,
    pulses,
    run_ngspice,
    run_vacask,
    triangle,
)
from ionsim.compact.description import Model
from ionsim.compact.frozen import frozen
from ionsim.compact.reference import Network
from ionsim.compact.verify.trial import LOWEST_V, Trial
from ionsim.verification.record import Record

Floats = NDArray[np.float64]

#: Limits for compiled models and for B-source twins.
SWEEP_LIMITS = {"VACASK": 2e-3, "ngspice": 2e-3, "B-source": 5e-3}
PULSE_LIMITS = {"VACASK": 1e-3, "ngspice": 1e-3, "B-source": 5e-3}
ENERGY_LIMIT = 1e-3
BOUND_LIMIT = 1e-3
BETWEEN_LIMIT = 1e-3


#: rms log10 I below which what is left is the reference's own error as well: it is not asked to shrink.
_RESOLVED = 1e-5


def runners() -> Iterator[tuple[str, Callable[[Circuit, Transient | Steady], Solution]]]:
    """Every simulator that this machine has."""
    if tools.have("vacask") and tools.have("openvaf"):
        yield "VACASK", run_vacask
    if tools.have("ngspice"):
        if tools.ngspice_version() >= 44 and tools.have("openvaf"):
            yield "ngspice", run_ngspice
        yield "B-source", lambda circuit, analysis: run_ngspice(circuit, analysis, osdi=False)


def sweep_records(trial: Trial) -> list[Record]:
    """The hysteresis loop: rms of log10 I, energy, and what half the step and a tenth of the tolerance leave.

    Where the model itself bounds the step, by the change of a state in it, that bound is halved as well.
    """
    wave = triangle(trial.sweep_V, trial.rate_V_per_s)
    circuit, stop = trial.circuit(wave), wave.times_s[-1]
    times = np.linspace(0, stop, 3001)
    # an implicit step over the moment at which a state at its bound may leave it could stay on the branch of the bound
    exact = Network(circuit).solve(times, rtol=1e-7, atol=1e-10, largest_step_s=stop / 600)
    family, records, fine = trial.model.family, [], {}
    coarse = Transient(stop, stop / 1200, relative_tolerance=1e-5)
    halved = trial.circuit(wave, half_step(trial.model))
    for name, run in runners():
        errors = []
        for analysis in (coarse, replace(coarse, largest_step_s=stop / 2400, relative_tolerance=1e-6)):
            found = run(circuit if analysis is coarse else halved, analysis)
            errors.append(_log_error(trial, found, exact, wave))
            if analysis is coarse:
                energy = _energy(trial, found, wave) / _energy(trial, exact, wave) - 1
                records.append(
                    Record.below(f"{family}: {name}, hysteresis, rms log10 I", errors[0], SWEEP_LIMITS[name])
                )
                records.append(Record.below(f"{family}: {name}, loop energy", energy, ENERGY_LIMIT))
                outside = _outside(found, trial)
                records.append(Record.below(f"{family}: {name}, state outside its bounds", outside, BOUND_LIMIT))
            else:
                fine[name] = found
        left = Record.below(f"{family}: {name}, error left after refinement", errors[1] / errors[0], 0.9)
        records.append(left if errors[0] > _RESOLVED else Record(left.name, left.value))
    if {"VACASK", "ngspice"} <= fine.keys():
        apart = _log_error(trial, fine["VACASK"], fine["ngspice"].at(times), wave)
        records.append(Record.below(f"{family}: VACASK against ngspice, rms log10 I", apart, BETWEEN_LIMIT))
    return records


def half_step(model: Model) -> dict[str, float]:
    """Half the model's own bound of a step, as a parameter; empty where it has none."""
    bound = model.largest_change
    return {str(bound): 0.5 * model.values({})[str(bound)]} if isinstance(bound, sympy.Symbol) else {}


def pulse_records(trial: Trial) -> list[Record]:
    """A train of pulses of both signs: the largest relative error of the conductance read between them."""
    wave, reads = pulse_train(trial)
    circuit = trial.circuit(wave, {trial.start: trial.pulse_start})
    exact = Network(circuit).solve(reads, rtol=1e-8, atol=1e-10)
    # where the train passes through a runaway, which magnifies errors, the tolerance is as tight as that asks for
    analysis = Transient(
        wave.times_s[-1], trial.width_s / 250, trial.edge_s / 200, trial.pulse_tolerance, corner_share=0.002
    )
    family, records, found = trial.model.family, [], {}
    for name, run in runners():
        found[name] = run(circuit, analysis).at(reads)
        error = _current_error(trial, found[name], exact)
        records.append(Record.below(f"{family}: {name}, pulses, largest relative G", error, PULSE_LIMITS[name]))
    if {"VACASK", "ngspice"} <= found.keys():
        apart = _current_error(trial, found["VACASK"], found["ngspice"])
        records.append(Record.below(f"{family}: VACASK against ngspice, pulses, relative G", apart, BETWEEN_LIMIT))
    return records


def pulse_train(trial: Trial) -> tuple[Waveform, Floats]:
    """The train of a trial and the times in the middle of its rests."""
    up, down = trial.pulses_V
    rest, between = trial.width_s, trial.read_V if trial.rest_V is None else trial.rest_V
    heights = [up] * trial.n_pulses + [down] * trial.n_pulses
    wave = pulses(heights, trial.width_s, rest, trial.edge_s, read_V=between)
    period = trial.width_s + rest + 2 * trial.edge_s
    return wave, np.asarray(trial.edge_s + rest / 2 + period * np.arange(len(heights) + 1), dtype=np.float64)


def operating_point_records(trial: Trial) -> list[Record]:
    """Operating points from -0.5 V to 0.5 V in three states against the model with its states held."""
    records = []
    for name, run in runners():
        worst = 0.0
        for state in trial.states:
            circuit = trial.circuit(Waveform((0.0, 1.0), (0.0, 0.0)), {trial.start: state}, steady=True)
            found = run(circuit, Steady(trial.driven, -0.5, 0.5, 0.125))
            volts = found.points[np.abs(found.points) > LOWEST_V]
            points = np.stack([volts, np.full(len(volts), trial.read_V)], axis=1) if trial.gated else volts
            exact = frozen(trial.model, points, 0.0, {trial.start: state}).flows
            if trial.gated:
                channel = 0.5 * (exact[:, 1] - exact[:, 2])
                worst = max(worst, float(np.max(np.abs(trial.current(found.at(volts)) / channel - 1))))
            driven = found.at(volts).currents_A[trial.driven]
            worst = max(worst, float(np.max(np.abs(driven / exact[:, 0] - 1))))
        records.append(Record.below(f"{trial.model.family}: {name}, operating points, relative I", worst, 1e-5))
    return records


def retention_records(trial: Trial) -> list[Record]:
    """A drift of 1e-7 of the state at 0 V in a bake: its relative error."""
    family, records = trial.model.family, []
    wave, state = Waveform((0.0, 1.0), (0.0, 0.0)), trial.model.states[0].name
    rate = frozen(trial.model, 1e-9, 0.0, {trial.start: trial.kept}, trial.bake_K).rates[0, 0]
    stop = 1e-7 / abs(rate)
    circuit = trial.circuit(wave, {trial.start: trial.kept}, ambient_K=trial.bake_K)
    exact = Network(circuit).solve([stop], rtol=1e-8, atol=1e-14).states[f"cell.{state}"][-1] - trial.kept
    for name, run in runners():
        found = run(circuit, Transient(stop, stop / 50, relative_tolerance=1e-4))
        drift = found.states[f"cell.{state}"][-1] - trial.kept
        records.append(Record.below(f"{family}: {name}, drift of 1e-7, relative error", drift / exact - 1, 1e-2))
    return records


def _log_error(trial: Trial, found: Solution, exact: Solution, wave: Waveform) -> float:
    used = trial.used(wave, exact.points)
    ratio = trial.current(found.at(exact.points))[used] / trial.current(exact)[used]
    return float(np.sqrt(np.mean(np.log10(np.where(ratio > 0, ratio, np.nan)) ** 2)))


def _outside(found: Solution, trial: Trial) -> float:
    """How far any bounded state leaves its bounds."""
    worst = 0.0
    for state in trial.model.states:
        series = found.states[f"cell.{state.name}"]
        worst = max(worst, state.low - float(series.min()), float(series.max()) - state.high)
    return worst


def _energy(trial: Trial, found: Solution, wave: Waveform) -> float:
    return float(np.trapezoid(found.currents_A[trial.driven] * wave(found.points), found.points))


def _current_error(trial: Trial, found: Solution, exact: Solution) -> float:
    return float(np.max(np.abs(trial.current(found) / trial.current(exact) - 1)))
