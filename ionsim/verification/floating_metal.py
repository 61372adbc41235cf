"""Metal in a film: a floating sphere is a dipole, a bridge has whole channels, and redox balance is Nernst's."""

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import ionsim
import kmc
import meshes
from ionsim.config.ecm import EcmDevice
from ionsim.coupling.metal import G0_S
from ionsim.devices.ecm import ecm_fields, metal_network
from ionsim.devices.ecm_lattice import ecm_lattice
from ionsim.verification import figure
from ionsim.verification.record import Record, case

_BOX_NM, _RADIUS_NM, _SIGMA = 24.0, 3.0, 1e-3


def _sphere(size_nm: float) -> tuple[float, float, float]:
    """Dipole moment over E R^3, spread of the sphere's potential and net current into it, both relative.

    The sphere is made of the nodes inside it, joined by bonds 1e8 times as good as the film. Its moment is that of the
    currents from its nodes into the film, over 4 pi sigma (J. D. Jackson, Classical Electrodynamics, section 2.5), less
    what its images behind the walls add (a cubic array of spheres, Clausius and Mossotti).
    """
    axis = np.linspace(-0.5 * _BOX_NM, 0.5 * _BOX_NM, round(_BOX_NM / size_nm) + 1)
    layers = {"film": (float(axis[0]), float(axis[-1]))}
    problem = fem.Conduction(
        meshes.tensor_box(axis, axis, axis, layers, MPI.COMM_SELF), {"film": _SIGMA}, fem.SolverSettings(rtol=1e-9)
    )
    nodes = problem.space.tabulate_dof_coordinates()
    number = np.full((len(axis),) * 3, -1)
    place = np.round((nodes + 0.5 * _BOX_NM) / size_nm).astype(int)
    inside = np.linalg.norm(nodes, axis=1) <= _RADIUS_NM + 1e-9
    number[tuple(place[inside].T)] = np.flatnonzero(inside)
    first, second = [], []
    for direction in range(3):
        low, high = np.moveaxis(number, direction, 0)[:-1], np.moveaxis(number, direction, 0)[1:]
        both = (low >= 0) & (high >= 0)
        first.append(low[both])
        second.append(high[both])
    bulk_S = 1e8 * _SIGMA * size_nm * 1e-9
    heads, tails = np.concatenate(first), np.concatenate(second)
    problem.set_bonds(heads, tails, np.full(len(heads), bulk_S))
    state = problem.solve({"top": 1.0, "bottom": 0.0})
    field = -1.0 / _BOX_NM  # down, from the top electrode
    cube_nm3 = 0.75 / np.pi * np.count_nonzero(inside) * size_nm**3  # R^3 of a sphere with as much metal
    potential = state.potential_V - 0.5
    metal = np.flatnonzero(inside)
    problem.set_bonds((), (), ())
    leaving = problem.operator.apply(state.potential_V)[metal]  # into the film
    ranked = np.flatnonzero(np.hypot(nodes[:, 0], nodes[:, 1]) < 1e-6)
    ranked = ranked[np.argsort(nodes[ranked, 2])]
    z, radius = nodes[ranked, 2], cube_nm3 ** (1.0 / 3.0)
    with np.errstate(divide="ignore"):
        outside = np.where(np.abs(z) > radius, -field * z * (1.0 - (radius / np.abs(z)) ** 3), 0.0)
    figure.draw(figure.Panel(f"potential through the middle, cells of {size_nm:g} nm", "z (nm)", "potential (V)", [
        figure.exact("sphere in a uniform field, no images", z, outside),
        figure.computed("finite elements and bonds", z, potential[ranked]),
        figure.other("no sphere", z[[0, -1]], -field * z[[0, -1]]),
    ]))  # fmt: skip
    moment = float(np.sum(leaving * nodes[metal, 2])) / (4.0 * np.pi * _SIGMA * 1e-9)
    through = 0.5 * float(np.abs(leaving).sum())
    return (
        moment / (field * cube_nm3) * (1.0 - 4.0 * np.pi / 3.0 * cube_nm3 / _BOX_NM**3),
        float(np.ptp(potential[metal])) / abs(field * 2.0 * _RADIUS_NM),
        abs(float(leaving.sum())) / max(through, 1e-300),
    )


