"""All electrical power becomes heat on the mesh, wherever its electrons carry it: downstream, or into an electrode."""

from unittest import mock

import numpy as np
from numpy.typing import NDArray

from ionsim.coupling import LatticeFields
from ionsim.verification import figure
from ionsim.verification.lattice_filament import lattice_fields, random_filament
from ionsim.verification.record import Record, case

_VOLTAGES_V = (0.7, -0.4)


def heat_source_W(fields: LatticeFields, vacant: NDArray[np.bool_], voltage_V: float) -> NDArray[np.float64]:
    """The nodal heat (dofs,) that the heat equation is solved with."""
    with mock.patch.object(fields.heat, "solve", wraps=fields.heat.solve) as solve:
        fields.solve_heat(vacant, voltage_V, None)
    return np.asarray(solve.call_args.args[0])


@case(
    "heat-deposition", "VCM",
    problem=(
        "A random filament of vacancies with a gap of 0.4 nm at 0.7 and -0.4 V: the power of each bond becomes heat "
        "where its electrons have lost their energy, 0 to 40 nm downstream."
    ),
    exact=(
        r"Conservation: the heat on the mesh is $V I$, and leaves through the electrodes. A path of length $\lambda$ "
        r"moves the centre of the bonds' heat by $\lambda$ (within the 4 % of the quadrature), downstream."
    ),
    quick=True,
)  # fmt: skip
def heat_deposition() -> list[Record]:
    """Heat on the mesh is voltage times current for paths of 0 to 40 nm, and leaves through the electrodes."""
    vacant = random_filament(gap_nm=0.4)
    missing: list[float] = []
    leaving: list[float] = []
    least: list[float] = []
    centre_nm: dict[float, float] = {}
    for length_nm in (0.0, 1.0, 2.0, 40.0):
        fields = lattice_fields(relaxation_nm=length_nm)
        height_nm = fields.heat.space.tabulate_dof_coordinates()[:, 2]
        fields.solve_potential(vacant)
        bonds = float(fields.conduction.operator.bond_power(fields.conduction.potential_V).sum()) / fields.conductance_S
        for voltage_V in _VOLTAGES_V:
            source = heat_source_W(fields, vacant, voltage_V)
            power_W = voltage_V * voltage_V * fields.conductance_S
            out_W = -sum(fields.heat.reaction(surface, source) for surface in ("bottom", "top"))
            missing.append(abs(source.sum() / power_W - 1.0))
            leaving.append(abs(out_W / power_W - 1.0))
            least.append(source.min() / power_W)
            centre_nm[length_nm * np.sign(voltage_V)] = float(height_nm @ source) / power_W
    moved = {length: centre - centre_nm[0.0] for length, centre in centre_nm.items()}
    short = np.array([path for path in sorted(moved) if abs(path) <= 2.0])  # at 40 nm heat reaches the ends
    names = [f"{volts:g} V, {path:g} nm" for path in (0, 1, 2, 40) for volts in _VOLTAGES_V]
    figure.draw(
        figure.Panel("centre of the heat", "path of an electron, negative at V < 0 (nm)", "moved by (nm)", [
            figure.exact("path times the bonds' share, far from the ends", short, bonds * short),
            figure.computed("heat on the mesh", short, [moved[path] for path in short]),
        ]),
        figure.errors("heat on the mesh against V I", names, missing, 1e-10),
        figure.errors("heat leaving the electrodes against V I", names, leaving, 1e-4),
    )  # fmt: skip
    return [
        Record.below("heat on the mesh against V I, relative", max(missing), 1e-10),
        # What leaves is known to the tolerance of the heat equation, 1e-5; what is put in is exact.
        Record.below("heat leaving the electrodes against V I, relative", max(leaving), 1e-4),
        Record.above("least nodal heat over V I", min(least), 0.0),
        Record("share of the bonds in the heat", bonds),
        Record.below("centre of heat moves with the path, relative", moved[2.0] / moved[1.0] / 2.0 - 1.0, 1e-8),
        Record.below("centre of heat moves down at V < 0, relative", -moved[-2.0] / moved[2.0] - 1.0, 1e-8),
        # Shares at eight quantiles stand for the exponential, whose mean they miss by 4 %.
        Record.below("path against the relaxation length, relative", moved[2.0] / (2.0 * bonds) - 1.0, 0.06),
        Record.above("centre of heat moves on at 40 nm", moved[40.0] - moved[2.0], 1.0, "nm"),
    ]
