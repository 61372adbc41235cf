"""The ZGB model of CO oxidation in its stationary state: rate and coverages of another program."""

import numpy as np

from ionsim.verification import figure
from ionsim.verification.record import Record, case
from kmc import textbook

#: At y = 0.45 on 100 x 100 sites, kmcos: CO2 per site and unit of time with its uncertainty; coverages.
_RATE, _RATE_ERROR = 0.11761, 0.00017
_COVERAGES = {"empty": 0.2626, "CO": 0.0047, "O": 0.7326}
#: Much longer than the coverages remember what they were.
_WINDOW = 60.0
_WINDOWS = 40
_SAMPLES = 20


@case(
    "kmc-co-oxidation", "kmc engine",
    problem=(
        "The model of Ziff, Gulari and Barshad of CO oxidation at y = 0.45 on 100 x 100 sites, in its stationary "
        "state."
    ),
    exact=(
        "No formula: the rate of CO2 and coverages of another program, kmcos. Each CO2 takes one CO, half an O2 and "
        "one reaction: 2.5 events."
    ),
    sources=(
        "R. M. Ziff, E. Gulari, Y. Barshad, Phys. Rev. Lett. 56, 2553 (1986)",
        "M. J. Hoffmann, S. Matera, K. Reuter, Comput. Phys. Commun. 185, 2138 (2014): kmcos",
    ),
)  # fmt: skip
def kmc_co_oxidation() -> list[Record]:
    """ZGB at y = 0.45: rate of CO2 within 4 sigma of another program's, coverages within 0.005, 2.5 events a CO2.

    In the stationary state each CO2 takes one CO, half an O2 and one reaction: 2.5 events.
    """
    setup = textbook.co_oxidation(100, 0.45)
    engine = setup.engine(seed=5)
    engine.run(until_s=60.0)
    made, coverages, steps = [engine.counts["CO2"]], [], engine.n_events
    for _ in range(_WINDOWS):
        for _ in range(_SAMPLES):
            engine.run(until_s=engine.time_s + _WINDOW / _SAMPLES)
            coverages.append(np.bincount(engine.occupation, minlength=3) / len(setup.sites))
        made.append(engine.counts["CO2"])
    rates = np.diff(made) / (_WINDOW * len(setup.sites))
    error = float(np.hypot(rates.std(ddof=1) / np.sqrt(_WINDOWS), _RATE_ERROR))
    events = (engine.n_events - steps) / (made[-1] - made[0])
    window, kinds = np.arange(1.0, _WINDOWS + 1), np.arange(3.0)
    means = np.mean(coverages, axis=0)
    figure.draw(
        figure.Panel("rate of CO$_2$", "window", "per site and unit of time", [
            figure.exact("kmcos", window, np.full(_WINDOWS, _RATE)), figure.computed("ionsim, a window", window, rates),
            figure.other("ionsim, mean", window, np.full(_WINDOWS, rates.mean())),
        ]),
        figure.Panel("coverages", "", "share of the sites", [
            figure.computed("kmcos", kinds, list(_COVERAGES.values())),
            figure.computed("ionsim", kinds, [means[setup.model.species.index(name)] for name in _COVERAGES]),
        ], categories=list(_COVERAGES)),
    )  # fmt: skip
    return [
        Record("rate of CO2 per site and unit of time", float(rates.mean())),
        Record("rate of CO2, relative to kmcos", float(rates.mean()) / _RATE - 1.0),
        Record.below("rate of CO2, deviation", (float(rates.mean()) - _RATE) / error, 4.0, "sigma"),
        *(
            Record.below(f"coverage of {name}, minus that of kmcos", float(mean) - _COVERAGES[name], 0.005)
            for name, mean in zip(setup.model.species, np.mean(coverages, axis=0), strict=True)
        ),
        Record.below("events a CO2, minus 2.5", events - 2.5, 0.005),
    ]
