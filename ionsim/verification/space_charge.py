"""Space charge of ions: potentials of charges against exact series, and sampled ensembles against exact sums."""

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy.constants import elementary_charge, epsilon_0
from scipy.optimize import brentq, root

import fem
import kmc
import meshes
from ionsim.coupling.film_potential import COULOMB_V_NM, FilmPotential, by_images, by_waves
from ionsim.coupling.space_charge import InducedCharge, SpaceCharge
from ionsim.verification import figure
from ionsim.verification.ion_cell import STEP_NM, IonCell, PeriodicFilm, deviations, film_sites
from ionsim.verification.record import Record, case

Floats = NDArray[np.float64]


@case(
    "film-potential", "ECM",
    problem=(
        "A unit charge between two grounded planes: by images and by waves (2.4 nm apart), by finite elements in 2 "
        "nm of SiO2, and the mean over a plane of sites of a charge that repeats sideways."
    ),
    exact=(
        r"$\phi = \frac{q}{4\pi\epsilon}\sum_n\left[\frac{1}{\sqrt{\rho^2 + (z - z_0 + 2nL)^2}} - "
        r"\frac{1}{\sqrt{\rho^2 + (z + z_0 + 2nL)^2}}\right] = \frac{q}{\pi\epsilon L}\sum_m \sin\frac{m\pi "
        r"z}{L}\sin\frac{m\pi z_0}{L}\,K_0\!\left(\frac{m\pi\rho}{L}\right)$; a sheet has two straight lines."
    ),
    sources=("J. D. Jackson, Classical Electrodynamics, Wiley, chapter 3",),
)  # fmt: skip
def film_potential() -> list[Record]:
    """Charges between grounded planes: two exact series, finite elements, and a sheet's straight lines agree."""
    thickness_nm = 2.4
    rho = np.linspace(0.25, 2.0, 36) * thickness_nm
    apart = [
        np.abs(by_images(rho, z, source, thickness_nm) / by_waves(rho, z, source, thickness_nm) - 1.0).max()
        for z, source in ((0.1, 0.1), (1.3, 0.7), (0.5, 2.3))
    ]
    pairs = ((0.1, 0.1), (1.3, 0.7), (0.5, 2.3))
    axes = "distance $\\rho$ (nm)", "potential (e/4$\\pi\\epsilon$ nm)"
    figure.draw(figure.Panel("a charge between planes 2.4 nm apart", *axes, [
        curve for z, source in pairs for curve in (
            figure.exact("images" if z == pairs[0][0] else "", rho, by_images(rho, z, source, thickness_nm)),
            figure.computed(f"waves, z = {z:g} and {source:g} nm", rho[::3],
                            by_waves(rho, z, source, thickness_nm)[::3]))
    ], y_log=True))  # fmt: skip
    cells = (8, 8, 12)
    sites = film_sites(cells, periodic=True)
    film = PeriodicFilm(sites.positions_nm, thickness_nm, STEP_NM, 3.9, cells[:2])
    z = sites.positions_nm[:, 2]
    source = int(np.argmin(np.abs(z - 0.7)))
    found = np.array([film.everywhere(source)[z == height].mean() for height in np.unique(z)])
    area_nm2 = np.prod(cells[:2]) * STEP_NM**2
    low, high = np.minimum(np.unique(z), z[source]), np.maximum(np.unique(z), z[source])
    sheet = 4.0 * np.pi * film.scale_V_nm * low * (thickness_nm - high) / thickness_nm / area_nm2
    other = np.abs(np.unique(z) - z[source]) > 0.7  # nearer to it the charge is one of points
    coarse, fine = (_by_elements(size_nm) for size_nm in (0.2, 0.1))
    extrapolated = fine + (fine - coarse) / 3.0
    heights = np.unique(z)
    figure.draw(
        figure.Panel("mean over a plane of sites", "z (nm)", "potential (V)", [
            figure.exact("sheet of charge", heights, sheet), figure.computed("table of the film", heights, found)]),
        figure.Panel("finite elements, beside an ion in SiO$_2$", "distance (nm)", "potential over the series less 1", [
            figure.exact("images", (0.6, 1.0), (0.0, 0.0)), figure.computed("cells of 0.2 nm", (0.6, 0.8, 1.0), coarse),
            figure.computed("cells of 0.1 nm", (0.6, 0.8, 1.0), fine),
            figure.computed("extrapolated", (0.6, 0.8, 1.0), extrapolated)]),
    )  # fmt: skip
    return [
        Record.below("images over waves, relative difference", max(apart), 1e-6),
        Record.below("a sheet of charge over straight lines, relative", np.abs(found / sheet - 1.0)[other].max(), 1e-6),
        Record("finite elements, cells of 0.1 nm, largest relative error", fine[np.abs(fine).argmax()]),
        Record.below("the same, extrapolated to small cells", np.abs(extrapolated).max(), 0.005),
    ]


