"""First passage through a chain in fields, by every selector: against the matrix exponential."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.kmc_variants import VARIANTS
from ionsim.verification.record import Record, case

_CHAINS = 10_000
_BARRIER_EV = 0.4
_POTENTIAL_V = np.array([0.0, 0.06, -0.04, 0.03, -0.9])
_TEMPERATURE_K = np.array([420.0, 480.0, 390.0, 500.0, 450.0])
_SHIFT_EV = np.array([0.0, 0.04, -0.05, 0.08, 0.02])


@case(
    "kmc-first-passage", "kmc engine",
    problem=(
        "10,000 ions each cross a chain of five sites, each with its own potential, temperature and barrier, by each "
        "selector of events."
    ),
    exact="Arrivals $p_5(t) = [e^{Gt}p(0)]_5$ by the matrix exponential.",
    sources=("N. G. van Kampen, Stochastic Processes in Physics and Chemistry, North-Holland 1992, chapters 5 and 12",),
)  # fmt: skip
def kmc_first_passage() -> list[Record]:
    """Each selector gives the first-passage times of the matrix exponential where each site has its own fields.

    The last site lies so low (exp(-0.93 eV/kT) = 1e-10) that an ion which got there is there for good.
    """
    records, curves, sigma = [], [], []
    generator = _generator()
    mean_s = float(-np.linalg.solve(generator[:-1, :-1], np.eye(len(generator) - 1)[0]).sum())
    times_s = mean_s * np.array([0.02, 0.1, 0.25, 0.45, 0.7, 1.0, 1.5, 2.2, 3.5])
    reached = np.array([0.0, *(expm(generator * time_s)[-1, 0] for time_s in times_s), 1.0])
    for seed, (name, options) in enumerate(VARIANTS.items()):
        arrived = np.array([0, *_arrivals(times_s, seed, options), _CHAINS])
        curves.append(figure.computed(name, times_s, arrived[1:-1]))
        expected = _CHAINS * np.diff(reached)
        sigma.append((name, np.arange(len(expected)), (np.diff(arrived) - expected) / np.sqrt(expected)))
        deviation = lattice_statistics.of_multinomial(np.diff(arrived), np.diff(reached))
        records.append(Record.below(f"{name}: first-passage times, chi-square", deviation, 4.0, "sigma"))
    fine = np.linspace(0.0, times_s[-1], 100)
    law = [_CHAINS * expm(generator * time_s)[-1, 0] for time_s in fine]
    figure.draw(
        figure.Panel("arrivals", "time (s)", "ions", [figure.exact("matrix exponential", fine, law), *curves]),
        figure.deviations("arrivals between two looks: deviation", "interval", sigma),
    )  # fmt: skip
    return [Record("mean first-passage time, exact", mean_s, "s"), *records]


def _arrivals(times_s: NDArray[np.float64], seed: int, options: dict[str, Any]) -> list[int]:
    """How many of the ions have arrived by each time."""
    length = len(_POTENTIAL_V)
    positions = np.zeros((_CHAINS * length, 3))
    positions[:, 0] = np.tile(0.3 * np.arange(length), _CHAINS)
    positions[:, 1] = np.repeat(np.arange(_CHAINS), length)
    occupation = np.zeros(len(positions), dtype=np.int8)
    occupation[::length] = 1
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.35),
        kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", "empty", _BARRIER_EV, charge_e=1.0)]),
        occupation, seed=seed, barrier_shifts_eV={"hop": np.tile(_SHIFT_EV, _CHAINS)}, **options,
    )  # fmt: skip
    engine.set_fields(np.tile(_POTENTIAL_V, _CHAINS), np.tile(_TEMPERATURE_K, _CHAINS))
    found = []
    for time_s in times_s.tolist():
        engine.run(until_s=time_s)
        found.append(int(engine.occupation[length - 1 :: length].sum()))
    return found


def _generator() -> NDArray[np.float64]:
    """d/dt of the probabilities of the sites: the rate from j to i in row i, column j."""
    generator = np.zeros((len(_POTENTIAL_V),) * 2)
    for i in range(len(_POTENTIAL_V) - 1):
        saddle_eV = _BARRIER_EV + 0.5 * (_SHIFT_EV[i] + _SHIFT_EV[i + 1])
        thermal_eV = 0.5 * kmc.KB_EV * (_TEMPERATURE_K[i] + _TEMPERATURE_K[i + 1])
        for here, there in ((i, i + 1), (i + 1, i)):
            change_eV = _POTENTIAL_V[there] - _POTENTIAL_V[here]
            activation_eV = max(saddle_eV + 0.5 * change_eV, change_eV, 0.0)
            generator[there, here] = 1e13 * np.exp(-activation_eV / thermal_eV)
    generator[:, -1] = 0.0
    generator -= np.diag(generator.sum(axis=0))
    return generator
