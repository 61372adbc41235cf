"""Conduction of an ECRAM channel, and which contact the electrons of a node come from, against integrals."""


import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.verification import figure
from ionsim.verification.record import Record, case

Floats = NDArray[np.float64]

LENGTH_NM, THICK_NM = 64.0, 10.0
SIGMA_S_PER_M = 30.0
DECAY_NM = 3.0  # of sigma below the surface, chosen
RISE_NM = 20.0  # from the middle of the channel, where resistivity has doubled, chosen
SHEET_S = 1.4e-7  # of a depleted surface: 4.7 nm of a uniform channel
SIZES_NM = (2.0, 1.0, 0.5)


@case(
    "channel-conduction", "ECRAM",
    problem=(
        "A channel of an ECRAM, 64 nm long and 10 nm thick, of 30 S/m: with a conductivity that falls exponentially "
        "from the surface down (decay 3 nm); with a resistivity that rises as a parabola along it; with a surface "
        "that is depleted by a sheet of -1.4e-7 S. Also which contact the electrons of a node come from."
    ),
    exact=(
        r"Integrals: $G = \frac{1}{L}\int\!\sigma\,dz$ across, $R = \int\!dx/(\sigma d)$ along, and the share of the "
        r"source at $x$ is $R(x \ldots L)/R$. A current into all of the channel makes the drop $I R/8$ at most. "
        r"Second order in the cells."
    ),
    quick=True,
)  # fmt: skip
def channel_conduction() -> list[Record]:
    """Channel conductance and the contacts' shares: layers, a graded channel, a depleted surface, against integrals."""
    return [*_across(), *_along(), *_surface()]


def _across() -> list[Record]:
    """sigma that falls exponentially from the surface down: sum of layers."""
    exact = SIGMA_S_PER_M * DECAY_NM * -np.expm1(-THICK_NM / DECAY_NM) / LENGTH_NM
    errors = []
    for size in SIZES_NM:
        channel, x = _channel(size, 10.0)
        found = channel.solve(SIGMA_S_PER_M * np.exp((x[:, 1] - THICK_NM) / DECAY_NM)).conductance_S
        errors.append(float(found) / exact - 1.0)
    return _converged("exponential across: conductance", errors, 5e-3)


def _along() -> list[Record]:
    """Resistivity that rises as a parabola from the middle to both ends: resistance, and the share of every node."""
    def passed(x_nm: Floats) -> Floats:  # integral of the resistivity from the middle, times sigma
        return x_nm * (1.0 + (x_nm / RISE_NM) ** 2 / 3.0)

    whole = 2.0 * float(passed(np.array(0.5 * LENGTH_NM)))
    errors, shares, left = [], [], 0.0
    for size in SIZES_NM:
        channel, x = _channel(2.0, 4.0 * size)
        state = channel.solve(SIGMA_S_PER_M / (1.0 + (x[:, 0] / RISE_NM) ** 2))
        errors.append(SIGMA_S_PER_M * THICK_NM / state.conductance_S / whole - 1.0)
        at = channel.nodes
        shares.append(float(np.abs(state.source_share[at] - 0.5 + passed(x[at, 0]) / whole).max()))
        left = max(left, abs(_split(channel, state, at[np.argmin(np.abs(x[at, 0] - 5.0))])))
    fine, ranked = np.linspace(-0.5, 0.5, 300) * LENGTH_NM, at[np.argsort(x[at, 0])]
    figure.draw(figure.Panel("where the electrons of a node come from", "x (nm)", "share of the source", [
        figure.exact("resistance to the drain over all", fine, 0.5 - passed(fine) / whole),
        figure.computed("finite volumes, 0.5 nm", x[ranked, 0], state.source_share[ranked]),
        figure.other("uniform channel", fine, 0.5 - fine / LENGTH_NM),
    ]))  # fmt: skip
    return [
        *_converged("parabola along: resistance", errors, 5e-3),
        *_converged("parabola along: share of the source", shares, 5e-3),
        Record.below("current in at a node: what leaves at the source against its share", left, 1e-10),
    ]


def _split(channel: fem.ChannelConduction, state: fem.ChannelState, node: int) -> float:
    """What leaves at the source of a current into a node, by the flows along edges there, minus the node's share."""
    currents = np.zeros(state.source_share.size)
    currents[node] = 1.0
    volts, net = channel.potential_V(currents), channel.network
    sigma = state.sigma_S_per_m
    flow = 2.0 / (1.0 / sigma[net.tail] + 1.0 / sigma[net.head]) * net.weight * (volts[net.tail] - volts[net.head])
    end = np.isin(np.arange(currents.size), channel.nodes) & (state.source_share == 1.0)
    return float(flow[end[net.head]].sum() - flow[end[net.tail]].sum() - state.source_share[node])


def _surface() -> list[Record]:
    """A uniform channel whose surface is depleted by more than a layer of nodes; current into all of it from above."""
    channel, x = _channel(0.5, 10.0)
    uniform = np.full(len(x), SIGMA_S_PER_M)
    errors = []
    for sheet in (SHEET_S, -SHEET_S):
        found = channel.solve(uniform, np.full(len(x), sheet)).conductance_S
        errors.append(found / ((SIGMA_S_PER_M * THICK_NM + sheet * 1e9) / LENGTH_NM) - 1.0)
    state = channel.solve(uniform)
    currents = channel.network.volume / channel.network.volume.sum()
    drop = channel.drop_V(currents) * state.conductance_S * 8.0
    return [
        Record.below("surface with a sheet: conductance, relative", errors[0], 1e-11),
        Record.below("depleted surface: conductance, relative", errors[1], 1e-11),
        Record.below("current into all of the channel: drop against I R / 8, relative", drop - 1.0, 1e-11),
    ]


def _channel(size_nm: float, lateral_nm: float) -> tuple[fem.ChannelConduction, Floats]:
    """The conduction of a channel on even grid lines, and the coordinates (local dofs, 2) of all nodes in nm."""
    cell = meshes.ecram_vertical(
        channel_length_nm=LENGTH_NM, gate_length_nm=LENGTH_NM, channel_nm=THICK_NM, contact_nm=THICK_NM,
        size_nm=size_nm, largest_nm=size_nm, edge_nm=lateral_nm, lateral_nm=lateral_nm, comm=MPI.COMM_SELF,
    )  # fmt: skip
    channel = fem.ChannelConduction(cell)
    return channel, np.asarray(channel.space.tabulate_dof_coordinates())[:, :2]


def _converged(what: str, errors: list[float], limit: float) -> list[Record]:
    order = float(np.log(abs(errors[-2] / errors[-1])) / np.log(SIZES_NM[-2] / SIZES_NM[-1]))
    figure.draw(figure.convergence(what, "cells (nm)", "|relative error|", [("finite volumes", SIZES_NM, errors)], 2.0))
    return [
        Record.below(f"{what}, relative", errors[-1], limit),
        Record.above(f"{what}, order of convergence", order, 1.9),
    ]