def _by_elements(size_nm: float) -> Floats:
    """Relative error of div(eps grad phi) = -rho by finite elements around an ion in 2 nm of SiO2, on its own level."""
    side = np.linspace(-3.0, 3.0, round(6.0 / size_nm) + 1)
    z = np.linspace(0.0, 2.0, round(2.0 / size_nm) + 1)
    problem = fem.Conduction(
        meshes.tensor_box(side, side, z, {"film": (0.0, 2.0)}, MPI.COMM_SELF), {"film": 3.9 * epsilon_0},
        fem.SolverSettings(rtol=1e-7),
    )  # fmt: skip
    charge = fem.SiteOperator(problem.space, [[0.0, 0.0, 0.6]], kind="nearest")
    state = problem.solve({"top": 0.0, "bottom": 0.0}, charge.deposit([elementary_charge]))
    points = np.array([[x, 0.0, 0.6] for x in (0.6, 0.8, 1.0)])
    found = fem.SiteOperator(problem.space, points, kind="nearest").sample(state.potential_V)
    return np.asarray(found / (COULOMB_V_NM / 3.9 * by_images(points[:, 0], 0.6, 0.6, 2.0)) - 1.0)


@case(
    "ion-pair", "ECM",
    problem=(
        "Two ions in a film of SiO2 whose electrodes are 6 nm away: the change of energy of each hop as the engine "
        "has it, from a distance of one neighbour on."
    ),
    exact=(
        r"Coulomb: $\Delta U = \frac{q^2}{4\pi\epsilon}\left(\frac{1}{r_2} - \frac{1}{r_1}\right)$, and none for a "
        r"lone ion, which must not feel itself."
    ),
    sources=("J. D. Jackson, Classical Electrodynamics, Wiley",),
    quick=True,
)  # fmt: skip
def ion_pair() -> list[Record]:
    """Two ions as the engine's events feel them: Coulomb's law between them, and no force of an ion on itself."""
    cells = (15, 5, 60)  # electrodes 6 nm away
    sites = film_sites(cells)
    film = FilmPotential(sites.positions_nm, STEP_NM * cells[2], STEP_NM, 3.9)
    charge = SpaceCharge(sites, film, charge_e=1.0, touching=np.zeros(len(sites), dtype=bool), atom_radius_nm=0.16)
    everywhere = np.arange(len(sites))
    cell = IonCell(sites, charge, formation_eV=(0.0, 0.0), contacts=(everywhere, everywhere),
                   thickness_nm=STEP_NM * cells[2], ambient_K=300.0)  # fmt: skip

    def at(x: int, y: int, z: int = 30) -> int:
        wanted = STEP_NM * np.array([x, y, z + 0.5])
        return int(np.argmin(np.linalg.norm(sites.positions_nm - wanted, axis=1)))

    def hops(*ions: int) -> dict[tuple[int, int], float]:
        cell.engine.assign(everywhere, np.isin(everywhere, ions).astype(np.int8))
        cell.set_voltage(0.0)
        return {(i, j): change for i, j, _, change in cell.engine.rates("hop")}

    alone = [abs(change) for z in (0, 1, 30) for change in hops(at(6, 2 + z % 2, z)).values()]
    first, records, seen = at(0, 2), [], []
    # From the next neighbour, then along a row of second neighbours.
    ways = [(at(1, 3), at(2, 4)), *((at(2 * number, 2), at(2 * number + 1, 3)) for number in range(1, 7))]
    for here, there in ways:
        change = hops(first, here)[here, there]
        length = np.linalg.norm(sites.positions_nm[[here, there]] - sites.positions_nm[first], axis=1)
        seen.append((0.5 * length.sum(), -change / (length[1] - length[0])))
        coulomb = COULOMB_V_NM / 3.9 * (1.0 / length[1] - 1.0 / length[0])
        records.append(
            Record.below(f"hop from {length[0]:.2f} to {length[1]:.2f} nm over Coulomb's law, error",
                         change / coulomb - 1.0, 0.03)
        )  # fmt: skip
    middle, force = np.transpose(seen)
    fine = np.geomspace(middle[0], middle[-1], 60)
    figure.draw(
        figure.Panel("force between two ions", "distance, middle of the hop (nm)", "energy by length of hop (eV/nm)", [
            figure.exact("Coulomb, $q^2/4\\pi\\epsilon r^2$", fine, COULOMB_V_NM / 3.9 / fine**2),
            figure.computed("rates of the engine", middle, force)], True, True),
        figure.errors("Coulomb's law, hop by hop", [f"{r:.2f} nm" for r in middle], [r.value for r in records], 0.03),
    )  # fmt: skip
    pair = film.between(np.array([at(1, 1), at(1, 1, 0)]), np.array([at(2, 2), at(2, 2, 0)]))
    image = 0.5 * float(film.everywhere(at(2, 2, 0))[at(2, 2, 0)])
    return [
        Record.below("a lone ion's change of energy in a hop", max(alone) / (kmc.KB_EV * 300.0), 1e-9, "kT"),
        *records,
        Record("energy of two neighbours far from electrodes", float(pair[0]), "eV"),
        Record("energy of two neighbours in the first plane", float(pair[1]), "eV"),
        Record("an ion's own image in the first plane, left out", image, "eV"),
    ]  # fmt: skip


