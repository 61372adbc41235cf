"""Exchange with a finite reservoir: its filling in equilibrium, against the exact lattice-gas distribution."""

import numpy as np
from scipy.special import gammaln, softmax

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case

_TEMPERATURE_K = 700.0
_THERMAL_EV = kmc.KB_EV * _TEMPERATURE_K
_SITES, _CAPACITY, _IONS = 24, 15, 18
_BARRIER_EV, _ENERGY_EV, _FILLING_EV, _CHARGE_E = 0.4, 0.05, 0.4, -2.0
_SITE_V, _RESERVOIR_V = 0.27, 0.32
_SAMPLES = 20_000


@case(
    "reservoir-equilibrium", "kmc engine",
    problem=(
        "18 ions of charge -2 on 24 sites in exchange with a reservoir of 15 places that fills at a cost, at 700 K; "
        "20,000 independent samples."
    ),
    exact=(
        r"$P(n) \propto \binom{C}{n}\binom{N}{M-n}\,\exp\left[-\left(n\,\Delta U + \frac{f "
        r"n^2}{2C}\right)/kT\right]$."
    ),
    sources=("N. G. van Kampen, Stochastic Processes in Physics and Chemistry, North-Holland 1992, chapters 5 and 12",),
)  # fmt: skip
def reservoir_equilibrium() -> list[Record]:
    """Filling of a reservoir in exchange with charged ions on sites is the exact equilibrium one, within 4 sigma.

    With n ions in C places of the reservoir and M - n on N sites, P(n) is proportional to
    C(C, n) C(N, M - n) exp(-(n dU + f n^2 / 2C)/kT), where dU = energy + charge x (V_reservoir - V_site), f the filling
    energy.
    """
    positions = np.zeros((_SITES, 3))
    positions[:, 0] = np.arange(_SITES)
    out = kmc.exchange("out", "ion", "empty", "cap", _BARRIER_EV, energy_eV=_ENERGY_EV, reverse_name="in")
    model = kmc.Model(
        species=("empty", "ion"), processes=[out], charges_e={"ion": _CHARGE_E},
        reservoirs=[kmc.Reservoir("cap", _CAPACITY, _FILLING_EV)],
    )  # fmt: skip
    occupation = np.zeros(_SITES, dtype=int)
    occupation[:_IONS] = 1
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.3), model, occupation, seed=5,
        contacts={"cap": (np.arange(_SITES), 0.2)},
    )  # fmt: skip
    engine.set_fields(_SITE_V, _TEMPERATURE_K, {"cap": _RESERVOIR_V})

    n = np.arange(_CAPACITY + 1.0)
    change_eV = _ENERGY_EV + _CHARGE_E * (_RESERVOIR_V - _SITE_V)
    energy_eV = n * change_eV + _FILLING_EV * n**2 / (2.0 * _CAPACITY)
    places = (
        -gammaln(n + 1.0) - gammaln(_CAPACITY - n + 1.0) - gammaln(_IONS - n + 1.0) - gammaln(_SITES - _IONS + n + 1.0)
    )
    chance = softmax(places - energy_eV / _THERMAL_EV)
    mean = float(chance @ n)
    variance = float(chance @ n**2) - mean**2

    pause_s = 12.0 / _slowest_decay_Hz(n, change_eV)  # so that e^-12 of the last sample is left in the next
    seen = np.empty(_SAMPLES, dtype=np.int64)
    for k in range(_SAMPLES):
        engine.run(until_s=engine.time_s + pause_s)
        seen[k] = engine.reservoir("cap")
    histogram = np.bincount(seen, minlength=len(n))
    figure.draw(*figure.counted("filling of the reservoir", "ions in the reservoir", histogram, chance))
    kept = engine.number("ion") + engine.reservoir("cap") - _IONS
    return [
        Record("mean filling", float(seen.mean())),
        Record("mean filling over exact", float(seen.mean()) / mean),
        Record.below("mean filling, deviation", lattice_statistics.of_mean(seen, mean, variance), 4.0, "sigma"),
        Record.below("distribution of the filling, chi-square", lattice_statistics.of_multinomial(histogram, chance),
                     4.0, "sigma"),
        Record.below("ions gained or lost", kept, 0.0),
    ]  # fmt: skip


def _slowest_decay_Hz(n: np.ndarray, change_eV: float) -> float:
    """The spectral gap of the exact birth-and-death process of the filling."""
    step_eV = change_eV + _FILLING_EV * (n[:-1] + 0.5) / _CAPACITY
    into = 1e13 * np.exp(-np.maximum(_BARRIER_EV, 0.5 * np.abs(step_eV)) / _THERMAL_EV - 0.5 * step_eV / _THERMAL_EV)
    out_of = into * np.exp(step_eV / _THERMAL_EV)
    rise = into * (1.0 - n[:-1] / _CAPACITY) * (_IONS - n[:-1])
    fall = out_of * (n[1:] / _CAPACITY) * (_SITES - _IONS + n[1:])
    generator = np.diag(rise, -1) + np.diag(fall, 1)
    generator -= np.diag(generator.sum(axis=0))
    return float(-np.sort(np.linalg.eigvals(generator).real)[-2])
