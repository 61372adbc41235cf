"""Noise analyses of simulators against the spectrum that follows from the equations about the operating point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import constants
from sympy import Expr, Float

from ionsim.compact import tools
from ionsim.compact.circuits import Circuit, Instance, Spectrum, Waveform, noise_ngspice, noise_vacask
from ionsim.compact.description import CompactError, symbol
from ionsim.compact.frozen import frozen
from ionsim.compact.numeric import equations, residual
from ionsim.compact.verify.trial import Trial
from ionsim.verification.record import Record

Floats = NDArray[np.float64]

#: Largest relative error of a power density.
NOISE_LIMIT = 1e-3

#: Frequency in Hz at which flicker noise of the trial is as strong as the white noise of its read; chosen.
CORNER_HZ = 1e3


def noise_runners() -> Iterator[tuple[str, Callable[[Circuit, Spectrum], tuple[Floats, Floats]]]]:
    """Every simulator here that has noise in compiled models."""
    if tools.have("vacask") and tools.have("openvaf"):
        yield "VACASK", noise_vacask
    if tools.have("ngspice") and tools.have("openvaf") and tools.ngspice_version() >= 44:
        yield "ngspice", noise_ngspice


def noise_records(trial: Trial) -> list[Record]:
    """A cell read through a resistor as large as itself, from 1 Hz to 1 GHz: white and flicker noise, every filter.

    The last figure is the share of flicker noise at the lowest frequency: without it the first would not be tested.
    """
    if not trial.model.noises:
        return []
    circuit, analysis = noise_circuit(trial)
    family, records, exact = trial.model.family, [], np.zeros(0)
    for name, run in noise_runners():
        frequencies, found = run(circuit, analysis)
        exact = voltage_noise(circuit, analysis.node, frequencies)
        error = float(np.abs(found / exact - 1).max())
        records.append(Record.below(f"{family}: {name}, noise of a read, largest relative error", error, NOISE_LIMIT))
    if len(exact):
        records.append(Record.above(f"{family}: noise at 1 Hz over that at 1 MHz", exact[0] / exact[12], 100.0))
    return records


def noise_circuit(trial: Trial) -> tuple[Circuit, Spectrum]:
    """A cell in its middle state that is read through a resistor as large as itself; flicker noise by its corner."""
    model, state = trial.model, {trial.start: trial.states[len(trial.states) // 2]}
    terminals = ("g", "d", "s") if trial.gated else ("d", "0")
    applied = [[trial.rest_V or 0.0, trial.read_V]] if trial.gated else [[trial.read_V]]
    out_A = frozen(model, applied, [0.0] * len(model.states), state).flows[0]
    current_A = abs(float(0.5 * (out_A[1] - out_A[2]) if trial.gated else out_A[0]))  # the gate's goes half to each
    conductance_S = current_A / abs(trial.read_V)
    white = 4 * constants.k * 300.15 * conductance_S
    values = {**state, "flicker": CORNER_HZ * white / current_A**2}
    cell = Instance("cell", model, terminals, values)

    def constant(volts: float) -> Waveform:
        return Waveform((0.0, 1.0), (volts, volts))

    sources = {"src": constant(2 * trial.read_V)}
    if trial.gated:
        sources |= {"g": constant(trial.rest_V or 0.0), "s": constant(0.0)}
    circuit = Circuit(f"{model.name}: noise of a read", (cell,), sources, (("src", "d", 1 / conductance_S),))
    return circuit, Spectrum("d", "src", 1.0, 1e9, per_decade=2)


def voltage_noise(circuit: Circuit, node: str, frequencies_Hz: Floats) -> Floats:
    """Power density (n,) in V^2/Hz of the voltage at a node, about the operating point with states at their start.

    Every current of noise goes through the circuit linearised there: S = sum over |transfer impedance|^2 S_i.
    """
    net = _Linear(circuit)
    unknowns = net.operating_point()
    conductance, capacitance = net.matrices(unknowns)
    sources = list(net.noises(unknowns))
    keep = net.free
    out = np.zeros(len(frequencies_Hz))
    aim = np.zeros(len(keep))
    aim[keep.index(net.index[node])] = 1.0
    for k, frequency in enumerate(frequencies_Hz):
        matrix = conductance + 2j * np.pi * frequency * capacitance
        seen = np.zeros(len(net.index) + 1, dtype=complex)
        seen[keep] = np.linalg.solve(matrix[np.ix_(keep, keep)].T, aim)
        out[k] = sum(
            abs(seen[plus] - seen[minus]) ** 2 * power / frequency**exponent for plus, minus, power, exponent in sources
        )
    return out


@dataclass
class _Linear:
    """A circuit about its operating point; rows of nodes by ``index``, the last row is ground."""

    circuit: Circuit

    def __post_init__(self) -> None:
        self.index: dict[str, int] = {}
        self.rows: list[list[int]] = []
        for item in self.circuit.instances:
            given = dict(zip((port.name for port in item.model.ports), item.terminals, strict=True))
            names = [given.get(node.name, f"{item.name}.{node.name}") for node in item.model.nodes]
            names += [f"{item.name}.{state.name}" for state in item.model.states]
            self.rows.append([self._row(name) for name in names])
        self.wires = [(self._row(first), self._row(second), ohm) for first, second, ohm in self.circuit.resistors]
        self.driven = {self._row(name): float(source(0.0)) for name, source in self.circuit.sources.items()}
        self.free = [row for row in range(len(self.index)) if row not in self.driven]

    def _row(self, name: str) -> int:
        return -1 if name == "0" else self.index.setdefault(name, len(self.index))

    def _sums(self, unknowns: Floats) -> tuple[Floats, Floats, Floats]:
        """Flow out of each node, its derivatives, and the capacitances."""
        n = len(self.index) + 1
        out, slope, charge = np.zeros(n), np.zeros((n, n)), np.zeros((n, n))
        for item, rows in zip(self.circuit.instances, self.rows, strict=True):
            part = residual(item.model, unknowns[rows], item.model.values(item.values), self.circuit.ambient_K, True)
            out[rows] += part.resistive
            slope[np.ix_(rows, rows)] += part.resistive_slope
            charge[np.ix_(rows, rows)] += part.reactive_slope
        for first, second, ohm in self.wires:
            ends = [first, second]
            block = np.array([[1.0, -1.0], [-1.0, 1.0]]) / ohm
            out[ends] += block @ unknowns[ends]
            slope[np.ix_(ends, ends)] += block
        return out, slope, charge

    def operating_point(self) -> Floats:
        """Potentials and deviations (rows + 1,), reached from 0 V in steps."""
        unknowns = np.zeros(len(self.index) + 1)
        for share in np.linspace(0.0, 1.0, 21)[1:]:
            for row, volts in self.driven.items():
                unknowns[row] = share * volts
            for _ in range(100):
                out, slope, _ = self._sums(unknowns)
                step = np.linalg.solve(slope[np.ix_(self.free, self.free)], -out[self.free])
                unknowns[self.free] += step
                if np.all(np.abs(step) <= 1e-12 * (1 + np.abs(unknowns[self.free]))):
                    break
            else:
                raise CompactError(f"{self.circuit.title}: no operating point")
        return unknowns

    def matrices(self, unknowns: Floats) -> tuple[Floats, Floats]:
        """Conductances and capacitances (rows + 1, rows + 1)."""
        _, slope, charge = self._sums(unknowns)
        return slope, charge

    def noises(self, unknowns: Floats) -> Iterator[tuple[int, int, float, float]]:
        """Rows of its two nodes, power density in A^2/Hz at 1 Hz and exponent of each source of noise."""
        for first, second, ohm in self.wires:
            yield first, second, 4 * constants.k * self.circuit.ambient_K / ohm, 0.0
        for item, rows in zip(self.circuit.instances, self.rows, strict=True):
            model, values = item.model, item.model.values(item.values)
            code, here = equations(model), unknowns[rows]
            at = dict(zip((node.name for node in model.nodes), here, strict=False)) | {None: 0.0}
            named = [*(q.name for q in model.quantities), *(state.name for state in model.states)]
            found = code.quantities(*here, *code.arguments(values, self.circuit.ambient_K))
            known = dict(zip(named, map(float, found), strict=True)) | values
            known |= {probe.name: at[probe.plus] - at[probe.minus] for probe in model.probes}
            known[model.ambient.name] = self.circuit.ambient_K
            symbols = {symbol(name): Float(value) for name, value in known.items()}

            def number(expression: Expr | None, symbols: dict[Expr, Expr] = symbols) -> float:
                return 0.0 if expression is None else float(expression.xreplace(symbols))

            where = dict(zip((node.name for node in model.nodes), rows, strict=False))
            for noise in model.noises:
                yield where[noise.plus], where[noise.minus], number(noise.power), number(noise.exponent)
