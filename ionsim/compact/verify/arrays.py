"""Cells in circuits: a crossbar against the reference network, a large one in time, one cell behind a transistor."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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
from ionsim.compact.circuits.selectors import READ_MORE_V, WRITE_MORE_V, sized
from ionsim.compact.description import CompactError, Model
from ionsim.compact.families import EKV, THRESHOLD, VARISTOR
from ionsim.compact.frozen import frozen
from ionsim.compact.reference import Network
from ionsim.compact.verify.simulators import runners
from ionsim.compact.verify.trial import Trial
from ionsim.verification.record import Record

#: Resistance of a wire between neighbouring cells, in Ohm (chosen: some squares of a 20 nm wide copper line).
WIRE_OHM = 2.0

#: States of cells that are off and on.
READ_STATES = (0.01, 0.95)


def written_crossbar(
    trial: Trial, n: int, seed: int = 0, selector: Model | None = None
) -> tuple[Circuit, float, float]:
    """An n x n array whose cell (1, 2) is written by the V/2 scheme, and read: circuit, end, middle of the read.

    Of cells with a gate the gate line has V/2, both lines of the column -V/2; the read goes from drain to source lines.
    Voltages are higher with a selector, which only cells without a gate have.
    """
    extra, more = (READ_MORE_V, WRITE_MORE_V) if selector else (0.0, 0.0)
    edge, width, full = trial.array_edge_s, trial.array_s, trial.write_V + more
    corners = (0.0, edge, edge + width, 2 * edge + width, 3 * edge + width, 3 * edge + 2 * width)

    def line(height: float, read: float) -> Waveform:
        return Waveform(corners, (0.0, height, height, 0.0, read, read))

    low, high = trial.array_start
    starts = np.random.default_rng(seed).uniform(low, high, (n, n))
    starts[1, 2] = low
    start = partial(_start, trial.start, starts)
    if trial.gated:
        gates = [line(full / 2 if i == 1 else 0.0, 0.0) for i in range(n)]
        drains = [line(-full / 2 if j == 2 else 0.0, trial.read_V) for j in range(n)]
        sources = [line(-full / 2 if j == 2 else 0.0, 0.0) for j in range(n)]
        circuit = gated_array(trial.model, gates, drains, sources, WIRE_OHM, start)
    else:
        rows = [line(full if i == 1 else full / 2, trial.read_V + extra if i == 1 else extra / 2) for i in range(n)]
        columns = [line(0.0 if j == 2 else full / 2, 0.0 if j == 2 else extra / 2) for j in range(n)]
        circuit = crossbar(trial.model, rows, columns, WIRE_OHM, start, selector, _sized(trial, selector))
    return circuit, corners[-1], corners[-1] - width / 2


def crossbar_records(trial: Trial, n: int = 4, large: int = 32) -> list[Record]:
    """States and line currents of a small array against the reference; the processor time of a large one in VACASK.

    B-sources have no record of gated cells: with seven states in one expression a point takes 10 ms a cell.
    """
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
        if trial.gated and name == "B-source":
            continue
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
        tolerance = 1e-4 if trial.gated else 1e-5  # of gated cells states are within 2e-6 of those at 1e-5
        begin = os.times()
        run_vacask(circuit, Transient(stop, width / 50, width * 1e-5, tolerance, record=record))
        took = os.times()
        # on a machine that others use the wall time is theirs; the simulator has one thread
        busy = took.children_user + took.children_system - begin.children_user - begin.children_system
        seconds = busy or took.elapsed - begin.elapsed  # Windows counts no children
        label = f"{family}: VACASK, {large} x {large} crossbar written and read, processor time"
        records.append(Record.below(label, seconds, 5.0, "s"))
    return records


def selector_records(trial: Trial, n: int = 4, large: int = 32) -> list[Record]:
    """Cells behind selectors: a small crossbar against the reference, and what a selector does for a read; for families
    whose trial asks for it.

    Read is the worst case: every cell but the selected one is on. The margin is the bit line's current with the
    selected cell on over that with it off, less one; voltages by the V/2 scheme. How large it can be is the cell's own
    matter, so what is asked for is what tunnelling selectors make of it.
    """
    if not trial.selected:
        return []
    family, records = trial.model.family, []
    state, width = trial.model.states[0].name, trial.array_s
    for selector in (VARISTOR, THRESHOLD):
        circuit, stop, read = written_crossbar(trial, n, selector=selector)
        times = np.array([0.5 * width, 0.9 * width, read])
        exact = Network(circuit).solve(times, rtol=1e-7, atol=1e-9)
        written = exact.states[f"c_1_2.{state}"][-1] - trial.array_start[0]
        limit = trial.array_change
        records.append(Record.above(f"{family}: {selector.name}, change of the written cell", written, limit))
        for name, run in runners():
            found = run(circuit, Transient(stop, width / 100, width * 1e-5, relative_tolerance=1e-6)).at(times)
            states = max(np.abs(found.states[key] - exact.states[key]).max() for key in exact.states)
            currents = max(np.abs(found.currents_A[key] - exact.currents_A[key]).max() for key in exact.currents_A)
            largest = max(np.abs(series).max() for series in exact.currents_A.values())
            records.append(Record.below(f"{family}: {name}, {selector.name}, states", states, 1e-3))
            records.append(Record.below(f"{family}: {name}, {selector.name}, currents", currents / largest, 1e-3))
    if any(name == "VACASK" for name, _ in runners()):
        bare, helped = (_read_ratio(trial, large, selector) - 1.0 for selector in (None, VARISTOR))
        records.append(Record.above(f"{family}: {large} x {large} read, margin without selectors", bare, 0.0))
        gain = helped / bare
        records.append(Record.above(f"{family}: {large} x {large} read, factor by selectors", gain, 5.0))
    return records


def _read_ratio(trial: Trial, n: int, selector: Model | None) -> float:
    """Current of the bit line with its selected cell on over that with it off; all other cells are on."""
    edge, full = 1e-8, trial.read_V + (READ_MORE_V if selector else 0.0)

    def line(height: float) -> Waveform:
        return Waveform((0.0, edge), (0.0, height))

    rows = [line(full if i == 1 else full / 2) for i in range(n)]
    columns = [line(0.0 if j == 2 else full / 2) for j in range(n)]
    currents = []
    off, on = READ_STATES
    for selected in (on, off):
        starts = np.full((n, n), on)
        starts[1, 2] = selected
        start, size = partial(_start, trial.start, starts), _sized(trial, selector)
        circuit = crossbar(trial.model, rows, columns, WIRE_OHM, start, selector, size)
        record = (f"c_1_2.{trial.model.states[0].name}",)
        found = run_vacask(circuit, Transient(1e-6, 2e-8, 1e-11, relative_tolerance=1e-5, record=record))
        currents.append(abs(found.currents_A["col_2"][-1]))
    return float(currents[0] / currents[1])


def _sized(trial: Trial, selector: Model | None) -> Callable[[int, int], Mapping[str, float]] | None:
    """Selectors of an area that goes with the conductance of the cell when on."""
    if selector is None:
        return None
    held = [READ_STATES[1], *[0.0] * (len(trial.model.states) - 1)]
    current = frozen(trial.model, [trial.read_V], held, {trial.start: 0.0}).flows[0, 0]
    values = sized(selector, abs(float(current)) / trial.read_V)
    return lambda i, j: values


def _start(name: str, starts: NDArray[np.float64], i: int, j: int) -> dict[str, float]:
    return {name: float(starts[i, j])}


def transistor_records(trial: Trial) -> list[Record]:
    """1T1R: the current of SET against the gate's voltage, and a loop against the reference; none of gated cells."""
    if trial.gated:
        return []
    family = trial.model.family
    top, bottom = trial.sweep_V[0], trial.sweep_V[1]
    wave = triangle((top, 0.0, 1.1 * bottom, 0.0), 1e3)
    stop, half = wave.times_s[-1], wave.times_s[2]
    peaks, records, given_up = [], [], set()
    for gate_V in (0.7, 0.8, 0.9):
        gate = Waveform((0.0, half, 1.02 * half, stop), (gate_V, gate_V, 2.5, 2.5))
        circuit = one_transistor(trial.model, EKV, wave, gate)
        times = np.linspace(0, stop, 2001)
        exact = Network(circuit).solve(times, rtol=1e-8, atol=1e-10)
        peaks.append(exact.currents_A["te"].max())
        used = np.abs(wave(times)) > 0.05
        for name, run in runners():
            if name in given_up:
                continue
            what = f"{family}: {name}, 1T1R at {gate_V:g} V, rms log10 I"
            try:
                found = run(circuit, Transient(stop, stop / 1200, relative_tolerance=1e-6)).at(times)
            except CompactError as problem:  # one simulator that gives up takes nothing from the others
                given_up.add(name)
                said = " ".join(str(problem).split())[-120:]
                records.append(Record(f"{what} ({said})", float("nan"), "", 2e-3, False))
                continue
            ratio = found.currents_A["te"][used] / exact.currents_A["te"][used]
            error = float(np.sqrt(np.mean(np.log10(ratio) ** 2)))
            records.append(Record.below(what, error, 2e-3))
    rise = min(high / low for low, high in pairwise(peaks))
    return [Record.above(f"{family}: 1T1R, SET current by 0.1 V more on the gate, factor", rise, 1.2), *records]
