"""Finite volumes on the dual of a mesh of simplices: its edges by region, and Scharfetter-Gummel fluxes along them."""

from dataclasses import dataclass

import dolfinx.fem
import dolfinx.mesh
import numpy as np
from numpy.typing import NDArray

from fem.cell import Cell
from fem.halo import Halo
from fem.simplices import simplices

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
_SMALL = 1e-2  # below it the series is exact to rounding, the closed form of the derivative is not
_NEAR = 0.05  # below it the series of sinh(w)/w and of its derivative are exact to rounding
_STRAIGHT = 50.0  # beyond it sinh(w)/w goes on as a straight line: no solid stands 100 kT a hop, wild iterates pass it


@dataclass(frozen=True)
class Network:
    """The dual of one region: edges (n,) between dofs ``tail`` and ``head``, area over length ``weight`` in m.

    ``length`` (n,) of the edges in m, ``volume`` (local dofs,) in m^3. Each edge is on one rank, with all of its
    weight; volumes are whole on every rank. Lower dimensions are per metre of depth or square metre; (r, z) is the
    whole turn. The weights are those of the P1 stiffness matrix. Where none is negative
    densities stay positive: in 2D inside a Delaunay mesh, and on its boundary where no angle opposite is obtuse (Xu and
    Zikatanov, Math. Comp. 68, 1429 (1999), who give the condition in 3D as well).

    There the volumes are those of the dual that has the weights, sums of weight length^2 / (2 dim): in 2D the Voronoi
    cells, on grid lines the rectangles around the nodes however they are cut. In (r, z), and in a region with a
    negative weight, they are the lumped ones of P1 elements.
    """

    tail: Nodes
    head: Nodes
    weight: Array
    length: Array
    volume: Array

    @property
    def nodes(self) -> Nodes:
        """The dofs of the region, ascending."""
        return np.flatnonzero(self.volume > 0.0)


def region_network(cell: Cell, region: str, space: dolfinx.fem.FunctionSpace, halo: Halo) -> Network:
    """The dual of ``region``; collective.

    Raises FemError for an unknown region, other cells than simplices, or a flat cell.
    """
    parts = simplices(cell, region, space, halo)
    a, b = np.triu_indices(parts.dofs.shape[1], 1)
    product = np.einsum("cai,cai->ca", parts.gradient[:, a], parts.gradient[:, b])
    value = -parts.measure[:, None] * product * (parts.metres * 1e18)
    first, second = parts.dofs[:, a].astype(np.int64), parts.dofs[:, b].astype(np.int64)
    keys, index = np.unique(
        np.minimum(first, second) * halo.local + np.maximum(first, second), return_inverse=True
    )
    weight = np.bincount(index.ravel(), value.ravel(), keys.size).astype(np.float64)
    tail, head, weight = gather_edges(halo, keys // halo.local, keys % halo.local, weight)
    used = np.abs(weight) > 1e-13 * halo.maximum(float(np.abs(weight).max(initial=0.0)))  # diagonals of rectangles
    tail, head = tail[used], head[used]
    length = np.sqrt(((parts.x_nm[tail] - parts.x_nm[head]) ** 2).sum(axis=1)) * 1e-9
    weight, volume = weight[used], parts.volume * parts.metres
    if not parts.axisymmetric and halo.every(np.all(weight > 0.0)):
        share = weight * length**2 / (2 * parts.dim)
        volume = np.bincount(tail, share, halo.local) + np.bincount(head, share, halo.local)
        volume = halo.accumulate(volume.astype(np.float64))
    return Network(tail, head, weight, length, volume)


def gather_edges(halo: Halo, tail: Nodes, head: Nodes, weight: Array) -> tuple[Nodes, Nodes, Array]:
    """Edges (n,) whose weights several ranks may hold a part of, each with all of it on one rank; collective.

    That is the lowest rank that holds a part, so that both ends are among its local dofs.
    """
    if halo.comm.size == 1:
        return tail, head, weight
    common = halo.holders() > 1.5
    here = np.flatnonzero(common[tail] & common[head])
    ends = np.sort(np.stack([halo.global_dofs[tail[here]], halo.global_dofs[head[here]]], axis=1), axis=1)
    mine = ends[:, 0] * halo.size + ends[:, 1]
    found = halo.comm.allgather((mine, weight[here]))
    keys, first, index = np.unique(
        np.concatenate([part[0] for part in found]), return_index=True, return_inverse=True
    )  # fmt: skip
    total = np.bincount(index.ravel(), np.concatenate([part[1] for part in found]), keys.size)
    begin = sum(part[0].size for part in found[: halo.comm.rank])
    at = index.ravel()[begin : begin + mine.size]
    weight = weight.copy()
    weight[here] = total[at]
    kept = np.ones(tail.size, dtype=bool)
    kept[here] = first[at] >= begin  # no rank before this one holds it
    return tail[kept], head[kept], weight[kept]


def bernoulli(u: Array) -> tuple[Array, Array, Array]:
    """B(u) = u / (exp(u) - 1), B(-u) = B(u) + u and the derivative of B(u), to rounding for every u."""
    size = np.abs(u)
    near = size < _SMALL
    v = np.where(near, 1.0, np.minimum(size, 700.0))
    grown = np.expm1(v)
    ratio = v / grown
    slope = (1.0 - v - ratio) / grown
    if np.any(near):
        v = size[near]
        square = v * v
        ratio[near] = 1.0 - v / 2.0 + square / 12.0 * (1.0 - square / 60.0)
        slope[near] = -0.5 + v / 6.0 * (1.0 - square / 30.0)
    down, more = u < 0.0, ratio + size
    return np.where(down, more, ratio), np.where(down, ratio, more), np.where(down, -1.0 - slope, slope)


def hopping(w: Array) -> tuple[Array, Array]:
    """sinh(w)/w to rounding and its derivative to 1e-12, up to |w| = 50; from there on a straight line."""
    size = np.abs(w)
    near = size < _NEAR
    v = np.where(near, 1.0, np.minimum(size, _STRAIGHT))
    value = np.sinh(v) / v
    slope = (np.cosh(v) - value) / v
    value = value + slope * np.maximum(size - _STRAIGHT, 0.0)
    square = w * w
    series = 1.0 + square / 6.0 * (1.0 + square / 20.0 * (1.0 + square / 42.0 * (1.0 + square / 72.0)))
    by_series = size / 3.0 * (1.0 + square / 10.0 * (1.0 + square / 28.0 * (1.0 + square / 54.0)))
    return np.where(near, series, value), np.copysign(np.where(near, by_series, slope), w)


@dataclass(frozen=True)
class Flux:
    """Flows (edges,) from tail to head, and their derivatives by the densities of both ends and by the exponent."""

    flow: Array
    by_tail: Array
    by_head: Array
    by_exponent: Array


def scharfetter_gummel(conductance: Array, tail: Array, head: Array, exponent: Array) -> Flux:
    """conductance (B(u) tail - B(-u) head) with u the rise of the excess potential (in kT) from tail to head.

    The exact flux of a constant force along each edge; zero where head = tail exp(-u), which is the equilibrium
    (Scharfetter and Gummel, IEEE Trans. Electron Devices 16, 64 (1969), doi 10.1109/T-ED.1969.16566).
    """
    up, down, slope = bernoulli(exponent)
    by_exponent = conductance * (slope * tail + (1.0 + slope) * -head)
    return Flux(conductance * (up * tail - down * head), conductance * up, -conductance * down, by_exponent)
