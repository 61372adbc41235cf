"""A TiN / HfO2 / Ti / TiN stack built from crystals, of the same kind as the public DeviceKMC stacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ionsim.errors import StructureError
from ionsim.structure.crystals import film_cell
from ionsim.structure.film import check_length, cut_film, oxide_cell, whole_cells
from ionsim.structure.layers import find_layers
from ionsim.structure.stack import EMPTY, Pair, Stack, label_regions, periodic_tree, wrap
from ionsim.structure.voids import voronoi_voids

#: Shortest distance (nm) between ions of the oxide and electrode atoms. Source: a Ti-O bond, 0.195 to 0.198 nm in
#: rutile (Burdett et al., J. Am. Chem. Soc. 109, 3639 (1987), 10.1021/ja00246a021).
CONTACT_NM = 0.2
#: Radius (nm) of the smallest void that is an interstitial site, in the oxide and in the cap. Source: calibrated:
#: against the public DeviceKMC stack. The first gives 58 sites per nm^3 of monoclinic HfO2 (8 a cell; 4 in the cubic
#: crystal), where the public amorphous oxide has 47; the second keeps the tetrahedral voids of Ti, which it lists too.
OXIDE_VOID_NM, CAP_VOID_NM = 0.178, 0.16

Layer = tuple[NDArray[np.float64], NDArray[np.str_]]


def build_stack(
    oxide: str = "monoclinic",
    width_nm: float = 2.5,
    depth_nm: float = 2.5,
    oxide_nm: float = 5.0,
    bottom_nm: float = 2.1,
    cap_nm: float = 1.4,
    top_nm: float = 2.1,
) -> Stack:
    """Build TiN (``bottom_nm``) / HfO2 (``oxide_nm``) / Ti (``cap_nm``) / TiN (``top_nm``) with interstitial sites; nm.

    ``oxide`` is ``monoclinic``, ``tetragonal`` or ``cubic``, grown along (001). The lateral cell is the whole number
    of oxide cells nearest to ``width_nm`` x ``depth_nm``; TiN (001) and Ti (0001) are strained onto it in the plane, by
    the amount that ``Stack.notes`` reports, and keep their spacing along z. Thicknesses are rounded to half cells, at
    least one each; ``top_nm`` = 0 leaves the TiN on the cap out. Interstitial sites are the voids (``voronoi_voids``)
    from the last plane of the bottom electrode to the last plane of the cap. Defaults are the dimensions of the public
    2.5 nm stack. Sources of the crystals: ``ionsim.structure.crystals.CRYSTALS``. Raises ``StructureError`` for an
    unknown oxide or a length that is not positive.
    """
    cell = oxide_cell(oxide)
    lengths = (width_nm, depth_nm, oxide_nm, bottom_nm, cap_nm)
    for name, length in zip(("width_nm", "depth_nm", "oxide_nm", "bottom_nm", "cap_nm"), lengths, strict=True):
        check_length(name, length)
    if not (np.isfinite(top_nm) and top_nm >= 0):
        raise StructureError(f"top_nm: got {top_nm}, it must be 0 (no TiN on the cap) or a positive thickness")
    counts = whole_cells(cell, width_nm, depth_nm, oxide_nm)
    crystal = cut_film(cell, *counts)
    cell_nm = crystal.cell_nm
    film: Layer = (crystal.positions_nm, crystal.symbol)
    notes = [f"HfO2: {counts[0]} x {counts[1]} cells of {oxide}, {counts[2]} half cells thick"]
    for name, height, below in (("TiN", bottom_nm, True), ("Ti", cap_nm, False), ("TiN", top_nm, False)):
        if height > 0:
            electrode, note = _strained(name, height, cell_nm)
            film = _joined(electrode, film, cell_nm) if below else _joined(film, electrode, cell_nm)
            notes.append(note)
    return _with_voids(*film, cell_nm, tuple(notes), capped=top_nm > 0)


def _strained(name: str, height_nm: float, cell_nm: Pair) -> tuple[Layer, str]:
    """Electrode film strained onto the lateral cell: (positions, symbols), and a note that reports the strain."""
    unit = film_cell(name)
    counts = whole_cells(unit, *cell_nm, max(height_nm, unit.edges_nm[2] / 2))
    film = cut_film(unit, *counts)
    stretch = np.array(cell_nm) / np.array(film.cell_nm)
    positions = film.positions_nm * [*stretch, 1.0]
    x, y = 100 * (stretch - 1)
    note = f"{name}: {counts[0]} x {counts[1]} cells, {film.height_nm:.2f} nm thick, strain {x:+.1f} % x {y:+.1f} %"
    return (wrap(positions, cell_nm), film.symbol), note


def _joined(lower: Layer, upper: Layer, cell_nm: Pair) -> Layer:
    """Two films one on the other, as close as ``CONTACT_NM`` between their atoms allows."""
    below = _raised(lower[0], -lower[0][:, 2].max())
    above = _raised(upper[0], -upper[0][:, 2].min())
    near_below = below[below[:, 2] > -CONTACT_NM]
    near_above = above[above[:, 2] < CONTACT_NM]
    one, other = (cKDTree(points[:, :2], boxsize=np.array(cell_nm)) for points in (near_below, near_above))
    pairs = one.sparse_distance_matrix(other, CONTACT_NM, output_type="ndarray")
    rise = near_below[pairs["i"], 2] - near_above[pairs["j"], 2]
    gap = float(np.max(rise + np.sqrt(CONTACT_NM**2 - pairs["v"] ** 2), initial=CONTACT_NM / 2))
    return np.vstack([below, _raised(above, gap)]), np.concatenate([lower[1], upper[1]])


def _raised(positions: NDArray[np.float64], by_nm: float) -> NDArray[np.float64]:
    return positions + np.array([0.0, 0.0, by_nm])


def _with_voids(
    positions: NDArray[np.float64],
    symbol: NDArray[np.str_],
    cell_nm: Pair,
    notes: tuple[str, ...],
    capped: bool,
) -> Stack:
    layers = find_layers(positions[:, 2], symbol, where="built stack", cation="Hf")
    positions = _raised(positions, -layers.bottom_nm)
    z = positions[:, 2]
    cap = (layers.kind == "top_metal") & (symbol == "Ti")
    if capped:  # The cap ends where nitrogen begins.
        cap &= z < z[(symbol == "N") & (z > layers.thickness_nm)].min() - 1e-6
    span = (float(z[layers.kind == "bottom_metal"].max()), float(z[cap].max()))
    voids = voronoi_voids(positions, cell_nm, span, CAP_VOID_NM)
    radius, _ = periodic_tree(positions, cell_nm).query(voids)
    voids = voids[(radius >= OXIDE_VOID_NM) | (voids[:, 2] > layers.thickness_nm)]
    everything = np.vstack([positions, voids])
    return Stack(
        positions_nm=everything,
        symbol=np.concatenate([symbol, np.full(len(voids), EMPTY)]),
        kind=np.concatenate([layers.kind, np.full(len(voids), "interstitial")]),
        region=label_regions(everything[:, 2], layers.interface_nm),
        cell_nm=cell_nm,
        thickness_nm=layers.thickness_nm,
        interface_nm=layers.interface_nm,
        notes=notes,
    )
