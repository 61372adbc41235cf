"""Ions in balance with a metal cluster in a closed box: Gibbs and Thomson, with the energies of the family ``ecm``.

Without repulsion of ions, an ion feels nothing but that a site holds one particle. The sum over states is then exact:

    P(N) ~ Z(N) binom(M - N, n) exp(-n e/kT),    n = total - N

for N atoms, n ions of energy e on M sites, with Z(N) the sum over states of N atoms alone. So the odds of an ion on a
site without an atom, n/(M - N), are exp((mu - e)/kT) with mu = -kT ln(Z(N+1)/Z(N)). For bulk metal mu is the energy at
a kink, the strain, at any temperature: adding 12 bonds to empty sites or holes in metal is the same on this lattice.

The continuum gives mu - strain = 2 gamma Omega/r. A crystal of volume V in its shape of least energy has
mu - strain = 2 Omega (W/V)^(1/3), with W the volume of Wulff's construction, in which a facet lies at the distance
gamma from the centre (L. D. Landau, E. M. Lifshitz, Statistical Physics, section 155). For bonds of nearest neighbours
on the fcc lattice of edge a, gamma is 2 sqrt(3) bond/a^2 on (111) and 4 bond/a^2 on (100), so W = 256 bond^3/a^3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ionsim
import kmc
from ionsim.config.ecm import EcmDevice
from ionsim.devices.ecm_lattice import ATOM, ION, part_of_model
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from kmc import lattice

Floats = NDArray[np.float64]

#: W^(1/3) a/bond of Wulff's construction, and gamma a^2/bond of a sphere with the same volume and energy.
_WULFF = 256.0 ** (1.0 / 3.0)
GAMMA = 3.0 * _WULFF / (36.0 * np.pi) ** (1.0 / 3.0)

#: Sites of a box: so many that about a third as many ions as atoms balance the cluster. More would let it dissolve or
#: take them all: a cluster in a large box is in unstable balance.
_IONS_PER_ATOM = 0.35

#: A larger cluster takes longer: runs grow with the number of atoms over this.
_LONGER = 300.0

#: Energy of an ion above a kink, kT: frequent enough for statistics.
ION_KT = 5.0

_KINK, _BULK = 6, 12


@dataclass(frozen=True)
class Balance:
    """Means over one run; ``error_*`` is the standard error of the mean, from blocks.

    Attributes:
        atoms: mean number of atoms.
        ions: mean number of ions.
        excess: ln of the odds of an ion on a site without an atom over those beside bulk metal.
        mismatch: ln of the mean rate at which atoms come over that at which they go, by weights that take no notice of
            how fast: 0 in balance.
        events: events of the run.
    """

    atoms: float
    ions: float
    excess: float
    error_excess: float
    mismatch: float
    error_mismatch: float
    events: int


def free_device(device: EcmDevice, kt_over_bond: float) -> EcmDevice:
    """The device without repulsion of ions; ions are frequent, and barriers let no process take all of the time."""
    ion_eV = device.kinetic("atom.strain_eV") + ION_KT * kt_over_bond * device.kinetic("atom.bond_eV")
    barrier_eV = device.kinetic("atom.surface_barrier_eV")
    return device.replace({
        "ion.energy_eV": ion_eV, "ion.repulsion_eV": 0.0, "ion.hop_spread_eV": 0.0,
        "ion.hop_barrier_eV": barrier_eV + 2.0 * kt_over_bond * device.kinetic("atom.bond_eV"),
        "ion.max_hop_rate_Hz": None, "transfer.barrier_eV": barrier_eV, "transfer.spread_eV": 0.0,
        "transfer.max_metal_rate_Hz": None, "atom.max_surface_rate_Hz": None,
    })  # fmt: skip


def radius(atoms: float | Floats) -> Any:
    """Radius of a sphere of this many atoms, in edges of the cubic cell."""
    return np.cbrt(0.75 / np.pi * 0.25 * np.asarray(atoms))


def continuum_excess(atoms: float | Floats, kt_over_bond: float) -> Any:
    """ln(c/c_bulk) = 2 gamma Omega/(r kT) with the surface energy of counted bonds."""
    return 2.0 * GAMMA * 0.25 / (radius(atoms) * kt_over_bond)


def box_cells(atoms: int, kt_over_bond: float) -> int:
    """Edge of the cubic box, in cells, that suits a cluster."""
    odds = np.exp(continuum_excess(atoms, kt_over_bond) - ION_KT)
    return int(np.ceil(np.cbrt(0.25 * atoms * (1.0 + _IONS_PER_ATOM * (1.0 + odds) / odds))))


def cluster_engine(
    device: EcmDevice, sites: kmc.SiteGraph, atoms: int, ions: int, temperature_K: float, seed: int
) -> kmc.Engine:
    """A cluster of Wulff's shape in the middle and ions anywhere else; without ions, atoms hop and that is all."""
    names = ("ion_hop", "reduction", "surface_hop") if ions else ("surface_hop",)
    model = part_of_model(device, names)
    away = np.abs(sites.positions_nm - 0.5 * sites.cell_nm)
    facets = np.maximum(away.sum(axis=1) / 3.0, away.max(axis=1) / 2.0)  # as in wulff_excess
    order = np.argsort(facets + 1e-3 * np.linalg.norm(away, axis=1), kind="stable")
    occupation = np.zeros(len(sites), dtype=np.int8)
    occupation[order[:atoms]] = model.index(ATOM)
    if ions:
        occupation[np.random.default_rng(seed).choice(order[atoms:], ions, replace=False)] = model.index(ION)
    engine = kmc.Engine(sites, model, occupation, seed=seed)
    engine.set_fields(0.0, temperature_K)
    return engine


