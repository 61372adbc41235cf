"""Rates over twenty decades: the slow ones are neither lost nor swallowed by a sum that was once large."""

import numpy as np

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.kmc_variants import VARIANTS
from ionsim.verification.record import Record, case

_EXPONENTS = range(-10, 11)
_SITES_OF_EACH = 2000
#: Largest relative difference between the sum of rates and that of all rates anew.
_DRIFT = 1e-12


@case(
    "kmc-decades", "kmc engine",
    problem=(
        "42,000 sites decay once, at rates from 1e-10 to 1e10 a second (2,000 of each), by each selector of events; "
        "looked at three times in each decade of time."
    ),
    exact=(
        r"$N(t) = N_0\,e^{-kt}$ for each rate, with binomial scatter; the sum of rates that is kept is that of all "
        r"rates anew, to 1e-12."
    ),
    sources=("D. T. Gillespie, J. Comput. Phys. 22, 403 (1976)",),
)  # fmt: skip
def kmc_decades() -> list[Record]:
    """Decays at rates from 1e-10 to 1e10 a second all happen, in their time, and the sum of rates never drifts.

    Each of the sites decays once, for good. When all fast ones are gone, the total rate has fallen by twenty decades: a
    sum that is kept by adding and subtracting would hold nothing but rounding errors. At three times in each decade the
    number of decays is binomial; at the end nothing is left and the engine says that it is frozen.
    """
    records, curves, late = [], [], []
    count = len(_EXPONENTS) * _SITES_OF_EACH
    rates = np.repeat([10.0**k for k in _EXPONENTS], _SITES_OF_EACH)
    kind = np.random.default_rng(8).permutation(np.repeat(np.arange(len(_EXPONENTS)), _SITES_OF_EACH))
    sites = kmc.SiteGraph.from_lattice(
        (1.0, 1.0, 1.0), [[0.0, 0.0, 0.0]], (count, 1, 1), cutoff_nm=0.5, periodic=(False, False, False)
    )
    model = kmc.Model(
        species=("dead", *(f"alive{k}" for k in _EXPONENTS)),
        processes=[kmc.reaction(f"decay{k}", f"alive{k}", "dead", rate_Hz=10.0**k) for k in _EXPONENTS],
    )
    alive_rates = np.array([0.0, *(10.0**k for k in _EXPONENTS)])
    for seed, (name, options) in enumerate(VARIANTS.items()):
        engine = kmc.Engine(sites, model, kind + 1, seed=seed, **options)
        drift, deviations, left_of = 0.0, [], []
        for k in range(-10, 11):
            for part in (0.2, 0.7, 1.5):
                engine.run(until_s=part * 10.0**k)
                exact = float(np.sort(alive_rates[engine.occupation]).sum())
                drift = max(drift, abs(engine.total_rate_Hz / exact - 1.0))
                left = _SITES_OF_EACH - engine.counts[f"decay{-k}"]
                chance = float(np.exp(-part))
                left_of.append((part, left / _SITES_OF_EACH))
                deviations.append(lattice_statistics.of_binomial(left, _SITES_OF_EACH, chance))
        curves.append(figure.computed(name, *np.transpose(left_of)))
        late.append((name, np.repeat(np.arange(-10, 11), 3), deviations))
        reason = engine.run(until_s=np.inf)
        # Three times in a decade share their sites, but are close to independent in what is new.
        records += [
            Record.below(f"{name}: largest deviation of a number of decays", np.abs(deviations).max(), 4.5, "sigma"),
            Record.below(f"{name}: sum of rates against all anew, relative", drift, _DRIFT),
            Record.below(f"{name}: sites that never decayed", count - engine.n_events + (reason != "frozen"), 0.0),
            Record.below(f"{name}: what is left of the sum of rates", engine.total_rate_Hz, 0.0, "1/s"),
        ]
    fine = np.linspace(0.0, 1.6, 50)
    figure.draw(
        figure.Panel("sites of 21 decades of rates, each at its own time", "rate x time", "share left", [
            figure.exact("$e^{-kt}$", fine, np.exp(-fine)), *curves,
        ]),
        figure.deviations("deviation of the number of decays", "lg of the time (s)", late, 4.5),
    )  # fmt: skip
    return [Record("fastest over slowest rate", float(rates.max() / rates.min())), *records]
