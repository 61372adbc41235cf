"""A crystal's front that moves at a speed given by the temperature, on one region of a mesh of simplices.

The crystalline fraction c (1 crystal, 0 amorphous or liquid) obeys

    dc/dt = D [lap c - c (1 - c)(1 - 2c)/w^2 - s |grad c| div n] + u(T) c (1 - c)/w,    D = beta |u| w,

with n = grad c/|grad c|. The front c = 1/(1 + exp(x/w)) moves at exactly u, whatever the width w. With s = 1 the third
term cancels the motion by curvature (Y. Sun, C. Beckermann, J. Comput. Phys. 220, 626 (2007), there with c(1 - c)/w
for |grad c|, which is the same on that front); with s = 0 the front moves at u - D kappa. Where u = 0 nothing moves,
where it is negative the crystal melts. beta > 1 keeps c = 0 and c = 1 stable.

What is stepped in time is the level p = w ln(c/(1 - c)), a signed distance to the front (K. Glasner, J. Comput. Phys.
174, 695 (2001)). In it the same equation is

    dp/dt = u + D [lap p + (1 - 2c)/w (|grad p|^2 - 1) - s |grad p| div n],

and a plane front is linear in x, which first-order elements hold exactly in any direction: the elements may be as
large as the width. Beyond 12 widths from a front c is taken as 0 or 1 and nothing is computed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from fem.cell import Cell, scalar_space
from fem.errors import FemError
from fem.halo import Halo, nodal_array
from fem.simplices import simplices

Array = NDArray[np.float64]
Velocity = Callable[[Array], ArrayLike]
#: Called after a sub-step with its end (s, from the begin of ``advance``).
Hook = Callable[[float], None]

_FAR = 12.0  # widths: 1 - c = 6e-6
_MIDDLE = 3.0  # widths: a node within one less (c from 0.12 to 0.88) is in the middle of a front
_MOVE = 0.2  # largest move of a front in a sub-step, in widths
_STABLE = 0.45  # D dt times the diagonal of the laplacian: 0.5 is the bound of the explicit step
_WARM_K = 10.0  # largest change of temperature in a sub-step, at a front
_PORTION = 1e-5  # of c, the first that melts in whole crystal
_RESPONSE = 3.0  # largest motion of a node over u dt that ``growth`` believes
_STILL = 1e-9  # widths: a front that would move less is left alone
_PRUNE = 25  # sub-steps between two looks for cells that the front has left


@dataclass(frozen=True)
class FrontStep:
    """What a call of ``advance`` did: sub-steps, largest change of c at a node, and how far the fastest front went."""

    sub_steps: int
    largest_change: float
    moved_nm: float


class PhaseFront:
    """The crystalline fraction of one region.

    Args:
        cell: mesh of simplices with named regions; with ``axisymmetric`` set, 2D in (r, z).
        region: the region that can crystallise and melt.
        velocity_m_per_s: u(T), function of temperatures (n,) in K to (n,) values; positive: the crystal grows.
        width_nm: w of the profile 1/(1 + exp(x/w)); from 10 to 90 per cent it is 4.4 w wide. Elements of up to 1.5 w.
        mobility: beta > 1. A larger one holds the profile harder, at the cost of more sub-steps.
        curvature: s from 0 (the front moves at u - D times the sum of principal curvatures) to 1 (at u).
        grain_boundaries_per_nm: grain boundary per volume (1/nm), from which crystal melts where u < 0 far from any
            front: dc/dt = -S |u| c.

    What to expect, with elements of up to 1.5 widths: a plane front at u to 0.1 %, balls of more than 4 widths at u to
    0.5 %. Where u changes along x, the front moves at u half a width to a width ahead of c = 1/2, and it rests within
    half an element of u = 0. Elements much smaller than the width only cost time: sub-steps go as their square.

    ``value`` is c at the nodes (local dofs,), 0 outside the region; it starts at 1. Collective in all methods.
    Raises FemError for what the arguments do not allow.
    """

    def __init__(
        self,
        cell: Cell,
        region: str,
        velocity_m_per_s: Velocity,
        width_nm: float,
        mobility: float = 1.5,
        curvature: float = 1.0,
        grain_boundaries_per_nm: float = 0.0,
    ) -> None:
        if not (np.isfinite(width_nm) and width_nm > 0.0):
            raise FemError(f"width_nm must be a positive length, got {width_nm!r}")
        if not (np.isfinite(mobility) and mobility > 1.0):
            raise FemError(f"mobility must be above 1 (crystal and glass are unstable otherwise), got {mobility!r}")
        if not 0.0 <= curvature <= 1.0:
            raise FemError(f"curvature must lie between 0 (kept) and 1 (cancelled), got {curvature!r}")
        if not (np.isfinite(grain_boundaries_per_nm) and grain_boundaries_per_nm >= 0.0):
            raise FemError(f"grain_boundaries_per_nm must not be negative, got {grain_boundaries_per_nm!r}")
        self.cell, self.region = cell, region
        self.space = scalar_space(cell)
        self.halo = Halo(self.space)
        self.elements = simplices(cell, region, self.space, self.halo)
        self.velocity = velocity_m_per_s
        self.width_nm, self.mobility, self.curvature = float(width_nm), float(mobility), float(curvature)
        self.grain_boundaries_per_nm = float(grain_boundaries_per_nm)
        self.inside: NDArray[np.bool_] = self.elements.volume > 0.0
        self.volume_m3: Array = self.elements.volume * self.elements.metres
        self._around = _cells_of_nodes(self.elements.dofs, self.halo.local)
        self._level = np.where(self.inside, _FAR, -_FAR)  # p in widths
        self._response = np.ones(self.halo.local)
        self._melting = np.zeros(self.halo.local)  # what grain boundaries have yet to melt, as -ln of c's factor
        self._find()

    @property
    def value(self) -> Array:
        """c (local dofs,), a new array."""
        return _fraction(self._level)

    def value_at(self, dofs: NDArray[np.int64]) -> Array:
        """c at some local dofs (n,)."""
        return _fraction(self._level[dofs])

    @property
    def distance_nm(self) -> Array:
        """The signed distance to the front (local dofs,), positive in the crystal, cut off at 12 widths."""
        return self.width_nm * self._level

    def set_value(self, value: ArrayLike | Callable[[Array], ArrayLike]) -> None:
        """Set c: a number, a nodal array (local dofs,), or a function of positions (n, 3) in nm."""
        given = value(self.elements.x_nm) if callable(value) else value
        given = np.full(self.halo.local, float(given)) if np.ndim(given) == 0 else given  # type: ignore[arg-type]
        c = nodal_array(given, self.halo, "value")
        wrong = c is None or not np.all((c[self.inside] >= 0.0) & (c[self.inside] <= 1.0))
        if c is None or self.halo.maximum(float(wrong)):
            raise FemError("value must lie between 0 and 1 at every node of the region")
        with np.errstate(divide="ignore"):
            self._set(logit(np.where(self.inside, c, 0.0)))

    def set_distance(self, distance_nm: ArrayLike | Callable[[Array], ArrayLike]) -> None:
        """Set c from a signed distance to the front in nm, positive in the crystal: nodal, or a function of (n, 3)."""
        given = distance_nm(self.elements.x_nm) if callable(distance_nm) else distance_nm
        level = nodal_array(given, self.halo, "distance_nm")
        if level is None or self.halo.maximum(float(not np.all(np.isfinite(level)))):
            raise FemError("distance_nm must be finite")
        self._set(level / self.width_nm)

    def add_ball(self, centre_nm: ArrayLike, radius_nm: float) -> None:
        """Add a crystal: a ball (disc, interval; on an axisymmetric cell a ring) with the profile of the front."""
        dim, w = self.elements.dim, self.width_nm
        centre = np.asarray(centre_nm, dtype=np.float64)[:dim]
        x = self.elements.x_nm[:, :dim]
        near = self.inside & (np.abs(x - centre).max(axis=1) < radius_nm + _FAR * w)
        nodes = np.flatnonzero(near)
        level = np.clip((radius_nm - np.linalg.norm(x[nodes] - centre, axis=1)) / w, -_FAR, _FAR)
        higher = level > self._level[nodes]
        self._level[nodes[higher]] = level[higher]
        self._grow(nodes[higher])

    def save(self) -> Array:
        """What ``restore`` needs to come back to this moment."""
        return np.stack([self._level, self._melting])

    def restore(self, saved: Array) -> None:
        """Come back to the moment of ``save``."""
        self._level, self._melting = saved[0].copy(), saved[1].copy()
        self._find()

    @property
    def crystalline_m3(self) -> float:
        """Volume of the crystal, sum of c times the nodes' volumes (2D: per metre of depth)."""
        return self.halo.sum(self.value * self.volume_m3)

    def growth(self, temperature_K: Array) -> Array:
        """How fast c changes (local dofs,) in 1/s, for its derivative with temperature.

        Where a front passes, u c (1 - c)/w times what the shape of the front in the latest sub-step made of that; and
        what melts at grain boundaries.
        """
        c, u = self.value, self._speed(temperature_K, np.arange(self.halo.local))
        moving = self._response * u * c * (1.0 - c) / self.width_nm
        return np.asarray(moving + self.grain_boundaries_per_nm * np.minimum(u, 0.0) * c)

    def advance(
        self,
        dt_s: float,
        begin_K: ArrayLike,
        end_K: ArrayLike | None = None,
        stops_s: ArrayLike = (),
        hook: Hook | None = None,
    ) -> FrontStep:
        """Go on by ``dt_s``, the temperature (local dofs,) changing linearly from ``begin_K`` to ``end_K``.

        Sub-steps are chosen by stability and so that no front moves more than a fifth of its width in one. Without a
        front, or with one that stands still, a step of any length costs nothing. A sub-step ends at each of
        ``stops_s``, rising times from the begin of this step; after each sub-step comes the ``hook``. Raises FemError
        for a wrong time, a wrong shape, or a velocity that is not finite.
        """
        if not (np.isfinite(dt_s) and dt_s >= 0.0):
            raise FemError(f"dt_s must be a time in s, got {dt_s!r}")
        begin, end = temperatures(begin_K, end_K, self.halo)
        old = self._level.copy()
        stops = [*(float(stop) for stop in np.asarray(stops_s) if 0.0 < stop < dt_s), float(dt_s)]
        time, steps, moved = 0.0, 0, 0.0
        while time < dt_s:
            while stops[0] <= time:
                del stops[0]
            left = stops[0] - time
            step, speed = self._sub_step(
                left, begin + (time / dt_s) * (end - begin), begin + (stops[0] / dt_s) * (end - begin)
            )
            middle = begin + ((time + 0.5 * step) / dt_s) * (end - begin)
            if speed * step > _STILL * self.width_nm:
                self._move(step, middle, speed)
                steps += 1
                moved += float(speed * step)
                if steps % _PRUNE == 0:
                    self._find()
            if self.grain_boundaries_per_nm:
                self._melt_inside(step, middle)
            time = stops[0] if step >= left else time + step
            if hook is not None:
                hook(time)
        change = np.abs(expit(self._level) - expit(old)).max(initial=0.0)
        return FrontStep(steps, self.halo.maximum(float(change)), moved)

    def _sub_step(self, left: float, now: Array, end: Array) -> tuple[float, float]:
        """A sub-step (s) that is stable and accurate, and the largest speed of a front in it (nm/s).

        Far from the middle of a front its tails follow: the speed that the temperature gives there is taken as no
        larger than that of the fastest front, else a front at rest in a steep gradient would need the steps of its
        tails.
        """
        nodes = self._nodes
        warming = self.halo.maximum(float(np.abs(end[nodes] - now[nodes]).max(initial=0.0)))
        step = left * min(1.0, _WARM_K / max(warming, _WARM_K))
        middle = np.clip(_MIDDLE - np.abs(self._level), 0.0, 1.0)
        dofs = self.elements.dofs[self._active]
        near = self._level[dofs]
        middle[dofs[(near.max(axis=1) > 0.0) & (near.min(axis=1) < 0.0)].ravel()] = 1.0  # also of a jump of c
        middle = middle[nodes]
        here = self._fastest(now, nodes, middle)
        then = self._fastest(now + (step / left) * (end - now), nodes, middle)
        speed, stiff = max(here[0], then[0]), max(here[1], then[1])
        rate = max(speed / (_MOVE * self.width_nm), self.mobility * self.width_nm * stiff / _STABLE)
        # never a whole number of equal parts: the result of ``advance`` is to depend smoothly on temperature
        return min(step, 1.0 / max(rate, 1.0 / left)), speed

    def _fastest(self, temperature_K: Array, nodes: NDArray[np.int64], middle: Array) -> tuple[float, float]:
        """The largest |u| of a front (nm/s), and the largest |u| times the stiffness of the laplacian (1/(nm s))."""
        u = np.abs(self._speed(temperature_K, nodes))
        fronts = self.halo.maximum(float((middle * u).max(initial=0.0)))
        u = np.minimum(u, fronts)
        return fronts, self.halo.maximum(float((u * self.elements.stiffest[nodes]).max(initial=0.0)))

    def _speed(self, temperature_K: Array, nodes: NDArray[np.int64]) -> Array:
        """u (nodes,) in nm/s."""
        u = 1e9 * np.asarray(self.velocity(temperature_K[nodes]), dtype=np.float64)
        if self.halo.maximum(float(u.shape != nodes.shape or not np.all(np.isfinite(u)))):
            raise FemError("velocity_m_per_s must return one finite value for each temperature")
        return u

    def _move(self, dt_s: float, temperature_K: Array, fastest: float) -> None:
        """One explicit step of the level; no speed is above that of the fastest front (nm/s)."""
        w, beta, nodes, level = self.width_nm, self.mobility, self._nodes, self._level
        u = np.clip(self._speed(temperature_K, nodes), -fastest, fastest)
        laplacian, squared, steepness, cancelled = self._derivatives(np.sign(u))
        p = level[nodes]
        kept = np.ones(nodes.size)
        if self.grain_boundaries_per_nm:  # a mixture without a front, above melting, is no front to be restored
            melting = u < 0.0
            kept[melting] = np.minimum(1.0, 2.0 * steepness[melting])
        asymmetry = -np.tanh(0.5 * p)  # 1 - 2c
        bracket = laplacian + asymmetry / w * (squared - kept) - self.curvature * cancelled
        new = np.clip(p + dt_s * (u * kept / w + beta * np.abs(u) * bracket), -_FAR, _FAR)
        self._response[nodes] = np.clip(kept + beta * w * np.sign(u) * bracket, 0.0, _RESPONSE)
        reached = nodes[(np.abs(p) >= _FAR) & (np.abs(new) < _FAR)]
        level[nodes] = new
        self._grow(reached)

    def _derivatives(self, way: Array) -> tuple[Array, Array, Array, Array]:
        """lap p (1/nm), |grad p|^2, |grad p| and |grad p| div n (1/nm), each (nodes,), by lumped first-order elements.

        The last is what curvature = 1 subtracts: then there is no diffusion along the front. Where fronts meet, and
        in gradients that differ from cell to cell, that would let wiggles grow, so it fades out there.
        """
        elements, halo, nodes = self.elements, self.halo, self._nodes
        dofs, gradient = elements.dofs[self._active], elements.gradient[self._active]
        measure, share = elements.measure[self._active], elements.share[self._active]
        where, volume = dofs.ravel(), elements.volume[nodes]

        def total(values: Array) -> Array:
            summed = np.bincount(where, values.ravel(), halo.local).astype(np.float64)  # integers if there is no cell
            return np.asarray(halo.accumulate(summed)[nodes] / volume)

        slope = self.width_nm * np.einsum("ca,cak->ck", self._level[dofs], gradient)
        steep = np.sqrt((slope**2).sum(axis=1))
        outward = -measure[:, None] * np.einsum("ck,cak->ca", slope, gradient)
        laplacian, steepness = total(outward), total(share * steep[:, None])
        # where it is steeper than the profile, the tangent: a jump of c would need very small sub-steps otherwise
        squared = total(share * np.where(steep > 1.0, 2.0 * steep - 1.0, steep**2)[:, None])
        if not self.curvature:
            return laplacian, squared, steepness, np.zeros(nodes.size)
        divergence = total(outward / np.maximum(steep, 0.5)[:, None])
        mean = np.zeros(nodes.size)  # square of the mean gradient: 1 on a front, 0 where two meet
        for axis in range(elements.dim):
            mean += total(share * slope[:, axis, None]) ** 2
        spread = total(share * (steep**2)[:, None]) - mean
        smooth = np.clip((mean - 0.3) / 0.5, 0.0, 1.0) * np.clip((0.3 - spread) / 0.2, 0.0, 1.0)
        tip = (way * self._level[nodes] > 0.0) & (way * laplacian < 0.0)
        smooth = np.maximum(smooth, tip * np.clip((0.6 - np.abs(squared - 1.0)) / 0.3, 0.0, 1.0))
        return laplacian, squared, steepness, smooth * steepness * divergence

    def _melt_inside(self, dt_s: float, temperature_K: Array) -> None:
        """Melt from grain boundaries; from whole crystal in portions that c can show, else it would never begin."""
        nodes = np.flatnonzero(self.inside & (self._level > -_FAR))
        u = self._speed(temperature_K, nodes)
        self._melting[nodes] -= np.minimum(u, 0.0) * self.grain_boundaries_per_nm * dt_s
        old = self._level[nodes]
        ripe = self._melting[nodes] > np.where(old < _FAR, 0.0, _PORTION)
        nodes, old = nodes[ripe], old[ripe]
        c = _fraction(old) * np.exp(-self._melting[nodes])
        self._melting[nodes] = 0.0
        self._level[nodes] = np.clip(logit(c), -_FAR, old)
        self._grow(nodes[old >= _FAR])

    def _set(self, level: Array) -> None:
        self._level = np.clip(np.where(self.inside, level, -_FAR), -_FAR, _FAR)
        self._melting = np.zeros(self.halo.local)
        self._find()

    def _find(self) -> None:
        """Look through all cells for those near a front."""
        near = self._level[self.elements.dofs]
        self._mask = (near.max(axis=1) > -_FAR) & (near.min(axis=1) < _FAR)
        self._listed()

    def _grow(self, nodes: NDArray[np.int64]) -> None:
        """Add the cells around nodes that a front has reached."""
        if self.halo.maximum(float(nodes.size)):
            pointer, cells = self._around
            count = pointer[nodes + 1] - pointer[nodes]
            first = np.repeat(pointer[nodes] - np.cumsum(count) + count, count)
            self._mask[cells[first + np.arange(count.sum())]] = True
            self._listed()

    def _listed(self) -> None:
        self._active = np.flatnonzero(self._mask)
        touched = np.zeros(self.halo.local)
        touched[self.elements.dofs[self._active].ravel()] = 1.0
        self._nodes = np.flatnonzero(self.halo.accumulate(touched))


def temperatures(begin_K: ArrayLike, end_K: ArrayLike | None, halo: Halo) -> tuple[Array, Array]:
    begin = nodal_array(begin_K, halo, "begin_K")
    end = nodal_array(begin_K if end_K is None else end_K, halo, "end_K")
    if begin is None or end is None:
        raise FemError("begin_K must be given")
    return begin, end


def _fraction(level: Array) -> Array:
    value = expit(level)
    value[level >= _FAR] = 1.0
    value[level <= -_FAR] = 0.0
    return np.asarray(value)


def _cells_of_nodes(dofs: NDArray[np.int32], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells around each node, as rows of a sparse pattern: pointers (count + 1,) and cells."""
    order = np.argsort(dofs.ravel(), kind="stable")
    pointer = np.concatenate([[0], np.cumsum(np.bincount(dofs.ravel(), minlength=count))])
    return pointer.astype(np.int64), (order // max(dofs.shape[1], 1)).astype(np.int64)
