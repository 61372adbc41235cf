"""How each family is driven when it is verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.circuits import Circuit, Sine, Solution, Waveform, gated, single
from ionsim.compact.description import Model
from ionsim.compact.families import ECM, ECRAM, PCM, VCM

Floats = NDArray[np.float64]

#: Below this voltage currents are not compared on a logarithmic scale, in V: both vanish at the origin.
LOWEST_V = 0.02


@dataclass(frozen=True)
class Trial:
    """Drives of a family; voltages in V over the cell, or, where it is ``gated``, of the gate over drain and source.

    ``sweep_V``: corners of a hysteresis at ``rate_V_per_s``. ``pulses_V``: heights, n each, of ``width_s`` from state
    ``pulse_start``. ``wave_V``: amplitude of square waves and sines that move the state slowly. ``fast_V`` at
    ``fast_Hz``: a sine that must close the loop. ``write_V``: selected cell of an array. ``read_V``: between pulses,
    and in an array after the write; of a gated cell the drain's, always, while its gate rests at ``rest_V``.
    ``kept``: state at the start of a bake at ``bake_K``; ``array_start``: range of states in an array,
    whose write takes ``array_s`` and must change its cell by ``array_change``. ``states``: of operating points.
    ``programmed``: the law of square waves is asked for; it is one of cells with a single slow state.
    ``wave_starts``: states that a square wave with every edge resolved starts from; emptier ones may take too long.
    ``selected``: the cell, whose first state goes from 0 to 1, is tried behind selectors.
    ``unipolar``: both signs of the voltage do the same, and memory need not fade.
    ``pulse_tolerance``: relative, of simulators in the train of pulses, as tight as a runaway asks for.
    """

    model: Model
    start: str
    sweep_V: tuple[float, ...]
    rate_V_per_s: float
    pulses_V: tuple[float, float]
    n_pulses: int
    width_s: float
    edge_s: float
    pulse_start: float
    read_V: float
    wave_V: float
    slow_Hz: float
    fast_V: float
    fast_Hz: float
    write_V: float
    bake_K: float
    kept: float = 0.9
    array_start: tuple[float, float] = (0.05, 0.9)
    array_s: float = 1e-6
    array_edge_s: float = 1e-8
    array_change: float = 0.5
    pulse_tolerance: float = 1e-8
    states: tuple[float, ...] = (0.01, 0.5, 0.99)
    wave_starts: tuple[float, ...] = (0.3, 0.4, 0.6, 0.8, 0.98)
    gated: bool = False
    programmed: bool = True
    unipolar: bool = False
    selected: bool = False
    rest_V: float | None = None

    @property
    def driven(self) -> str:
        """Node of the source that drives the cell."""
        return "g" if self.gated else "te"

    def circuit(
        self, wave: Waveform | Sine, values: Mapping[str, float] | None = None, ambient_K: float = 300.15,
        steady: bool = False,
    ) -> Circuit:  # fmt: skip
        """One cell that ``wave`` drives; ``steady``: for operating points, where sources have their value at t = 0."""
        if not self.gated:
            return single(self.model, wave, values, ambient_K)
        read = Waveform((0.0, 1.0), (self.read_V, self.read_V)) if steady else self.read_V
        return gated(self.model, wave, read, values, ambient_K)

    def current(self, found: Solution) -> Floats:
        """The current (n,) that tells the state: that of the cell, or that of the channel."""
        currents = found.currents_A
        return np.asarray(0.5 * (currents["d"] - currents["s"]) if self.gated else currents["te"])

    def used(self, wave: Waveform | Sine, times: Floats) -> NDArray[np.bool_]:
        """Where currents are compared on a logarithmic scale: away from the pinch, or once the drain is at its voltage.
        """
        return np.asarray(times > 1e-9 if self.gated else np.abs(wave(times)) > LOWEST_V)


TRIALS = {
    "vcm": Trial(
        model=VCM,
        start="x_start",
        sweep_V=(1.5, -1.5, 0.0),
        rate_V_per_s=1.0,
        pulses_V=(1.1, -0.9),
        n_pulses=20,
        width_s=1e-6,
        edge_s=2e-8,
        pulse_start=0.05,
        read_V=0.1,
        wave_V=0.7,
        slow_Hz=1e3,
        fast_V=0.5,
        fast_Hz=1e8,
        write_V=1.3,
        bake_K=398.15,
        selected=True,
    ),
    "ecm": Trial(
        model=ECM,
        start="x_start",
        sweep_V=(1.5, -1.5, 0.0),
        rate_V_per_s=1.0,
        pulses_V=(1.15, -0.95),
        n_pulses=20,
        width_s=1e-6,
        edge_s=2e-8,
        pulse_start=0.3,
        read_V=0.1,
        wave_V=0.7,
        slow_Hz=1e5,
        fast_V=0.3,
        fast_Hz=1e7,
        write_V=1.8,
        bake_K=398.15,
        programmed=False,
    ),
    "pcm": Trial(
        model=PCM,
        start="x_start",
        sweep_V=(0.6, -0.6, 0.0),
        rate_V_per_s=3e7,
        pulses_V=(0.65, 0.4),
        n_pulses=5,
        width_s=4e-8,
        edge_s=5e-9,
        pulse_start=0.01,
        read_V=0.05,
        wave_V=0.3,
        slow_Hz=1e11,
        fast_V=0.3,
        fast_Hz=1e12,
        write_V=0.75,
        bake_K=450.0,
        array_s=5e-8,
        array_edge_s=5e-9,
        programmed=False,
        unipolar=True,
    ),
    "ecram": Trial(
        model=ECRAM,
        start="x_start",
        sweep_V=(0.9, -1.2, 0.0),
        rate_V_per_s=1e2,
        pulses_V=(8.45, -9.0),
        n_pulses=2,
        width_s=5e-9,
        edge_s=1e-9,
        pulse_start=0.1,
        read_V=0.1,
        wave_V=0.8,
        slow_Hz=1e2,
        fast_V=0.5,
        fast_Hz=1e8,
        write_V=9.0,
        bake_K=358.15,
        kept=0.25,
        array_start=(0.05, 0.25),
        array_s=5e-9,
        array_edge_s=1e-9,
        pulse_tolerance=1e-6,
        array_change=0.01,
        states=(0.03, 0.15, 0.3),
        gated=True,
        rest_V=-0.21,
    ),
}
