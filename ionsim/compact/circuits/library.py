"""Circuits that are often wanted: one cell with two or three terminals, sweeps and pulses, 1T1R, arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ionsim.compact.circuits.netlist import Circuit, Instance, Sine, Waveform
from ionsim.compact.description import CompactError, Model


def triangle(corners_V: Sequence[float], rate_V_per_s: float) -> Waveform:
    """A sweep from 0 V through ``corners_V`` at a constant rate."""
    times, volts = [0.0], [0.0]
    for corner in corners_V:
        times.append(times[-1] + abs(corner - volts[-1]) / rate_V_per_s)
        volts.append(float(corner))
    return Waveform(tuple(times), tuple(volts))


def pulses(heights_V: Sequence[float], width_s: float, rest_s: float, edge_s: float, read_V: float = 0.0) -> Waveform:
    """Pulses of ``width_s`` (plateau) with edges of ``edge_s``; before and after each ``read_V`` for ``rest_s``."""
    times, volts = [0.0, edge_s, edge_s + rest_s], [0.0, read_V, read_V]
    for height in heights_V:
        for duration, value in ((edge_s, height), (width_s, height), (edge_s, read_V), (rest_s, read_V)):
            times.append(times[-1] + duration)
            volts.append(float(value))
    return Waveform(tuple(times), tuple(volts))


def single(
    model: Model, voltage: Waveform | Sine, values: Mapping[str, float] | None = None, ambient_K: float = 300.15
) -> Circuit:
    """One two-terminal cell, named ``cell``, between node ``te`` and ground."""
    return Circuit(f"{model.name}: one cell", (Instance("cell", model, ("te", "0"), values or {}),), {"te": voltage},
                   ambient_K=ambient_K)  # fmt: skip


def gated(
    model: Model,
    gate: Waveform | Sine,
    read: Waveform | Sine | float,
    values: Mapping[str, float] | None = None,
    ambient_K: float = 300.15,
) -> Circuit:
    """One cell with gate, drain and source, named ``cell``: sources at nodes ``g``, ``d`` and, at 0 V, ``s``.

    ``read``: the drain's voltage; a number is there from 0.1 ns on. The channel's current is half the difference of the
    currents into drain and source, whatever the gate takes.
    """
    drain = read if isinstance(read, Waveform | Sine) else Waveform((0.0, 1e-10), (0.0, float(read)))
    sources = {"g": gate, "d": drain, "s": Waveform((0.0, 1.0), (0.0, 0.0))}
    return Circuit(f"{model.name}: one cell", (Instance("cell", model, ("g", "d", "s"), values or {}),), sources,
                   ambient_K=ambient_K)  # fmt: skip


def one_transistor(
    model: Model,
    transistor: Model,
    voltage: Waveform | Sine,
    gate: Waveform | Sine,
    values: Mapping[str, float] | None = None,
    transistor_values: Mapping[str, float] | None = None,
) -> Circuit:
    """1T1R: the cell ``cell`` from ``te`` to ``mid``, the transistor ``sel`` from there to ground, its gate at ``wl``.

    The gate's voltage limits the current of SET (voltage > 0); in RESET the cell's node is the transistor's source.
    """
    return Circuit(
        f"{model.name}: one cell behind a transistor",
        (
            Instance("cell", model, ("te", "mid"), values or {}),
            Instance("sel", transistor, ("mid", "wl", "0", "0"), transistor_values or {}),
        ),
        {"te": voltage, "wl": gate},
    )


def crossbar(
    model: Model,
    rows: Sequence[Waveform | Sine],
    columns: Sequence[Waveform | Sine],
    wire_ohm: float,
    values: Callable[[int, int], Mapping[str, float]] | None = None,
    selector: Model | None = None,
    selector_values: Callable[[int, int], Mapping[str, float]] | None = None,
) -> Circuit:
    """A crossbar: cell ``c_i_j`` from word line i (node ``w_i_j``) to bit line j (node ``b_i_j``), parameters by cell.

    With a ``selector`` its instance ``s_i_j`` lies between the word line and the cell, whose node is ``m_i_j``.
    Sources drive word lines at ``row_i`` (left) and bit lines at ``col_j`` (bottom); ``wire_ohm`` lies between
    neighbours on a line and between a line's end and its source. Raises CompactError without wire resistance: ideal
    lines are other circuits.
    """
    if wire_ohm <= 0:
        raise CompactError(f"wire_ohm = {wire_ohm!r}: a positive resistance in Ohm is needed")
    n, m = len(rows), len(columns)
    cells, wires = [], []
    for i in range(n):
        for j in range(m):
            top = f"m_{i}_{j}" if selector else f"w_{i}_{j}"
            cells.append(Instance(f"c_{i}_{j}", model, (top, f"b_{i}_{j}"), values(i, j) if values else {}))
            if selector:
                given = selector_values(i, j) if selector_values else {}
                cells.append(Instance(f"s_{i}_{j}", selector, (f"w_{i}_{j}", top), given))
            wires.append((f"w_{i}_{j - 1}" if j else f"row_{i}", f"w_{i}_{j}", wire_ohm))
            wires.append((f"b_{i + 1}_{j}" if i < n - 1 else f"col_{j}", f"b_{i}_{j}", wire_ohm))
    sources = {f"row_{i}": source for i, source in enumerate(rows)}
    sources |= {f"col_{j}": source for j, source in enumerate(columns)}
    return Circuit(f"{model.name}: crossbar {n} x {m}", tuple(cells), sources, tuple(wires))


def gated_array(
    model: Model,
    gates: Sequence[Waveform | Sine],
    drains: Sequence[Waveform | Sine],
    sources: Sequence[Waveform | Sine],
    wire_ohm: float,
    values: Callable[[int, int], Mapping[str, float]] | None = None,
) -> Circuit:
    """Cells ``c_i_j`` with gate, drain and source: gate line i (node ``g_i_j``), and a drain and a source line for each
    column j (nodes ``d_i_j``, ``s_i_j``).

    A column's channels lie side by side between its two lines, so that a gate's voltage over theirs writes one cell:
    half of it on the gate line, minus half on both lines of the column (V/2). A read of column j gives the sum of its
    conductances. Sources drive gate lines at ``gate_i`` (left), drain lines at ``drain_j`` (top) and source lines at
    ``source_j`` (bottom); ``wire_ohm`` as in :func:`crossbar`.
    """
    if wire_ohm <= 0:
        raise CompactError(f"wire_ohm = {wire_ohm!r}: a positive resistance in Ohm is needed")
    n, m = len(gates), len(drains)
    if len(sources) != m:
        raise CompactError(f"{m} drain lines, {len(sources)} source lines: each column has both")
    cells, wires = [], []
    for i in range(n):
        for j in range(m):
            nodes = (f"g_{i}_{j}", f"d_{i}_{j}", f"s_{i}_{j}")
            cells.append(Instance(f"c_{i}_{j}", model, nodes, values(i, j) if values else {}))
            wires.append((f"g_{i}_{j - 1}" if j else f"gate_{i}", nodes[0], wire_ohm))
            wires.append((f"d_{i - 1}_{j}" if i else f"drain_{j}", nodes[1], wire_ohm))
            wires.append((f"s_{i + 1}_{j}" if i < n - 1 else f"source_{j}", nodes[2], wire_ohm))
    driven = {f"gate_{i}": wave for i, wave in enumerate(gates)}
    driven |= {f"drain_{j}": wave for j, wave in enumerate(drains)}
    driven |= {f"source_{j}": wave for j, wave in enumerate(sources)}
    return Circuit(f"{model.name}: array {n} x {m}", tuple(cells), driven, tuple(wires))