def classes(engine: kmc.Engine) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Atoms, and sites without one, by their number of neighbouring atoms: two arrays (13,)."""
    metal = engine.occupation == engine.model.index(ATOM)
    sites = engine.sites
    beside = np.add.reduceat(metal[sites.target].astype(np.int64), sites.start[:-1])
    return (np.bincount(beside[metal], minlength=_BULK + 1), np.bincount(beside[~metal], minlength=_BULK + 1))


def coming_and_going(engine: kmc.Engine, kt_over_bond: float) -> tuple[float, float]:
    """How often atoms would come to all sites and go from all (with ions at the odds of bulk), Barker's weights.

    For each number of neighbours k, <sites without an atom> Z(N) exp((k-6) bond/kT) = <atoms> Z(N+1) exp(strain/kT):
    so the means of the two at N and at N + 1 have the ratio exp(strain/kT) Z(N+1)/Z(N), with any weight w(k).
    """
    atoms, free = classes(engine)
    odds = np.exp((np.arange(_BULK + 1) - _KINK) / kt_over_bond)
    return float(free @ (odds / (1.0 + odds))), float(atoms @ (1.0 / (1.0 + odds)))


def measure(
    device: EcmDevice, atoms: int, kt_over_bond: float, seed: int, looks: int = 2000, events_per_look: int = 2000
) -> Balance:
    """Balance of a cluster of about this many atoms with its ions, after a first fifth that is left out.

    ``events_per_look`` holds, about, up to 300 atoms, and is more in proportion above.
    """
    device = free_device(device, kt_over_bond)
    cells = box_cells(atoms, kt_over_bond)
    sites = lattice.fcc(cells, device.lattice_constant_nm)
    odds = np.exp(continuum_excess(atoms, kt_over_bond) - ION_KT)
    ions = round((len(sites) - atoms) * odds / (1.0 + odds))
    engine = cluster_engine(device, sites, atoms, ions, kt_over_bond * device.kinetic("atom.bond_eV") / kmc.KB_EV, seed)
    step_s = _settle(engine, looks, events_per_look * max(1.0, atoms / _LONGER))
    rows = np.empty((looks, 4))
    for look in range(looks):  # at even times: an average over time
        engine.run(until_s=engine.time_s + step_s)
        here, total = engine.number(ION), len(sites) - engine.number(ATOM)
        coming, going = coming_and_going(engine, kt_over_bond)
        # one ion less remains when it has come
        rows[look] = here, (here + 0.5) / (total + 0.5), coming * here / total, going
    whole, blocks = _derived(rows.mean(axis=0)), np.array([_derived(b.mean(axis=0)) for b in np.split(rows, 10)])
    errors = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    mean_ions = float(rows[:, 0].mean())
    return Balance(atoms + ions - mean_ions, mean_ions, whole[0], errors[0], whole[1], errors[1], engine.n_events)


def _settle(engine: kmc.Engine, looks: int, events_per_look: float) -> float:
    """Run a fifth of a run; returns the time between two looks."""
    engine.run(until_s=np.inf, max_events=int(looks * events_per_look / 5))
    return engine.time_s / (looks / 5.0)


def _derived(means: Floats) -> Floats:
    """Excess and mismatch, from means of ions, odds, coming, going."""
    return np.array([np.log(means[1]) + ION_KT, np.log(means[2] / means[3]) + ION_KT])


def canonical_excess(
    device: EcmDevice, atoms: int, kt_over_bond: float, seed: int, looks: int = 2000, events_per_look: int = 2000
) -> tuple[float, float]:
    """(mu - strain)/kT of a cluster from runs of N and of N + 1 atoms without ions, and its standard error."""
    device = free_device(device, kt_over_bond)
    sites = lattice.fcc(int(np.ceil(np.cbrt(atoms))) + 2, device.lattice_constant_nm)
    temperature_K = kt_over_bond * device.kinetic("atom.bond_eV") / kmc.KB_EV
    series = np.empty((2, looks))
    for more in range(2):
        engine = cluster_engine(device, sites, atoms + more, 0, temperature_K, 2 * seed + more)
        step_s = _settle(engine, looks, events_per_look * max(1.0, atoms / _LONGER))
        for look in range(looks):
            engine.run(until_s=engine.time_s + step_s)
            series[more, look] = coming_and_going(engine, kt_over_bond)[more]
    means = series.mean(axis=1)
    blocks = series.reshape(2, 10, -1).mean(axis=2)
    relative = blocks.std(axis=1, ddof=1) / np.sqrt(10.0) / means
    return float(np.log(means[1] / means[0])), float(np.hypot(*relative))


def wulff_excess(half_edges: int) -> tuple[int, int]:
    """Atoms of a crystal in Wulff's shape, and the bonds that it lacks (6 an atom less those it has).

    ``half_edges`` m: |x| + |y| + |z| <= 3 m and |x|, |y|, |z| <= 2 m in halves of the edge: facets at the distances of
    gamma. Of this family the bonds that are missing go with the area: 3 (W V^2)^(1/3), up to edges and corners.
    """
    axis = np.arange(-2 * half_edges - 1, 2 * half_edges + 2)
    place = np.abs(np.stack(np.meshgrid(axis, axis, axis, indexing="ij")))
    metal = (place.sum(axis=0) <= 3 * half_edges) & (place.max(axis=0) <= 2 * half_edges)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    metal &= (x + y + z) % 2 == 0
    bonds = sum(
        int(np.count_nonzero(metal & np.roll(metal, (step, other), axes)))
        for axes in ((0, 1), (0, 2), (1, 2)) for step, other in ((1, 1), (1, -1))
    )  # fmt: skip
    return int(metal.sum()), _KINK * int(metal.sum()) - bonds


def counted_ions(
    sites: kmc.SiteGraph, total: int, ion_eV: float, bond_eV: float, strain_eV: float, kt_eV: float
) -> Floats:
    """(total + 1,) exact probability of n ions and total - n atoms (at least one), from all places of atoms.

    For a box of up to 16 sites.
    """
    count = len(sites)
    states = np.arange(1 << count)
    pairs = sites.origin < sites.target
    bonds = np.zeros(len(states))
    for first, second in zip(sites.origin[pairs], sites.target[pairs], strict=True):
        bonds += (states >> first) & (states >> second) & 1
    number = np.bitwise_count(states)
    free = number * (strain_eV + _KINK * bond_eV) - bond_eV * bonds
    alone = np.bincount(number, np.exp(-free / kt_eV), count + 1)
    weights = np.zeros(total + 1)
    for ions in range(total):
        atoms = total - ions
        weights[ions] = alone[atoms] * comb(count - atoms, ions) * np.exp(-ions * ion_eV / kt_eV)
    return weights / weights.sum()


def _example() -> EcmDevice:
    device = ionsim.load("ag_sio2_memory")
    if not isinstance(device, EcmDevice):
        raise TypeError(f"the example is of the family {device.family!r}, not 'ecm'")
    return device


def small_box(seed: int, looks: int) -> tuple[Floats, Floats]:
    """Shares of time with n ions (9,) in a box of 16 sites with 8 particles, and the exact ones."""
    device = _example()
    ratio = 2.0  # and an ion that costs three bonds: then all numbers of ions are frequent
    device = free_device(device, ratio).replace(
        {"ion.energy_eV": device.kinetic("atom.strain_eV") + 3.0 * device.kinetic("atom.bond_eV")}
    )
    sites = lattice.fcc((2, 2, 1), device.lattice_constant_nm)
    kt_eV = ratio * device.kinetic("atom.bond_eV")
    engine = cluster_engine(device, sites, 4, 4, kt_eV / kmc.KB_EV, seed)
    engine.run(until_s=np.inf, max_events=1000)
    step_s = 30.0 * engine.time_s / engine.n_events
    seen = np.zeros(9)
    for _ in range(looks):
        engine.run(until_s=engine.time_s + step_s)
        seen[engine.number(ION)] += 1.0
    bond_eV, strain_eV = device.kinetic("atom.bond_eV"), device.kinetic("atom.strain_eV")
    return seen / looks, counted_ions(sites, 8, device.kinetic("ion.energy_eV"), bond_eV, strain_eV, kt_eV)


@case(
    "gibbs-thomson", "ECM",
    problem=(
        "Silver ions in balance with a cluster of about 100 and 200 atoms in a closed box, with the processes of the "
        "family ECM (hop, reduction, surface hop), at kT = 0.6 bonds; a box of 16 sites with 8 particles, all of "
        "whose states are counted."
    ),
    exact=(
        r"Small box: $P(N) \propto Z(N)\binom{M-N}{n}e^{-n\epsilon/kT}$. Clusters: $\ln(c/c_{bulk}) = (\mu - "
        r"\mu_{bulk})/kT$ of a cluster on its own, sampled without ions; the continuum, Gibbs and Thomson, has "
        r"$2\gamma\Omega/rkT$."
    ),
    sources=("L. D. Landau, E. M. Lifshitz, Statistical Physics, sections 142 and 155",),
)  # fmt: skip
def gibbs_thomson() -> list[Record]:
    """Ions beside metal clusters: exact sums in a small box; Gibbs and Thomson, against clusters on their own."""
    device = _example()
    seen, exact = small_box(1, 20_000)
    spread = float(np.sqrt(np.sum(exact * np.arange(9) ** 2) - np.sum(exact * np.arange(9)) ** 2))
    off = float((seen - exact) @ np.arange(9)) / spread
    number = np.arange(9)
    figure.draw(figure.Panel("ions in a box of 16 sites", "ions", "share of the time", [
        figure.exact("sum over all states", number, exact), figure.computed("lattice", number, seen),
    ]))  # fmt: skip
    records = [Record.below("16 sites: mean number of ions off the exact one, standard deviations", off, 0.04)]
    ratio, rows = 0.6, []
    for atoms in (100, 200):
        found = measure(device, atoms, ratio, seed=1, looks=1000, events_per_look=1000)
        alone, error = canonical_excess(device, round(found.atoms), ratio, 1, looks=500, events_per_look=1000)
        rows.append((found.atoms, found.excess, found.error_excess, alone, error))
        sigma = float(np.hypot(found.error_excess, error))
        records += [
            Record(f"{found.atoms:.0f} atoms: ln(c/c_bulk)", found.excess),
            Record("that of a cluster without ions", alone),
            Record("2 gamma Omega/(r kT) of counted bonds", float(continuum_excess(found.atoms, ratio))),
            Record.below("difference to the cluster without ions, standard errors",
                         (found.excess - alone) / sigma, 4.0),
            Record.below("ions come over go, ln, standard errors", found.mismatch / found.error_mismatch, 4.0),
        ]  # fmt: skip
    sizes, balanced, off, alone_too, off_alone = np.transpose(rows)
    fine = np.linspace(60.0, 260.0, 60)
    figure.draw(figure.Panel("clusters", "atoms", "ln(c/c$_{bulk}$)", [
        figure.exact("continuum, $2\\gamma\\Omega/rkT$", fine, continuum_excess(fine, ratio)),
        figure.computed("with ions in balance", sizes, balanced, off),
        figure.computed("on its own, without ions", sizes, alone_too, off_alone),
    ]))  # fmt: skip
    return records
