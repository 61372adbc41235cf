"""Where oxygen vacancies live: regions and thin layers of a mesh as networks, and surfaces where they come and go."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell
from fem.errors import FemError, unknown_name
from fem.faces import all_faces, common_faces, face_areas, outer_faces, own_faces, surface_areas
from fem.halo import Halo
from fem.ionphases import check_activation
from fem.scharfetter import gather_edges, region_network
from fem.simplices import Simplices, simplices

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
#: A number, or a function of temperatures (n,) in K, in m^2/s.
Diffusivity = float | Callable[[Array], ArrayLike]
#: A name "region/region", facets (n, dim) of local dofs, or a function that says of points (n, dim) in nm which are on
#: the layer: facets all of whose corners are.
Facets = str | ArrayLike | Callable[[Array], ArrayLike]


@dataclass(frozen=True)
class VacancyRegion:
    """How vacancies move in a region, and how much they like to be there.

    D = ``diffusivity_m2_per_s`` exp(-``activation_eV`` / kT); for hops of length a at an attempt frequency nu the
    prefactor is nu a^2. ``energy_eV``: energy of a vacancy, against other regions. ``soret_eV``: heat of transport Q,
    the thermodiffusion -D n Q / (k T^2) grad T: vacancies go to the cold where Q > 0, to the hot where Q < 0, and
    a closed body at rest has n ~ exp(Q / kT). Q = activation_eV is the case -grad(D n), where all of the barrier is
    paid at the site that a vacancy leaves. Raises FemError for numbers out of range.
    """

    diffusivity_m2_per_s: Diffusivity
    activation_eV: float = 0.0
    energy_eV: float = 0.0
    soret_eV: float = 0.0

    def __post_init__(self) -> None:
        value = self.diffusivity_m2_per_s
        if not callable(value) and not (math.isfinite(value) and value > 0.0):
            raise FemError(f"diffusivity_m2_per_s must be positive and finite, got {value!r}")
        check_activation(self.activation_eV)
        for name in ("energy_eV", "soret_eV"):
            if not math.isfinite(getattr(self, name)):
                raise FemError(f"{name} must be finite, got {getattr(self, name)!r}")

    def at(self, kelvin: Array, kT_eV: Array) -> Array:
        """D (n,) in m^2/s."""
        value = self.diffusivity_m2_per_s
        prefactor = np.asarray(value(kelvin), dtype=np.float64) if callable(value) else value
        return np.asarray(prefactor * np.exp(-self.activation_eV / kT_eV))


@dataclass(frozen=True)
class FastLayer:
    """A layer of ``width_nm`` along ``facets``, thinner than any element: a grain boundary, an interface.

    Vacancies in it move along it as ``law`` says, and are everywhere in equilibrium with those next to it (its energy
    decides how many there are). Diffusion across it is that of the region: a layer that hinders must be meshed.
    """

    facets: Facets
    width_nm: float
    law: VacancyRegion

    def __post_init__(self) -> None:
        if not (math.isfinite(self.width_nm) and self.width_nm > 0.0):
            raise FemError(f"width_nm of a layer must be positive and finite, got {self.width_nm!r}")


@dataclass(frozen=True)
class VacancyElectrode:
    """A surface where vacancies come and go; any other stops them.

    They come at ``generation_per_m2s`` (1 - x) exp(-(generation_eV - w) / kT) and go at ``removal_m_per_s`` n
    exp(-(removal_eV + w) / kT), with x the filled fraction (0 without crowding) and w = z e F ``field_nm`` / 2 for a
    field F that points into the body: over field_nm the vacancy crosses all of the field's step. ``most``: where the
    larger of the two Boltzmann factors exceeds this, both rates are slowed down alike, which leaves their balance as it
    is. Or the density in the body is held at ``density_per_m3``. F is that of Gauss's law for the node's own volume:
    exact for a uniform field, first-order accurate otherwise. Raises FemError for numbers out of range.
    """

    generation_per_m2s: float = 0.0
    generation_eV: float = 0.0
    removal_m_per_s: float = 0.0
    removal_eV: float = 0.0
    field_nm: float = 0.0
    density_per_m3: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        for name in ("generation_per_m2s", "generation_eV", "removal_m_per_s", "removal_eV", "field_nm"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise FemError(f"{name} must be finite and not negative, got {value!r}")
        if self.most is not None and not (math.isfinite(self.most) and self.most > 0.0):
            raise FemError(f"most must be positive and finite, or None, got {self.most!r}")
        held = self.density_per_m3
        if held is not None and not (math.isfinite(held) and held >= 0.0):
            raise FemError(f"density_per_m3 must be finite and not negative, got {held!r}")
        if held is not None and (self.generation_per_m2s or self.removal_m_per_s):
            raise FemError("an electrode that holds density_per_m3 has no generation or removal")


@dataclass(frozen=True)
class Part:
    """A region or a layer: edges (n,) between dofs, each on one rank, ``weight`` area over length in m, ``volume``
    (dofs,) in m^3, whole on every rank."""

    name: str
    law: VacancyRegion
    tail: Nodes
    head: Nodes
    weight: Array
    length: Array
    volume: Array


class Parts:
    """All parts of a body, and its surfaces: ``faces`` by name, dofs (n,) and areas (n,) in m^2.

    Units of fewer dimensions: per metre of depth, or per m^2. Facets given as local dofs must be given on
    all ranks that hold a cell at them. Raises FemError for names and facets that do not exist.
    """

    def __init__(
        self,
        cell: Cell,
        space: Any,
        halo: Halo,
        regions: Mapping[str, VacancyRegion],
        layers: Mapping[str, FastLayer],
        electrodes: Sequence[str],
    ) -> None:
        if not regions:
            raise FemError("regions is empty: give at least one with its VacancyRegion")
        for name in layers:
            if name in regions:
                raise FemError(f"layer {name!r} has the name of a region")
        self._cell, self._space, self._halo = cell, space, halo
        self._elements: dict[str, Simplices] = {}
        self.regions = [self._region(name, law) for name, law in regions.items()]
        inside = np.sum([part.volume for part in self.regions], axis=0) > 0.0
        self.layers = [self._layer(name, layer, inside) for name, layer in layers.items()]
        self.all = [*self.regions, *self.layers]
        self.volume: Array = np.sum([part.volume for part in self.all], axis=0)
        self.nodes: Nodes = np.flatnonzero(self.volume > 0.0)
        self.faces = {name: self._face(name, inside) for name in electrodes}

    def _region(self, name: str, law: VacancyRegion) -> Part:
        network = region_network(self._cell, name, self._space, self._halo)
        return Part(name, law, network.tail, network.head, network.weight, network.length, network.volume)

    def _simplices(self, name: str) -> Simplices:
        if name not in self._elements:
            self._elements[name] = simplices(self._cell, name, self._space, self._halo)
        return self._elements[name]

    def _between(self, name: str) -> tuple[Nodes, Simplices]:
        """Faces (n, dim) that two regions have in common."""
        first, _, second = name.partition("/")
        for region in (first, second):
            if region not in self._cell.regions:
                raise unknown_name(f"facets {name!r}: region", region, self._cell.regions)
        one, other = self._simplices(first), self._simplices(second)
        faces = common_faces(outer_faces(one), outer_faces(other), self._halo)
        if not self._halo.total(len(faces)):
            raise FemError(f"regions {first!r} and {second!r} have no facet in common")
        return faces, one

    def _facets(self, name: str, given: Facets) -> tuple[Nodes, Simplices]:
        if isinstance(given, str):
            return self._between(given)
        elements = [self._simplices(part.name) for part in self.regions]
        every = np.unique(np.concatenate([all_faces(part) for part in elements]), axis=0)
        if callable(given):
            x_nm = elements[0].x_nm[:, : elements[0].dim]
            on = np.asarray(given(x_nm), dtype=bool)
            chosen = every[np.all(on[every], axis=1)]
        else:
            wanted = np.unique(np.sort(np.asarray(given, dtype=np.int64).reshape(-1, elements[0].dim), axis=1), axis=0)
            chosen = common_faces(every, wanted, self._halo)
            lost = round(self._halo.maximum(len(wanted) - len(common_faces(wanted, every, self._halo))))
            if lost:
                raise FemError(f"layer {name!r}: {lost} of its facets are none of the regions'")
        if not self._halo.total(len(chosen)):
            raise FemError(f"layer {name!r}: no facet of the regions is on it")
        return own_faces(chosen, self._halo), elements[0]

    def _layer(self, name: str, layer: FastLayer, inside: NDArray[np.bool_]) -> Part:
        """Linear elements on the facets, times the width."""
        faces, element = self._facets(name, layer.facets)
        if not self._halo.every(np.all(inside[faces])):
            raise FemError(f"layer {name!r} leaves the regions")
        width = layer.width_nm * 1e-9
        nodes, area = face_areas(element, faces)
        volume = np.zeros(self._halo.local)
        volume[nodes] = width * area
        tail, head, weight = _along(element, faces)
        length = np.sqrt(((element.x_nm[tail] - element.x_nm[head]) ** 2).sum(axis=1)) * 1e-9
        return Part(name, layer.law, tail, head, width * weight, length, volume)

    def _face(self, name: str, inside: NDArray[np.bool_]) -> tuple[Nodes, Array]:
        if "/" in name and name not in self._cell.surfaces:
            faces, element = self._between(name)
            nodes, area = face_areas(element, faces)
        else:
            nodes, area = surface_areas(self._cell, name, self._space)
        used = inside[nodes]
        if self._halo.every(not np.any(used)):
            raise FemError(f"electrode {name!r} touches no region with vacancies")
        return nodes[used], area[used]


def _along(element: Simplices, faces: Nodes) -> tuple[Nodes, Nodes, Array]:
    """Edges of facets (m, dim), and the weights (n,) that linear elements on the facets give them: m over m.

    In m^2/m in (r, z) (a whole turn), m/m in a plane of unit depth (of 1 m: 1/m), in 3D without a unit.
    """
    dim = element.dim
    none = np.empty(0, dtype=np.int64)
    if dim == 1:
        return none, none, np.empty(0)
    x = element.x_nm[faces] * 1e-9
    if dim == 2:
        weight = 1.0 / np.sqrt(((x[:, 0] - x[:, 1]) ** 2).sum(axis=1))
        if element.axisymmetric:
            weight *= np.pi * x[:, :, 0].sum(axis=1)
        return faces[:, 0], faces[:, 1], weight
    found = []
    area2 = np.linalg.norm(np.cross(x[:, 1] - x[:, 0], x[:, 2] - x[:, 0]), axis=1)
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):  # half the cotangent of the angle opposite to the edge
        cosine = ((x[:, a] - x[:, c]) * (x[:, b] - x[:, c])).sum(axis=1)
        found.append((faces[:, a], faces[:, b], 0.5 * cosine / area2))
    tail, head, weight = (np.concatenate(part) for part in zip(*found, strict=True))
    pairs = np.sort(np.stack([tail, head], axis=1), axis=1)
    edges, index = np.unique(pairs, axis=0, return_inverse=True)
    total = np.bincount(index.ravel(), weight, len(edges)).astype(np.float64)
    tail, head, total = gather_edges(element.halo, edges[:, 0], edges[:, 1], total)
    used = np.abs(total) > 1e-13 * element.halo.maximum(float(np.abs(total).max(initial=0.0)))  # rectangles' diagonals
    return tail[used], head[used], total[used]