@case(
    "floating-sphere", "ECM",
    problem=(
        "A metal sphere of radius 3 nm, made of nodes joined by bonds 1e8 times as good as the film, in a cube of 24 "
        "nm in a uniform field; cells of 0.5 and 0.4 nm, extrapolated."
    ),
    exact=(
        r"A conducting sphere in a uniform field is a dipole $p = 4\pi\epsilon E R^3$, less what its images behind "
        r"the walls add (a cubic array: Clausius and Mossotti). One potential, no net current."
    ),
    sources=("J. D. Jackson, Classical Electrodynamics, Wiley, section 2.5",),
)  # fmt: skip
def floating_sphere() -> list[Record]:
    """A metal sphere of bonds in a uniform field: the dipole moment E R^3, one potential, no net current."""
    sizes_nm = (0.5, 0.4)
    coarse, fine = (_sphere(size_nm) for size_nm in sizes_nm)
    # The metal's surface runs through its outer nodes: a radius that is short by a share of a cell.
    (first, second), (low, high) = sizes_nm, (coarse[0] ** (1 / 3), fine[0] ** (1 / 3))
    slope = (low - high) / (first - second)
    limit = (high - slope * second) ** 3
    sizes = np.linspace(0.0, 0.5, 30)
    figure.draw(figure.Panel("dipole moment", "cells (nm)", "over $E R^3$", [
        figure.exact("conducting sphere", sizes[[0, -1]], [1.0, 1.0]),
        figure.computed("finite elements and bonds", sizes_nm, (coarse[0], fine[0])),
        figure.other("radius linear in the cells", sizes, (high + slope * (sizes - second)) ** 3),
        figure.computed("limit", [0.0], [limit]),
    ]))  # fmt: skip
    return [
        Record("dipole moment over E R^3, cells of 0.5 nm", coarse[0]),
        Record("dipole moment over E R^3, cells of 0.4 nm", fine[0]),
        Record("what is missing at the radius, cells", -slope * _RADIUS_NM),
        Record.below("extrapolated to small cells, relative error", limit - 1.0, 0.03),
        Record.below("spread of the sphere's potential over the drop without it", fine[1], 1e-6),
        Record.below("net current into the sphere over the current through it", fine[2], 1e-4),
    ]


@case(
    "metal-channels", "ECM",
    problem=(
        "A silver wire of a few atoms' width through 2 nm of SiO2 with its leads, and one with three planes missing."
    ),
    exact=(
        r"Landauer and Sharvin: $N$ atoms conduct $N\,G_0$, $G_0 = 2e^2/h$, in series with the leads; a broken wire "
        r"only tunnels (below 1e-3 $G_0$)."
    ),
    sources=(
        "R. Landauer, IBM J. Res. Dev. 1, 223 (1957)",
        "N. Agraït, A. Levy Yeyati, J. M. van Ruitenbeek, Phys. Rep. 377, 81 (2003)",
    ),
    quick=True,
)  # fmt: skip
def metal_channels() -> list[Record]:
    """A bridge N atoms wide conducts N quanta in series with its leads; a broken one only tunnels."""
    device = _wire_device()
    lattice = ecm_lattice(device, np.random.SeedSequence(1))
    network = metal_network(device, lattice)
    fields = ecm_fields(device, lattice, network, MPI.COMM_SELF)
    records, seen = [], []
    for radius_nm in (0.1, 0.25, 0.45):
        metal = _wire(lattice.positions_nm, lattice.box_nm, radius_nm)
        fields.solve_potential(metal)
        atoms = network.channels(metal)
        seen.append((float(atoms), fields.conductance_S / G0_S))
        serial = 1.0 / (1.0 / fields.conductance_S - 1.0 / (atoms * G0_S))
        records += [
            Record(f"conductance of a bridge of {atoms} atoms, quanta", fields.conductance_S / G0_S),
            Record.below(f"bridge of {atoms} atoms, share of what is not the constriction",
                         fields.conductance_S / serial, 0.1),
        ]  # fmt: skip
    metal = _wire(lattice.positions_nm, lattice.box_nm, 0.1)
    middle = np.abs(lattice.positions_nm[:, 2] - 0.5 * lattice.box_nm[2]) < 0.3
    fields.solve_potential(metal & ~middle)
    seen.append((0.0, fields.conductance_S / G0_S))
    widths, quanta = np.transpose(seen)
    ends = np.array([0.0, widths.max()])
    figure.draw(figure.Panel("conductance of a bridge", "atoms at its narrowest (0: gap of three planes)", "$G/G_0$", [
        figure.exact("one quantum an atom", ends, ends), figure.computed("bridge with its leads", widths, quanta),
    ]))  # fmt: skip
    records.append(Record.below("a gap of three planes, quanta", fields.conductance_S / G0_S, 1e-3))
    return records