@case(
    "charged-metal", "ECM",
    problem=(
        "A floating ball of metal atoms (face-centred, edge 0.4 nm) beside a unit charge at 2.4 and 3.2 nm from its "
        "centre: charge flows between its atoms until they are at one potential. The radius is that of the ball's "
        "capacity."
    ),
    exact=(
        r"A neutral conducting sphere is at $q/4\pi\epsilon y$, and the charge's energy is "
        r"$-\frac{q^2}{8\pi\epsilon}\left(\frac{R}{y^2 - R^2} - \frac{R}{y^2}\right)$."
    ),
    sources=("J. D. Jackson, Classical Electrodynamics, Wiley, section 2.3",),
)  # fmt: skip
def charged_metal() -> list[Record]:
    """A floating sphere of atoms beside a charge: the potential and the energy of a neutral conducting sphere.

    J. D. Jackson, Classical Electrodynamics, section 2.3: with the charge at a distance y from the centre the sphere is
    at q/(4 pi eps y), and the charge's energy is -(q^2/8 pi eps) (R/(y^2 - R^2) - R/y^2). R is that of the sphere's
    capacity.
    """
    index = np.stack(np.meshgrid(*(np.arange(-9, 10),) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    atoms = STEP_NM * index[(index.sum(axis=1) % 2 == 0) & (np.linalg.norm(index, axis=1) < 6.01)]
    apart = np.linalg.norm(atoms[:, None] - atoms[None], axis=2)
    film = FilmPotential(np.array([[0.0, 0.0, 0.5 * STEP_NM]]), 2.0 * STEP_NM, STEP_NM, COULOMB_V_NM)  # 1 V at 1 nm
    charge = SpaceCharge(film_sites((2, 2, 2)), film, charge_e=1.0, touching=np.zeros(4, dtype=bool),
                         atom_radius_nm=0.9 * STEP_NM)  # fmt: skip
    with np.errstate(divide="ignore"):
        between = np.where(apart > 0.0, 1.0 / apart, 0.0) + charge.of_width(apart)
    one = np.zeros(len(atoms), dtype=np.int64)
    earthed, floating = (InducedCharge(between, one, np.array([held])) for held in (True, False))
    radius_nm = -float(earthed.respond(np.ones(len(atoms)))[0].sum())
    outer_nm = float(np.linalg.norm(atoms, axis=1).max())
    records = [
        Record("atoms", float(len(atoms))),
        Record("radius by the capacity", radius_nm, "nm"),
        Record("radius of the outer atoms", outer_nm, "nm"),
        Record.below("radius by the capacity over that of the outer atoms, less 1", radius_nm / outer_nm - 1.0, 0.1),
    ]
    fine, seen = np.linspace(1.9, 4.2, 60), []
    for distance_nm in (2.0, 2.4, 2.8, 3.2, 4.0):
        felt = 1.0 / np.linalg.norm(atoms - distance_nm * np.array([2.0, -1.0, 2.0]) / 3.0, axis=1)
        induced, level = floating.respond(felt)
        seen.append((distance_nm, float(level[0]), -float(induced @ felt)))
    figure.draw(
        figure.Panel("potential of the sphere", "distance of the charge (nm)", "potential (q/4$\\pi\\epsilon$ nm)", [
            figure.exact("$1/y$", fine, 1.0 / fine), figure.computed("atoms", *np.transpose(seen)[[0, 1]])]),
        figure.Panel("energy of the image", "distance of the charge (nm)", "$-2 E$ ($q^2/4\\pi\\epsilon$ nm)", [
            figure.exact("neutral sphere", fine, radius_nm / (fine**2 - radius_nm**2) - radius_nm / fine**2),
            figure.computed("atoms", *np.transpose(seen)[[0, 2]])], y_log=True),
    )  # fmt: skip
    for distance_nm in (2.4, 3.2):
        place = distance_nm * np.array([2.0, -1.0, 2.0]) / 3.0
        felt = 1.0 / np.linalg.norm(atoms - place, axis=1)
        induced, level = floating.respond(felt)
        exact = radius_nm / (distance_nm**2 - radius_nm**2) - radius_nm / distance_nm**2
        records += [
            Record.below(f"charge at {distance_nm:g} nm: potential of the sphere, relative error",
                         float(level[0]) * distance_nm - 1.0, 0.002),
            Record.below(f"charge at {distance_nm:g} nm: energy of its image, relative error",
                         -float(induced @ felt) / exact - 1.0, 0.05),
            Record.below(f"charge at {distance_nm:g} nm: net charge of the sphere", float(induced.sum()), 1e-9, "e"),
        ]  # fmt: skip
    return records


@case(
    "ion-equilibrium", "ECM",
    problem=(
        "Strongly coupled ions on 14 sites between two electrodes, with a floating piece of metal, at 600 K; each "
        "event is followed by the potentials of all."
    ),
    exact=(
        r"The grand canonical ensemble: $P \propto e^{-E/kT}$ over all $2^{14}$ configurations, with the energies of "
        r"pairs, images and metal."
    ),
    sources=("N. G. van Kampen, Stochastic Processes in Physics and Chemistry, North-Holland 1992, chapters 5 and 12",),
)  # fmt: skip
def ion_equilibrium() -> list[Record]:
    """Strongly coupled ions between electrodes and a floating piece of metal: the exact grand canonical ensemble.

    All 2^14 configurations of 14 sites with the energies of pairs, images and metal included, against what hops and
    electrodes sample: an ion that felt itself, or an event out of balance with its reverse, would show.
    """
    cells = (4, 2, 4)
    sites = film_sites(cells)
    z = sites.positions_nm[:, 2]
    metal = np.zeros(len(sites), dtype=bool)
    metal[[5, 6]] = True
    thickness_nm = STEP_NM * cells[2]
    film = FilmPotential(sites.positions_nm, thickness_nm, STEP_NM, 16.0)
    charge = SpaceCharge(sites, film, charge_e=1.0, touching=np.zeros(len(sites), dtype=bool), atom_radius_nm=0.16)
    contacts = (np.flatnonzero((z < STEP_NM) & ~metal), np.flatnonzero((z > thickness_nm - STEP_NM) & ~metal))
    cell = IonCell(sites, charge, formation_eV=(0.02, 0.02), contacts=contacts, thickness_nm=thickness_nm,
                   ambient_K=600.0, metal=metal, seed=3)  # fmt: skip
    free = np.flatnonzero(~metal)
    between = np.empty((len(free), len(free)))
    for row, site in enumerate(free):
        charge.update(np.arange(len(sites)) == site, metal)
        between[row] = charge.potential_V[free]
    held = (np.arange(2 ** len(free))[:, None] >> np.arange(len(free))) & 1
    energy_eV = 0.5 * np.einsum("ci,ij,cj->c", held, between, held, optimize=True) + 0.02 * held.sum(axis=1)
    weight = np.exp(-(energy_eV - energy_eV.min()) / (kmc.KB_EV * 600.0))
    exact = weight @ held / weight.sum()
    cell.set_voltage(0.0)
    cell.occupation(500)
    blocks = cell.occupation(600, 24)[:, free]
    sigma = deviations(blocks, exact)
    place = np.arange(len(free))
    figure.draw(
        figure.Panel("occupation of 14 sites", "site", "share of the time", [
            figure.exact("grand canonical ensemble", place, exact),
            figure.computed("lattice", place, blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks)))]),
        figure.deviations("its deviation", "site", [("lattice", place, sigma)]),
    )  # fmt: skip
    return [
        Record("energy of two neighbours at most", float(between.max()) / (kmc.KB_EV * 600.0), "kT"),
        Record.below("potentials at each other's site, difference", np.abs(between - between.T).max(), 1e-11, "V"),
        Record("ions, mean", float(blocks.sum(axis=1).mean())),
        Record("ions, exact", float(exact.sum())),
        Record.below("occupation of the sites, largest deviation", float(np.abs(sigma).max()), 4.0, "sigma"),
        Record.below("the same, root mean square", float(np.sqrt(np.mean(sigma**2))), 1.8, "sigma"),
    ]  # fmt: skip


