"""Valence-change memory as a continuum: vacancies as a density that drift, diffuse and thermodiffuse.

One step: potential, temperature and the circuit together (:class:`fem.Transient`), and the vacancies
(:class:`fem.VacancyTransport`), in turn until both agree (:class:`fem.VacancyCell`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
from ionsim.config.vcm import VcmDevice
from ionsim.devices.corners import is_corner
from ionsim.devices.same_mesh import check_mesh, mesh_mark
from ionsim.devices.vcm_continuum_cell import DENSITY, build_cell, height_axis, set_amounts
from ionsim.drive import Circuit

Floats = NDArray[np.float64]

#: A slope of the voltage that changes by more than this share of the larger one is a corner.
_CORNER = 1e-6

#: Voltages across the cell below this say nothing about its conductance, V.
_SMALL_V = 1e-9

#: Points of a cut along its longer side, and the room around the oxide, nm.
_POINTS, _MARGIN_NM = 161, 4.0


class VcmContinuum:
    """A filament of vacancies as a continuum; see :class:`ionsim.devices.protocol.Family` for the methods."""

    def __init__(self, device: VcmDevice, comm: MPI.Comm | None = None) -> None:
        self.device, keys = device, device.continuum
        self.cell = build_cell(device, MPI.COMM_WORLD if comm is None else comm)
        self.problem = self.cell.electrical
        self.time_s = self.applied_V = self.device_V = self.current_A = self.conductance_S = 0.0
        self.limited = False
        self.peak_K = self._hottest_K = device.ambient_K
        self.field_time_s = 0.0
        self.n_steps = self.n_rejected = self.n_rounds = 0
        self.electrical_J = self.out_J = self.residual_J = 0.0
        self.balance, self._balance_error = fem.Balance(0.0, 0.0, 0.0, 0.0), 0.0
        self._dt_s, self._slope = keys.first_s, np.nan
        self.on_step: Callable[[], None] | None = None
        self._at_start = self.cell.vacancies.total
        self._cut = self._grid()

    # -- running ----------------------------------------------------------------------------------------------

    def place(self, amounts: Floats) -> None:
        """Give every node so many vacancies (local dofs,) from outside, for a state that another model made."""
        set_amounts(self.cell, amounts)
        self._at_start = self.cell.vacancies.total

    def initialise(self) -> None:
        """The cell at rest."""
        self._slope = np.nan

    def advance(self, until_s: float, applied_V: float, circuit: Circuit) -> None:
        """Go on to ``until_s``, the applied voltage changing linearly to ``applied_V`` from what it was."""
        begun = time.monotonic()
        begin_s, begin_V, length_s = self.time_s, self.applied_V, until_s - self.time_s
        slope, keys = (applied_V - begin_V) / length_s, self.device.continuum
        if is_corner(slope, self._slope, _CORNER):
            self.cell.coupled.restart()
            self._dt_s = keys.first_s
        self._slope = slope
        first_s = min(self._dt_s, length_s)
        control = fem.TimeControl(
            0.0, length_s, first_s, dt_min_s=min(keys.shortest_s, first_s), growth=2.0,
            limits={"temperature_K": keys.temperature_step_K, "density": keys.density_step,
                    "potential_V": keys.voltage_step_V},
        )  # fmt: skip
        self._hottest_K = self._balance_error = 0.0

        share = self.cell.share
        compliance = None if circuit.compliance_A is None else circuit.compliance_A / share

        def attempt(dt_s: float) -> fem.Attempt:
            volts = begin_V + slope * (control.time_s + dt_s)
            return self.cell.coupled.attempt(dt_s, volts, circuit.series_resistance_ohm * share, compliance)

        while not control.finished:
            grown = control.dt_s
            step = control.advance(attempt)
            self._accept(step.attempt.result, step.dt_s)
            self.n_steps, self.n_rejected = self.n_steps + 1, self.n_rejected + step.rejected
            self._dt_s = control.dt_s if not control.finished else max(grown, step.dt_s)
            self.time_s = begin_s + min(control.time_s, length_s)
            self.applied_V = begin_V + slope * min(control.time_s, length_s)
            if self.on_step is not None and not control.finished:
                self.on_step()
        self.time_s, self.applied_V = until_s, applied_V
        self.field_time_s += time.monotonic() - begun

    def _accept(self, state: fem.VacancyCellState, dt_s: float) -> None:
        electrical, balance = state.electrical, state.electrical.balance
        share = self.cell.share
        self.device_V, self.current_A, self.limited = (
            electrical.cell_V,
            electrical.current_A * share,
            electrical.limited,
        )
        if abs(self.device_V) > _SMALL_V:
            self.conductance_S = self.current_A / self.device_V
        self._hottest_K = max(self._hottest_K, self.problem.halo.maximum(float(self.problem.temperature_K.max())))
        self.peak_K = max(self.peak_K, self._hottest_K)
        self.n_rounds += state.rounds
        self.balance = balance
        flows = max(abs(balance.electrical_W), abs(balance.out_W), abs(balance.stored_W))
        self._balance_error = max(self._balance_error, abs(balance.residual_W) / flows if flows else 0.0)
        self.electrical_J += balance.electrical_W * share * dt_s
        self.out_J += balance.out_W * share * dt_s
        self.residual_J += abs(balance.residual_W) * share * dt_s

    # -- reading ----------------------------------------------------------------------------------------------

    def observe(self) -> dict[str, float]:
        """One row of the time series; ``vacancies`` over those at the start, ``gap_per_m3`` least on the axis."""
        return {
            "time_s": self.time_s,
            "voltage_V": self.applied_V,
            "device_V": self.device_V,
            "current_A": self.current_A,
            "conductance_S": self.conductance_S,
            "power_W": self.device_V * self.current_A,
            "temperature_peak_K": self._hottest_K,
            "heat_out_W": self.balance.out_W * self.cell.share,
            "balance_error": self._balance_error,
            "limited": float(self.limited),
            "vacancy_share": self.cell.vacancies.total / self._at_start,
            "gap_per_m3": self._least_on_axis(),
            "n_steps": float(self.n_steps),
        }

    def _least_on_axis(self) -> float:
        """Least density of vacancies on the axis of the oxide, 1/m^3."""
        on_axis = self.cell.vacancies.density_per_m3[self._axis]
        return self.problem.halo.minimum(float(on_axis.min(initial=np.inf)))

    def sites(self) -> None:
        """There is no lattice."""
        return

    def state(self) -> dict[str, NDArray[Any]]:
        """A cut around the oxide: ``cut/r_nm`` (n,), ``cut/z_nm`` (nz,), fields as ``cut/NAME`` (nz, n).

        r is x in a plane, and in a box, which is cut at y = 0. Vacancies are 0 outside of oxide and reservoir.
        """
        r, z, operator, share = self._cut
        fields = {name: operator.sample(values) for name, values in self.mesh_fields().items()}
        fields[DENSITY] = np.where(share > 1.0 - 1e-6, fields[DENSITY], 0.0)
        return {"cut/r_nm": r, "cut/z_nm": z} | {
            f"cut/{name}": values.reshape(len(z), len(r)) for name, values in fields.items()
        }

    def mesh_fields(self) -> dict[str, NDArray[np.float64]]:
        """Potential, temperature and density of vacancies at the nodes of the mesh."""
        return {
            "potential_V": self.problem.potential_V,
            "temperature_K": self.problem.temperature_K,
            DENSITY: self.cell.vacancies.density_per_m3,
        }

    def write_fields(self, path: Path, frames: Sequence[tuple[float, dict[str, NDArray[np.float64]]]]) -> None:
        """Write mesh fields of several times for ParaView."""
        fem.write_frames(path, self.problem.space, frames)

    def summary(self) -> dict[str, Any]:
        """Steps, energies, the largest temperature, and what became of the vacancies."""
        return {
            "T_peak_K": self.peak_K,
            "vacancy_share": self.cell.vacancies.total / self._at_start,
            "n_steps": self.n_steps,
            "n_steps_rejected": self.n_rejected,
            "n_rounds": self.n_rounds,
            "E_electrical_J": self.electrical_J,
            "E_out_J": self.out_J,
            "E_residual_J": self.residual_J,
        }

    # -- checkpoints ------------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """Fields, densities, totals and the matrix that the solver keeps: what a restart needs."""
        saved = self.cell.coupled.save()
        electrical, moved = saved.electrical, saved.vacancies
        none: Floats = np.empty(0)
        arrays = {
            "values": electrical.values, "previous": none if electrical.previous is None else electrical.previous,
            "density": moved.density, "free": moved.free,
            "amounts": moved.amounts, "before": none if moved.previous is None else moved.previous,
            "potential_V": moved.potential_V, "temperature_K": moved.temperature_K, "entered": moved.entered,
            "last_entered": moved.last_entered, "rate": saved.rate_per_m3s,
        } | {f"state_{name}": values for name, values in electrical.states.items()}  # fmt: skip
        scalars = [
            np.nan if electrical.previous_dt_s is None else electrical.previous_dt_s, electrical.cell_V,
            float(electrical.limited), moved.previous_dt_s, *(float(getattr(self, name)) for name in _SCALARS),
        ]  # fmt: skip
        return {
            "mesh": mesh_mark(self.problem.space), "fields": arrays, "scalars": np.array(scalars, dtype=np.float64),
            "kept": self.problem.keep(),
        }  # fmt: skip

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a checkpoint of the same device."""
        check_mesh(self.problem.space, saved["mesh"])
        arrays = {name: np.array(values) for name, values in saved["fields"].items()}
        previous_dt, cell_V, limited, moved_dt, *rest = (float(value) for value in saved["scalars"])
        electrical = fem.Saved(
            arrays["values"], arrays["previous"] if len(arrays["previous"]) else None,
            None if np.isnan(previous_dt) else previous_dt, cell_V, bool(limited),
            {name.removeprefix("state_"): values for name, values in arrays.items() if name.startswith("state_")},
        )  # fmt: skip
        moved = fem.SavedVacancies(
            arrays["density"], arrays["free"], arrays["amounts"], arrays["before"] if len(arrays["before"]) else None,
            moved_dt, arrays["potential_V"], arrays["temperature_K"], arrays["entered"], arrays["last_entered"],
        )  # fmt: skip
        self.cell.coupled.restore(fem.SavedVacancyCell(electrical, moved, arrays["rate"]))
        self.problem.take_up(saved["kept"])
        for name, value in zip(_SCALARS, rest, strict=True):
            setattr(self, name, type(getattr(self, name))(value))

    # -- places -----------------------------------------------------------------------------------------------

    def _grid(self) -> tuple[Floats, Floats, fem.SiteOperator, Floats]:
        keys, oxide_nm = self.device.continuum, self.device.layers.oxide.thickness_nm
        x = self.problem.space.tabulate_dof_coordinates()
        inside = np.zeros(len(x), dtype=bool)
        inside[self.cell.vacancies.nodes] = True
        height = height_axis(keys)
        heights, off_axis = x[:, height], np.abs(x[:, :height]).max(axis=1)
        self._axis = np.flatnonzero(inside & (off_axis < 1e-9) & (heights < oxide_nm + 1e-6))
        halo = self.problem.halo
        low = max(-_MARGIN_NM, halo.minimum(float(heights.min())))
        high = min(oxide_nm + keys.reservoir_nm + _MARGIN_NM, halo.maximum(float(heights.max())))
        width = min(keys.radius_nm + _MARGIN_NM, keys.outer_radius_nm)
        spacing = max(width, high - low) / _POINTS
        r, z = (np.asarray(begin + (np.arange(round(length / spacing)) + 0.5) * spacing) for begin, length in
                ((0.0, width), (low, high - low)))  # fmt: skip
        points = np.zeros((len(z) * len(r), height + 1))
        points[:, [0, height]] = np.stack(np.meshgrid(r, z), axis=-1).reshape(-1, 2)
        operator = fem.SiteOperator(self.problem.space, points)
        return r, z, operator, operator.sample(inside.astype(np.float64))


#: Numbers of a checkpoint, in this order.
_SCALARS = (
    "time_s", "applied_V", "device_V", "current_A", "conductance_S", "limited", "peak_K", "n_steps", "n_rejected",
    "n_rounds", "electrical_J", "out_J", "residual_J", "_dt_s", "_slope", "_at_start",
)  # fmt: skip
