"""The circuits of an exported card: DC, sweep, pulses, 1T1R, crossbar, Monte Carlo, cycles; drives from the card.

Voltages and rates are those the card is valid for and pulses those it was measured with, so that a deck shows what the
card can tell. Families with a gate get the decks that make sense for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionsim.compact.card import Card, MissingDataError
from ionsim.compact.circuits import (
    Circuit,
    Instance,
    Steady,
    Transient,
    Waveform,
    crossbar,
    gated,
    gated_array,
    one_transistor,
    pulses,
    single,
    triangle,
)
from ionsim.compact.circuits.selectors import WRITE_MORE_V, find_selector, sized
from ionsim.compact.cycleport import CycleModel, cycle_model, score_waves
from ionsim.compact.description import RESERVED, CompactError, Model, Parameter
from ionsim.compact.exports.array import Array
from ionsim.compact.families import EKV
from ionsim.compact.frozen import frozen
from ionsim.compact.statistics import sample
from ionsim.compact.telegraphport import (
    EDGE_SHARE,
    PORT,
    relative_levels,
    telegraph_model,
    telegraph_of,
    telegraph_wave,
    terminal_levels,
)
from ionsim.compact.verify.trial import TRIALS, Trial

#: Cells of the Monte Carlo deck, cycles of the deck with scores, dwells of that with telegraph noise; seed of all.
N_CELLS, N_CYCLES, N_DWELLS, SEED = 20, 10, 100, 1

#: Pulses of each sign in the deck of pulses.
N_PULSES = 20

#: Points that a sweep is resolved with, at least.
_POINTS = 2000

#: Gate of the 1T1R, in V; chosen.
GATE_V = 1.0

#: What the transistor of a 1T1R lets pass, over what the open cell would take; chosen.
LIMIT_SHARE = 0.3


@dataclass(frozen=True)
class Deck:
    """A circuit with the analysis that goes with it; ``what`` is a line for the reader."""

    name: str
    what: str
    circuit: Circuit
    analysis: Transient | Steady


def card_model(card: Card) -> Model:
    """The card's model under the card's name, so that cards of one family can meet in a circuit.

    With ``ion_`` in front where a language has that word for itself.
    """
    return replace(card.compact_model(), name=f"ion_{card.name}" if card.name in RESERVED else card.name)


def note(card: Card) -> str:
    """What the first lines of an exported model say about its origin."""
    valid = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in card.validity.items())
    return f"Card {card.name}, SHA-256 {card.sha256()}, written by ionsim. Valid for: {valid or 'not stated'}."


def models(card: Card, decks: Sequence[Deck] = ()) -> list[tuple[Model, str]]:
    """The card's models, then those that decks have beside them, each once and with a line about its origin."""
    found = [(card_model(card), note(card))]
    if with_scores := cycles(card):
        left = "; ".join(f"{name}: {why}" for name, why in with_scores[0].left_out.items())
        more = f" Terminals z take standard normal scores in V, one set a cycle.{f' Left out: {left}.' if left else ''}"
        found.append((with_scores[0].model, note(card) + more))
    if noisy := telegraph(card):
        more = f" Terminal {PORT} takes the relative change of the read current in V: 0.02 V is 2 % more."
        found.append((noisy[0], note(card) + more))
    known = {model.name for model, _ in found}
    others = {model.name: model for deck in decks for model in deck.circuit.models if model.name not in known}
    return found + [(model, f"{model.family.capitalize()}, defaults. Written by ionsim.") for model in others.values()]


def titled(card: Card, deck: Deck) -> Circuit:
    """The circuit of a deck under a title that says what it does."""
    return replace(deck.circuit, title=f"Card {card.name}, {deck.name}: {deck.what}")


def voltages(card: Card) -> tuple[float, float]:
    """Lowest and highest voltage of a card, where it says nothing those that its family is verified with."""
    corners = _trial(card).sweep_V
    low, high = _valid(card, "voltage_V", "gate_V") or (min(corners), max(corners))
    return min(low, 0.0), max(high, 0.0)


def cell_instances(card: Card, n_cells: int = N_CELLS, seed: int = SEED) -> list[dict[str, float]]:
    """Parameters of cells drawn from the card's statistics, one device each, first cycle; empty without statistics.

    Draws outside a parameter's range are moved to its end. The same seed gives the same numbers.
    """
    return [cell for _, cell in drawn_cells(card, n_cells, 1, seed)]


