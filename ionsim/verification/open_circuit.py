"""Open-circuit potential: the voltage at which nothing passes on the whole, and the potentials that it is made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import kmc
from ionsim.coupling.film_potential import COULOMB_V_NM
from ionsim.coupling.space_charge import SpaceCharge
from ionsim.verification import figure
from ionsim.verification.ion_cell import STEP_NM, IonCell, PeriodicFilm, film_sites
from ionsim.verification.record import Record, case

Floats = NDArray[np.float64]

AMBIENT_K = 300.0
KT_EV = kmc.KB_EV * AMBIENT_K

#: Sites filled on average by the fixed charge of the electrolyte, left and right of the step.
CONCENTRATIONS = (0.3, 0.1)


def cell(
    cells: tuple[int, int, int], formation_eV: tuple[float, float], *, bjerrum_nm: float | None, fixed_e: float = 0.0,
    step: bool = False, everywhere: bool = False, seed: int = 1,
) -> IonCell:  # fmt: skip
    """A film that repeats sideways, with both electrodes.

    Args:
        cells: steps along x and y, planes along z.
        formation_eV: energy of an ion from either metal.
        bjerrum_nm: distance at which two ions have kT; None for ions that do not feel each other.
        fixed_e: fixed charge at each site.
        step: instead of it that of :data:`CONCENTRATIONS`, negative.
        everywhere: ions come from and go to the metals at every site, so that their equilibrium, which is the same, is
            sampled sooner: the film's charge swings by kT over its capacity.
        seed: of the engine.
    """
    sites = film_sites(cells, periodic=True)
    z, thickness_nm = sites.positions_nm[:, 2], STEP_NM * cells[2]
    charge = None
    if bjerrum_nm is not None:
        left, right = CONCENTRATIONS
        fixed = np.where(2.0 * z < thickness_nm, -left, -right) if step else np.full(len(sites), fixed_e)
        permittivity = COULOMB_V_NM / (bjerrum_nm * KT_EV)
        film = PeriodicFilm(sites.positions_nm, thickness_nm, STEP_NM, permittivity, cells[:2])
        nowhere = np.zeros(len(sites), dtype=bool)
        charge = SpaceCharge(sites, film, charge_e=1.0, touching=nowhere, atom_radius_nm=0.16, fixed_e=fixed)
    reach_nm = thickness_nm if everywhere else STEP_NM
    contacts = (np.flatnonzero(z < reach_nm), np.flatnonzero(z > thickness_nm - reach_nm))
    return IonCell(sites, charge, formation_eV=formation_eV, contacts=contacts, thickness_nm=thickness_nm,
                   ambient_K=AMBIENT_K, seed=seed)  # fmt: skip


class Crossing(NamedTuple):
    """Ions that pass against the voltage, and where their parabola crosses zero, V, with its standard error."""

    voltages_V: Floats
    passed: Floats
    open_V: float
    error_V: float


def crossing(run: IonCell, voltages_V: Floats, events: int, blocks: int = 8) -> Crossing:
    """Net ions per 1,000 events that leave the left and reach the right electrode, and the voltage of none.

    Positive ions go from left to right below the open-circuit potential of the right electrode. A parabola, because
    fewer ions are in the film at a higher voltage. Its error is that of resampled blocks.
    """
    flow = np.empty((len(voltages_V), blocks))
    for row, voltage_V in zip(flow, voltages_V, strict=True):
        run.set_voltage(float(voltage_V))
        run.occupation(events // 4)
        for block in range(blocks):
            before = sum(run.passed())
            run.occupation(events // blocks)
            row[block] = 500.0 * (sum(run.passed()) - before) / (events // blocks)
    random = np.random.default_rng(1)
    zeros = []
    for draw in random.integers(blocks, size=(200, len(voltages_V), blocks)):
        zeros.append(_zero(voltages_V, np.take_along_axis(flow, draw, axis=1).mean(axis=1)))
    return Crossing(voltages_V, flow.mean(axis=1), _zero(voltages_V, flow.mean(axis=1)), float(np.std(zeros)))


def _zero(voltages_V: Floats, passed: Floats) -> float:
    """Where a parabola of least squares crosses zero, nearest to the middle of the voltages."""
    roots = np.roots(np.polyfit(voltages_V, passed, 2)).real
    return float(roots[np.abs(roots - voltages_V.mean()).argmin()])


class Junction(NamedTuple):
    """Where two electrolytes meet: by plane, and the potential amid the left one less that amid the right one, V."""

    height_nm: Floats
    occupation: Floats
    potential_V: Floats
    step_V: float
    error_V: float


def junction(run: IonCell, events: int, blocks: int = 10) -> Junction:
    """Mean occupation and potential across a film with a step of fixed charge, after a tenth of the events."""
    heights = run.engine.sites.positions_nm[:, 2]
    height_nm, plane = np.unique(np.round(heights, 6), return_inverse=True)
    run.occupation(events // 10)
    held = np.array([np.bincount(plane, row) for row in run.occupation(events // blocks, blocks)])
    held /= np.bincount(plane)
    if run.charge is None:
        return Junction(height_nm, held.mean(axis=0), np.zeros(len(height_nm)), 0.0, 0.0)
    fixed = np.where(np.arange(len(height_nm)) < len(height_nm) // 2, -CONCENTRATIONS[0], -CONCENTRATIONS[1])
    thickness_nm = float(height_nm[-1] + height_nm[0])
    low, high = np.minimum.outer(height_nm, height_nm), np.maximum.outer(height_nm, height_nm)
    sheets = 4.0 * np.pi * run.charge.film.scale_V_nm * low * (thickness_nm - high) / thickness_nm
    potentials = (held + fixed) @ sheets / (2.0 * STEP_NM**2)  # a site for two steps squared of a plane
    left, right = (slice(c - 1, c + 1) for c in (len(height_nm) // 4, 3 * len(height_nm) // 4))
    steps = potentials[:, left].mean(axis=1) - potentials[:, right].mean(axis=1)
    error_V = float(steps.std(ddof=1) / np.sqrt(blocks))
    return Junction(height_nm, held.mean(axis=0), potentials.mean(axis=0), float(steps.mean()), error_V)


def ideal_step_V() -> float:
    """-(kT/e) ln(a1/a2) with the activity theta/(1 - theta) of ions on sites."""
    left, right = CONCENTRATIONS
    return -KT_EV * float(np.log(left / (1.0 - left) * (1.0 - right) / right))


def half_cells_eV() -> float:
    """Energy of an ion for which both electrolytes have their fixed charge balanced at opposite potentials."""
    left, right = CONCENTRATIONS
    return -0.5 * KT_EV * float(np.log(left / (1.0 - left) * right / (1.0 - right)))


@case(
    "open-circuit", "ECM",
    problem=(
        "Ions of charge 1 in a film between two metals from which they cost 0.03 and 0.11 eV: the voltage at which "
        "none pass on the whole. And two electrolytes of 0.3 and 0.1 ions a site that meet."
    ),
    exact=(
        r"Nernst between metals: $V = \Delta G/q$ = 80 mV. Where electrolytes meet, $\Delta\phi = "
        r"-\frac{kT}{q}\ln\frac{a_1}{a_2}$ with $a = \theta/(1 - \theta)$, a diffusion (Donnan) potential."
    ),
    sources=("A. J. Bard, L. R. Faulkner, Electrochemical Methods, 2nd ed., Wiley 2001, chapter 2",),
)  # fmt: skip
def open_circuit() -> list[Record]:
    """The voltage without net current: Nernst's between two metals; where electrolytes meet, a diffusion potential."""
    metals_eV = (0.03, 0.11)
    nernst = crossing(cell((4, 4, 4), metals_eV, bjerrum_nm=0.3), np.array([0.02, 0.06, 0.1, 0.14]), 2400)
    exact_V = metals_eV[1] - metals_eV[0]
    formation_eV = half_cells_eV()
    both_eV = (formation_eV, formation_eV)
    step = junction(cell((10, 10, 20), both_eV, bjerrum_nm=0.1, step=True, everywhere=True), 4000)
    ends, middle = nernst.voltages_V[[0, -1]], 0.5 * float(step.height_nm[0] + step.height_nm[-1])
    left, right = step.height_nm < middle, step.height_nm > middle
    level = float(step.potential_V[len(left) // 4 - 1 : len(left) // 4 + 1].mean())
    figure.draw(
        figure.Panel("ions that pass", "right electrode (mV)", "net ions in 1,000 events", [
            figure.exact("none", 1e3 * ends, [0.0, 0.0]),
            figure.computed("lattice", 1e3 * nernst.voltages_V, nernst.passed),
            figure.computed("crosses zero", [1e3 * nernst.open_V], [0.0]),
            figure.other("$\\Delta G/q$", [1e3 * exact_V] * 2, [nernst.passed.min(), nernst.passed.max()])]),
        figure.Panel("where electrolytes meet: potential", "z (nm)", "potential (mV)", [
            figure.exact("$-(kT/q)\\,\\ln(a_1/a_2)$ apart",
                         [step.height_nm[left][0], middle, middle, step.height_nm[-1]],
                         1e3 * np.array([level, level, level - ideal_step_V(), level - ideal_step_V()])),
            figure.computed("lattice", step.height_nm, 1e3 * step.potential_V)]),
        figure.Panel("where electrolytes meet: ions", "z (nm)", "filled sites", [
            figure.exact("fixed charge", np.concatenate([step.height_nm[left], step.height_nm[right]]),
                         np.repeat(CONCENTRATIONS, [int(left.sum()), int(right.sum())])),
            figure.computed("lattice", step.height_nm, step.occupation)]),
    )  # fmt: skip
    return [
        Record("voltage without net current", 1e3 * nernst.open_V, "mV"),
        Record("the same, standard error", 1e3 * nernst.error_V, "mV"),
        Record.below("the same less dG/e, deviation", (nernst.open_V - exact_V) / nernst.error_V, 4.0, "sigma"),
        Record.below("the same less dG/e", 1e3 * (nernst.open_V - exact_V), 12.0, "mV"),
        Record("diffusion potential", 1e3 * step.step_V, "mV"),
        Record("the same, standard error", 1e3 * step.error_V, "mV"),
        Record("kT/e ln(a1/a2)", 1e3 * ideal_step_V(), "mV"),
        Record.below("the same over it, relative error", step.step_V / ideal_step_V() - 1.0, 0.15),
    ]
