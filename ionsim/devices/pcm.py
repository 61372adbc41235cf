"""Phase-change memory (PCM): current heats, heat melts and crystallises, and the phase decides about the current.

One step: potential, temperature and the circuit together (:class:`fem.Transient`), then the fronts and nuclei of the
phase (:class:`fem.PhaseFront`, :class:`fem.Nucleation`) at the temperatures of the step; the latent heat that they
free goes back into the step until both agree. What is left of the difference is heat of the next step, so none is
lost. The heat of a new nucleus, which is there all at once, comes in the time that a front takes to cross it. After
the step the glass has aged (:mod:`ionsim.devices.relaxation`).
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
from ionsim.config.pcm import PcmDevice
from ionsim.devices.corners import is_corner
from ionsim.devices.pcm_cell import build_cell, fronts
from ionsim.devices.pcm_view import View
from ionsim.devices.relaxation import Relaxation
from ionsim.devices.same_mesh import check_mesh, mesh_mark
from ionsim.drive import Circuit

Floats = NDArray[np.float64]

#: Rounds between heat and phase, and the latent power that may be left over, relative to all powers.
_ROUNDS, _LATENT_RTOL = 12, 1e-3

#: A slope of the voltage that changes by more than this share of the larger one is a corner.
_CORNER = 1e-6

#: Voltages across the cell below this say nothing about its conductance, V.
_SMALL_V = 1e-9


class Pcm:
    """A phase-change cell; see :class:`ionsim.devices.protocol.Family` for the methods.

    ``crystalline`` is the crystalline share at the nodes (local dofs,) of ``cell.problem.space``; ``sigma`` the state
    of the glass there (1 as quenched).
    """

    def __init__(self, device: PcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm | None = None) -> None:
        self.device = device
        self.cell = build_cell(device, comm)
        self.problem = self.cell.problem
        self.halo = self.problem.halo
        self.fronts = fronts(device, self.cell, seed)
        self.relaxation = Relaxation(
            device.phase("relaxation_barrier_eV"), device.phase("relaxation_shift_eV"),
            device.phase("relaxation_attempt_Hz"),
        )  # fmt: skip
        self._latent_J_per_m3 = device.phase("latent_J_per_m3")
        self._glass_K = device.phase("frozen_K")
        self._nucleus_m = 1e-9 * max(
            (front.radius_nm for front in self.fronts if isinstance(front, fem.Nucleation)), default=1.0
        )
        self._volume_m3: Floats = np.sum([front.volume_m3 for front in self._bare], axis=0)
        self.sigma: Floats = self.relaxation.advance(np.ones(self.halo.local), 1.0, device.ambient_K)
        self.problem.temperature_K = np.full(self.halo.local, device.ambient_K)
        self.view = View(device, self.cell, self.inside)
        self.time_s = self.applied_V = self.device_V = self.current_A = self.conductance_S = 0.0
        self.limited = False
        self.peak_K = self._hottest_K = device.ambient_K
        self._dt_s, self._slope = device.steps.first_s, np.nan
        self._latent_W, self._left_J = np.zeros(self.halo.local), np.zeros(self.halo.local)
        self._birth_J = np.zeros(self.halo.local)
        self.balance, self._balance_error = fem.Balance(0.0, 0.0, 0.0, 0.0), 0.0
        self.field_time_s = 0.0
        self.n_steps = self.n_rejected = self.n_newton = 0
        self.electrical_J = self.out_J = self.latent_J = self.residual_J = 0.0
        self.on_step: Callable[[], None] | None = None
        self._hand_over()

    # -- running ----------------------------------------------------------------------------------------------

    def initialise(self) -> None:
        """The cell at rest."""
        self._slope = np.nan

    def advance(self, until_s: float, applied_V: float, circuit: Circuit) -> None:
        """Go on to ``until_s``, the applied voltage changing linearly to ``applied_V`` from what it was."""
        begun = time.monotonic()
        begin_s, begin_V, length_s = self.time_s, self.applied_V, until_s - self.time_s
        slope = (applied_V - begin_V) / length_s
        if is_corner(slope, self._slope, _CORNER):
            self.problem.restart()
            self._dt_s = self.device.steps.first_s
        self._slope = slope
        steps = self.device.steps
        first_s = min(self._dt_s, length_s)
        control = fem.TimeControl(
            0.0, length_s, first_s, dt_min_s=min(steps.shortest_s, first_s), growth=2.0,
            limits={"temperature_K": steps.temperature_K, "crystalline": steps.crystalline},
        )  # fmt: skip
        self._hottest_K = self._balance_error = 0.0
        while not control.finished:
            grown = control.dt_s
            step = control.advance(lambda dt_s: self._attempt(dt_s, begin_V + slope * (control.time_s + dt_s), circuit))
            self._accept(step.attempt.result, step.dt_s)
            self.n_steps, self.n_rejected = self.n_steps + 1, self.n_rejected + step.rejected
            self._dt_s = control.dt_s if not control.finished else max(grown, step.dt_s)
            self.time_s = begin_s + min(control.time_s, length_s)
            self.applied_V = begin_V + slope * min(control.time_s, length_s)
            if self.on_step is not None and not control.finished:
                self.on_step()
        self.time_s, self.applied_V = until_s, applied_V
        self.field_time_s += time.monotonic() - begun

    def _attempt(self, dt_s: float, applied_V: float, circuit: Circuit) -> fem.Attempt:
        """One step, heat and phase in turn until they agree."""
        share = self.cell.share
        saved, begin_K = self.problem.save(), self.problem.temperature_K
        moments = [front.save() for front in self.fronts]
        compliance = None if circuit.compliance_A is None else circuit.compliance_A / share
        begin, latent_W = self.crystalline, self._latent_W.copy()
        released_J = self._released_J(dt_s, begin_K)
        further_W = (self._left_J + released_J) / dt_s
        aged_eV = self._age_eV(self._aged(dt_s, begin_K))  # else reads after long steps would lag by their ageing
        self.problem.set_state("age_eV", aged_eV)
        try:
            for _ in range(_ROUNDS):
                state = self.problem.step(
                    dt_s, applied_V, circuit.series_resistance_ohm * share, compliance, latent_W + further_W
                )
                end_K = self.problem.temperature_K
                largest = 0.0
                for front, moment in zip(self.fronts, moments, strict=True):
                    front.restore(moment)
                    largest = max(largest, front.advance(dt_s, begin_K, end_K).largest_change)
                born = self._born()
                found_W = self._latent_J_per_m3 * (self.crystalline - begin - born) * self._volume_m3 / dt_s
                missing_W = found_W - latent_W
                scale = abs(state.balance.electrical_W) + abs(state.balance.out_W) + self.halo.sum(np.abs(found_W))
                if self.halo.sum(np.abs(missing_W)) <= _LATENT_RTOL * scale:
                    break
                latent_W = found_W
                self.problem.restore(saved)
                self.problem.set_state("crystalline", self.crystalline)
                self.problem.set_state("age_eV", aged_eV)
            else:
                raise fem.FemError("heat and phase do not agree")
        except fem.FemError as error:
            self._undo(saved, moments)
            return fem.Attempt(False, reason=str(error))
        changes = {
            "temperature_K": self.halo.maximum(float(np.abs(end_K - begin_K).max(initial=0.0))),
            "crystalline": largest,
        }
        births_J = self._latent_J_per_m3 * born * self._volume_m3
        self._pending = (found_W, missing_W * dt_s, births_J, released_J)
        result = (state, begin_K)
        return fem.Attempt(True, 0, changes, lambda: self._undo(saved, moments), result=result)

    def _undo(self, saved: fem.Saved, moments: Sequence[Any]) -> None:
        self.problem.restore(saved)
        for front, moment in zip(self.fronts, moments, strict=True):
            front.restore(moment)

    def _born(self) -> Floats:
        """What births have added to the crystalline share in the last step."""
        born = np.zeros(self.halo.local)
        for front in self.fronts:
            if isinstance(front, fem.Nucleation):
                born += front.born
        return born

    def _released_J(self, dt_s: float, temperature_K: Floats) -> Floats:
        """Heat of nuclei that comes in a step."""
        if not self._birth_J.any():
            return np.zeros(self.halo.local)
        speed = np.abs(self.cell.kinetics.velocity_m_per_s(temperature_K))
        return -np.expm1(-dt_s * speed / self._nucleus_m) * self._birth_J

    def _accept(self, result: tuple[fem.TransientState, Floats], dt_s: float) -> None:
        """Take over what a step has found: terminal quantities, energies, the age of the glass."""
        state, begin_K = result
        found_W, self._left_J, births_J, released_J = self._pending
        self._birth_J += births_J - released_J
        end_K, share = self.problem.temperature_K, self.cell.share
        self._latent_W = found_W
        self.sigma = self._aged(dt_s, begin_K, end_K)
        self._hand_over()
        self.device_V, self.current_A, self.limited = state.cell_V, state.current_A * share, state.limited
        if abs(self.device_V) > _SMALL_V:
            self.conductance_S = self.current_A / self.device_V
        self._hottest_K = max(self._hottest_K, self._maximum_K())
        self.peak_K = max(self.peak_K, self._hottest_K)
        self.n_newton += state.newton_iterations
        self.balance = state.balance
        flows = max(abs(state.balance.electrical_W), abs(state.balance.out_W), abs(state.balance.stored_W))
        self._balance_error = max(self._balance_error, abs(state.balance.residual_W) / flows if flows else 0.0)
        self.electrical_J += state.balance.electrical_W * share * dt_s
        self.out_J += state.balance.out_W * share * dt_s
        self.latent_J += self.halo.sum(found_W * dt_s + released_J) * share
        self.residual_J += abs(state.balance.residual_W) * share * dt_s

    def _aged(self, dt_s: float, begin_K: Floats, end_K: Floats | None = None) -> Floats:
        """State of the glass (local dofs,) after a step; as quenched where it is melt or crystal at the end."""
        end_K = begin_K if end_K is None else end_K
        sigma = self.relaxation.advance(self.sigma, dt_s, 0.5 * (begin_K + end_K))
        sigma[(end_K > self._glass_K) | (self.crystalline > 0.5)] = 1.0
        return sigma

    def _age_eV(self, sigma: Floats) -> Floats:
        return np.where(self.inside, self.relaxation.age_eV(sigma), 0.0)

    def _hand_over(self) -> None:
        """Tell the equations which phase is where, and how old the glass is."""
        self.problem.set_state("crystalline", self.crystalline)
        self.problem.set_state("age_eV", self._age_eV(self.sigma))

    # -- reading ----------------------------------------------------------------------------------------------

    @property
    def crystalline(self) -> Floats:
        """Crystalline share at the nodes (local dofs,), 0 outside the phase-change material."""
        return np.sum([front.value for front in self.fronts], axis=0)

    @property
    def crystalline_share(self) -> float:
        """Share of the phase-change material that is crystalline, 0 to 1."""
        return self.halo.sum(self.crystalline * self._volume_m3) / self.halo.sum(self._volume_m3)

    @property
    def disordered_m3(self) -> float:
        """Volume of the phase-change material that is not crystalline, in m^3."""
        return self.halo.sum((1.0 - self.crystalline) * self._volume_m3) * self.cell.share

    @property
    def material_K(self) -> float:
        """Hottest temperature of the phase-change material now."""
        return self.halo.maximum(float(self.problem.temperature_K[self.inside].max(initial=0.0)))

    @property
    def nuclei(self) -> list[fem.Nucleus]:
        """All nuclei born so far."""
        return [nucleus for front in self.fronts if isinstance(front, fem.Nucleation) for nucleus in front.nuclei]

    @property
    def _bare(self) -> list[fem.PhaseFront]:
        return [front.front if isinstance(front, fem.Nucleation) else front for front in self.fronts]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which nodes (local dofs,) belong to the phase-change material."""
        return np.any([front.inside for front in self._bare], axis=0)

    def _maximum_K(self) -> float:
        return self.halo.maximum(float(self.problem.temperature_K.max(initial=0.0)))

    def observe(self) -> dict[str, float]:
        """One row of the time series.

        ``power_W`` + ``latent_W`` = ``stored_W`` + ``heat_out_W`` in the latest step; ``balance_error`` is the largest
        residual of that since the row before, over the largest of these flows.
        """
        return {
            "time_s": self.time_s,
            "voltage_V": self.applied_V,
            "device_V": self.device_V,
            "current_A": self.current_A,
            "conductance_S": self.conductance_S,
            "power_W": self.device_V * self.current_A,
            "temperature_peak_K": self._hottest_K,
            "stored_W": self.balance.stored_W * self.cell.share,
            "latent_W": self.balance.source_W * self.cell.share,
            "heat_out_W": self.balance.out_W * self.cell.share,
            "balance_error": self._balance_error,
            "limited": float(self.limited),
            "crystalline_share": self.crystalline_share,
            "n_nuclei": float(len(self.nuclei)),
            "n_steps": float(self.n_steps),
        }

    def sites(self) -> None:
        """There is no lattice."""
        return

    def state(self) -> dict[str, NDArray[Any]]:
        """A cut through the axis or the selected cell; see :class:`ionsim.devices.pcm_view.View`."""
        return {**self.view.cut(self.mesh_fields()), "melting_K": np.array(self.device.phase("melting_K"))}

    def checkpoint(self) -> dict[str, Any]:
        """Fields, phases, ages, totals and the matrix that the solver keeps: what a restart needs."""
        saved = self.problem.save()
        fields = {
            "values": saved.values, "previous": saved.values[:0] if saved.previous is None else saved.previous,
            "sigma": self.sigma, "latent_W": self._latent_W, "left_J": self._left_J,
            "birth_J": self._birth_J,
        }  # fmt: skip
        fronts = {str(index): front.save() for index, front in enumerate(self._bare)}
        scalars = [
            np.nan if saved.previous_dt_s is None else saved.previous_dt_s, saved.cell_V, float(saved.limited),
            *(getattr(self, name) for name in _SCALARS), self._dt_s, self._slope,
        ]  # fmt: skip
        nuclei = [(n.time_s, *n.position_nm, n.radius_nm) for n in self.nuclei]
        born = [(len(front.nuclei), front.time_s) for front in self.fronts if isinstance(front, fem.Nucleation)]
        return {
            "mesh": mesh_mark(self.problem.space), "fields": fields, "fronts": fronts,
            "scalars": np.array(scalars, dtype=np.float64),
            "nuclei": np.array(nuclei, dtype=np.float64).reshape(-1, 5),
            "nuclei_of": np.array(born, dtype=np.float64).reshape(-1, 2), "kept": self.problem.keep(),
        }  # fmt: skip

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a checkpoint of the same device."""
        check_mesh(self.problem.space, saved["mesh"])
        fields, scalars = saved["fields"], [float(value) for value in saved["scalars"]]
        previous_dt, cell_V, limited, *rest = scalars
        previous = np.array(fields["previous"])
        self.problem.restore(
            fem.Saved(
                np.array(fields["values"]), previous if len(previous) else None,
                None if np.isnan(previous_dt) else previous_dt, cell_V, bool(limited), {},
            )
        )  # fmt: skip
        self.sigma = np.array(fields["sigma"])
        self._latent_W, self._left_J = np.array(fields["latent_W"]), np.array(fields["left_J"])
        self._birth_J = np.array(fields["birth_J"])
        for name, value in zip(_SCALARS, rest, strict=False):
            setattr(self, name, type(getattr(self, name))(value))
        self._dt_s, self._slope = rest[len(_SCALARS) :]
        rows, begin = np.array(saved["nuclei"]), 0
        born = iter(np.array(saved["nuclei_of"]).tolist())
        for index, (front, bare) in enumerate(zip(self.fronts, self._bare, strict=True)):
            bare.restore(np.array(saved["fronts"][str(index)]))
            if isinstance(front, fem.Nucleation):
                count, front.time_s = next(born)
                own = rows[begin : begin + int(count)]
                front.nuclei[:] = [fem.Nucleus(r[0], (r[1], r[2], r[3]), r[4]) for r in own.tolist()]
                begin += int(count)
        self._hand_over()
        self.problem.take_up(saved["kept"])

    def summary(self) -> dict[str, Any]:
        """Steps, nuclei, energies, the largest temperature."""
        return {
            "T_peak_K": self.peak_K,
            "crystalline_share": self.crystalline_share,
            "n_nuclei": len(self.nuclei),
            "n_steps": self.n_steps,
            "n_steps_rejected": self.n_rejected,
            "n_newton": self.n_newton,
            "E_electrical_J": self.electrical_J,
            "E_out_J": self.out_J,
            "E_latent_J": self.latent_J,
            "E_residual_J": self.residual_J,
        }

    def mesh_fields(self) -> dict[str, NDArray[np.float64]]:
        """Potential, temperature and crystalline share at the nodes of the mesh."""
        return {
            "potential_V": self.problem.potential_V,
            "temperature_K": self.problem.temperature_K,
            "crystalline": self.crystalline,
        }

    def write_fields(self, path: Path, frames: Sequence[tuple[float, dict[str, NDArray[np.float64]]]]) -> None:
        """Write mesh fields of several times for ParaView."""
        fem.write_frames(path, self.problem.space, frames)


#: Numbers of a checkpoint, in this order.
_SCALARS = (
    "time_s", "applied_V", "device_V", "current_A", "conductance_S", "limited", "peak_K", "n_steps", "n_rejected",
    "n_newton", "electrical_J", "out_J", "latent_J", "residual_J",
)  # fmt: skip
