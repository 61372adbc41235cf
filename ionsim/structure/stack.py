"""A metal / oxide / metal stack as sites: lattice atoms, electrode atoms and interstitial sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ionsim.errors import StructureError

#: What a site is for. Oxygen sites keep this kind when they are vacant, interstitial sites when they hold an ion.
KINDS = ("metal_cation", "oxygen", "interstitial", "bottom_metal", "top_metal")
#: The layers of the stack from the bottom up, as ``Stack.region`` names them.
REGIONS = ("bottom", "bottom_interface", "oxide", "top_interface", "top")
#: Site names of the DeviceKMC files: empty interstitial, interstitial oxygen ion, oxygen vacancy.
EMPTY, ION, VACANCY = "d", "Od", "V"

_SUBLATTICE = {
    "metal_cation": "cation",
    "oxygen": "oxygen",
    "interstitial": "interstitial",
    "bottom_metal": "electrode",
    "top_metal": "electrode",
}

Pair = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Stack:
    """Sites of a device with z along the film normal; periodic in x and y.

    ``positions_nm`` is (N, 3) in nm: 0 <= x < Lx, 0 <= y < Ly, and z = 0 is the bottom of the oxide.
    ``symbol``, ``kind`` and ``region`` are (N,) strings: the element (or ``d`` empty interstitial, ``Od``
    interstitial oxygen ion, ``V`` oxygen vacancy), one of ``KINDS`` and one of ``REGIONS``.
    ``cell_nm`` is (Lx, Ly); ``thickness_nm`` is the height of the oxide; ``interface_nm`` holds the z ranges of
    the bottom and of the top interface layer. ``notes`` says in words what a reader or builder did to the data
    (dropped duplicates, strain of the electrodes).
    """

    positions_nm: NDArray[np.float64]
    symbol: NDArray[np.str_]
    kind: NDArray[np.str_]
    region: NDArray[np.str_]
    cell_nm: Pair
    thickness_nm: float
    interface_nm: tuple[Pair, Pair]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positions_nm)

    @property
    def sublattice(self) -> NDArray[np.str_]:
        """(N,) one of ``cation``, ``oxygen``, ``interstitial``, ``electrode``."""
        return np.array([_SUBLATTICE[kind] for kind in self.kind.tolist()], dtype=np.str_)

    def where(
        self, kind: str | Sequence[str] | None = None, region: str | Sequence[str] | None = None
    ) -> NDArray[np.intp]:
        """Indices of the sites of one kind (or several) in one region (or several); None means any."""
        mask = np.ones(len(self), dtype=bool)
        for values, wanted, allowed in ((self.kind, kind, KINDS), (self.region, region, REGIONS)):
            if wanted is None:
                continue
            names = [wanted] if isinstance(wanted, str) else list(wanted)
            unknown = [name for name in names if name not in allowed]
            if unknown:
                raise StructureError(f"no sites are called {unknown[0]!r}; allowed: {', '.join(allowed)}")
            mask &= np.isin(values, names)
        return np.flatnonzero(mask)

    def counts(self) -> dict[str, int]:
        """Number of sites by element or site name."""
        return dict(sorted(Counter(self.symbol.tolist()).items()))

    def layer_edges_nm(self) -> tuple[float, float, float, float]:
        """Heights (nm) that separate the five regions, from the bottom up."""
        (bottom_low, bottom_high), (top_low, top_high) = self.interface_nm
        return bottom_low, bottom_high, top_low, top_high


def label_regions(z_nm: NDArray[np.float64], interface_nm: tuple[Pair, Pair]) -> NDArray[np.str_]:
    """Region name of each height: (N,) strings for z (N,) in nm; a site on an edge belongs to the layer above it."""
    edges = np.array([*interface_nm[0], *interface_nm[1]])
    # Edges are positions of atoms in some files: the tolerance keeps a rounded coordinate on the side it was meant for.
    layer = np.searchsorted(edges, z_nm + 1e-6, side="right")
    return np.array(REGIONS)[layer]


def periodic_tree(positions_nm: NDArray[np.float64], cell_nm: Pair) -> cKDTree:
    """k-d tree of (N, 3) positions (nm) that is periodic in x and y and open in z; positions must lie in the cell."""
    return cKDTree(positions_nm, boxsize=np.array([*cell_nm, 0.0]))


def wrap(positions_nm: NDArray[np.float64], cell_nm: Pair) -> NDArray[np.float64]:
    """Positions (N, 3) in nm folded back to 0 <= x < Lx and 0 <= y < Ly."""
    wrapped = positions_nm.copy()
    for axis, length in enumerate(cell_nm):
        wrapped[:, axis] %= length
        wrapped[wrapped[:, axis] >= length, axis] = 0.0  # -1e-17 % L is L in floating point
    return wrapped


def oxygen_coordination(stack: Stack, cutoff_nm: float = 0.26) -> NDArray[np.int64]:
    """Number of cations within ``cutoff_nm`` of every oxygen site, in the order of ``stack.where("oxygen")``.

    Monoclinic HfO2 has three- and four-fold oxygen, between which vacancies hop with different barriers (PHYSICS.md,
    section 2). The default lies between the first shell (0.20 to 0.23 nm) and the second (above 0.35 nm).
    """
    cations = periodic_tree(stack.positions_nm[stack.where("metal_cation")], stack.cell_nm)
    oxygen = stack.positions_nm[stack.where("oxygen")]
    return np.asarray(cations.query_ball_point(oxygen, cutoff_nm, return_length=True), dtype=np.int64)


def remove_oxygen(stack: Stack, fraction: float, seed: int | np.random.Generator) -> NDArray[np.intp]:
    """Which oxygen atoms are missing at the start: sorted site indices, ``round(fraction * n)`` of the n oxygen atoms.

    Every oxygen atom of the oxide is equally likely, as in DeviceKMC. The same seed gives the same sites; sites that
    are vacant already (``V`` in the file) are not drawn again. Raises ``StructureError`` for a fraction outside 0..1.
    """
    if not 0.0 <= fraction <= 1.0:
        raise StructureError(f"fraction of oxygen to remove: got {fraction}, allowed is 0 to 1")
    oxygen = stack.where("oxygen")
    present = oxygen[stack.symbol[oxygen] != VACANCY]
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(present, size=round(fraction * len(present)), replace=False))
