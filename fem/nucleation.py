"""Random birth of crystals at a rate given by the temperature, in what is not crystalline.

All nuclei that could ever be born are laid down beforehand by the seed: a Poisson stream in space, time and a third
coordinate m, the rate (1/(m^3 s)) that it takes for this nucleus to be born. A candidate is born if m is below I(T) at
its place and time, and if a further random number is below 1 - c there (thinning: P. Lewis, G. Shedler, Nav. Res.
Logist. 26, 403 (1979)). So which are born hardly depends on how time is cut into steps, a step that is taken again
gives the same nuclei, and so does any number of ranks. The stream is made as it is needed: m is cut into decades,
each decade's time into windows of a few candidates, and each window has random numbers of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.errors import FemError
from fem.front import FrontStep, PhaseFront, temperatures

Array = NDArray[np.float64]
Rate = Callable[[Array], ArrayLike]

_LOWEST = 0  # the lowest decade holds all m below 10 per m^3 and s
_HIGHEST = 60
_WINDOW = 4.0  # candidates in a window, on average
_MANY = 1e6  # candidates in a step: more is a mistake
_MARGIN = 2.0  # a peak of I(T) between the temperatures looked at


@dataclass(frozen=True)
class Nucleus:
    """A crystal that was born: when, where (x, y, z; r, z, 0 if axisymmetric), and with which radius."""

    time_s: float
    position_nm: tuple[float, float, float]
    radius_nm: float


@dataclass(frozen=True)
class _Candidates:
    time: Array  # s
    needed: Array  # 1/(m^3 s)
    node: NDArray[np.int64]  # of the table of all nodes
    chance: Array  # is born if below 1 - c


class Nucleation:
    """Nuclei in the region of a PhaseFront; take steps by this object's ``advance`` instead of the front's.

    Args:
        front: the front, whose state the nuclei join.
        rate_per_m3s: I(T), function of temperatures (n,) in K to (n,) values >= 0.
        seed: the same seed gives the same nuclei, on any number of ranks (same mesh).
        radius_nm: radius of a nucleus; by default 2 widths of the front in a plane, 3 in space, with elements of up to
            1.5 widths: smaller ones lose some of their growth or vanish, since their profile is cut off in the middle.
            With the front's curvature = 0 it must be above the critical radius (dim - 1) mobility widths to grow.
        depth_nm: depth of a plane mesh (2D), cross-section's root of a line (1D); needed there, since rates are per
            volume. A nucleus then fills the depth.

    ``nuclei`` is the list of those born so far, ``time_s`` the time, ``born`` (local dofs,) what the births of the last
    ``advance`` have added to c. Nuclei lie at nodes. On an axisymmetric cell a
    nucleus off the axis is a ring: I is right per volume, but what one birth makes is more than a ball.
    Raises FemError for what the arguments do not allow. Collective.
    """

    def __init__(
        self,
        front: PhaseFront,
        rate_per_m3s: Rate,
        seed: int,
        radius_nm: float | None = None,
        depth_nm: float | None = None,
    ) -> None:
        elements = front.elements
        missing = 0 if elements.axisymmetric else 3 - elements.dim
        if bool(missing) != (depth_nm is not None):
            raise FemError("depth_nm is needed on a plane or a line, and only there")
        if depth_nm is not None and not (np.isfinite(depth_nm) and depth_nm > 0.0):
            raise FemError(f"depth_nm must be a positive length, got {depth_nm!r}")
        default = (3.0 if elements.dim == 3 or elements.axisymmetric else 2.0) * front.width_nm
        radius = default if radius_nm is None else float(radius_nm)
        if not (np.isfinite(radius) and radius > 0.0):
            raise FemError(f"radius_nm must be a positive length, got {radius_nm!r}")
        if seed < 0:
            raise FemError(f"seed must not be negative, got {seed!r}")
        self.front, self.rate, self.seed, self.radius_nm = front, rate_per_m3s, int(seed), radius
        self.nuclei: list[Nucleus] = []
        self.time_s = 0.0
        self.born: Array = np.zeros(front.halo.local)
        across = 1.0 if depth_nm is None else (1e-9 * depth_nm) ** missing
        self._position, self._local, heap = _table(front)
        self._heap = np.cumsum(heap) * across
        self._windows: dict[int, tuple[int, _Candidates]] = {}

    @property
    def volume_m3(self) -> float:
        """Volume in which nuclei may be born."""
        return float(self._heap[-1])

    @property
    def value(self) -> Array:
        """c of the front (local dofs,)."""
        return self.front.value

    def growth(self, temperature_K: Array) -> Array:
        """As of the front."""
        return self.front.growth(temperature_K)

    def save(self) -> Any:
        """What ``restore`` needs to come back to this moment, the front's state included."""
        return self.time_s, len(self.nuclei), self.front.save()

    def restore(self, saved: Any) -> None:
        """Come back to the moment of ``save``: later nuclei are forgotten; the same steps bear them again."""
        self.time_s, count, front = saved
        del self.nuclei[count:]
        self.front.restore(front)

    def advance(self, dt_s: float, begin_K: ArrayLike, end_K: ArrayLike | None = None) -> FrontStep:
        """Go on by ``dt_s`` as PhaseFront.advance does, with each birth at its time."""
        begin, end = temperatures(begin_K, end_K, self.front.halo)
        due = self._due(self.time_s, dt_s, begin, end)
        at_s = np.minimum(due.time - self.time_s, dt_s)
        position = 0
        self.born = np.zeros(self.front.halo.local)

        def births(until_s: float) -> None:
            nonlocal position
            while position < at_s.size and at_s[position] <= until_s:
                self._bear(due, position)
                position += 1

        step = self.front.advance(dt_s, begin, end, at_s, births)
        self.time_s += dt_s
        return step

    def stream(self, dt_s: float, begin_K: ArrayLike, end_K: ArrayLike | None = None) -> list[Nucleus]:
        """The nuclei that ``advance`` would bear if nothing were crystalline; those it does bear are among them."""
        begin, end = temperatures(begin_K, end_K, self.front.halo)
        due = self._due(self.time_s, dt_s, begin, end)
        return [self._nucleus(due, number) for number in range(due.time.size)]

    def _nucleus(self, due: _Candidates, number: int) -> Nucleus:
        place = self._position[due.node[number]]
        where = (float(place[0]), float(place[1]), float(place[2]))
        return Nucleus(float(due.time[number]), where, self.radius_nm)

    def _bear(self, due: _Candidates, number: int) -> None:
        """A nucleus, unless there is crystal already."""
        if due.chance[number] < 1.0 - self._at(self.front.value_at, due.node[number : number + 1])[0]:
            born = self._nucleus(due, number)
            before = self.front.value
            self.front.add_ball(born.position_nm, self.radius_nm)
            self.born += self.front.value - before
            self.nuclei.append(born)

    def _due(self, start: float, dt_s: float, begin: Array, end: Array) -> _Candidates:
        """Candidates of this step whose m is below I(T), in the order of their times."""
        found = self._candidates(start, dt_s, self._bound(begin, end))
        if not found.time.size:
            return found
        first, last = self._at(begin.__getitem__, found.node), self._at(end.__getitem__, found.node)
        kelvin = first + (found.time - start) / dt_s * (last - first)
        keep = np.flatnonzero(found.needed < self._rate(kelvin))
        keep = keep[np.argsort(found.time[keep], kind="stable")]
        return _Candidates(found.time[keep], found.needed[keep], found.node[keep], found.chance[keep])

    def _bound(self, begin: Array, end: Array) -> float:
        """A bound of I(T) over the region in this step."""
        halo, inside = self.front.halo, self.front.inside
        both = np.concatenate([begin[inside], end[inside]])
        high = halo.maximum(float(both.max(initial=-np.inf)))
        low = -halo.maximum(float((-both).max(initial=-np.inf)))
        return _MARGIN * float(self._rate(np.linspace(low, high, 101)).max())

    def _rate(self, kelvin: Array) -> Array:
        rate = np.asarray(self.rate(kelvin), dtype=np.float64)
        if rate.shape != kelvin.shape or not np.all(np.isfinite(rate) & (rate >= 0.0)):
            raise FemError("rate_per_m3s must return one finite value, not negative, for each temperature")
        return rate

    def _candidates(self, start: float, dt_s: float, bound: float) -> _Candidates:
        """All with m below the decade above ``bound``, born in (start, start + dt]."""
        if bound * self.volume_m3 * dt_s > _MANY:
            raise FemError(f"up to {bound * self.volume_m3 * dt_s:.2g} nuclei in one step of {dt_s:.3g} s; take "
                           "shorter steps")  # fmt: skip
        parts = []
        decades = range(_LOWEST, min(_HIGHEST, max(_LOWEST + 1, int(np.floor(np.log10(bound))) + 1))) if bound else ()
        for decade in decades:
            low = 0.0 if decade == _LOWEST else 10.0**decade
            window_s = _WINDOW / ((10.0 ** (decade + 1) - low) * self.volume_m3)
            for window in range(int(start // window_s), int((start + dt_s) // window_s) + 1):
                parts.append(self._window(decade, window, low, window_s))
        columns = [np.concatenate([getattr(part, name) for part in parts]) if parts else np.empty(0)
                   for name in ("time", "needed", "node", "chance")]  # fmt: skip
        now = (columns[0] > start) & (columns[0] <= start + dt_s)
        return _Candidates(columns[0][now], columns[1][now], columns[2][now].astype(np.int64), columns[3][now])

    def _window(self, decade: int, window: int, low: float, window_s: float) -> _Candidates:
        known = self._windows.get(decade)
        if known is not None and known[0] == window:
            return known[1]
        random = np.random.default_rng([self.seed, decade, window])
        count = random.poisson(_WINDOW)
        time, needed, place, chance = random.random((4, count))
        node = np.searchsorted(self._heap, place * self._heap[-1], side="right").clip(max=self._heap.size - 1)
        found = _Candidates((window + time) * window_s, low + needed * (10.0 ** (decade + 1) - low), node, chance)
        self._windows[decade] = (window, found)
        return found

    def _at(self, values: Callable[[NDArray[np.int64]], Array], node: NDArray[np.int64]) -> Array:
        """Values at nodes of the table, on every rank: ``values`` gives them at local dofs."""
        local = self._local[node]
        mine = local >= 0
        result = np.zeros(node.size)
        result[mine] = values(local[mine])
        comm = self.front.halo.comm
        return np.asarray(comm.allreduce(result)) if comm.size > 1 else result


def _table(front: PhaseFront) -> tuple[Array, NDArray[np.int64], Array]:
    """All nodes of the region in the order of the mesh's input: positions (n, 3), local dof or -1, volume in m^3."""
    halo, mesh = front.halo, front.cell.mesh
    cells = np.asarray(front.space.dofmap.list)
    number = np.full(halo.local, -1, dtype=np.int64)
    geometry = np.asarray(mesh.geometry.input_global_indices, dtype=np.int64)
    number[cells.ravel()] = geometry[np.asarray(mesh.geometry.dofmaps[0])[: len(cells)].ravel()]
    mine = np.flatnonzero(front.inside[: halo.owned])
    local = [number[mine], front.elements.x_nm[mine], front.volume_m3[mine], np.full(mine.size, halo.comm.rank), mine]
    parts = halo.comm.allgather(local)
    number, position, volume, owner, dof = (np.concatenate([part[i] for part in parts]) for i in range(5))
    order = np.argsort(number, kind="stable")
    dof = np.where(owner == halo.comm.rank, dof, -1)
    return position[order], dof[order].astype(np.int64), volume[order]
