"""Diffusion of an oxygen vacancy through monoclinic HfO2, over all paths of a published table: the master equation."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from ionsim.verification import figure
from ionsim.verification.record import Record, case
from kmc import KB_EV, SiteGraph, textbook

_TEMPERATURES_K = (800.0, 1000.0, 1200.0, 1400.0, 1600.0)
_VACANCIES = 20_000
#: Length of a run in mean times between hops of 0.28 nm of a free walk.
_HOPS = 9.0
_HOP_NM = 0.28


@case(
    "kmc-hfo2-diffusion", "VCM",
    problem=(
        "20,000 independent oxygen vacancies walk through monoclinic HfO2 over all paths of a published table, from "
        "800 to 1600 K."
    ),
    exact=(
        r"The diffusion tensor of the master equation of one cell, $D = \frac{1}{2}\sum p_i w_{ij}\,(d_{ij} + x_j - "
        r"x_i)^2$ with $\sum_j w_{ij}(d_{ij} + x_j - x_i) = 0$."
    ),
    sources=("Paths and crystal: VacHopPy, doi:10.1016/j.cpc.2025.110010 (kmc.textbook, HFO2_PATHS)",),
)  # fmt: skip
def kmc_hfo2_diffusion() -> list[Record]:
    """Vacancy diffusivity of m-HfO2 from 800 to 1600 K is that of the master equation, within 2 %.

    The vacancies of separate crystals never meet, so their displacements are independent: one standard deviation is
    0.6 to 0.7 %. D is the mean square displacement, less the exact constant by which it is off 6 D t at a late time,
    over 6 t. Most hops lead from a three-fold to a four-fold site (0.74 eV) and back at once (0.08 eV), so that only
    part of them count; paths between three-fold sites have 0.84 and 0.85 eV.
    """
    setup = textbook.hfo2_vacancies(copies=_VACANCIES)
    cell = textbook.hfo2_vacancies().sites
    records, found = [], []
    for seed, temperature_K in enumerate(_TEMPERATURES_K):
        exact = float(np.trace(diffusion_tensor(cell, temperature_K))) / 3.0
        time_s = _HOPS * _HOP_NM**2 / (6.0 * exact)
        offset_nm2 = mean_square_nm2(cell, temperature_K, time_s) - 6.0 * exact * time_s
        engine = setup.engine(seed=seed, track="V")
        engine.set_fields(temperature_K=temperature_K)
        engine.run(until_s=time_s)
        square_nm2 = float(np.mean(np.sum(engine.tracers.displacement_nm**2, axis=1)))
        measured = (square_nm2 - offset_nm2) / (6.0 * time_s)
        found.append(measured)
        records += [
            Record(f"D at {temperature_K:.0f} K, exact", exact * 1e-18, "m^2/s"),
            Record(f"D at {temperature_K:.0f} K over that of uncorrelated hops, exact",
                   exact / _uncorrelated(cell, temperature_K)),
            Record.below(f"D at {temperature_K:.0f} K, relative error", measured / exact - 1.0, 0.02),
        ]  # fmt: skip
    kelvin, fine = np.array(_TEMPERATURES_K), np.linspace(780.0, 1650.0, 40)
    law = 1e-18 * np.array([np.trace(diffusion_tensor(cell, k)) / 3.0 for k in fine])
    exacts = np.array([np.trace(diffusion_tensor(cell, k)) / 3.0 for k in kelvin])
    apart = [1e-18 * _uncorrelated(cell, k) for k in fine]
    error = np.full(5, np.sqrt(2.0 / 3.0 / _VACANCIES))
    figure.draw(
        figure.Panel("vacancy in m-HfO$_2$", "1000 K / T", "D (m$^2$/s)", [
            figure.exact("master equation", 1e3 / fine, law),
            figure.computed("lattice", 1e3 / kelvin, 1e-18 * np.array(found)),
            figure.other("if hops knew nothing of each other", 1e3 / fine, apart),
        ], y_log=True),
        figure.Panel("its error", "temperature (K)", "D over the exact one less 1", [
            figure.exact("master equation", kelvin, np.zeros(5)),
            figure.computed("lattice", kelvin, np.array(found) / exacts - 1.0, error),
            figure.limit("limits", kelvin, 0.02), figure.limit("", kelvin, -0.02),
        ]),
    )  # fmt: skip
    return records


def _jumps(sites: SiteGraph, temperature_K: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(E,) rates of a vacancy along every edge of one cell, 1/s; (B,) its chance to be on each site."""
    thermal_eV = KB_EV * temperature_K
    energy_eV = np.where(sites.sublattice == 4, textbook.HFO2_SITE_EV, 0.0)
    barrier_eV = np.full(sites.n_edges, np.nan)
    for (first, second), length_nm, there_eV, back_eV in textbook.HFO2_PATHS:
        for start, end in ((first, second), (second, first)):
            path = (sites.sublattice[sites.origin] == start) & (sites.sublattice[sites.target] == end)
            path &= np.abs(sites.length_nm - length_nm) < 3e-4
            barrier_eV[path] = 0.5 * (there_eV + back_eV)
    change_eV = energy_eV[sites.target] - energy_eV[sites.origin]
    height_eV = np.maximum(np.maximum(barrier_eV + 0.5 * change_eV, change_eV), 0.0)
    chance = np.exp(-energy_eV / thermal_eV)
    return 1e13 * np.exp(-height_eV / thermal_eV), chance / chance.sum()


