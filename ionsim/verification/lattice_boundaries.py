"""Vacancies on a lattice with grain-boundary sites, and the same film by finite elements: docs/grain-diffusion.md."""

import numpy as np
from numpy.typing import NDArray

import meshes
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.boundary_continuum import bicrystal, plan_view
from ionsim.verification.boundary_lattice import (
    CRYSTAL,
    SPACING_NM,
    BoundaryLattice,
    Strip,
    joined,
    matched,
    sharp,
)
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]
#: Of a normal deviate, in 99 of 100 cases (both sides).
_RANGE = 2.576
#: Planes of oxygen in the bicrystal's boundary, and in those of the polycrystal (1 nm).
_PLANES, _WIDE = 2, 4
#: Energy (chosen) of a vacancy in a boundary: 4.7 times as many as in the crystal, at 600 K.
_ENERGY_EV = -0.08
#: Square of a site's edge over the diffusivity of the crystal, s: the unit of time.
_UNIT_S = (SPACING_NM * 1e-9) ** 2 / CRYSTAL


class Bicrystal:
    """A step that spreads along z, in ``planes`` (x, y, z) of sites with a boundary across the middle of x.

    All sites below ``filled`` planes start as full as those of the crystal there, and it goes on for ``time_s``.
    """

    def __init__(
        self, energy_eV: float, series: bool, planes: tuple[int, int, int] = (16, 1, 36), filled: int = 12,
        units: float = 12.0, planes_in: int = _PLANES,
    ) -> None:  # fmt: skip
        self.planes, self.filled, self.time_s, self._energy = planes, filled, units * _UNIT_S, energy_eV
        self._inside = planes_in
        x, y, z = (count * SPACING_NM for count in planes)
        self.film = meshes.Polycrystal.boundary((x, y, z), width_nm=planes_in * SPACING_NM, periodic=False)
        self.lattice = BoundaryLattice.of(self.film, energy_eV, series)
        self.start = self.lattice.settled() * (self.lattice.sites.positions_nm[:, 2] < filled * SPACING_NM)
        self.exact = self.lattice.evolved(self.start, self.time_s)

    def classes(self, together: int = 1, apart: bool = True) -> NDArray[np.int64]:
        """Class (N,) of each site: the ``together`` planes along z that it is in, ``apart`` by material."""
        return self._classes(self.lattice.sites.positions_nm[:, 2], self.lattice.inside & apart, together)

    def continuum(self, strip: Strip, together: int = 1, apart: bool = True, layer: bool = False) -> Array:
        """Vacancies in each class by finite elements, at half a spacing."""
        edge = self.filled * SPACING_NM
        mesh = bicrystal(self.film, strip, 0.5 * SPACING_NM, layer)
        mesh.start(lambda points: np.where(np.abs(points[:, 1] - edge) < 1e-6, 0.5, points[:, 1] < edge))
        mesh.run(self.time_s)
        found = mesh.contents()
        classes = self._classes(found.middle_nm[:, 1], found.inside & apart, together)
        return self.planes[1] * joined(classes, found.amount)

    def sharp(self, **options: bool | int) -> Array:
        """``continuum`` with the boundary as wide as its planes."""
        return self.continuum(sharp(self._inside, self._energy), **options)  # type: ignore[arg-type]

    def matched(self, together: int = 1) -> Array:
        """``continuum`` with the strip that stands for mean barriers; materials together, since it is wider."""
        return self.continuum(matched(self._inside, self._energy), together, apart=False)

    def _classes(self, z_nm: Array, inside: NDArray[np.bool_], together: int) -> NDArray[np.int64]:
        groups = -(-self.planes[2] // together)
        return np.asarray(np.floor(z_nm / SPACING_NM + 1e-9).astype(np.int64) // together + groups * inside)


def _profiles(
    title: str, exact: Array, found: Array, error: Array, classes: NDArray[np.int64], together: int,
    elements: Array | None = None,
) -> None:  # fmt: skip
    """Draw classes along z: those of the crystal come first, then as many of the boundary."""
    groups = (int(classes.max()) + 1) // 2
    z = (np.arange(groups) + 0.5) * together * SPACING_NM
    curves: list[figure.Curve] = []
    for name, part in (("crystal", slice(0, groups)), ("boundary", slice(groups, 2 * groups))):
        curves += [figure.exact("" if curves else "master equation", z, exact[part]),
                   figure.computed(f"lattice, {name}", z, found[part], error[part])]  # fmt: skip
        if elements is not None:
            curves.append(figure.other(f"finite elements, {name}", z, elements[part]))
    figure.draw(figure.Panel(title, "z (nm)", "vacancies in a class", curves))


def largest(found: Array, exact: Array) -> float:
    """Largest difference of two profiles, over the largest value."""
    return float(np.abs(found - exact).max() / exact.max())


def filled_step(
    seeds: int = 200, planes: tuple[int, int, int] = (16, 4, 36), filled: int = 12, units: float = 12.0
) -> list[Record]:
    """Vacancies that block each other, from a step in which every site is one; barriers alone differ in the boundary.

    Classes are three planes along z; the last one of all is left out, since the number of vacancies does not change.
    """
    body = Bicrystal(0.0, False, planes, filled, units)
    runs = body.lattice.exclusion(body.start, body.time_s, seeds, root=1)
    apart = body.classes(3)
    exact, counts, whole = joined(apart, body.exact), joined(apart, runs), joined(body.classes(3, apart=False), runs)
    plain = body.continuum(Strip(_PLANES * SPACING_NM, 1.0, 1.0), 3, apart=False)
    error = counts.std(axis=0, ddof=1) / np.sqrt(seeds)
    _profiles("filled step, three planes to a class", exact, counts.mean(axis=0), error, body.classes(3), 3)
    return [
        Record("filled step: chi2 by number of classes, lattice against master equation",
               float(np.mean(((counts.mean(axis=0) - exact) / error) ** 2))),
        Record("filled step: standard error of a class over the largest", float(error.max() / exact.max())),
        Record.below("filled step: lattice against master equation",
                     lattice_statistics.of_profile(counts[:, :-1], exact[:-1]), _RANGE, "sigma"),
        Record.below("filled step: lattice against finite elements",
                     lattice_statistics.of_profile(whole[:, :-1], body.matched(3)[:-1]), _RANGE, "sigma"),
        Record.below("filled step: finite elements against master equation, largest difference",
                     largest(body.matched(), joined(body.classes(apart=False), body.exact)), 5e-3),
        Record.above("filled step: lattice against finite elements without a boundary",
                     lattice_statistics.of_profile(whole[:, :-1], plain[:-1]), _RANGE, "sigma"),
    ]  # fmt: skip


def segregated(series: bool, walks: int = 50_000) -> list[Record]:
    """Single vacancies, which stay in the boundary for longer, from a step in which crystal and boundary are in
    equilibrium. ``series``: of the barriers at the boundary's sides."""
    body = Bicrystal(_ENERGY_EV, series)
    name = "barriers in series" if series else "mean barriers"
    found = body.lattice.walks(body.start, body.time_s, walks, seed=2)
    apart, all_in = body.classes(), body.classes(apart=False)
    exact, counts = joined(apart, body.exact), np.bincount(apart[found], minlength=apart.max() + 1)
    elements = body.sharp() if series else body.matched()
    classes = apart if series else all_in
    seen = np.bincount(classes[found], minlength=classes.max() + 1)
    records = [
        Record.below(f"{name}: lattice against master equation", lattice_statistics.of_multinomial(counts, exact),
                     _RANGE, "sigma"),
        Record.below(f"{name}: lattice against finite elements", lattice_statistics.of_multinomial(seen, elements),
                     _RANGE, "sigma"),
        Record.below(f"{name}: finite elements against master equation, largest difference",
                     largest(elements, joined(classes, body.exact)), 5e-3),
    ]  # fmt: skip
    total = joined(all_in, body.exact)
    _profiles(f"{name}, one vacancy", walks * exact / exact.sum(), counts.astype(float), np.sqrt(counts), apart, 1,
              walks * elements / elements.sum() if series else None)  # fmt: skip
    if series:
        layer = largest(body.sharp(layer=True), exact)
        records.append(Record.below(f"{name}: layer without thickness, largest difference", layer, 5e-3))
    else:
        bare = largest(body.sharp(apart=False), total)
        records.append(Record(f"{name}: elements that take them for those in series, largest difference", bare))
    return records


class Columns:
    """Columnar grains with boundaries 1 nm wide, and how what was in the quarter at the left spreads.

    The film is twice as long (x) as wide, so that the slowest mode runs along it.
    """

    def __init__(self, seed: int = 1, planes: tuple[int, int] = (40, 20), grains: int = 4, units: float = 20.0) -> None:
        self.time_s, self.length_nm = units * _UNIT_S, planes[0] * SPACING_NM
        self.quarter_nm = 0.25 * self.length_nm
        size = (self.length_nm, planes[1] * SPACING_NM, SPACING_NM)
        self.film = meshes.Polycrystal.voronoi(size, grains=grains, seed=seed, width_nm=_WIDE * SPACING_NM)

    def lattice(self, series: bool, parts: int = 1) -> BoundaryLattice:
        """Of the sites, or of ``parts`` times as many along x and y."""
        return BoundaryLattice.of(self.film, _ENERGY_EV, series, parts)

    def faster(self, rate_Hz: float) -> float:
        """Effective diffusivity of a slowest mode over that of the crystal."""
        return rate_Hz * (self.length_nm * 1e-9 / np.pi) ** 2 / CRYSTAL

    def elements(self, parts: int, stepped: bool = True) -> float:
        """``faster`` by finite elements: from a cosine along x, once other modes have gone (2 and 4 times time_s)."""
        mesh = plan_view(self.film, sharp(_WIDE, _ENERGY_EV), parts, stepped)
        wave = np.cos(np.pi * mesh.points_nm[:, 0] / self.length_nm)
        mesh.start(lambda points: np.ones(len(points)))
        rest = mesh.body.amounts
        rest /= rest.sum()
        mesh.start(lambda points: 1.0 + 0.5 * np.cos(np.pi * points[:, 0] / self.length_nm))
        left = []
        for _ in range(2):
            mesh.run(2.0 * self.time_s, 40)
            left.append(float((mesh.body.amounts - rest * mesh.body.total) @ wave))
        return self.faster(float(np.log(left[0] / left[1])) / (2.0 * self.time_s))


def limit(one: float, two: float, four: float) -> float:
    """What a sequence at spacings 1, 1/2, 1/4 tends to, if its error goes with some power of the spacing (Aitken)."""
    return four - (four - two) ** 2 / ((four - two) - (two - one))


def polycrystal(walks: int = 60_000) -> list[Record]:
    """Single vacancies in a columnar polycrystal: profile and effective diffusivity.

    Boundaries four sites wide are coarse: limits are what six films (seeds 1 to 6) differ by, docs/grain-diffusion.md.
    """
    body = Columns()
    lattice = body.lattice(series=False)
    x = lattice.sites.positions_nm[:, 0]
    start = lattice.settled() * (x < body.quarter_nm)
    exact = lattice.evolved(start, body.time_s)
    found = lattice.walks(start, body.time_s, walks, seed=3)
    plane = np.floor(x / SPACING_NM + 1e-9).astype(np.int64)
    classes = plane + (plane.max() + 1) * lattice.inside
    rate, mode = lattice.slowest()
    seen, begun = mode[found], float(start @ mode / start.sum())
    off = np.std(seen) / np.sqrt(walks) / abs(seen.mean())
    measured = float(np.log(begun / seen.mean())) / body.time_s
    series = [body.faster(body.lattice(True, parts).slowest()[0]) for parts in (1, 2, 4)]
    elements = [body.elements(parts) for parts in (1, 2, 4)]
    continuum = limit(*elements)
    halves = np.array([1.0, 0.5, 0.25])
    spread = [body.faster(measured) * off / (rate * body.time_s)]
    across = "spacing of sites or elements (sites)"
    figure.draw(figure.Panel("polycrystal: effective diffusivity", across, "over the crystal's", [
        figure.exact("finite elements, limit", [0.0, 1.0], [continuum, continuum]),
        figure.computed("finite elements", halves, elements),
        figure.computed("master equation, barriers in series", halves, series),
        figure.computed("master equation, mean barriers", [1.0], [body.faster(rate)]),
        figure.computed("lattice", [1.0], [body.faster(measured)], spread),
    ]))  # fmt: skip
    return [
        Record("polycrystal: share of sites in boundaries", float(lattice.inside.mean())),
        Record.below("polycrystal: profile, lattice against master equation", lattice_statistics.of_multinomial(
            np.bincount(classes[found], minlength=classes.max() + 1), joined(classes, exact)), _RANGE, "sigma"),
        Record("polycrystal: effective diffusivity over the crystal's, lattice", body.faster(measured)),
        Record("polycrystal: its standard error, relative", float(off / (rate * body.time_s))),
        Record.below("polycrystal: it against the master equation", (measured - rate) * body.time_s / off, _RANGE,
                     "sigma"),
        Record("polycrystal: finite elements at a spacing", elements[0]),
        Record("polycrystal: finite elements, limit of small elements", continuum),
        Record.below("polycrystal: master equation with mean barriers against that limit",
                     body.faster(rate) / continuum - 1.0, 0.025),
        Record.below("polycrystal: master equation with barriers in series against that limit",
                     series[0] / continuum - 1.0, 0.065),
        Record.below("polycrystal: limit of the latter with divided sites against that limit",
                     limit(*series) / continuum - 1.0, 5e-3),
    ]  # fmt: skip


@case(
    "lattice-boundaries", "grain boundaries",
    problem=(
        "Vacancies on the oxygen sublattice with grain-boundary sites, where barriers are 0.15 eV lower and "
        "vacancies 0.08 eV lower, at 600 K: a bicrystal and a columnar polycrystal. Three answers: the lattice "
        "engine, the master equation, finite elements."
    ),
    exact=(
        r"The master equation $\dot p = Gp$ of one vacancy (exact for the lattice), and the continuum of strips of a "
        r"width $w$, $D_{gb}$ and $K_{gb}$ (its limit)."
    ),
    sources=(
        "docs/grain-diffusion.md",
        "A. P. Sutton, R. W. Balluffi, Interfaces in Crystalline Materials, Oxford 1995: segregation and fast paths",
    ),
)  # fmt: skip
def lattice_boundaries() -> list[Record]:
    """Lattice diffusion with boundary sites is that of the master equation (99 % range) and of finite elements."""
    return [*filled_step(), *segregated(series=True), *segregated(series=False), *polycrystal()]
