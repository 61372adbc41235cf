"""A model: species, processes, energies and reservoirs. Written once, compiled to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.process import EXCHANGE, Process, check, finite, hint, not_negative


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
        where, needed = f"reservoir {self.name!r}", "a whole number, at least 1,"
        check(f"{where}: capacity", self.capacity, needed, lambda value: value >= 1 and value % 1 == 0)
        check(f"{where}: filling_eV", self.filling_eV, "a finite energy", finite)


@dataclass(frozen=True)
class PairEnergy:
    """Energy of two species on neighbouring sites: along every edge with ``beyond_nm`` < length <= ``within_nm``.

    ``within_nm`` None is as far as the neighbour lists reach. Several entries for the same two species add up, so each
    shell of neighbours can have its own energy.
    """

    first: str
    second: str
    energy_eV: float
    within_nm: float | None = None
    beyond_nm: float = 0.0

    def __post_init__(self) -> None:
        where = f"pair energy of {self.first!r} and {self.second!r}"
        check(where, self.energy_eV, "a finite number of eV", finite)
        check(f"{where}: beyond_nm", self.beyond_nm, "a finite length >= 0", not_negative)
        if self.within_nm is not None:
            needed = f"a finite length above beyond_nm = {self.beyond_nm}"
            check(f"{where}: within_nm", self.within_nm, needed, lambda nm: finite(nm) and nm > self.beyond_nm)


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
        named = not isinstance(self.species, str) and all(isinstance(name, str) and name for name in self.species)
        if not named or len(set(self.species)) != len(self.species) or not 1 <= len(self.species) <= 100:
            raise KmcError(f"species must be 1 to 100 different names, not {self.species!r}")
        object.__setattr__(self, "species", tuple(self.species))
        for key, kind in (("processes", Process), ("pair_energies", PairEnergy), ("reservoirs", Reservoir)):
            items = tuple(getattr(self, key))
            for item in items:
                if not isinstance(item, kind):
                    raise KmcError(f"{key} holds {item!r}; a {kind.__name__} is needed")
            object.__setattr__(self, key, items)
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
                check(f"{where} of {species!r}", value, "a finite number", finite)
            object.__setattr__(self, where, dict(mapping))
        for pair in self.pair_energies:
            for species in (pair.first, pair.second):
                self.index(species, f"pair energy of {pair.first!r} and {pair.second!r}")
        self.charges()  # refuses what contradicts

    def index(self, species: str, where: str = "species") -> int:
        """The integer of a species name.

        Raises:
            KmcError: naming ``where``, the name and the nearest valid one.
        """
        if species in self.species:
            return self.species.index(species)
        raise KmcError(f"{where}: unknown species {species!r}; known are {hint(str(species), self.species)}")

    @classmethod
    def from_toml(cls, path_or_text: str | PathLike[str]) -> Model:
        """Read a model from a file, or from a text, which has a line break or an equals sign in it.

        Raises:
            KmcError: naming the key, its value, what is allowed and the nearest valid name.
        """
        from kmc.model_file import read

        return read(path_or_text)

    def to_toml(self) -> str:
        """The model as TOML, without what is at its default; it reads back to an equal model."""
        from kmc.model_file import write

        return write(self)

    def directions(self) -> list[tuple[str, Process, bool]]:
        """All one-way events: (name, process, is it the reverse); hops and driven processes have no reverse."""
        events = []
        for process in self.processes:
            events.append((process.name, process, False))
            if process.reversible and not process.own_reverse:
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
            carrier, partner = process.before[0], process.before[-1]
            value = process.charge_e + known.get(partner, 0.0)
            if known.setdefault(carrier, value) != value:
                raise KmcError(
                    f"process {process.name!r}: charge_e {process.charge_e} contradicts charge {known[carrier]}"
                )
        for name, charge in known.items():
            charges[self.species.index(name)] = charge
        return charges
