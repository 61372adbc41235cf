"""Drift in a weak field against diffusion without it, for ions on lines of unequal sites and barriers."""

import numpy as np
from numpy.typing import NDArray

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case

_SPACING_NM = 0.3
_THERMAL_EV = kmc.KB_EV * 600.0
#: A period of three sites that is its own mirror image (so that the drift has no term quadratic in the field): energies
#: of the sites, and shifts of the barrier, which an edge takes from both ends, eV.
_SITE_EV = np.array([0.0, 0.08, 0.08])
_SHIFT_EV = np.array([0.0, 0.05, 0.05])
_BARRIER_EV = 0.45
#: Drop of potential energy from site to site, in kT.
_TILT = 0.1
_LINES = 4000
_LENGTH = 240
#: Spread of the ions after the run, in sites: five and a half of them to each end.
_SPREAD = 18.0


@case(
    "kmc-nernst-einstein", "kmc engine",
    problem=(
        "4,000 ions on lines with a period of three unequal sites and barriers at 600 K: without a field, and in one "
        "of 0.1 kT a site."
    ),
    exact=(
        r"$D = L^2a^2/\sum_i (p_i k_i)^{-1}$ and mobility $\mu = qD/kT$ (Nernst and Einstein); the drift from the "
        r"stationary state of one period."
    ),
    sources=(
        "A. Einstein, Ann. Phys. 322, 549 (1905)",
        "R. Zwanzig, Proc. Natl. Acad. Sci. 85, 2029 (1988): diffusion in a periodic potential",
    ),
)  # fmt: skip
def kmc_nernst_einstein() -> list[Record]:
    """Mobility in a weak field over diffusion without a field is q/kT, and each is the exact one, within 4 sigma.

    On a line with a period of L sites, taken with the chances p_i and left toward the next one at the rates k_i, the
    diffusion coefficient is L^2 a^2 / sum 1/(p_i k_i): resistances in series. The exact drift in the field follows from
    the stationary state of one period; at 0.1 kT from site to site it is within 1 % of that of the limit of no field.
    """
    diffusion, velocity = _diffusion_per_s(), _drift_per_s(_TILT)
    time_s = _SPREAD**2 / (2.0 * diffusion)
    still, drifting = _displacements(0.0, time_s, 1), _displacements(_TILT, time_s, 2)
    spread = 2.0 * diffusion * time_s
    # Of a sum of many hops, the square has a variance of twice its mean squared.
    square = lattice_statistics.of_mean(still**2, spread, 2.0 * spread**2)
    drift = lattice_statistics.of_mean(drifting, velocity * time_s, float(np.var(drifting)))
    ratio = float(drifting.mean() / _TILT / (0.5 * np.mean(still**2)))
    error = np.hypot(np.std(drifting) / drifting.mean(), np.sqrt(2.0)) / np.sqrt(_LINES)
    for title, moved, centre in (("no field", still, 0.0), ("in the field", drifting, velocity * time_s)):
        place = np.arange(round(centre - 4 * _SPREAD), round(centre + 4 * _SPREAD) + 1, 6)
        seen, _ = np.histogram(moved, np.append(place, place[-1] + 6) - 3.0)
        bell = np.exp(-0.5 * (place - centre) ** 2 / spread) / np.sqrt(2.0 * np.pi * spread) * 6 * _LINES
        figure.draw(figure.Panel(f"displacements, {title}", "displacement (sites)", "ions in 6 sites", [
            figure.exact("normal, exact mean and 2Dt", place, bell),
            figure.computed("lattice", place, seen, np.sqrt(np.maximum(bell, 1.0))),
        ]))  # fmt: skip
    return [
        Record("diffusion coefficient, exact", diffusion * _SPACING_NM**2, "nm^2/s"),
        Record.below("diffusion without a field, deviation", square, 4.0, "sigma"),
        Record.below("drift in the field, deviation", drift, 4.0, "sigma"),
        Record("mobility kT / (q D)", ratio),
        Record.below("mobility kT / (q D), deviation from 1", (ratio - 1.0) / error, 4.0, "sigma"),
        Record.below("exact drift over that of the limit of no field, minus 1", velocity / (diffusion * _TILT) - 1.0,
                     0.01),
    ]  # fmt: skip


def _displacements(tilt: float, time_s: float, seed: int) -> NDArray[np.float64]:
    """Displacement (sites) of the ion of each line after a time, from equilibrium within a period."""
    period = len(_SITE_EV)
    sites = kmc.SiteGraph.from_lattice(
        (_SPACING_NM, 1.0, 1.0), [[0.0, 0.0, 0.0]], (_LENGTH, _LINES, 1), cutoff_nm=1.2 * _SPACING_NM,
        periodic=(False, False, False),
    )  # fmt: skip
    place = np.arange(len(sites)) // _LINES
    chance = np.exp(-_SITE_EV / _THERMAL_EV)
    begin = _LENGTH // 2 + np.random.default_rng(seed).choice(period, _LINES, p=chance / chance.sum())
    begin -= round(tilt * 0.5 * _SPREAD**2) // period * period  # the drift goes through the middle
    occupation = np.zeros(len(sites), dtype=np.int8)
    occupation[begin * _LINES + np.arange(_LINES)] = 1
    engine = kmc.Engine(
        sites, kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", "empty", _BARRIER_EV, charge_e=1.0)]),
        occupation, seed=seed, site_energies_eV={"ion": _SITE_EV[place % period]},
        barrier_shifts_eV={"hop": _SHIFT_EV[place % period]},
    )  # fmt: skip
    engine.set_fields(-tilt * _THERMAL_EV * place, _THERMAL_EV / kmc.KB_EV)
    engine.run(until_s=time_s)
    there = np.flatnonzero(engine.occupation)
    moved = np.empty(_LINES)
    moved[there % _LINES] = there // _LINES
    return moved - begin


def _rates_Hz(tilt: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(L,) rates from each site to the next, and back."""
    step_eV = np.roll(_SITE_EV, -1) - _SITE_EV - tilt * _THERMAL_EV
    barrier_eV = _BARRIER_EV + 0.5 * (_SHIFT_EV + np.roll(_SHIFT_EV, -1))
    forward = 1e13 * np.exp(-(barrier_eV + 0.5 * step_eV) / _THERMAL_EV)
    return forward, 1e13 * np.exp(-(barrier_eV - 0.5 * step_eV) / _THERMAL_EV)


def _diffusion_per_s() -> float:
    """Exact diffusion coefficient without a field, sites^2/s."""
    forward, _ = _rates_Hz(0.0)
    chance = np.exp(-_SITE_EV / _THERMAL_EV)
    return len(_SITE_EV) ** 2 / float(np.sum(chance.sum() / (chance * forward)))


def _drift_per_s(tilt: float) -> float:
    """Exact velocity, sites/s: the current of the stationary state of one period."""
    forward, backward = _rates_Hz(tilt)
    count = len(forward)
    generator = np.zeros((count, count))
    for i in range(count):
        j = (i + 1) % count
        generator[j, i] += forward[i]
        generator[i, j] += backward[i]
    generator -= np.diag(generator.sum(axis=0))
    generator[0] = 1.0
    chance = np.linalg.solve(generator, np.eye(count)[0])
    return float(np.sum(chance * forward - np.roll(chance, -1) * backward))
