"""The potential of a point charge in a film between two grounded planes, exact, and a table of it for a lattice.

The film reaches from z = 0 to z = L, without end sideways, with one permittivity. Two series are exact (W. R. Smythe,
Static and Dynamic Electricity, 5.298; J. D. Jackson, Classical Electrodynamics, problem 3.19): images,

    q/(4 pi eps) sum over n of 1/|r - (z' + 2 n L)| - 1/|r - (-z' + 2 n L)|,

which is quick near the charge, and

    q/(pi eps L) sum over k of sin(k pi z/L) sin(k pi z'/L) K0(k pi rho/L),

which is quick away from its axis. Far away it falls as exp(-pi rho/L): electrodes screen what is farther than a film's
thickness. The surface of a metal, where its potential ends, lies half a spacing outside its last plane of atoms, as the
electrodes of the lattices here do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.constants import elementary_charge, epsilon_0
from scipy.special import k0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Potential of one elementary charge at 1 nm in vacuum, V.
COULOMB_V_NM: float = 1e9 * elementary_charge / (4.0 * np.pi * epsilon_0)

#: Up to this share of the film's thickness from the axis images are summed, beyond it the other series.
_NEAR = 0.3

#: Images on either side that are summed one by one; the rest is an integral. Terms of the other series.
_IMAGES, _TERMS = 200, 48

#: At this many thicknesses from the axis the potential is exp(-4 pi) of that at one: the end of a table.
_FAR = 4.0

#: Potentials are whole multiples of this, V, so that sums of them are exact in any order.
QUANTUM_V = 2.0**-40


def point_potential(rho_nm: Floats, z_nm: float, source_nm: float, thickness_nm: float) -> Floats:
    """4 pi eps times the potential over the charge, 1/nm, at distances rho (...) from the axis of a charge.

    Args:
        rho_nm: distances from the axis; where the charge itself would be, its own potential is left out.
        z_nm: height of the points.
        source_nm: height of the charge.
        thickness_nm: of the film.
    """
    result = np.empty(rho_nm.shape)
    near = rho_nm < _NEAR * thickness_nm
    result[near] = by_images(rho_nm[near], z_nm, source_nm, thickness_nm)
    result[~near] = by_waves(rho_nm[~near], z_nm, source_nm, thickness_nm)
    return result


def by_images(rho_nm: Floats, z_nm: float, source_nm: float, thickness_nm: float) -> Floats:
    """:func:`point_potential` by images."""
    shift = 2.0 * thickness_nm * np.arange(-_IMAGES, _IMAGES + 1)
    rho = rho_nm[..., None]
    same, other = np.hypot(rho, z_nm - source_nm + shift), np.hypot(rho, z_nm + source_nm + shift)
    with np.errstate(divide="ignore"):
        direct = np.where(same < 1e-9, 0.0, 1.0 / same)
    # The four images n and -n beyond the last add (a^2 - b^2)/(4 n^3 L^3), a and b their offsets from 2 n L.
    offsets = (z_nm - source_nm) ** 2 - (z_nm + source_nm) ** 2
    rest = offsets / (8.0 * thickness_nm**3) / (_IMAGES + 0.5) ** 2
    return np.asarray((direct - 1.0 / other).sum(axis=-1) + rest)


def by_waves(rho_nm: Floats, z_nm: float, source_nm: float, thickness_nm: float) -> Floats:
    """:func:`point_potential` by waves across the film."""
    k = np.pi / thickness_nm * np.arange(1, _TERMS + 1)
    shape = np.sin(k * z_nm) * np.sin(k * source_nm)
    return np.asarray(4.0 / thickness_nm * (k0(k * rho_nm[..., None]) * shape).sum(axis=-1))


class FilmPotential:
    """Potentials between all sites of a lattice of planes ``step_nm`` apart, the outer ones half of that inside.

    Args:
        positions_nm: (N, 3), whole multiples of the step sideways.
        thickness_nm: of the film.
        step_nm: distance of planes in all directions.
        relative_permittivity: of the film.
    """

    def __init__(self, positions_nm: Floats, thickness_nm: float, step_nm: float, relative_permittivity: float) -> None:
        self.scale_V_nm = COULOMB_V_NM / relative_permittivity
        self.thickness_nm, self.positions_nm = thickness_nm, positions_nm
        place = np.round(positions_nm / step_nm - [0.0, 0.0, 0.5]).astype(np.int64)
        place[:, :2] -= place[:, :2].min(axis=0)
        self._place = [np.ascontiguousarray(place[:, axis]) for axis in range(3)]
        layers = round(thickness_nm / step_nm)
        self._layer_row = layers * self._place[2]
        self._all = np.arange(len(place))
        table = self._tabulated(layers, step_nm)
        self._last = np.array(table.shape[2:]) - 1
        self._lines, self._columns = table.shape[2:]
        self._flat = np.round(table / QUANTUM_V).ravel() * QUANTUM_V

    def _tabulated(self, layers: int, step_nm: float) -> Floats:
        """Potential (V) by the layers of both sites and their steps apart along x and y; nothing beyond the last."""
        reach = int(np.ceil(_FAR * self.thickness_nm / step_nm))
        size = [min(int(place.max()), reach) + 1 for place in self._place[:2]]
        square = np.add.outer(np.arange(size[0]) ** 2, np.arange(size[1]) ** 2)
        distances, index = np.unique(square, return_inverse=True)
        rho_nm, height = step_nm * np.sqrt(distances), step_nm * (np.arange(layers) + 0.5)
        table = np.zeros((layers, layers, size[0] + 1, size[1] + 1))
        for i in range(layers):
            for j in range(i + 1):
                potential = self.scale_V_nm * point_potential(rho_nm, height[i], height[j], self.thickness_nm)
                table[i, j, :-1, :-1] = table[j, i, :-1, :-1] = potential[index.reshape(square.shape)]
        return table

    def between(self, first: Ints, second: Ints) -> Floats:
        """Potential (V) at sites ``first`` of one elementary charge on sites ``second`` (shapes that fit each other).

        At its own site it is that of its images alone.
        """
        x, y = (self._apart(first, second, axis) for axis in range(2))
        layers = self._layer_row[first] + self._place[2][second]
        return np.asarray(self._flat.take((layers * self._lines + x) * self._columns + y))

    def _apart(self, first: Ints, second: Ints, axis: int) -> Ints:
        """Steps between sites along x or y, at most those up to the end of the table."""
        place = self._place[axis]
        return np.minimum(np.abs(place[first] - place[second]), self._last[axis])

    def everywhere(self, site: int) -> Floats:
        """(N,) potential (V) of one elementary charge on a site, its own left out there, images included."""
        return self.between(self._all, np.array(site))
