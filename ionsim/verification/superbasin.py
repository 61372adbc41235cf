"""A trap left by superbasin visits: exit times and ends against linear algebra and the matrix exponential."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case

_ESCAPES = 10_000
_BARRIER_EV = 0.3
_POTENTIAL_V = np.array([0.0, 0.01, 0.03, 0.0, 0.02])
_TEMPERATURE_K = np.array([300.0, 310.0, 290.0, 305.0, 300.0])
_SHARES = np.array([1e-3, 0.03, 0.1, 0.25, 0.5, 1.0, 1.7, 3.0])


@case(
    "superbasin", "kmc engine",
    problem=(
        "An ion in a trap of three sites with barriers to the outside 3 and 10 decades slower than inside; each of "
        "10,000 escapes is one visit of the superbasin."
    ),
    exact=(
        r"The absorbing Markov chain: ends and times by $\int_0^t e^{-G s}ds\,g = G^{-1}(1 - e^{-Gt})\,g$, with $-G$ "
        r"the generator among the three sites."
    ),
    sources=("M. A. Novotny, Phys. Rev. Lett. 74, 1 (1995)",),
)  # fmt: skip
def superbasin() -> list[Record]:
    """An ion leaves a trap of three sites at the exact times and ends, 3 and 10 decades slower than it hops inside.

    The sites have their own potentials and temperatures. Every escape is one visit; ends and times are counted
    together.
    """
    records = []
    for decades in (3, 10):
        shift_eV = np.array([2.0, 0.0, 0.0, 0.0, 2.0]) * decades * np.log(10.0) * kmc.KB_EV * 300.0
        times_s, ends = _escapes(shift_eV, seed=decades)
        generator = _generator(shift_eV)
        inside = -generator[1:4, 1:4]
        mean_s = float(np.linalg.solve(inside, np.ones(3))[1])
        shares = [np.linalg.solve(inside, (np.eye(3) - expm(-inside * mean_s * part)) @ generator[1:4, [0, 4]])[1]
                  for part in _SHARES]  # fmt: skip
        shares.append(np.linalg.solve(inside, generator[1:4, [0, 4]])[1])
        last = np.searchsorted(mean_s * _SHARES, times_s)
        found = np.array([np.bincount(last[ends == end], minlength=len(shares)) for end in (0, 4)])
        expected = np.diff(np.vstack([np.zeros(2), shares]), axis=0).T
        fine = np.geomspace(1e-3, 4.0, 60)
        law = np.array([np.linalg.solve(inside, (np.eye(3) - expm(-inside * mean_s * part)) @ generator[1:4, [0, 4]])[1]
                        for part in fine])  # fmt: skip
        figure.draw(figure.Panel(f"trap of {decades} decades", "time (mean exit times)", "escaped", [
            *(figure.exact(f"{end} end, exact", fine, _ESCAPES * law[:, k]) for k, end in enumerate(("left", "right"))),
            *(figure.computed(f"{end} end", _SHARES, np.cumsum(row)[:-1])
              for end, row in zip(("left", "right"), found, strict=True)),
        ], True))  # fmt: skip
        deviation = lattice_statistics.of_multinomial(found.ravel(), expected.ravel() / expected.sum())
        records.append(Record.below(f"1e{decades}: times and ends of escapes, chi-square", deviation, 4.0, "sigma"))
        error = (times_s.mean() / mean_s - 1.0) * np.sqrt(_ESCAPES)
        records.append(Record.below(f"1e{decades}: mean exit time", float(error), 4.0, "sigma"))
    return records


def _escapes(shift_eV: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Exit times (s) and the sites reached, from the middle of five sites in a row; the outer two are the ends."""
    positions = np.zeros((5, 3))
    positions[:, 0] = 0.3 * np.arange(5)
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.35),
        kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", "empty", _BARRIER_EV, charge_e=1.0)]),
        np.array([0, 0, 1, 0, 0]), seed=seed, barrier_shifts_eV={"hop": shift_eV}, selector="tree",
    )  # fmt: skip
    kmc.Superbasin(engine)
    engine.set_fields(_POTENTIAL_V, _TEMPERATURE_K)
    engine.watch([1.0, 0.0, 0.0, 0.0, 1.0], 0.5)
    times_s, ends = np.zeros(_ESCAPES), np.zeros(_ESCAPES, dtype=np.int64)
    for k in range(_ESCAPES):
        engine.state.clock[:] = 0.0
        engine.run(until_s=np.inf)
        times_s[k], ends[k] = engine.time_s, np.flatnonzero(engine.occupation)[0]
        engine.assign([ends[k], 2], [0, 1])
    return times_s, ends


def _generator(shift_eV: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rates from row to column, 1/s, by the rate law in full."""
    generator = np.zeros((5, 5))
    for i in range(4):
        saddle_eV = _BARRIER_EV + 0.5 * (shift_eV[i] + shift_eV[i + 1])
        thermal_eV = 0.5 * kmc.KB_EV * (_TEMPERATURE_K[i] + _TEMPERATURE_K[i + 1])
        for here, there in ((i, i + 1), (i + 1, i)):
            barrier_eV = saddle_eV + 0.5 * (_POTENTIAL_V[there] - _POTENTIAL_V[here])
            generator[here, there] = 1e13 * np.exp(-barrier_eV / thermal_eV)
    generator[[0, 4]] = 0.0
    return generator - np.diag(generator.sum(axis=1))
