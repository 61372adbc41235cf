"""Spin flips on a square lattice below the critical point: Onsager's energy and Yang's magnetisation."""

import numpy as np
from scipy.special import ellipk

from ionsim.verification import figure
from ionsim.verification.record import Record, case
from kmc import textbook

_SIZE = 100
_KT = 1.0
_SETTLE, _WINDOW, _WINDOWS = 50.0, 10.0, 40


@case(
    "kmc-ising", "kmc engine",
    problem=(
        "Spin flips (Glauber) on 100 x 100 sites at kT = 1, where T_c = 1.1346, an unlike pair costing 1; sampled at "
        "equal times."
    ),
    exact=(
        r"Onsager's energy, $\langle ss'\rangle = \frac{\coth 2K}{2}\left[1 + \frac{2}{\pi}(2\tanh^2 2K - "
        r"1)\,\mathrm{K}(\kappa)\right]$, and Yang's magnetisation $(1 - \sinh^{-4} 2K)^{1/8}$ with $K = 1/2kT$."
    ),
    sources=("L. Onsager, doi:10.1103/PhysRev.65.117", "C. N. Yang, doi:10.1103/PhysRev.85.808"),
)  # fmt: skip
def kmc_ising() -> list[Record]:
    """Unlike neighbours and magnetisation of the Ising model at kT = 1 (T_c = 1.1346) are exact, within 4 sigma.

    An unlike pair costs 1, so J = 1/2 and K = 1/2 in the formulas of L. Onsager (10.1103/PhysRev.65.117) and C. N. Yang
    (10.1103/PhysRev.85.808). Sampled at equal times of the engine's clock, so that time counts, not events.
    """
    setup = textbook.ising(_SIZE, _KT)
    engine = setup.engine(seed=6)
    engine.run(until_s=_SETTLE)
    unlike, up = np.empty((_WINDOWS, 5)), np.empty((_WINDOWS, 5))
    for window in range(_WINDOWS):
        for k in range(5):
            engine.run(until_s=engine.time_s + _WINDOW / 5)
            spins = np.asarray(engine.occupation).reshape(_SIZE, _SIZE)
            unlike[window, k] = np.mean(spins != np.roll(spins, 1, 0)) + np.mean(spins != np.roll(spins, 1, 1))
            up[window, k] = spins.mean()
    coupling = 0.5 / _KT
    tanh = np.tanh(2.0 * coupling)
    modulus = 2.0 * np.sinh(2.0 * coupling) / np.cosh(2.0 * coupling) ** 2
    pair = (1.0 + 2.0 / np.pi * (2.0 * tanh**2 - 1.0) * ellipk(modulus**2)) / (2.0 * tanh)  # <s s'> of neighbours
    magnetisation = (1.0 - np.sinh(2.0 * coupling) ** -4.0) ** 0.125
    return [
        *_records("unlike neighbours a site", unlike.mean(axis=1), 1.0 - float(pair)),
        *_records("magnetisation", np.abs(1.0 - 2.0 * up.mean(axis=1)), float(magnetisation)),
    ]


def _records(name: str, samples: np.ndarray, exact: float) -> list[Record]:
    error = samples.std(ddof=1) / np.sqrt(len(samples))
    window = np.arange(1.0, _WINDOWS + 1)
    figure.draw(figure.Panel(name, "window", name, [
        figure.exact("exact", window, np.full(_WINDOWS, exact)), figure.computed("mean of a window", window, samples),
        figure.other("mean of all", window, np.full(_WINDOWS, samples.mean())),
    ]))  # fmt: skip
    return [
        Record(f"{name}, relative error", float(samples.mean()) / exact - 1.0),
        Record.below(f"{name}, deviation", float((samples.mean() - exact) / error), 4.0, "sigma"),
    ]
