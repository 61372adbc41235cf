"""How each family is driven when it is verified."""

from __future__ import annotations

from dataclasses import dataclass

from ionsim.compact.description import Model
from ionsim.compact.families import ECM, VCM


@dataclass(frozen=True)
class Trial:
    """Drives of a two-terminal family; voltages in V over the cell.

    ``sweep_V``: corners of a hysteresis at ``rate_V_per_s``. ``pulses_V``: heights, n each, of ``width_s`` from state
    ``pulse_start``. ``wave_V``: amplitude of square waves and sines that move the state slowly. ``fast_V`` at
    ``fast_Hz``: a sine that must close the loop. ``write_V``: selected cell of a crossbar.
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
    ),
    "ecm": Trial(
        model=ECM,
        start="x_start",
        sweep_V=(1.5, -1.5, 0.0),
        rate_V_per_s=1.0,
        pulses_V=(1.3, -1.3),
        n_pulses=20,
        width_s=1e-6,
        edge_s=2e-8,
        pulse_start=0.3,
        read_V=0.1,
        wave_V=0.7,
        slow_Hz=1e3,
        fast_V=0.3,
        fast_Hz=1e6,
        write_V=1.8,
        bake_K=398.15,
    ),
}
