"""Oxygen-vacancy filaments (VCM): a lattice of oxygen sites in finite-element fields.

Processes (rates, barriers and detailed balance: :mod:`kmc.rates`): vacancies hop on the oxygen sublattice; at the
scavenging cap an oxygen ion leaves its site (generation of a vacancy) or comes back (recombination), with the cap as a
finite reservoir that remembers how many ions it holds. Vacancies near each other and near the electrodes carry current.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import kmc
from ionsim.config.vcm import VcmDevice
from ionsim.coupling import HeatPath, LatticeFields, Network, lattice_mesh, tunnelling_decay_nm
from ionsim.drive import Circuit
from ionsim.structure import oxygen_sublattice

SPECIES = ("oxygen", "vacancy")
VACANCY = 1
CAP = "cap"
HOP, RELEASE, RETURN = "vacancy_hop", "oxygen_release", "oxygen_return"

#: eV per (V/nm) in one e Angstrom.
_NM_PER_ANGSTROM = 0.1


class Vcm:
    """A VCM device; see :class:`ionsim.devices.protocol.Family` for what the methods mean."""

    species: tuple[str, ...] = SPECIES

    def __init__(self, device: VcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm | None = None) -> None:
        self.device = device
        self.comm = MPI.COMM_WORLD if comm is None else comm
        film = oxygen_sublattice(
            device.lattice.crystal, device.lattice.width_nm, device.lattice.depth_nm, device.layers.oxide.thickness_nm
        )
        self.positions_nm, self.thickness_nm = film.positions_nm, film.thickness_nm
        self.box_nm = (film.cell_nm[0], film.cell_nm[1], film.thickness_nm)
        self.engine = self._engine(film.spacing_nm, seed)
        self.fields = self._fields(film.spacing_nm)
        self.bound_V = device.numerics.potential_bound_kT * kmc.KB_EV * device.ambient_K
        self.applied_V = self.device_V = self.current_A = 0.0
        self.limited = False
        self.peak_K = self._hottest_K = device.ambient_K
        self._weight = np.zeros(len(self.positions_nm))
        self._solved = self.engine.occupation.copy()
        self._heat_time = 0.0

    # -- building ---------------------------------------------------------------------------------------------

    def _engine(self, spacing_nm: float, seed: np.random.SeedSequence) -> kmc.Engine:
        device, positions = self.device, self.positions_nm
        vacancy, exchange = device.vacancy, device.exchange
        sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=vacancy.hop_distance_nm)
        processes = [
            kmc.hop(
                "vacancy", into="oxygen", barrier_eV=vacancy.hop_barrier_eV, prefactor_Hz=vacancy.attempt_Hz,
                charge_e=vacancy.charge_e, name=HOP, spread_eV=vacancy.hop_spread_eV,
                polarisation_e_nm=vacancy.polarisation_eA * _NM_PER_ANGSTROM,
                max_rate_Hz=vacancy.max_hop_rate_Hz or np.inf,
            )
        ]  # fmt: skip
        reservoirs, contacts, counts = [], {}, {}
        spots = [self._inside(spot.centre_nm, spot.radius_nm) for spot in device.weak_spots]
        shifts = {HOP: self._sum_over(spots, "hop_shift_eV")}
        if exchange is not None:
            processes.append(
                kmc.exchange(
                    RELEASE, "oxygen", "vacancy", CAP, exchange.barrier_eV, energy_eV=exchange.energy_eV,
                    prefactor_Hz=vacancy.attempt_Hz, spread_eV=exchange.spread_eV,
                    polarisation_e_nm=exchange.polarisation_eA * _NM_PER_ANGSTROM,
                    max_rate_Hz=exchange.max_rate_Hz or np.inf, reverse_name=RETURN,
                )
            )  # fmt: skip
            reservoirs.append(kmc.Reservoir(CAP, exchange.reservoir_sites, exchange.filling_energy_eV))
            distance = self.thickness_nm - positions[:, 2]
            near = np.flatnonzero(distance <= exchange.reach_nm)
            contacts[CAP] = (near, distance[near])
            shifts[RELEASE] = self._sum_over(spots, "exchange_shift_eV")
        start, disorder = seed.spawn(2)
        number = round(vacancy.initial_fraction * len(positions))
        vacant = np.random.default_rng(start).choice(len(positions), number, replace=False)
        occupation = np.zeros(len(positions), dtype=np.int8)
        occupation[vacant] = VACANCY
        if exchange is not None:
            held = exchange.initial_reservoir
            counts[CAP] = number if held == "vacancies" else int(held)
        model = kmc.Model(
            species=SPECIES,
            processes=processes,
            pair_energies=[kmc.PairEnergy("vacancy", "vacancy", vacancy.pair_energy_eV)],
            reservoirs=reservoirs,
        )
        return kmc.Engine(
            sites, model, occupation, seed=disorder,
            site_energies_eV={"vacancy": self._sum_over(spots, "site_energy_eV")},
            barrier_shifts_eV=shifts, contacts=contacts, reservoir_counts=counts,
        )  # fmt: skip

    def _inside(self, centre_nm: tuple[float, float], radius_nm: float) -> NDArray[np.bool_]:
        offset = self.positions_nm[:, :2] - np.asarray(centre_nm)
        return np.asarray(np.hypot(offset[:, 0], offset[:, 1]) <= radius_nm)

    def _sum_over(self, spots: list[NDArray[np.bool_]], key: str) -> NDArray[np.float64]:
        total = np.zeros(len(self.positions_nm))
        for inside, spot in zip(spots, self.device.weak_spots, strict=True):
            total[inside] += getattr(spot, key)
        return total

    def _fields(self, spacing_nm: float) -> LatticeFields:
        device, layers, heat = self.device, self.device.layers, self.device.heat
        stack = {"bottom": layers.bottom, "cap": layers.cap, "top": layers.top}
        cell = lattice_mesh(
            self.positions_nm, self.box_nm,
            electrodes_nm={name: layer.thickness_nm for name, layer in stack.items()},
            domain_width_nm=device.mesh.domain_width_nm, size_nm=device.mesh.size_nm or spacing_nm,
            growth=device.mesh.growth, comm=self.comm,
        )  # fmt: skip
        regions = {**stack, "oxide": layers.oxide, "bottom_interface": layers.bottom, "top_interface": layers.cap}

        def of_regions(key: str) -> dict[str, float]:
            return {name: device.material(layer.material).value(key) for name, layer in regions.items()}

        electrical = of_regions("electrical_S_per_m")
        electrical["oxide"] = device.conduction.background_S_per_m
        network = Network.build(
            self.positions_nm, self.thickness_nm,
            contact_conductance_S=device.conduction.contact_conductance_S, metallic_nm=device.conduction.metallic_nm,
            decay_nm=tunnelling_decay_nm(device.conduction.trap_depth_eV, device.conduction.effective_mass),
            cutoff_nm=device.conduction.cutoff_nm, isolated_share=device.conduction.isolated_share,
            metallic_neighbours=device.conduction.metallic_neighbours,
        )  # fmt: skip
        path = HeatPath(
            relaxation_nm=heat.relaxation_length_nm,
            thermal_W_per_mK=of_regions("thermal_W_per_mK"),
            capacity_J_per_m3K=of_regions("capacity_J_per_m3K"),
            vacancy_rich_W_per_mK=heat.vacancy_rich_W_per_mK,
            boundary_W_per_m2K={"bottom": heat.boundary_bottom_W_per_m2K, "top": heat.boundary_top_W_per_m2K},
            ambient_K=device.ambient_K,
        )
        return LatticeFields(
            cell, self.positions_nm, self.thickness_nm, network,
            electrical_S_per_m=electrical, heat=path, rtol=device.numerics.field_rtol,
        )  # fmt: skip

    # -- running ----------------------------------------------------------------------------------------------

    @property
    def time_s(self) -> float:
        """Simulated time, s."""
        return self.engine.time_s

    def initialise(self) -> None:
        """Solve the fields of the virgin device."""
        self._solve(Circuit(0.0, None))

    def advance(self, until_s: float, applied_V: float, circuit: Circuit) -> None:
        """Run the lattice to ``until_s``; the fields follow whenever it has moved past the error bound.

        What is recorded at ``until_s`` is held to a quarter of the bound.
        """
        self.applied_V = applied_V
        self._hottest_K = 0.0
        self._operate(circuit)
        while self.engine.run(until_s=until_s) == "watch":
            self._solve(circuit)
        if self.engine.drift > 0.25 * self.bound_V:
            self._solve(circuit)

    def _solve(self, circuit: Circuit) -> None:
        """Solve the potential of the present configuration, then everything that follows from it."""
        self._solved = self.engine.occupation.copy()
        self.fields.solve_potential(self._solved == VACANCY)
        self._operate(circuit)

    def _operate(self, circuit: Circuit) -> None:
        """Operating point, heat and rates; the potential is linear in the voltage and only scaled."""
        vacant = self._solved == VACANCY
        point = circuit.operating_point(self.applied_V, self.fields.conductance_S)
        self.device_V, self.current_A, self.limited = point
        numerics = self.device.numerics
        if not numerics.freeze_temperature:
            elapsed = self.time_s - self._heat_time
            self.fields.solve_heat(vacant, self.device_V, elapsed if numerics.transient_heat else None)
            self._heat_time = self.time_s
        self.engine.set_fields(
            self.fields.unit_potential * self.device_V, self.fields.temperature_K,
            {CAP: self.device_V} if self.device.exchange else None,
        )  # fmt: skip
        self.fields.weights(vacant, self.device_V, self._weight)
        self.engine.watch(self._weight, self.bound_V, since=self._solved)
        self._hottest_K = max(self._hottest_K, self.fields.peak_K)
        self.peak_K = max(self.peak_K, self.fields.peak_K)

    # -- reading ----------------------------------------------------------------------------------------------

    def observe(self) -> dict[str, float]:
        """One row of the time series."""
        row = {
            "time_s": self.time_s,
            "voltage_V": self.applied_V,
            "device_V": self.device_V,
            "current_A": self.current_A,
            "conductance_S": self.fields.conductance_S,
            "power_W": self.device_V * self.current_A,
            "temperature_peak_K": self._hottest_K,
            "limited": float(self.limited),
            "n_vacancies": float(self.engine.number("vacancy")),
            "n_events": float(self.engine.n_events),
            "n_refreshes": float(self.fields.n_solves),
        }
        if self.device.exchange is not None:
            row["n_reservoir"] = float(self.engine.reservoir(CAP))
        return row

    def sites(self) -> dict[str, Any]:
        """Positions, labels and box of the lattice; the arguments of :class:`ionsim.results.Sites`."""
        return {
            "positions_nm": self.positions_nm,
            "sublattice": self.engine.sites.sublattice,
            "region": self.engine.sites.region,
            "cell_nm": np.array(self.box_nm),
            "species": SPECIES,
            "elements": ("O", "X"),
            "filament": ("vacancy",),
            "sublattices": ("oxygen",),
            "regions": ("oxide",),
            "periodic": (False, False, False),
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """Occupation and fields at the sites, and a vertical cut through the middle of the mesh."""
        return {
            "occupation": self.engine.occupation.copy(),
            "potential_V": self.fields.unit_potential * self.device_V,
            "temperature_K": self.fields.temperature_K.copy(),
            **self.fields.cut(0.5 * self.box_nm[1], self.device_V),
        }

    def checkpoint(self) -> dict[str, Any]:
        """Lattice, random stream and the fields that serve as starting guesses: what a bit-identical restart needs."""
        return {
            "engine": self.engine.checkpoint(),
            "fields": self.fields.checkpoint(),
            "solved": self._solved.copy(),
            "scalars": np.array([self.applied_V, self.device_V, self.current_A, self.peak_K, self._heat_time]),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a checkpoint of the same device."""
        self.engine.restore(saved["engine"])
        self.fields.restore(saved["fields"])
        self._solved = np.array(saved["solved"])
        scalars = [float(value) for value in saved["scalars"]]
        self.applied_V, self.device_V, self.current_A, self.peak_K, self._heat_time = scalars

    def summary(self) -> dict[str, Any]:
        """Event counts by process, the share of them that was flicker, and the field refreshes."""
        counts, flicker = self.engine.counts, self.engine.flicker
        events = sum(counts.values())
        return {
            "n_events": events,
            **{f"n_{name}": number for name, number in counts.items()},
            "flicker_share": sum(flicker.values()) / events if events else None,
            "n_field_refreshes": self.fields.n_solves,
            "T_peak_K": self.peak_K,
        }

    def mesh_fields(self) -> dict[str, NDArray[np.float64]]:
        """Potential and temperature at the nodes of the mesh."""
        return self.fields.mesh_fields(self.device_V)

    def write_fields(self, path: Path, frames: Sequence[tuple[float, dict[str, NDArray[np.float64]]]]) -> None:
        """Write mesh fields of several times for ParaView."""
        self.fields.write(path, frames)
