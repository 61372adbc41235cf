"""A film of ions between two electrodes for cases of space charge: an engine whose potential follows every event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import kmc
from ionsim.coupling.film_potential import FilmPotential, point_potential
from ionsim.coupling.space_charge import SpaceCharge

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_NM = 0.2

#: Images of a periodic cell that are summed on either side; each is exp(-pi x cell/thickness) of the one before.
_COPIES = 8


class PeriodicFilm(FilmPotential):
    """A film that repeats sideways after ``cells`` steps: a charge comes with its copies (a site's own left out)."""

    def __init__(
        self, positions_nm: Floats, thickness_nm: float, step_nm: float, relative_permittivity: float,
        cells: tuple[int, int],
    ) -> None:  # fmt: skip
        self._cells = cells
        super().__init__(positions_nm, thickness_nm, step_nm, relative_permittivity)

    def _tabulated(self, layers: int, step_nm: float) -> Floats:
        copies = [
            step_nm * (np.arange(cells)[:, None] + cells * np.arange(-_COPIES, _COPIES + 1)) for cells in self._cells
        ]
        x, y = copies
        rho_nm = np.hypot(x[:, None, :, None], y[None, :, None, :])
        height = step_nm * (np.arange(layers) + 0.5)
        table = np.zeros((layers, layers, *self._cells))
        for i in range(layers):
            for j in range(i + 1):
                found = point_potential(rho_nm, height[i], height[j], self.thickness_nm).sum(axis=(2, 3))
                table[i, j] = table[j, i] = self.scale_V_nm * found
        return table

    def _apart(self, first: Ints, second: Ints, axis: int) -> Ints:
        place = self._place[axis]
        return np.asarray((place[first] - place[second]) % self._cells[axis])


def film_sites(cells: tuple[int, int, int], *, periodic: bool = False) -> kmc.SiteGraph:
    """Sites of a (100) face-centred film: ``cells`` steps along x and y (even where it repeats), planes along z."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in cells), indexing="ij"), axis=-1).reshape(-1, 3)
    positions = STEP_NM * (index[index.sum(axis=1) % 2 == 0] + [0.0, 0.0, 0.5])
    size = (*(STEP_NM * n for n in cells[:2]), STEP_NM * cells[2] + 10.0)
    return kmc.SiteGraph.from_positions(
        positions, cutoff_nm=1.6 * STEP_NM, cell_nm=size if periodic else None, periodic=(periodic, periodic, False)
    )


class IonCell:
    """Ions that hop, and come from and go to electrodes at z = 0 ("left") and behind the last plane ("right").

    Args:
        sites: of :func:`film_sites`.
        charge: what follows them; None for ions that do not feel each other.
        formation_eV: energy of an ion from an atom of the left and of the right electrode.
        contacts: sites in contact with either.
        thickness_nm: of the film.
        ambient_K: temperature.
        metal: (N,) sites that hold metal, for good.
        seed: of the engine.
    """

    def __init__(
        self,
        sites: kmc.SiteGraph,
        charge: SpaceCharge | None,
        *,
        formation_eV: tuple[float, float],
        contacts: tuple[Ints, Ints],
        thickness_nm: float,
        ambient_K: float,
        metal: NDArray[np.bool_] | None = None,
        seed: int = 1,
    ) -> None:
        processes = [kmc.hop("ion", "empty", 0.05, charge_e=1.0)]
        for name, energy_eV in zip(("left", "right"), formation_eV, strict=True):
            exchange = kmc.electrode(
                f"from_{name}", "empty", "ion", name, 0.05, energy_eV=energy_eV, reverse_name=f"to_{name}"
            )
            processes.append(exchange)
        model = kmc.Model(
            species=("empty", "ion", "metal"), processes=processes, charges_e={"ion": 1.0},
            reservoirs=[kmc.Reservoir("left", 1), kmc.Reservoir("right", 1)],
        )  # fmt: skip
        self._metal = np.zeros(len(sites), dtype=bool) if metal is None else metal
        self.engine = kmc.Engine(
            sites, model, np.where(self._metal, 2, 0), seed=seed, null_events=False,
            contacts={name: (where, 0.5 * STEP_NM) for name, where in zip(("left", "right"), contacts, strict=True)},
        )  # fmt: skip
        self.charge, self._ambient_K = charge, ambient_K
        self._share = sites.positions_nm[:, 2] / thickness_nm
        self.set_voltage(0.0)

    def set_voltage(self, right_V: float) -> None:
        """Potential of the right electrode; the left one is at 0 V."""
        self._outside_V, self._reservoir_V = right_V * self._share, {"left": 0.0, "right": right_V}
        self._update()

    def _update(self) -> None:
        own_V, potential_V = None, self._outside_V
        if self.charge is not None:
            self.charge.update(self.engine.occupation == 1, self._metal)
            own_V, potential_V = self.charge.own_V, potential_V + self.charge.potential_V
        self.engine.set_fields(potential_V, self._ambient_K, self._reservoir_V, own_V=own_V)

    def occupation(self, events: int, blocks: int = 1) -> Floats:
        """(blocks, N) mean occupation by ions over so many events each, weighted with time."""
        means = np.zeros((blocks, len(self.engine.sites)))
        for row in means:
            start_s = self.engine.time_s
            for _ in range(events):
                ions, before_s = self.engine.occupation == 1, self.engine.time_s
                self.engine.run(until_s=np.inf, max_events=1)
                row[ions] += self.engine.time_s - before_s
                self._update()
            row /= self.engine.time_s - start_s
        return means

    def passed(self) -> tuple[int, int]:
        """Ions that have come from the left electrode and that have gone to the right one, net."""
        counts = self.engine.counts
        return counts["from_left"] - counts["to_left"], counts["to_right"] - counts["from_right"]


def deviations(blocks: Floats, exact: Floats) -> Floats:
    """How far the means of blocks (blocks, n) are from ``exact`` (n,), in standard deviations of the mean."""
    error = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    return np.asarray((blocks.mean(axis=0) - exact) / error)
