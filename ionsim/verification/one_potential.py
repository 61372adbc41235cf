"""One potential, one current: bonds and finite elements in one matrix carry the terminal current through any plane."""

import numpy as np
from numpy.typing import NDArray

import fem
from ionsim.coupling import LatticeFields
from ionsim.verification import figure
from ionsim.verification.lattice_filament import lattice, lattice_fields, random_filament
from ionsim.verification.record import Record, case

_M_PER_NM = 1e-9


def plane_currents_A(fields: LatticeFields) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Current at 1 V through each horizontal layer of cells, upward negative: of the cells, and of the bonds (layers,).

    The cells' part is the integral of sigma dV/dz over a layer of hexahedra, divided by its height; a bond counts in
    every layer that it crosses.
    """
    conduction = fields.conduction
    nodes, potential = conduction.space.tabulate_dof_coordinates(), conduction.potential_V
    corners = np.asarray(conduction.space.dofmap.list)
    box = nodes[corners]
    low, high = box.min(axis=1), box.max(axis=1)
    width, depth, height = (high - low).T
    upper = box[:, :, 2] > 0.5 * (low[:, 2] + high[:, 2])[:, None]
    rise = np.where(upper, potential[corners], -potential[corners]).sum(axis=1) / 4
    flux = conduction.coefficient.values() * rise / height * width * depth * _M_PER_NM
    floors, layer = np.unique(np.round(low[:, 2], 9), return_inverse=True)
    cells = np.bincount(layer, flux)
    first, second, strength = conduction.operator.bond_i, conduction.operator.bond_j, conduction.operator.bond_g
    start, stop = np.sort(np.stack([nodes[first, 2], nodes[second, 2]]), axis=0)
    upward = np.where(nodes[first, 2] < nodes[second, 2], second, first)
    current = strength * (potential[upward] - potential[first + second - upward])
    middle = floors + 1e-3
    crossing = (start[:, None] < middle) & (stop[:, None] > middle)
    return cells, current @ crossing


@case(
    "one-potential", "VCM",
    problem=(
        "Lattice sites joined by bonds (a random filament of vacancies, closed or with a gap of 0.8 nm) in their "
        "finite elements, at 1 V."
    ),
    exact="Kirchhoff: the currents of cells and bonds through every horizontal plane add up to the terminal current.",
    quick=True,
)  # fmt: skip
def one_potential() -> list[Record]:
    """Cells and bonds together carry the terminal current through any plane; rates feel the bonds' potential."""
    records = []
    for name, gap_nm in (("closed filament", 0.0), ("gap of 0.8 nm", 0.8)):
        fields = lattice_fields()
        vacant = random_filament(gap_nm)
        fields.solve_potential(vacant)
        cells, bonds = plane_currents_A(fields)
        error = np.abs((cells + bonds) / fields.conductance_S - 1.0).max()
        on_nodes = fem.SiteOperator(fields.conduction.space, lattice().positions_nm, kind="nearest").dofs
        apart = np.abs(fields.conduction.potential_V[on_nodes] - fields.unit_potential).max()
        plane, whole = np.arange(len(cells)), fields.conductance_S
        figure.draw(figure.Panel(f"current through each plane, {name}", "layer of cells, from below", "current (A)", [
            figure.exact("terminal", plane, np.full(len(cells), whole)), figure.computed("cells", plane, cells),
            figure.computed("bonds", plane, bonds), figure.computed("together", plane, cells + bonds),
        ]))  # fmt: skip
        records += [
            Record(f"current at 1 V, {name}", fields.conductance_S, "A"),
            Record.below(f"current through each of {len(cells)} planes, {name}, relative", error, 1e-8),
            Record.above(f"largest share of the bonds, {name}", (bonds / fields.conductance_S).max(), 0.5),
            Record.above(f"largest share of the cells, {name}", (cells / fields.conductance_S).max(), 0.5),
            Record.below(f"potential of sites against that of bonds, {name}", apart, 0.0, "V"),
        ]
    return records
