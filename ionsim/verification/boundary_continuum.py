"""Films with grain boundaries by finite elements, for the case ``lattice-boundaries``: in units of the lattice's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import dolfinx.mesh
import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from fem.simplices import simplices
from ionsim.verification.boundary_lattice import CRYSTAL, KELVIN, SPACING_NM, THERMAL_EV, Strip
from ionsim.verification.vacancy_meshes import grid

Array = NDArray[np.float64]
#: Vacancies per m^3 that stand for one on every site; any number will do, the equations are linear.
_FULL = (SPACING_NM * 1e-9) ** -3


@dataclass(frozen=True, eq=False)
class Contents:
    """Vacancies ``amount`` (n,) in the elements, in those of one site of a film one site thick; ``middle_nm`` (n, 2);
    ``inside`` (n,): in a boundary."""

    middle_nm: Array
    amount: Array
    inside: NDArray[np.bool_]


class Film:
    """A mesh with the regions "film" and "film_boundary" of a crystal and of ``strip``, or with a layer instead."""

    def __init__(self, mesh: meshes.LabelledMesh, strip: Strip, at_nm: float | None = None) -> None:
        """``at_nm``: the boundary is a layer without thickness along the plane x = ``at_nm`` (and no region)."""
        law = fem.VacancyRegion(CRYSTAL * strip.faster, energy_eV=-THERMAL_EV * float(np.log(strip.more)))
        self._regions = {"film": fem.VacancyRegion(CRYSTAL)}
        layers = {}
        if at_nm is None:
            self._regions["film_boundary"] = law
        else:
            layers["layer"] = fem.FastLayer(lambda points: np.abs(points[:, 0] - at_nm) < 1e-6, strip.width_nm, law)
        self._layer, self._strip = at_nm, strip
        self.body = fem.VacancyTransport(mesh, self._regions, 0.0, 2.0, layers=layers, temperature_K=KELVIN)
        self.points_nm = self.body.space.tabulate_dof_coordinates()[:, :2]
        self._elements = {name: simplices(mesh, name, self.body.space, self.body.halo) for name in self._regions}

    def start(self, occupation: Callable[[Array], Array]) -> None:
        """Begin with ``occupation`` of points (n, 2) in the crystal, in boundaries in equilibrium with it."""
        # a node's density is that of the part with the highest energy, where there are fewest
        inside = ~np.isnan(self.body.density_in("layer" if self._layer is not None else "film_boundary"))
        alone = self._elements["film"].volume == 0.0
        fewest = np.where(alone, self._strip.more, np.where(inside, min(self._strip.more, 1.0), 1.0))
        self.body.set_density(_FULL * occupation(self.points_nm) * fewest)

    def run(self, time_s: float, steps: int = 80) -> None:
        """Go on for ``time_s``: steps that grow by a sixth each, up to time_s / steps (BDF2)."""
        passed, dt_s = 0.0, 1e-4 * time_s
        while passed < time_s * (1.0 - 1e-12):
            dt_s = min(dt_s, time_s - passed)
            self.body.step(dt_s, 0.0, KELVIN)
            passed += dt_s
            dt_s = min(1.15 * dt_s, time_s / steps)

    def contents(self) -> Contents:
        """What the elements of regions hold, and the edges of the layer."""
        middles, amounts, inside = [], [], []
        for name, part in self._elements.items():
            density = self.body.density_in(name)[part.dofs].mean(axis=1)
            middles.append(part.x_nm[part.dofs][:, :, :2].mean(axis=1))
            amounts.append(density * part.measure * 1e-18)
            inside.append(np.full(len(part.measure), name != "film"))
        if self._layer is not None:
            on = np.flatnonzero(np.abs(self.points_nm[:, 0] - self._layer) < 1e-6)
            on = on[np.argsort(self.points_nm[on, 1])]
            z, density = self.points_nm[on, 1], self.body.density_in("layer")[on]
            middle = 0.5 * (z[1:] + z[:-1])
            middles.append(np.column_stack([np.full(middle.size, self._layer), middle]))
            amounts.append(0.5 * (density[1:] + density[:-1]) * np.diff(z) * self._strip.width_nm * 1e-18)
            inside.append(np.ones(middle.size, dtype=bool))
        return Contents(
            np.concatenate(middles), np.concatenate(amounts) / (_FULL * (SPACING_NM * 1e-9) ** 2),
            np.concatenate(inside),
        )  # fmt: skip


def bicrystal(film: meshes.Polycrystal, strip: Strip, size_nm: float, layer: bool = False) -> Film:
    """Section (x, z) through a film of one upright boundary in the middle, which is as wide as ``strip`` says.

    ``layer``: the strip is cut out, the crystals beside it meet, and it is a layer where they do.
    """
    length, _, height = film.size_nm
    faces = 0.5 * length + 0.5 * strip.width_nm * np.array([-1.0, 1.0])
    parts = [(0.0, faces[0]), (faces[0], faces[1]), (faces[1], length)]
    if layer:
        parts = [(0.0, faces[0]), (faces[0], length - strip.width_nm)]
    x = np.unique(np.concatenate([np.linspace(*ends, _count(ends, size_nm) + 1) for ends in parts]).round(9))
    z = np.linspace(0.0, height, round(height / size_nm) + 1)
    bare = grid([x, z], {"film": [(0.0, x[-1]), (0.0, height)]})
    if layer:
        return Film(bare, strip, float(faces[0].round(9)))
    wide = replace(film, width_nm=strip.width_nm)
    return Film(meshes.label_grains(bare, wide, "film", section_nm=0.0), strip)


def plan_view(film: meshes.Polycrystal, strip: Strip, parts: int, stepped: bool) -> Film:
    """Plan view (x, y) on squares, ``parts`` to a site's edge.

    ``stepped``: boundaries are made of whole squares of sites, as the lattice has them; else of those squares of the
    mesh whose middles are in one.
    """
    if not stepped:
        mesh = meshes.grain_grid(film, SPACING_NM / parts * (1.0 + 1e-9), axes="xy", comm=MPI.COMM_SELF)
        renamed = {"film": mesh.regions["grain"], "film_boundary": mesh.regions["boundary"]}
        return Film(replace(mesh, regions=renamed, within={}), strip)
    lines = [np.linspace(0.0, length, parts * round(length / SPACING_NM) + 1) for length in film.size_nm[:2]]
    bare = grid(lines, {"film": [(0.0, line[-1]) for line in lines]})
    middles = fem.midpoints_nm(bare)[bare.cells.indices]
    site = (np.floor(middles / SPACING_NM) + 0.5) * SPACING_NM
    site[:, 2] = 0.5 * SPACING_NM
    tags = 1 + film.region(film.locate(site), by_class=False).astype(np.int32)
    cells = dolfinx.mesh.meshtags(bare.mesh, 2, bare.cells.indices, tags)
    return Film(replace(bare, cells=cells, regions={"film": 1, "film_boundary": 2}), strip)


def _count(ends: tuple[float, float], size_nm: float) -> int:
    return max(1, round((ends[1] - ends[0]) / size_nm))
