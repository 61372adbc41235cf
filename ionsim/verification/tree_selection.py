"""Selection of events among very unequal rates."""

import numpy as np

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case

_KINDS = 48
_EVENTS = 2_000_000


@case(
    "tree-selection", "kmc engine",
    problem="48 sites turn between two states at rates over eight decades and one of 1e-300 a second; 2e6 events.",
    exact=r"Numbers of events are multinomial, $P_i = k_i/\sum k$; what cannot happen does not.",
    sources=("D. T. Gillespie, J. Comput. Phys. 22, 403 (1976)", "K. Pearson, Phil. Mag. 50, 157 (1900): chi-square"),
)  # fmt: skip
def tree_selection() -> list[Record]:
    """Events are selected in proportion to rates over eight decades (chi-square, 4 sigma), impossible ones never.

    Each of 48 sites turns between two states of its own at a rate of its own, the same both ways: the numbers of turns
    are multinomial. (A solver that draws the group anew after a rejection selects 5.54 : 1 where 3.33 : 1 is exact.)
    """
    generator = np.random.default_rng(9)
    rates = 10.0 ** generator.uniform(-4.0, 4.0, _KINDS)
    rates[:3] = 3.33e4, 1e4, 1e-300
    generator.shuffle(rates)
    species = [f"{state}{kind}" for kind in range(_KINDS) for state in ("up", "down")]
    turns = [
        kmc.reaction(f"turn{kind}", (f"up{kind}",), (f"down{kind}",), 0.0, prefactor_Hz=rate)
        for kind, rate in enumerate(rates.tolist())
    ]
    positions = np.zeros((_KINDS, 3))
    positions[:, 0] = np.arange(_KINDS)
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.3), kmc.Model(species=tuple(species), processes=turns),
        2 * np.arange(_KINDS), seed=4,
    )  # fmt: skip
    engine.run(until_s=np.inf, max_events=_EVENTS)
    counts = np.array([engine.counts[f"turn{k}"] + engine.counts[f"turn{k}:reverse"] for k in range(_KINDS)])
    fast, slow = np.argsort(rates)[-1], np.argsort(rates)[-2]
    shown, total = rates > 1e-100, rates.sum()
    ranked = np.sort(rates[shown])
    figure.draw(
        figure.Panel("numbers of events", "rate (1/s)", "events", [
            figure.exact("in proportion", ranked, _EVENTS * ranked / total),
            figure.computed("lattice", rates[shown], np.where(counts > 0, counts, np.nan)[shown]),
        ], True, True),
        figure.counted("", "lg of the rate", counts[shown], rates[shown], np.log10(rates[shown]))[1],
    )  # fmt: skip
    share = float(counts[fast] / counts[slow])
    return [
        Record("ratio of the two fastest over that of their rates", share / float(rates[fast] / rates[slow])),
        Record.below("numbers of events, chi-square", lattice_statistics.of_multinomial(counts, rates), 4.0, "sigma"),
        Record.below("events at a rate of 1e-300/s", int(counts[np.argmin(rates)]), 0.0),
        Record.below("total time, deviation", lattice_statistics.of_mean(
            np.full(_EVENTS, engine.time_s / _EVENTS), 1.0 / rates.sum(), 1.0 / rates.sum() ** 2), 4.0, "sigma"),
    ]  # fmt: skip