def drawn_cells(
    card: Card, n_devices: int, n_cycles: int, seed: int = SEED
) -> Iterator[tuple[tuple[int, int], dict[str, float]]]:
    """Number of device and cycle, and parameters, of cells drawn from the card's statistics; none without."""
    if card.statistics is None:
        return
    model = card.compact_model()
    drawn = sample(card.statistics, n_devices, n_cycles, seed)
    for device, cycle in np.ndindex(n_devices, n_cycles):
        values = zip(card.statistics.names, drawn[device, cycle].tolist(), strict=True)
        yield (device, cycle), {name: within(model.parameter(name), value) for name, value in values}


def within(parameter: Parameter, value: float) -> float:
    """A value moved into its parameter's range; an open end is left by a millionth of the default."""
    low = parameter.low
    if parameter.open_low and np.isfinite(low):
        low += 1e-6 * abs(parameter.default - low)
    return float(np.clip(value, low, parameter.high))


def check_array(card: Card, array: Array) -> None:
    """Raises CompactError for a selector in an array whose cells have a gate."""
    if array.selector is not None and _trial(card).gated:
        raise CompactError(f"selector = {array.selector!r}: cells of card {card.name} have a gate, which selects them")


def decks(card: Card, array: Array | None = None) -> list[Deck]:
    """All decks of a card; one with a gate has no 1T1R and no list of cells, and no selectors (CompactError)."""
    model, array = card_model(card), array or Array()
    check_array(card, array)
    if _trial(card).gated:
        return list(_gated(card, model, array))
    return [*_single(card, model), *_arrays(card, model, array), *_spread(card, model)]


