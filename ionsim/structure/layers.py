"""Which layer and kind each site of an imported stack belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.errors import StructureError
from ionsim.structure.stack import EMPTY, ION, VACANCY, Pair

#: Thickness of the interface layers inside the oxide; source: layers of DeviceKMC, src/structure_input.h
#: (0 to 3 Angstrom at TiN, 48.14 to 52.64 at Ti, where the oxide ends at 51.14 and the first Ti plane is at 52.64).
INTERFACE_NM = 0.3
#: Oxygen farther (nm, along z) from the outermost cation than a Hf-O bond (0.20 to 0.23 nm, 10.1103/PhysRevB.65.233106)
#: is not part of the oxide.
_BOND_NM = 0.25
_SITE_NAMES = (EMPTY, ION)


@dataclass(frozen=True, eq=False)
class Layers:
    """``kind`` (N,) of each site; height of the oxide's bottom in file coordinates; the rest with z = 0 there (nm)."""

    kind: NDArray[np.str_]
    bottom_nm: float
    thickness_nm: float
    interface_nm: tuple[Pair, Pair]


def find_layers(
    z_nm: NDArray[np.float64],
    symbol: NDArray[np.str_],
    *,
    where: str,
    cation: str | None = None,
    oxide_nm: Pair | None = None,
    interface_nm: tuple[Pair, Pair] | None = None,
) -> Layers:
    """Sort sites (heights (N,) in nm, symbols (N,)) into oxide, electrodes, interstitials; ``where`` is for messages.

    See ``read_stack`` for the defaults. Raises ``StructureError`` when there is no oxide, when layers are out of
    order, or when electrode atoms lie inside the oxide (a wrong film normal shows itself this way).
    """
    oxygen = np.isin(symbol, ("O", VACANCY))
    interstitial = np.isin(symbol, _SITE_NAMES)
    if not oxygen.any():
        raise StructureError(f"{where}: no oxygen (O or {VACANCY}) among the sites: {_listed(symbol)}")
    metal = _find_cation(z_nm, symbol, oxygen, interstitial, where) if cation is None else cation
    cations = symbol == metal
    if not cations.any():
        raise StructureError(f"{where}: cation {metal!r} is not among the sites: {_listed(symbol)}")
    low, high = oxide_nm if oxide_nm is not None else _extent(z_nm, cations, oxygen)
    if not low < high:
        raise StructureError(f"{where}: oxide_nm = ({low}, {high}); the lower end must be below the upper end")
    electrode = ~(oxygen | interstitial | cations)
    inside = electrode & (z_nm > low) & (z_nm < high)
    if inside.any():
        raise StructureError(
            f"{where}: {np.count_nonzero(inside)} electrode atoms ({_listed(symbol[inside])}) lie inside the oxide, "
            f"{low:.4f} to {high:.4f} nm; is the film normal (axis) right?"
        )
    above = z_nm[electrode & (z_nm >= high)]
    if interface_nm is None:
        interface_nm = (
            (low, low + INTERFACE_NM),
            (high - INTERFACE_NM, float(above.min()) if above.size else high),
        )
    edges = np.array([*interface_nm[0], *interface_nm[1]])
    if (np.diff(edges) < 0).any():
        raise StructureError(
            f"{where}: interface layers {np.round(edges, 4).tolist()} nm must rise from bottom to top; the oxide is "
            f"{high - low:.4f} nm thick"
        )
    kind = np.full(len(symbol), "interstitial", dtype="<U12")
    kind[oxygen] = "oxygen"
    kind[cations] = "metal_cation"
    kind[electrode & (z_nm <= low)] = "bottom_metal"
    kind[electrode & (z_nm >= high)] = "top_metal"
    b0, b1, t0, t1 = (float(edge) for edge in edges - low)
    return Layers(kind, float(low), float(high - low), ((b0, b1), (t0, t1)))


def _find_cation(
    z_nm: NDArray[np.float64],
    symbol: NDArray[np.str_],
    oxygen: NDArray[np.bool_],
    interstitial: NDArray[np.bool_],
    where: str,
) -> str:
    """The element with the largest number of atoms between the 5th and 95th percentile of the oxygen heights."""
    low, high = np.percentile(z_nm[oxygen], [5, 95])
    middle = symbol[~oxygen & ~interstitial & (z_nm > low) & (z_nm < high)]
    if not middle.size:
        raise StructureError(f"{where}: no metal atoms between the oxygen atoms: {_listed(symbol)}")
    names, counts = np.unique(middle, return_counts=True)
    return str(names[counts.argmax()])


def _extent(z_nm: NDArray[np.float64], cations: NDArray[np.bool_], oxygen: NDArray[np.bool_]) -> Pair:
    low, high = z_nm[cations].min(), z_nm[cations].max()
    bound = z_nm[oxygen & (z_nm > low - _BOND_NM) & (z_nm < high + _BOND_NM)]
    return float(min(low, bound.min(initial=low))), float(max(high, bound.max(initial=high)))


def _listed(symbol: NDArray[np.str_]) -> str:
    names, counts = np.unique(symbol, return_counts=True)
    return ", ".join(f"{count} {name}" for name, count in zip(names.tolist(), counts.tolist(), strict=True))