def _wire_device() -> EcmDevice:
    changes = {
        "layers.electrolyte.thickness_nm": 2.0, "lattice.width_nm": 2.0, "lattice.depth_nm": 2.0,
        "mesh.domain_width_nm": 8.0, "soft_spots": [],
    }  # fmt: skip
    device = ionsim.load("ag_sio2_memory").replace(changes)
    assert isinstance(device, EcmDevice)
    return device


def _wire(positions_nm: NDArray[np.float64], box_nm: tuple[float, float, float], radius_nm: float) -> NDArray[np.bool_]:
    """Sites within a radius of the film's normal through a site (two neighbouring columns for the thinnest)."""
    step = np.unique(np.round(positions_nm[:, 0], 6))[1]
    centre = step * round(0.5 * box_nm[0] / step) + 0.25 * step
    offset = positions_nm[:, :2] - centre
    return np.asarray(np.hypot(offset[:, 0], offset[:, 1]) <= radius_nm + 0.75 * step)


@case(
    "nernst", "ECM",
    problem=(
        "4,000 sites of a film in contact with a metal that dissolves as ions at 0.06 eV, at 298.15 K: the "
        "concentration at three potentials, for charges 1 and 2."
    ),
    exact=(
        r"Nernst: $dV/d\lg a = \frac{kT}{zq}\ln 10$ = 59.2 mV / z a decade of the activity $a = \theta/(1 - \theta)$."
    ),
    sources=("W. Nernst, Z. Phys. Chem. 4, 129 (1889)",),
)  # fmt: skip
def nernst() -> list[Record]:
    """Redox of a metal with ions in balance with it: 59.2 mV a decade of concentration at 298.15 K, over the charge."""
    records, curves = [], []
    for charge in (1.0, 2.0):
        kt_eV = kmc.KB_EV * 298.15
        decades, potentials_V = [], np.array([-0.06, 0.0, 0.06]) / charge
        for seed, potential_V in enumerate(potentials_V):
            engine = _half_cell(charge, potential_V, seed)
            engine.run(until_s=1e-10)
            held = []
            for _ in range(100):
                engine.run(until_s=engine.time_s + 4e-12)
                held.append(engine.number("ion"))
            theta = float(np.mean(held)) / len(engine.sites)
            decades.append(np.log10(theta / (1.0 - theta)))
        exact_V = kt_eV * np.log(10.0) / charge
        fine = np.array([min(decades) - 0.2, max(decades) + 0.2])
        curves += [figure.exact(f"{1e3 * exact_V:.1f} mV a decade", fine, 1e3 * (exact_V * fine + 0.06 / charge)),
                   figure.computed(f"charge {charge:g}", decades, 1e3 * potentials_V)]  # fmt: skip
        slope_mV = 1e3 * float(np.polyfit(decades, potentials_V, 1)[0])
        exact_mV = 1e3 * kt_eV * np.log(10.0) / charge
        records += [
            Record(f"potential against concentration, charge {charge:g}", slope_mV, "mV/decade"),
            Record.below(f"the same, charge {charge:g}, relative error", slope_mV / exact_mV - 1.0, 0.02),
        ]
    across = "lg of the activity $\\theta/(1 - \\theta)$"
    figure.draw(figure.Panel("a metal with its ions", across, "metal (mV)", curves))
    return records


def _half_cell(charge_e: float, potential_V: float, seed: int) -> kmc.Engine:
    """4,000 sites of a film, each in contact with the metal, which dissolves as ions at 0.06 eV."""
    model = kmc.Model(
        species=("empty", "ion"),
        processes=[
            kmc.electrode("injection", "empty", "ion", "metal", 0.05, energy_eV=0.06, reverse_name="absorption"),
            kmc.hop("ion", "empty", 0.05, charge_e=charge_e),
        ],
        reservoirs=[kmc.Reservoir("metal", 1)],
    )  # fmt: skip
    sites = kmc.SiteGraph.from_lattice((0.3,) * 3, [[0.0, 0.0, 0.0]], (20, 20, 10), cutoff_nm=0.35)
    contacts = {"metal": (np.arange(len(sites)), 0.15)}
    engine = kmc.Engine(sites, model, np.zeros(len(sites), dtype=int), seed=seed, contacts=contacts)
    engine.set_fields(0.0, 298.15, {"metal": potential_V})
    return engine