def telegraph(card: Card) -> tuple[Model, Deck] | None:
    """The model with telegraph noise and the deck of a read in the middle state; None for a card without.

    White noise upon the levels belongs to a noise analysis and is left out.
    """
    try:
        noise = telegraph_of(card)
    except MissingDataError:
        return None
    model = replace(telegraph_model(card_model(card)), name=f"{card.name}_telegraph")
    trial, read_V = _trial(card), _pulse(card)[3]
    rest_V = trial.rest_V or 0.0
    terminals_V, shares = ((rest_V, read_V, 0.0), (0.0, 0.5, -0.5)) if trial.gated else ((read_V, 0.0), (1.0, 0.0))
    state = {trial.start: trial.states[len(trial.states) // 2]}
    levels = terminal_levels(model, terminals_V, shares, relative_levels(noise), state)
    wave = telegraph_wave(noise, levels, N_DWELLS, SEED)
    shortest, stop = min(noise.dwell_low_s, noise.dwell_high_s), wave.times_s[-1]
    read = Waveform((0.0, EDGE_SHARE * shortest), (0.0, read_V))
    if trial.gated:
        rest = Waveform((0.0, EDGE_SHARE * shortest), (0.0, rest_V))
        zero = Waveform((0.0, 1.0), (0.0, 0.0))
        cell, driven = Instance("cell", model, ("g", "d", "s", PORT), state), {"g": rest, "d": read, "s": zero}
    else:
        cell, driven = Instance("cell", model, ("te", "0", PORT), state), {"te": read}
    ((start, value),) = state.items()
    what = f"{N_DWELLS} dwells of telegraph noise (seed {SEED}), read at {read_V:g} V from {start} = {value:g}"
    circuit = Circuit(f"{card.name}: {what}", (cell,), {**driven, PORT: wave}, ambient_K=_ambient_K(card))
    return model, Deck("telegraph", what, circuit, Transient(stop, shortest / 5, EDGE_SHARE * shortest / 10))


def all_decks(card: Card, array: Array | None = None) -> list[Deck]:
    """The decks of a card, with scores where it has spread between cycles, with telegraph noise where it has any."""
    scored, noisy = cycles(card), telegraph(card)
    return decks(card, array) + ([scored[1]] if scored else []) + ([noisy[1]] if noisy else [])


def cycles(card: Card) -> tuple[CycleModel, Deck] | None:
    """The model with score terminals and its deck; None for a card without spread between cycles."""
    try:
        found = cycle_model(card)
    except CompactError:
        return None
    model = replace(found.model, name=f"{card.name}_cycles")
    ports = [port for port in model.ports if not port.optional]
    if len(ports) != 2 + found.n_ports:
        return None
    wave, rate = _sweep(card)
    one = wave.times_s[-1]
    times = [0.0, *(cycle * one + t for cycle in range(N_CYCLES) for t in wave.times_s[1:])]
    volts = [0.0, *(v for _ in range(N_CYCLES) for v in wave.volts[1:])]
    scores = score_waves(found.n_ports, N_CYCLES, one, 1e-4 * one, SEED)
    names = [f"z{j + 1}" for j in range(found.n_ports)]
    circuit = Circuit(
        f"{card.name}: {N_CYCLES} cycles, each with its own scores",
        (Instance("cell", model, ("te", "0", *names)),),
        {"te": Waveform(tuple(times), tuple(volts)), **dict(zip(names, scores, strict=True))},
        ambient_K=_ambient_K(card),
    )
    analysis = Transient(times[-1], one / _POINTS)
    return replace(found, model=model), Deck("cycles", f"{N_CYCLES} sweeps at {rate:g} V/s", circuit, analysis)


def _trial(card: Card) -> Trial:
    if card.family not in TRIALS:
        raise CompactError(f"family {card.family!r}: no drives are known; there are {', '.join(TRIALS)}")
    return TRIALS[card.family]


def _valid(card: Card, *names: str) -> tuple[float, float] | None:
    """The range of the first of these quantities that a card has."""
    return next((card.validity[name] for name in names if name in card.validity), None)


def _ambient_K(card: Card) -> float:
    low, high = _valid(card, "temperature_K", "ambient_K") or (300.15, 300.15)
    return float(np.clip(300.15, low, high))


def _sweep(card: Card) -> tuple[Waveform, float]:
    low, high = voltages(card)
    usual = _trial(card).rate_V_per_s
    slow, fast = _valid(card, "rate_V_per_s", "ramp_rate_V_per_s") or (usual, usual)
    rate = float(np.sqrt(slow * fast)) if slow > 0 else fast
    return triangle([corner for corner in (high, low) if corner] + [0.0], rate), rate


def _single(card: Card, model: Model) -> Iterator[Deck]:
    low, high = voltages(card)
    wave, rate = _sweep(card)
    stop = wave.times_s[-1]
    small = min(abs(v) for v in (low, high) if v) / 5
    yield Deck("dc", "operating points in the state at the start",
               single(model, Waveform((0.0, 1.0), (0.0, 0.0)), ambient_K=_ambient_K(card)),
               Steady("te", -small, small, small / 20))  # fmt: skip
    yield Deck("sweep", f"0, {high:g}, {low:g}, 0 V at {rate:g} V/s",
               single(model, wave, ambient_K=_ambient_K(card)), Transient(stop, stop / _POINTS))  # fmt: skip
    up, down, width, read = _pulse(card)
    train = pulses([up] * N_PULSES + [down] * N_PULSES, width, width, width / 50, read)
    yield Deck("pulses", f"{N_PULSES} pulses of {up:g} V and {N_PULSES} of {down:g} V, {width:g} s, read at {read:g} V",
               single(model, train, ambient_K=_ambient_K(card)),
               Transient(train.times_s[-1], width / 50, width / 1e4))  # fmt: skip


def _transistor_width_m(model: Model, high_V: float) -> float:
    """Width with which the transistor lets pass ``LIMIT_SHARE`` of what the open cell would carry at ``high_V``.

    Less current than the closed cell takes would keep it from its SET.
    """
    unit_A = float(frozen(EKV, [[GATE_V, GATE_V]], []).flows[0, 0])
    return float(np.clip(EKV.values()["w"] * LIMIT_SHARE * _open_S(model) * high_V / unit_A, 1e-7, 1e-3))


def _open_S(model: Model) -> float:
    """Conductance at a read voltage with the first state at the bound where the cell conducts better."""
    state, others = model.states[0], len(model.states) - 1
    start, scale = model.start_and_scale(state.name, model.values())
    ends = [(end - start) / scale for end in (state.low, state.high) if np.isfinite(end)] or [0.0]
    read_V = 0.05
    return max(abs(float(frozen(model, [read_V], [end, *[0.0] * others]).flows[0, 0])) / read_V for end in ends)


def _pulse(card: Card) -> tuple[float, float, float, float]:
    """Amplitudes up and down, width, read voltage of the card's trains, else of those its family is verified with."""
    up, down, trial = card.trains("up"), card.trains("down"), _trial(card)
    if up and down and up[0].amplitude_unit == down[0].amplitude_unit == "V":
        return up[0].amplitude, down[0].amplitude, up[0].width_s, up[0].read_V
    return *trial.pulses_V, trial.width_s, trial.read_V


def _arrays(card: Card, model: Model, wanted: Array) -> Iterator[Deck]:
    high = voltages(card)[1]
    wave, rate = _sweep(card)
    stop = wave.times_s[-1]
    gate = Waveform((0.0, stop * 1e-4), (0.0, GATE_V))
    width_m = _transistor_width_m(model, high)
    circuit = one_transistor(model, EKV, wave, gate, transistor_values={"w": width_m})
    yield Deck("1t1r", f"the sweep at {rate:g} V/s behind a transistor of {width_m * 1e6:.2g} um with {GATE_V:g} V at "
               "its gate",
               replace(circuit, ambient_K=_ambient_K(card)), Transient(stop, stop / _POINTS))  # fmt: skip
    yield _crossbar(card, model, wanted)


def _crossbar(card: Card, model: Model, wanted: Array) -> Deck:
    """An array whose first cell is written by the V/2 scheme; with selectors at a voltage that is higher by theirs."""
    selector = None if wanted.selector is None else find_selector(wanted.selector)
    values = sized(selector, _open_S(model)) if selector else {}
    full, width, size = voltages(card)[1] + (WRITE_MORE_V if selector else 0.0), _pulse(card)[2], wanted.size
    ends = (0.0, width / 50, width * 1.02, width * 1.04)
    half, minus = (Waveform(ends, (0.0, volts, volts, 0.0)) for volts in (full / 2, -full / 2))
    rest = Waveform((0.0, 1.0), (0.0, 0.0))
    rows, columns = [half] + [rest] * (size - 1), [minus] + [rest] * (size - 1)
    array = crossbar(model, rows, columns, wanted.wire_ohm, selector=selector, selector_values=lambda i, j: values)
    each = f" and {selector.name}" if selector else ""
    what = (f"{size} x {size} cells, {wanted.wire_ohm:g} Ohm of wire between neighbours: {full:g} V over the first cell"
            f"{each}, half on its lines")  # fmt: skip
    analysis = Transient(2 * width, width / 200, width / 1e4)
    return Deck("crossbar", what, replace(array, ambient_K=_ambient_K(card)), analysis)


def _spread(card: Card, model: Model) -> Iterator[Deck]:
    cells = cell_instances(card)
    if not cells:
        return
    wave, rate = _sweep(card)
    zero = Waveform((0.0, 1.0), (0.0, 0.0))
    instances = tuple(Instance(f"c{i}", model, ("te", f"be{i}"), cell) for i, cell in enumerate(cells))
    circuit = Circuit(
        f"{card.name}: {len(cells)} cells drawn from the card (seed {SEED}), each with a source of 0 V for its current",
        instances, {"te": wave, **{f"be{i}": zero for i in range(len(cells))}}, ambient_K=_ambient_K(card),
    )  # fmt: skip
    stop = wave.times_s[-1]
    yield Deck("montecarlo", f"{len(cells)} cells, sweep at {rate:g} V/s", circuit, Transient(stop, stop / _POINTS))


def _gated(card: Card, model: Model, wanted: Array) -> Iterator[Deck]:
    """A cell with a gate, its channel read all the while: gate at rest, swept and pulsed; an array."""
    up, down, width, read = _pulse(card)
    wave, rate = _sweep(card)
    stop, rest, ambient_K = wave.times_s[-1], _trial(card).rest_V or 0.0, _ambient_K(card)
    held = Waveform((0.0, 1.0), (read, read))
    yield Deck("dc", "operating points of the channel in the state at the start, gate at 0 V",
               gated(model, Waveform((0.0, 1.0), (0.0, 0.0)), held, ambient_K=ambient_K),
               Steady("d", -read, read, read / 20))  # fmt: skip
    yield Deck("sweep", f"gate at {rate:g} V/s, channel at {read:g} V",
               gated(model, wave, read, ambient_K=ambient_K), Transient(stop, stop / _POINTS))  # fmt: skip
    train = pulses([up] * N_PULSES + [down] * N_PULSES, width, 4 * width, width / 10, rest)
    yield Deck("pulses", f"{N_PULSES} pulses of {up:g} V at the gate and {N_PULSES} of {down:g} V, {width:g} s, "
               f"{rest:g} V at rest; channel at {read:g} V", gated(model, train, read, ambient_K=ambient_K),
               Transient(train.times_s[-1], width / 50, width / 1e4))  # fmt: skip
    ends = (0.0, width / 10, width * 1.1, width * 1.2)
    half, minus = (Waveform(ends, (0.0, volts, volts, 0.0)) for volts in (up / 2, -up / 2))
    zero = Waveform((0.0, 1.0), (0.0, 0.0))
    columns, size = [minus] + [zero] * (wanted.size - 1), wanted.size
    array = gated_array(model, [half] + [zero] * (size - 1), columns, columns, wanted.wire_ohm)
    yield Deck("crossbar", f"{size} x {size} cells, {wanted.wire_ohm:g} Ohm of wire between neighbours: {up:g} V over "
               "the gate of the first, half on its lines", replace(array, ambient_K=ambient_K),
               Transient(2 * width, width / 200, width / 1e4))  # fmt: skip
