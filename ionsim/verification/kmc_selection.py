"""Selection of events among very unequal rates, by every selector."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.kmc_variants import VARIANTS
from ionsim.verification.record import Record, case

_DRAWS = 1_000_000
#: Enough for a ratio of counts that is known to 0.003.
_PAIR_DRAWS = 6_000_000


@case(
    "kmc-selection", "kmc engine",
    problem=(
        "48 sites turn between two states at rates over eight decades, some equal, some at powers of two where lists "
        "meet: 1e6 events by each selector; 6e6 of two rates 1.0 and 0.3."
    ),
    exact=r"Numbers of events are multinomial, $P_i = k_i/\sum k$; the time is $n/\sum k$ on average.",
    sources=("D. T. Gillespie, J. Comput. Phys. 22, 403 (1976)", "K. Pearson, Phil. Mag. 50, 157 (1900): chi-square"),
)  # fmt: skip
def kmc_selection(draws: int = _DRAWS, pair_draws: int = _PAIR_DRAWS) -> list[Record]:
    """Each selector draws events in proportion to rates over eight decades, and 1.0 against 0.3 as 3.333 +- 0.02.

    Each site turns between two states of its own at a rate of its own, the same both ways, so the numbers of turns
    are multinomial whatever the states are. Rates are spread evenly over decades; some are equal, some are just at, or
    just beside, powers of two, where lists meet. (A selector that draws the list anew after a refusal, with its true
    sum, gives 5.54 : 1 in place of 3.33 : 1.)
    """
    generator = np.random.default_rng(11)
    powers = 2.0 ** np.arange(-3, 4)
    rates = np.concatenate([
        10.0 ** generator.uniform(-4.0, 4.0, 24), powers, np.nextafter(powers, 0.0), np.nextafter(powers, np.inf),
        [100.0, 100.0, 100.0],
    ])  # fmt: skip
    generator.shuffle(rates)
    records, curves, sigma, twos = [], [], [], []
    for name, options in VARIANTS.items():
        counts, time_s = turns(rates, draws, seed=21, **options)
        deviation = lattice_statistics.of_multinomial(counts, rates)
        total = float(rates.sum())
        wait = lattice_statistics.of_mean(np.full(draws, time_s / draws), 1.0 / total, 1.0 / total**2)
        share = rates / total
        curves.append(figure.computed(name, rates, np.where(counts > 0, counts, np.nan)))
        enough = draws * share > 5.0
        sigma.append((name, np.log10(rates[enough]), ((counts - draws * share) / np.sqrt(draws * share * (1.0 - share)))
                      [enough]))  # fmt: skip
        two, _ = turns(np.array([1.0, 0.3]), pair_draws, seed=22, **options)
        twos.append(two[0] / two[1])
        records += [
            Record.below(f"{name}: numbers of events, chi-square", deviation, 4.0, "sigma"),
            Record.below(f"{name}: total time, deviation", wait, 4.0, "sigma"),
            Record.below(f"{name}: events at 1.0 over those at 0.3, minus 3.333", two[0] / two[1] - 10.0 / 3.0, 0.02),
        ]
    ranked = np.sort(rates)
    figure.draw(
        figure.Panel("numbers of events", "rate (1/s)", "events", [
            figure.exact("in proportion", ranked, draws * ranked / ranked.sum()), *curves], True, True),
        figure.deviations("numbers of events: deviation", "lg of the rate", sigma),
        figure.Panel("events at 1.0 over those at 0.3", "", "ratio", [
            figure.exact("10/3", [0, len(twos) - 1], [10.0 / 3.0] * 2),
            figure.computed("lattice", range(len(twos)), twos),
            figure.limit("limits", [0, len(twos) - 1], 10.0 / 3.0 + 0.02),
            figure.limit("", [0, len(twos) - 1], 10.0 / 3.0 - 0.02),
        ], categories=list(VARIANTS)),
    )  # fmt: skip
    return records


def turns(rates: NDArray[np.float64], draws: int, seed: int, **options: Any) -> tuple[NDArray[np.int64], float]:
    """How often each site turned in so many events, and the time that took, s."""
    kinds = range(len(rates))
    model = kmc.Model(
        species=tuple(f"{state}{kind}" for kind in kinds for state in ("up", "down")),
        processes=[
            kmc.reaction(f"turn{kind}", (f"up{kind}",), (f"down{kind}",), 0.0, prefactor_Hz=rate)
            for kind, rate in enumerate(rates.tolist())
        ],
    )
    positions = np.zeros((len(rates), 3))
    positions[:, 0] = np.arange(len(rates))
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.3), model, 2 * np.arange(len(rates)), seed=seed,
        **options,
    )  # fmt: skip
    engine.run(until_s=np.inf, max_events=draws)
    counts = engine.counts
    return np.array([counts[f"turn{kind}"] + counts[f"turn{kind}:reverse"] for kind in kinds]), engine.time_s
