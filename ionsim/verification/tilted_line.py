"""Independent ions on long open lines in a uniform field: the sinh law of drift, and diffusion.

A hop along the field takes the rate nu exp(-(E0 - qFa/2)/kT), one against it nu exp(-(E0 + qFa/2)/kT). On a line whose
ends are out of reach the displacement in a time t is then the difference of two Poisson numbers: mean (k+ - k-) a t and
variance (k+ + k-) a^2 t, so that the drift velocity is 2 a nu exp(-E0/kT) sinh(qFa/2kT) and the diffusion coefficient
a^2 nu exp(-E0/kT) cosh(qFa/2kT) (N. F. Mott and R. W. Gurney, Electronic Processes in Ionic Crystals, Oxford 1940).
The potential belongs to sites, so a line is open: each ion starts, and ends, ten standard deviations from both ends.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case

SPACING_NM = 0.3
BARRIER_EV = 0.5
ATTEMPT_HZ = 1e13
TEMPERATURE_K = 600.0
THERMAL_EV = kmc.KB_EV * TEMPERATURE_K

_LINES = 500
_START = 330
_LENGTH = 2 * _START + 1
_WINDOWS = 50
_HOPS_IN_WINDOW = 4.0


@cache
def lines() -> kmc.SiteGraph:
    """Parallel lines of sites, too far from each other to hop."""
    site = np.arange(_LINES * _LENGTH)
    positions = np.stack([SPACING_NM * (site % _LENGTH), 1.0 * (site // _LENGTH), np.zeros(len(site))], axis=1)
    return kmc.SiteGraph.from_positions(positions, cutoff_nm=1.2 * SPACING_NM)


def engine_in_field(tilt: float, seed: int) -> kmc.Engine:
    """One ion of charge 1 on each line, in a field with q F a / 2 = ``tilt`` kT toward +x."""
    sites = lines()
    occupation = np.zeros(len(sites), dtype=int)
    occupation[_START::_LENGTH] = 1
    hop = kmc.hop("ion", into="empty", barrier_eV=BARRIER_EV, prefactor_Hz=ATTEMPT_HZ, charge_e=1.0)
    engine = kmc.Engine(sites, kmc.Model(species=("empty", "ion"), processes=[hop]), occupation, seed=seed)
    field_V_per_nm = 2.0 * tilt * THERMAL_EV / SPACING_NM
    engine.set_fields(-field_V_per_nm * sites.positions_nm[:, 0], TEMPERATURE_K)
    return engine


def places(engine: kmc.Engine) -> NDArray[np.int64]:
    """Where the ion of each line is, in sites from its start."""
    return np.flatnonzero(engine.occupation) % _LENGTH - _START


@dataclass(frozen=True)
class Walk:
    """Displacements (sites) of all ions in equal, consecutive times, and the two exact rates times that time."""

    steps: NDArray[np.float64]
    window_s: float
    along: float
    against: float

    @property
    def drift_sigmas(self) -> float:
        """Deviation of the drift from the sinh law."""
        return lattice_statistics.of_mean(self.steps, self.along - self.against, self.along + self.against)

    @property
    def diffusion_sigmas(self) -> float:
        """Deviation of the mean square displacement (about the exact drift) from the cosh law.

        The fourth moment of a difference of Poisson numbers with variance s about its mean is 3 s^2 + s.
        """
        square = self.along + self.against
        return lattice_statistics.of_mean(
            (self.steps - self.along + self.against) ** 2, square, 2.0 * square**2 + square
        )

    @property
    def drift_nm_per_s(self) -> float:
        """Measured drift velocity."""
        return float(self.steps.mean()) * SPACING_NM / self.window_s

    @property
    def diffusion_nm2_per_s(self) -> float:
        """Measured diffusion coefficient, from the variance of the displacements."""
        return float(self.steps.var()) * SPACING_NM**2 / (2.0 * self.window_s)


@cache
def walk(tilt: float, seed: int) -> Walk:
    """Let the ions run through all windows of time."""
    engine = engine_in_field(tilt, seed)
    symmetric_Hz = ATTEMPT_HZ * np.exp(-BARRIER_EV / THERMAL_EV)
    window_s = _HOPS_IN_WINDOW / (2.0 * symmetric_Hz * np.cosh(tilt))
    seen = [places(engine)]
    for k in range(1, _WINDOWS + 1):
        engine.run(until_s=k * window_s)
        seen.append(places(engine))
    along, against = symmetric_Hz * window_s * np.exp([tilt, -tilt])
    return Walk(np.diff(np.array(seen, dtype=float), axis=0), window_s, float(along), float(against))


@case(
    "tilted-line-drift", "kmc engine",
    problem="500 ions on long open lines at 600 K, each alone, in a field of 1 kT a site and without one.",
    exact=r"$v = 2a\nu\,e^{-E_0/kT}\sinh\frac{qFa}{2kT}$.",
    sources=("N. F. Mott, R. W. Gurney, Electronic Processes in Ionic Crystals, Oxford 1940",),
)  # fmt: skip
def tilted_line_drift() -> list[Record]:
    """Drift velocity of ions in a uniform field is 2 a nu exp(-E0/kT) sinh(qFa/2kT), within 3 sigma."""
    result = walk(0.5, 1)
    for tilt, one in ((0.5, result), (0.0, walk(0.0, 2))):
        place = np.arange(-9, 14) if tilt else np.arange(-10, 11)
        law = stats.skellam.pmf(place, one.along, one.against) * one.steps.size
        seen = np.bincount((one.steps.ravel() - place[0]).astype(int).clip(0, len(place) - 1), minlength=len(place))
        title = f"displacements in a window, qFa = {2.0 * tilt:g} kT"
        figure.draw(figure.Panel(title, "displacement (sites)", "ions", [
            figure.exact("difference of two Poisson numbers", place[1:-1], law[1:-1]),
            figure.computed("lattice", place[1:-1], seen[1:-1], np.sqrt(np.maximum(law[1:-1], 1.0))),
        ]))  # fmt: skip
    exact = 2.0 * SPACING_NM * ATTEMPT_HZ * np.exp(-BARRIER_EV / THERMAL_EV) * np.sinh(0.5)
    return [
        Record("drift velocity", result.drift_nm_per_s, "nm/s"),
        Record("drift velocity, relative error", result.drift_nm_per_s / exact - 1.0),
        Record.below("drift velocity, deviation", result.drift_sigmas, 3.0, "sigma"),
        Record.below("drift without field, deviation", walk(0.0, 2).drift_sigmas, 3.0, "sigma"),
    ]


@case(
    "tilted-line-diffusion", "kmc engine",
    problem="As tilted-line-drift: the spread of the displacements.",
    exact=r"$D = a^2\nu\,e^{-E_0/kT}\cosh\frac{qFa}{2kT}$.",
    sources=("N. F. Mott, R. W. Gurney, Electronic Processes in Ionic Crystals, Oxford 1940",),
)  # fmt: skip
def tilted_line_diffusion() -> list[Record]:
    """Diffusion coefficient of ions in a uniform field is a^2 nu exp(-E0/kT) cosh(qFa/2kT), within 3 sigma."""
    result = walk(0.5, 1)
    for tilt, one in ((0.5, result), (0.0, walk(0.0, 2))):
        place = np.cumsum(one.steps, axis=0)
        time_s = one.window_s * np.arange(1.0, len(place) + 1)
        spread = (one.along + one.against) * np.arange(1.0, len(place) + 1)
        figure.draw(figure.Panel(f"spread of the ions, qFa = {2.0 * tilt:g} kT", "time (s)", "variance (nm$^2$)", [
            figure.exact("2 D t", time_s, SPACING_NM**2 * spread),
            figure.computed("lattice", time_s, SPACING_NM**2 * place.var(axis=1),
                            SPACING_NM**2 * spread * np.sqrt(2.0 / _LINES)),
        ]))  # fmt: skip
    exact = SPACING_NM**2 * ATTEMPT_HZ * np.exp(-BARRIER_EV / THERMAL_EV) * np.cosh(0.5)
    return [
        Record("diffusion coefficient", result.diffusion_nm2_per_s, "nm^2/s"),
        Record("diffusion coefficient, relative error", result.diffusion_nm2_per_s / exact - 1.0),
        Record.below("diffusion coefficient, deviation", result.diffusion_sigmas, 3.0, "sigma"),
        Record.below("diffusion without field, deviation", walk(0.0, 2).diffusion_sigmas, 3.0, "sigma"),
    ]


@case(
    "sinh-law", "kmc engine",
    problem="500 ions on long lines at 600 K in fields of 0.01 to 3 kT a site, and in the mirror image.",
    exact=r"$v = 2a\nu\,e^{-E_0/kT}\sinh\frac{qFa}{2kT}$ and $D = a^2\nu\,e^{-E_0/kT}\cosh\frac{qFa}{2kT}$.",
    sources=("N. F. Mott, R. W. Gurney, Electronic Processes in Ionic Crystals, Oxford 1940",),
)  # fmt: skip
def sinh_law() -> list[Record]:
    """Drift and diffusion from a hundredth of kT to three kT a hop, and the mirror image, each within 4 sigma."""
    records, rows = [], []
    for seed, tilt in enumerate((0.005, 0.1, 1.0, 1.5, -1.0)):
        result = walk(tilt, 10 + seed)
        rows.append((tilt, result.drift_nm_per_s, result.diffusion_nm2_per_s, result.drift_sigmas,
                     result.diffusion_sigmas))  # fmt: skip
        records += [
            Record.below(f"drift at qFa = {2.0 * tilt:g} kT, deviation", result.drift_sigmas, 4.0, "sigma"),
            Record.below(f"diffusion at qFa = {2.0 * tilt:g} kT, deviation", result.diffusion_sigmas, 4.0, "sigma"),
        ]
    tilts, drift, spread, off_drift, off_spread = np.transpose(rows)
    fine, hop_Hz = np.linspace(-1.6, 1.6, 100), ATTEMPT_HZ * np.exp(-BARRIER_EV / THERMAL_EV)
    figure.draw(
        figure.Panel("drift", "qFa (kT)", "velocity (nm/s)", [
            figure.exact("sinh law", 2.0 * fine, 2.0 * SPACING_NM * hop_Hz * np.sinh(fine)),
            figure.computed("lattice", 2.0 * tilts, drift),
            figure.other("mobility times field", 2.0 * fine, 2.0 * SPACING_NM * hop_Hz * fine),
        ]),
        figure.Panel("diffusion", "qFa (kT)", "D (nm$^2$/s)", [
            figure.exact("cosh law", 2.0 * fine, SPACING_NM**2 * hop_Hz * np.cosh(fine)),
            figure.computed("lattice", 2.0 * tilts, spread),
        ]),
        figure.deviations("deviation", "qFa (kT)", [("drift", 2.0 * tilts, off_drift), ("diffusion", 2.0 * tilts,
                                                                                        off_spread)], 4.0),
    )  # fmt: skip
    return records
