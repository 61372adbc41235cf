"""Crystals of a TiN / HfO2 / Ti stack, from ASE, with the source of every lattice parameter."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from ase.build import make_supercell
from ase.spacegroup import crystal as spacegroup_crystal
from numpy.typing import NDArray

from ionsim.errors import StructureError, nearest

_ANGSTROM_PER_NM = 10.0
#: HfO2 polymorphs that can be built.
OXIDES = ("cubic", "tetragonal", "monoclinic")


@dataclass(frozen=True)
class CrystalData:
    """One crystal: space group, ``cellpar`` (a, b, c in Angstrom, angles in degrees), Wyckoff positions, source."""

    spacegroup: int
    setting: int
    cellpar: tuple[float, float, float, float, float, float]
    sites: tuple[tuple[str, tuple[float, float, float]], ...]
    source: str


@dataclass(frozen=True, eq=False)
class UnitCell:
    """Atoms of one cell: ``symbol`` (n,), ``fractional`` (n, 3) in 0..1, ``vectors_nm`` (3, 3), one vector a row."""

    symbol: NDArray[np.str_]
    fractional: NDArray[np.float64]
    vectors_nm: NDArray[np.float64]

    @property
    def edges_nm(self) -> tuple[float, float, float]:
        """Periods along x and y and height along z of a film cell, nm."""
        x, y, z = np.diag(self.vectors_nm).tolist()
        return x, y, z

    def only(self, symbol: str) -> UnitCell:
        """The same cell with the atoms of one element."""
        chosen = self.symbol == symbol
        return UnitCell(self.symbol[chosen], self.fractional[chosen], self.vectors_nm)


CRYSTALS = {
    "cubic": CrystalData(
        225, 1, (5.08, 5.08, 5.08, 90, 90, 90),
        (("Hf", (0, 0, 0)), ("O", (0.25, 0.25, 0.25))),
        "c-HfO2, Fm-3m (fluorite), a = 5.08 A: Wang, Li, Stevens, J. Mater. Sci. 27, 5397 (1992), 10.1007/BF00541601",
    ),
    "tetragonal": CrystalData(
        137, 2, (5.0715 / np.sqrt(2), 5.0715 / np.sqrt(2), 5.2121, 90, 90, 90),
        (("Hf", (0.75, 0.25, 0.75)), ("O", (0.25, 0.25, 0.445))),
        "t-HfO2, P4_2/nmc, pseudo-cubic a = 5.0715 A, c = 5.2121 A, O shifted by 0.055 c (density functional, GGA): "
        "data.t-HfO2 distributed with LAMMPS for the potential of Shan et al., PRB 81, 125328 (2010), "
        "10.1103/PhysRevB.81.125328",
    ),
    "monoclinic": CrystalData(
        14, 1, (5.118, 5.1857, 5.2841, 90, 99.352, 90),
        (("Hf", (0.2755, 0.0397, 0.208)), ("O", (0.0742, 0.3316, 0.3467)), ("O", (0.4487, 0.7581, 0.4801))),
        "m-HfO2, P2_1/c (baddeleyite): Crystallography Open Database 1528988 (Whittle et al. 2006), as in the NCrystal "
        "data library (10.1016/j.cpc.2019.07.015); three-fold oxygen first, four-fold second",
    ),
    "TiN": CrystalData(
        225, 1, (4.24, 4.24, 4.24, 90, 90, 90),
        (("Ti", (0, 0, 0)), ("N", (0.5, 0.5, 0.5))),
        "TiN, Fm-3m (rock salt), a = 4.24 A: powder diffraction file 38-1420 (4.2417 A), Materials Project mp-492",
    ),
    "Ti": CrystalData(
        194, 1, (2.95, 2.95, 4.686, 90, 90, 120),
        (("Ti", (1 / 3, 2 / 3, 0.25)),),
        "alpha-Ti, P6_3/mmc: Wyckoff, Crystal Structures 1, 7 (1963), AMCSD 0011195",
    ),
}  # fmt: skip

#: Cells with the film normal along c*, and a, b in the film plane at right angles.
_RECTANGULAR = {
    "tetragonal": [[1, -1, 0], [1, 1, 0], [0, 0, 1]],  # the pseudo-cubic cell, twice the primitive one
    "Ti": [[1, 0, 0], [1, 2, 0], [0, 0, 1]],  # orthogonal cell of the (0001) plane, a x sqrt(3) a
}


def film_cell(name: str) -> UnitCell:
    """Unit cell of ``cubic``, ``tetragonal``, ``monoclinic`` (HfO2), ``TiN`` or ``Ti`` for growth of a (001) film.

    The first two cell vectors lie along x and y, the third rises along z (and leans over along x in the monoclinic
    crystal). Raises ``StructureError`` for another name.
    """
    data = CRYSTALS.get(name)
    if data is None:
        raise StructureError(f"no crystal is called {name!r}{nearest(name, CRYSTALS)}; allowed: {', '.join(CRYSTALS)}")
    with warnings.catch_warnings():
        # ASE up to 3.29 assigns to ndarray.shape, which NumPy 2.5 deprecates.
        warnings.filterwarnings("ignore", message="Setting the shape on a NumPy array", category=DeprecationWarning)
        atoms = spacegroup_crystal(
            [symbol for symbol, _ in data.sites],
            [position for _, position in data.sites],
            spacegroup=data.spacegroup,
            setting=data.setting,
            cellpar=data.cellpar,
            primitive_cell=False,
        )
        if name in _RECTANGULAR:
            atoms = make_supercell(atoms, np.array(_RECTANGULAR[name]))
    a, b, c = atoms.cell.lengths() / _ANGSTROM_PER_NM
    beta = np.deg2rad(atoms.cell.angles()[1])
    upright = np.array([[a, 0, 0], [0, b, 0], [c * np.cos(beta), 0, c * np.sin(beta)]])
    upright[np.abs(upright) < 1e-12] = 0.0
    fractional = np.round(atoms.get_scaled_positions(), 12) % 1.0
    return UnitCell(np.array(atoms.get_chemical_symbols(), dtype=np.str_), fractional, upright)