def _uncorrelated(sites: SiteGraph, temperature_K: float) -> float:
    """Diffusivity if no hop knew of the one before, nm^2/s."""
    rates, chance = _jumps(sites, temperature_K)
    return float(np.sum(chance[sites.origin] * rates * sites.length_nm**2)) / 6.0


def diffusion_tensor(sites: SiteGraph, temperature_K: float) -> NDArray[np.float64]:
    """Exact diffusion tensor of a vacancy, nm^2/s: the master equation of one periodic cell.

    With rates w_ij over steps d_ij and chances p_i in balance, D = 1/2 sum p_i w_ij (d_ij + x_j - x_i)^2 (outer
    products), where the x_i, which take the drift out of the steps from every site, solve
    sum_j w_ij (d_ij + x_j - x_i) = 0.
    """
    rates, chance = _jumps(sites, temperature_K)
    count, steps_nm = len(sites), sites.hop_nm
    drift = np.zeros((count, 3))
    np.add.at(drift, sites.origin, rates[:, None] * steps_nm)
    generator = np.zeros((count, count))
    np.add.at(generator, (sites.origin, sites.target), rates)
    generator -= np.diag(generator.sum(axis=1))
    shift_nm = np.linalg.lstsq(generator, -drift, rcond=None)[0]
    total_nm = steps_nm + shift_nm[sites.target] - shift_nm[sites.origin]
    weight = 0.5 * chance[sites.origin] * rates
    return np.einsum("e,ea,eb->ab", weight, total_nm, total_nm)


def mean_square_nm2(sites: SiteGraph, temperature_K: float, time_s: float) -> float:
    """Exact mean square displacement, nm^2, of a vacancy that starts on the first site.

    The chance p_j of a site, the displacement m_j of vacancies on it (a vector, weighted with p_j) and the mean square
    make one linear system: along an edge i -> j with rate w and step d, w p_i goes from p_i to p_j, w (m_i + d p_i)
    to m_j (w m_i from m_i), and w (2 d m_i + d^2 p_i) to the mean square.
    """
    rates, _ = _jumps(sites, temperature_K)
    count = len(sites)
    system = np.zeros((4 * count + 1,) * 2)  # p, the three components of m, mean square
    for i, j, rate, step_nm in zip(sites.origin, sites.target, rates * time_s, sites.hop_nm, strict=True):
        for block in range(4):
            system[block * count + j, block * count + i] += rate
            system[block * count + i, block * count + i] -= rate
        for axis in range(3):
            system[(1 + axis) * count + j, i] += rate * step_nm[axis]
            system[-1, (1 + axis) * count + i] += 2.0 * rate * step_nm[axis]
        system[-1, i] += rate * step_nm @ step_nm
    return float(expm(system)[-1, 0])
