"""How an ion gets through a short chain of unequal sites and barriers: against the matrix exponential."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case

_TEMPERATURE_K = 500.0
_THERMAL_EV = kmc.KB_EV * _TEMPERATURE_K
_CHAINS = 20_000
#: The last site is a trap: an ion that got there is there for good (exp(-2.5 eV/kT) = 1e-25).
_SITE_EV = np.array([0.0, 0.08, -0.05, 0.12, 0.0, -2.5])
_SHIFT_EV = np.array([0.0, 0.05, -0.04, 0.1, -0.02, 0.06])
_BARRIER_EV = 0.5


@case(
    "first-passage", "kmc engine",
    problem=(
        "20,000 ions each cross a chain of six unequal sites with unequal barriers, at 500 K; the last is a trap 2.5 "
        "eV deep."
    ),
    exact=(
        r"The master equation $\dot p = G p$: places $p(t) = e^{Gt}p(0)$, arrivals $p_6(t)$, by the matrix "
        r"exponential."
    ),
    sources=("N. G. van Kampen, Stochastic Processes in Physics and Chemistry, North-Holland 1992, chapters 5 and 12",),
)  # fmt: skip
def first_passage() -> list[Record]:
    """First-passage times through a chain, and places on the way, are the matrix exponential's, within 4 sigma."""
    length = len(_SITE_EV)
    positions = np.zeros((_CHAINS * length, 3))
    positions[:, 0] = np.tile(0.3 * np.arange(length), _CHAINS)
    positions[:, 1] = np.repeat(np.arange(_CHAINS), length)
    occupation = np.zeros(len(positions), dtype=int)
    occupation[::length] = 1
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", into="empty", barrier_eV=_BARRIER_EV)])
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.35), model, occupation, seed=2,
        site_energies_eV={"ion": np.tile(_SITE_EV, _CHAINS)}, barrier_shifts_eV={"hop": np.tile(_SHIFT_EV, _CHAINS)},
    )  # fmt: skip
    engine.set_fields(temperature_K=_TEMPERATURE_K)
    generator = _generator()
    mean_s = _mean_first_passage(generator)
    times_s = mean_s * np.array([0.05, 0.15, 0.3, 0.5, 0.75, 1.0, 1.4, 1.9, 2.5, 3.5])
    records, arrived = [], [0]
    for time_s in times_s:
        engine.run(until_s=float(time_s))
        numbers = engine.occupation.reshape(_CHAINS, length).sum(axis=0)
        arrived.append(int(numbers[-1]))
        if time_s in (times_s[1], times_s[4]):
            chance = expm(generator * time_s)[:, 0]
            deviation = lattice_statistics.of_multinomial(numbers, chance)
            place = np.arange(length)
            figure.draw(figure.Panel(f"places after {time_s / mean_s:.2f} mean passage times", "site", "ions", [
                figure.exact("matrix exponential", place, _CHAINS * chance),
                figure.computed("lattice", place, numbers, np.sqrt(_CHAINS * chance * (1.0 - chance))),
            ]))  # fmt: skip
            name = f"places after {time_s / mean_s:.2f} mean passage times, chi-square"
            records.append(Record.below(name, deviation, 4.0, "sigma"))
    reached = np.array([0.0, *(expm(generator * time_s)[-1, 0] for time_s in times_s), 1.0])
    fine = np.linspace(0.0, times_s[-1], 100)
    law = [_CHAINS * expm(generator * time_s)[-1, 0] for time_s in fine]
    figure.draw(figure.Panel("arrivals", "time (s)", "ions in the trap", [
        figure.exact("matrix exponential", fine, law), figure.computed("lattice", times_s, arrived[1:]),
    ]))  # fmt: skip
    counts = np.diff([*arrived, _CHAINS])
    records.append(
        Record.below("first-passage times, chi-square", lattice_statistics.of_multinomial(counts, np.diff(reached)),
                     4.0, "sigma")
    )  # fmt: skip
    return [Record("mean first-passage time, exact", mean_s, "s"), *records]


def _generator() -> NDArray[np.float64]:
    """d/dt of the probabilities of the sites: the rate from j to i in row i, column j."""
    generator = np.zeros((len(_SITE_EV),) * 2)
    for i in range(len(_SITE_EV) - 1):
        barrier_eV = _BARRIER_EV + 0.5 * (_SHIFT_EV[i] + _SHIFT_EV[i + 1])
        for here, there in ((i, i + 1), (i + 1, i)):
            change_eV = _SITE_EV[there] - _SITE_EV[here]
            activation_eV = max(barrier_eV + 0.5 * change_eV, change_eV, 0.0)
            generator[there, here] = 1e13 * np.exp(-activation_eV / _THERMAL_EV)
    generator -= np.diag(generator.sum(axis=0))
    return generator


def _mean_first_passage(generator: NDArray[np.float64]) -> float:
    """Mean time from the first site to the trap: minus the sum of the inverse of the part that leads there."""
    return float(-np.linalg.solve(generator[:-1, :-1], np.eye(len(generator) - 1)[0]).sum())
