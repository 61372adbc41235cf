"""Cells in circuits: a crossbar against the reference network, a large one in time, one cell behind a transistor."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np

from ionsim.compact.circuits import (
    Circuit,
    Transient,
    Waveform,
    crossbar,
    gated_array,
    one_transistor,
    run_vacask,
    triangle,
)
from ionsim.compact.families import EKV
from ionsim.compact.reference import Network
from ionsim.compact.verify.simulators import runners
from ionsim.compact.verify.trial import Trial
from ionsim.verification.record import Record

#: Resistance of a wire between neighbouring cells, in Ohm (chosen: some squares of a 20 nm wide copper line).
WIRE_OHM = 2.0


def written_crossbar(trial: Trial, n: int, seed: int = 0) -> tuple[Circuit, float, float]:
    """An n x n array whose cell (1, 2) is written by the V/2 scheme, and read: circuit, end, middle of the read.

    Of cells with a gate the gate line has V/2, both lines of the column -V/2; the read goes from drain to source lines.
    """
    edge, width, full = trial.array_edge_s, trial.array_s, trial.write_V
    corners = (0.0, edge, edge + width, 2 * edge + width, 3 * edge + width, 3 * edge + 2 * width)

    def line(height: float, read: float) -> Waveform:
        return Waveform(corners, (0.0, height, height, 0.0, read, read))

    low, high = trial.array_start
    starts = np.random.default_rng(seed).uniform(low, high, (n, n))
    starts[1, 2] = low

    def start(i: int, j: int) -> dict[str, float]:
        return {trial.start: float(starts[i, j])}

    if trial.gated:
        gates = [line(full / 2 if i == 1 else 0.0, 0.0) for i in range(n)]
        drains = [line(-full / 2 if j == 2 else 0.0, trial.read_V) for j in range(n)]
        sources = [line(-full / 2 if j == 2 else 0.0, 0.0) for j in range(n)]
        circuit = gated_array(trial.model, gates, drains, sources, WIRE_OHM, start)
    else:
        rows = [line(full if i == 1 else full / 2, trial.read_V) for i in range(n)]
        columns = [line(0.0 if j == 2 else full / 2, 0.0) for j in range(n)]
        circuit = crossbar(trial.model, rows, columns, WIRE_OHM, start)
    return circuit, corners[-1], corners[-1] - width / 2


def crossbar_records(trial: Trial, n: int = 4, large: int = 32) -> list[Record]:
    """States and line currents of a small array against the reference; the wall time of a large one in VACASK."""
    family, records = trial.model.family, []
    circuit, stop, read = written_crossbar(trial, n)
    width = trial.array_s
    times = np.array([0.5 * width, 0.9 * width, read])
    exact = Network(circuit).solve(times, rtol=1e-7, atol=1e-9)
    analysis = Transient(stop, width / 100, width * 1e-5, relative_tolerance=1e-6)
    state = trial.model.states[0].name

    def change(i: int, j: int) -> float:
        start = next(item.values[trial.start] for item in circuit.instances if item.name == f"c_{i}_{j}")
        return float(exact.states[f"c_{i}_{j}.{state}"][-1] - start)

    records.append(
        Record.above(f"{family}: {n} x {n} crossbar, change of the written cell", change(1, 2), trial.array_change)
    )
    if trial.gated:
        half = max(abs(change(i, j)) for i in range(n) for j in range(n) if (i, j) != (1, 2))
        records.append(
            Record.below(f"{family}: {n} x {n} crossbar, change of others over it", half / change(1, 2), 1e-3)
        )
    for name, run in runners():
        found = run(circuit, analysis).at(times)
        states = max(np.abs(found.states[key] - exact.states[key]).max() for key in exact.states)
        largest = max(np.abs(series).max(axis=0) for series in np.array(list(exact.currents_A.values())))
        currents = (
            max(np.abs(found.currents_A[key] - exact.currents_A[key]).max() for key in exact.currents_A) / largest
        )
        records.append(Record.below(f"{family}: {name}, {n} x {n} crossbar, states", states, 1e-3))
        records.append(Record.below(f"{family}: {name}, {n} x {n} crossbar, line currents", currents, 1e-3))
    if any(name == "VACASK" for name, _ in runners()):
        circuit, stop, _ = written_crossbar(trial, large)
        record = (f"c_1_2.{state}", f"c_1_1.{state}")
        begin = time.perf_counter()
        run_vacask(circuit, Transient(stop, width / 50, width * 1e-5, relative_tolerance=1e-5, record=record))
        wall = time.perf_counter() - begin
        records.append(Record.below(f"{family}: VACASK, {large} x {large} crossbar written and read", wall, 5.0, "s"))
    return records


def transistor_records(trial: Trial) -> list[Record]:
    """1T1R: the current of SET against the gate's voltage, and a loop against the reference; none of gated cells."""
    if trial.gated:
        return []
    family = trial.model.family
    top, bottom = trial.sweep_V[0], trial.sweep_V[1]
    wave = triangle((top, 0.0, 1.1 * bottom, 0.0), 1e3)
    stop, half = wave.times_s[-1], wave.times_s[2]
    peaks, records = [], []
    for gate_V in (0.7, 0.8, 0.9):
        gate = Waveform((0.0, half, 1.02 * half, stop), (gate_V, gate_V, 2.5, 2.5))
        circuit = one_transistor(trial.model, EKV, wave, gate)
        times = np.linspace(0, stop, 2001)
        exact = Network(circuit).solve(times, rtol=1e-8, atol=1e-10)
        peaks.append(exact.currents_A["te"].max())
        used = np.abs(wave(times)) > 0.05
        for name, run in runners():
            found = run(circuit, Transient(stop, stop / 1200, relative_tolerance=1e-6)).at(times)
            ratio = found.currents_A["te"][used] / exact.currents_A["te"][used]
            error = float(np.sqrt(np.mean(np.log10(ratio) ** 2)))
            records.append(Record.below(f"{family}: {name}, 1T1R at {gate_V:g} V, rms log10 I", error, 2e-3))
    rise = min(high / low for low, high in pairwise(peaks))
    return [Record.above(f"{family}: 1T1R, SET current by 0.1 V more on the gate, factor", rise, 1.2), *records]