@case(
    "counter-ions", "ECM",
    problem=(
        "Ions alone between two grounded planes 2.4 nm apart, on sites of a lattice that repeats sideways, with a "
        "Bjerrum length of 0.04 nm (weak coupling). They come from and go to the metals everywhere, each felt by all "
        "others; planes are averaged over time."
    ),
    exact=(
        r"Mean field on the same planes: $\theta/(1 - \theta) = a\,e^{-q\phi/kT}$, with $\phi$ of the sheets of "
        r"charge. Its limit of points is Poisson and Boltzmann, $n = n_0/\cos^2(Kz)$, $K^2 = 2\pi l\, n_0$."
    ),
    sources=("J. N. Israelachvili, Intermolecular and Surface Forces, section 14.3",),
)  # fmt: skip
def counter_ions() -> list[Record]:
    """Weakly coupled ions alone between two grounded planes: Poisson and Boltzmann, n = n0/cos^2(K z).

    K^2 = 2 pi l n0 with l = q^2/(4 pi eps kT) (J. N. Israelachvili, Intermolecular and Surface Forces, section 14.3).
    Sites and their hard cores are taken account of by the mean field on the same planes, theta/(1 - theta) = a
    exp(-q phi/kT), which has cos^-2 as its limit.
    """
    cells, ambient_K = (6, 6, 12), 300.0
    sites = film_sites(cells, periodic=True)
    thickness_nm, kt_eV = STEP_NM * cells[2], kmc.KB_EV * ambient_K
    bjerrum_nm, activity = 0.04, 0.09
    film = PeriodicFilm(sites.positions_nm, thickness_nm, STEP_NM, COULOMB_V_NM / (bjerrum_nm * kt_eV), cells[:2])
    charge = SpaceCharge(sites, film, charge_e=1.0, touching=np.zeros(len(sites), dtype=bool), atom_radius_nm=0.16)
    everywhere = np.arange(len(sites))
    formation_eV = -kt_eV * np.log(activity)
    cell = IonCell(sites, charge, formation_eV=(formation_eV, formation_eV), contacts=(everywhere, everywhere),
                   thickness_nm=thickness_nm, ambient_K=ambient_K, seed=2)  # fmt: skip
    planes = np.round(sites.positions_nm[:, 2] / STEP_NM - 0.5).astype(int)
    member = (planes == np.arange(cells[2])[:, None]) / np.bincount(planes)[:, None]  # mean over a plane
    others = np.array([film.between(everywhere, np.full(len(sites), i)) for i in everywhere])
    np.fill_diagonal(others, 0.0)
    sheets = member @ others @ (member.T > 0.0)

    def excess(theta: Floats) -> Floats:
        return np.asarray(np.log(theta / (1.0 - theta) / activity) + sheets @ theta / kt_eV)

    mean_field = root(excess, np.full(cells[2], 0.5 * activity)).x
    cell.occupation(1000)
    blocks = cell.occupation(700, 20) @ member.T
    blocks = 0.5 * (blocks + blocks[:, ::-1])[:, : cells[2] // 2]
    half, profile = mean_field[: cells[2] // 2], blocks.mean(axis=0)
    sigma = deviations(blocks, half)
    # The law for points, with as many ions in the film: N/A = 2 K tan(K L/2)/(2 pi l).
    per_nm2 = float(profile.mean()) * cells[2] * (18 / (36 * STEP_NM**2))
    wave = brentq(lambda k: k * np.tan(0.5 * k * thickness_nm) / (np.pi * bjerrum_nm) - per_nm2, 1e-3,
                  (np.pi - 1e-3) / thickness_nm)  # fmt: skip
    height = STEP_NM * (np.arange(cells[2] // 2) + 0.5) - 0.5 * thickness_nm
    law = np.cos(wave * height) ** -2
    law *= profile.mean() / law.mean()
    free = deviations(blocks, np.full(len(half), activity / (1.0 + activity)))
    where = STEP_NM * (np.arange(cells[2] // 2) + 0.5)
    figure.draw(
        figure.Panel("ions alone between planes", "distance from a plane (nm)", "filled sites", [
            figure.exact("mean field on the planes", where, half),
            figure.computed("lattice", where, profile, blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))),
            figure.other("points, $1/\\cos^2$", where, law),
            figure.other("without charge", where, np.full(len(where), activity / (1.0 + activity)))]),
        figure.deviations("deviation from the mean field", "distance from a plane (nm)", [("lattice", where, sigma)]),
    )  # fmt: skip
    return [
        Record("energy of two neighbours", bjerrum_nm / (np.sqrt(2.0) * STEP_NM), "kT"),
        Record("ions, mean", float(profile.mean()) * len(sites)),
        Record("first plane over the middle, sampled", profile[0] / profile[-1]),
        Record("first plane over the middle, 1/cos^2", law[0] / law[-1]),
        Record.below("1/cos^2 over mean field, largest relative difference",
                     float(np.abs(law / law.mean() / half * half.mean() - 1.0).max()), 0.06),
        Record.below("planes against mean field, largest deviation", float(np.abs(sigma).max()), 4.0, "sigma"),
        Record.below("planes over mean field, root mean square", float(np.std(profile / half)), 0.05),
        Record.above("planes against ions without charge, largest deviation", float(np.abs(free).max()), 8.0, "sigma"),
    ]  # fmt: skip
