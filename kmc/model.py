"""Species and processes: what can stand on a site, and what can happen there. Written once, compiled to tables.

Every process has a symmetric barrier; forward and backward rates follow from it and from the change of energy, so
that detailed balance holds by construction (see :mod:`kmc.rates`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError

PAIR, SINGLE, EXCHANGE = "pair", "single", "exchange"


def hint(name: str, known: Sequence[str]) -> str:
    """The known names and, for a typing error, the nearest of them: the end of a message."""
    close = difflib.get_close_matches(name, known, n=1)
    return (", ".join(known) or "none") + (f"; did you mean {close[0]!r}?" if close else "")


@dataclass(frozen=True)
class Process:
    """One process and its reverse: both share ``barrier_eV``; build it with :func:`hop`, :func:`reaction`, ...

    Attributes:
        name: what ``engine.counts`` calls it.
        kind: "pair" (two neighbouring sites), "single" (one site) or "exchange" (one site and a reservoir).
        before, after: species on the site(s); for exchange, ``after`` has put one particle into the reservoir.
        barrier_eV: symmetric barrier E0; the rate without field and energy change is prefactor x exp(-E0/kT).
        energy_eV: energy of ``after`` minus ``before`` that is not in site or pair energies.
        spread_eV: standard deviation of a Gaussian added to E0 per undirected edge (or site), drawn once.
        polarisation_e_nm: lowering of E0 per field along the edge (or from the site to its reservoir), eV/(V/nm).
        max_rate_Hz: the faster of the two directions is throttled to this rate, the other by the same factor.
        reservoir: name of the reservoir of an exchange.
        charge_e: charge that a hop moves (merged into the model's charges).
        reverse_name: what ``engine.counts`` calls the reverse direction; "<name>:reverse" by default.
    """

    name: str
    kind: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    barrier_eV: float
    prefactor_Hz: float = 1e13
    energy_eV: float = 0.0
    spread_eV: float = 0.0
    polarisation_e_nm: float = 0.0
    max_rate_Hz: float = np.inf
    reservoir: str | None = None
    charge_e: float | None = None
    reverse_name: str | None = None

    def __post_init__(self) -> None:
        for key, low in (
            ("barrier_eV", -np.inf),
            ("spread_eV", 0.0),
            ("polarisation_e_nm", 0.0),
            ("energy_eV", -np.inf),
        ):
            value = getattr(self, key)
            if not np.isfinite(value) or value < low:
                raise KmcError(f"process {self.name!r}: {key} is {value}; a finite number >= {low} is needed")
        for key in ("prefactor_Hz", "max_rate_Hz"):
            if not getattr(self, key) > 0 or (key == "prefactor_Hz" and np.isinf(self.prefactor_Hz)):
                raise KmcError(f"process {self.name!r}: {key} is {getattr(self, key)}; a rate above 0 is needed")
        if self.before == self.after:
            raise KmcError(f"process {self.name!r} changes nothing: {self.before} -> {self.after}")
        if self.own_reverse and self.energy_eV != 0.0:
            raise KmcError(
                f"process {self.name!r} is its own reverse, so its energy_eV must be 0, not {self.energy_eV}: what it "
                "gains on the way there it cannot gain on the way back as well"
            )
        if self.kind == SINGLE and self.polarisation_e_nm > 0.0:
            raise KmcError(f"process {self.name!r}: polarisation_e_nm needs two sites, or a site and a reservoir")

    @property
    def own_reverse(self) -> bool:
        """Whether the same events, read from the other site, undo it: a hop."""
        return self.kind == PAIR and self.before == self.after[::-1]


def hop(
    species: str,
    into: str,
    barrier_eV: float,
    *,
    prefactor_Hz: float = 1e13,
    charge_e: float | None = None,
    name: str = "hop",
    spread_eV: float = 0.0,
    polarisation_e_nm: float = 0.0,
    max_rate_Hz: float = np.inf,
) -> Process:
    """A particle exchanges places with ``into`` on a neighbouring site; its own reverse."""
    return Process(
        name, PAIR, (species, into), (into, species), barrier_eV, prefactor_Hz, 0.0, spread_eV, polarisation_e_nm,
        max_rate_Hz, None, charge_e,
    )  # fmt: skip


def reaction(
    name: str,
    before: Sequence[str],
    after: Sequence[str],
    barrier_eV: float,
    *,
    energy_eV: float = 0.0,
    prefactor_Hz: float = 1e13,
    spread_eV: float = 0.0,
    polarisation_e_nm: float = 0.0,
    max_rate_Hz: float = np.inf,
    reverse_name: str | None = None,
) -> Process:
    """A reversible reaction on an ordered pair of sites, such as O + empty <-> V + Oi, or a change on one site.

    ``energy_eV`` is the energy of ``after`` minus ``before`` (a table's Ef - Eb); E0 = (Ef + Eb)/2. Where it changes
    the total charge, the electrons come from the local Fermi level (see :mod:`kmc.rates`), whose distance from the
    level on the site belongs in ``energy_eV``.
    """
    if len(before) != len(after) or len(before) not in (1, 2):
        raise KmcError(f"process {name!r}: {before} -> {after}; one or two sites, the same number on both sides")
    return Process(
        name, PAIR if len(before) == 2 else SINGLE, tuple(before), tuple(after), barrier_eV, prefactor_Hz, energy_eV,
        spread_eV, polarisation_e_nm, max_rate_Hz, None, None, reverse_name,
    )  # fmt: skip


def exchange(
    name: str,
    before: str,
    after: str,
    reservoir: str,
    barrier_eV: float,
    *,
    energy_eV: float = 0.0,
    prefactor_Hz: float = 1e13,
    spread_eV: float = 0.0,
    polarisation_e_nm: float = 0.0,
    max_rate_Hz: float = np.inf,
    reverse_name: str | None = None,
) -> Process:
    """Exchange with a reservoir: ``before`` -> ``after`` puts one particle into it, the reverse takes one out."""
    return Process(
        name, EXCHANGE, (before,), (after,), barrier_eV, prefactor_Hz, energy_eV, spread_eV, polarisation_e_nm,
        max_rate_Hz, reservoir, None, reverse_name,
    )  # fmt: skip


@dataclass(frozen=True)
class Reservoir:
    """A well-mixed lattice gas that sites in contact exchange particles with.

    Inserting the (n+1)-th particle costs ``filling_eV`` x (n + 1/2)/capacity beside the process energy, and meets an
    empty place with probability 1 - n/capacity; taking one out meets a particle with probability n/capacity.
    """

    name: str
    capacity: int
    filling_eV: float = 0.0

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise KmcError(f"reservoir {self.name!r}: capacity is {self.capacity}; at least 1 is needed")
        if not np.isfinite(self.filling_eV):
            raise KmcError(f"reservoir {self.name!r}: filling_eV is {self.filling_eV}; a finite energy is needed")


@dataclass(frozen=True)
class PairEnergy:
    """Energy of two species on neighbouring sites nearer than ``within_nm`` (all neighbours when None).

    Several entries for the same two species add up.
    """

    first: str
    second: str
    energy_eV: float
    within_nm: float | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.energy_eV):
            raise KmcError(f"pair energy of {self.first!r} and {self.second!r} is {self.energy_eV}; it must be finite")


@dataclass(frozen=True)
class Model:
    """Species, their charges, energies and processes.

    Attributes:
        species: names; the index in this tuple is what ``engine.occupation`` holds.
        processes: the process table; names must differ.
        charges_e: charge of a species relative to the ideal lattice; ``hop(..., charge_e=...)`` sets it as well.
        site_energies_eV: energy of a species on any site (the engine takes per-site arrays beside it).
        pair_energies: bond counting over neighbours.
        reservoirs: for exchange processes.
    """

    species: tuple[str, ...]
    processes: Sequence[Process]
    charges_e: Mapping[str, float] = field(default_factory=dict)
    site_energies_eV: Mapping[str, float] = field(default_factory=dict)
    pair_energies: Sequence[PairEnergy] = ()
    reservoirs: Sequence[Reservoir] = ()

    def __post_init__(self) -> None:
        if len(set(self.species)) != len(self.species) or not 1 <= len(self.species) <= 100:
            raise KmcError(f"species must be 1 to 100 different names, not {self.species}")
        for what, names in (
            ("processes", [name for name, _, _ in self.directions()]),
            ("reservoirs", [reservoir.name for reservoir in self.reservoirs]),
        ):
            for name in names:
                if names.count(name) > 1:
                    raise KmcError(f"two {what} are called {name!r}; names must differ, those of reverses as well")
        for process in self.processes:
            for species in (*process.before, *process.after):
                self.index(species, f"process {process.name!r}")
            reservoirs = [reservoir.name for reservoir in self.reservoirs]
            if process.kind == EXCHANGE and process.reservoir not in reservoirs:
                raise KmcError(
                    f"process {process.name!r}: no reservoir is called {process.reservoir!r}; "
                    f"known are {hint(str(process.reservoir), reservoirs)}"
                )
        for where, mapping in (("charges_e", self.charges_e), ("site_energies_eV", self.site_energies_eV)):
            for species, value in mapping.items():
                self.index(species, where)
                if not np.isfinite(value):
                    raise KmcError(f"{where} of {species!r} is {value}; a finite number is needed")
        for pair in self.pair_energies:
            self.index(pair.first, "pair energy")
            self.index(pair.second, "pair energy")

    def index(self, species: str, where: str = "species") -> int:
        """The integer of a species name.

        Raises:
            KmcError: naming ``where``, the name and the nearest valid one.
        """
        if species in self.species:
            return self.species.index(species)
        raise KmcError(f"{where}: unknown species {species!r}; known are {hint(species, self.species)}")

    def directions(self) -> list[tuple[str, Process, bool]]:
        """All one-way events: (name, process, is it the reverse); a process that is its own reverse appears once."""
        events = []
        for process in self.processes:
            events.append((process.name, process, False))
            if not process.own_reverse:
                events.append((process.reverse_name or f"{process.name}:reverse", process, True))
        return events

    def charges(self) -> NDArray[np.float64]:
        """(S,) charge of each species in e; hop charges are merged in.

        Raises:
            KmcError: when a hop's charge contradicts another statement.
        """
        charges = np.zeros(len(self.species))
        known: dict[str, float] = dict(self.charges_e)
        for process in self.processes:
            if process.charge_e is None:
                continue
            if not np.isfinite(process.charge_e):
                raise KmcError(f"process {process.name!r}: charge_e is {process.charge_e}; a finite charge is needed")
            carrier, partner = process.before[0], process.before[-1]
            value = process.charge_e + known.get(partner, 0.0)
            if known.setdefault(carrier, value) != value:
                raise KmcError(
                    f"process {process.name!r}: charge_e {process.charge_e} contradicts charge {known[carrier]}"
                )
        for name, charge in known.items():
            charges[self.species.index(name)] = charge
        return charges
