"""Processes: what can happen on a site, on a pair of sites, or between a site and a reservoir or an electrode.

A process has a symmetric barrier, from which the rates of both directions follow by the change of energy, so that
detailed balance holds by construction (see :mod:`kmc.rates`). Or it has given constant rates, and balance is up to
whoever gives them. Or it has no reverse: a driven process.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

import numpy as np

from kmc.errors import KmcError

PAIR, SINGLE, EXCHANGE = "pair", "single", "exchange"

#: Sites of each kind of process.
_SITES = {PAIR: 2, SINGLE: 1, EXCHANGE: 1}

#: Where electrons may come from.
ELECTRONS = ("local", "partner")

#: The ``barrier_eV`` of Metropolis rates: E = max(dU, 0), so that k = nu min(1, exp(-dU/kT)).
METROPOLIS = -np.inf


def hint(name: str, known: Sequence[str]) -> str:
    """The known names and, for a typing error, the nearest of them: the end of a message."""
    close = difflib.get_close_matches(name, known, n=1)
    return (", ".join(known) or "none") + (f"; did you mean {close[0]!r}?" if close else "")


def finite(value: float) -> bool:
    return bool(np.isfinite(value))


def not_negative(value: float) -> bool:
    return finite(value) and value >= 0.0


def _above_zero(value: float) -> bool:
    return finite(value) and value > 0.0


#: Numbers of a process: what is needed, and whether a value is that.
_NUMBERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "barrier_eV": ("a finite number, or -inf (Metropolis),", lambda value: finite(value) or value == METROPOLIS),
    "energy_eV": ("a finite number", finite),
    "charge_e": ("a finite charge", finite),
    "spread_eV": ("a finite number >= 0", not_negative),
    "polarisation_e_nm": ("a finite number >= 0", not_negative),
    "prefactor_Hz": ("a finite rate above 0", _above_zero),
    "max_rate_Hz": ("a rate above 0", lambda value: value > 0.0),
    "rate_Hz": ("a finite rate >= 0", not_negative),
    "reverse_rate_Hz": ("a finite rate >= 0", not_negative),
    "within_nm": ("a finite length above 0", _above_zero),
}

#: What makes a rate depend on energies, fields or temperature: not beside ``rate_Hz``.
_OF_THE_RATE_LAW = ("barrier_eV", "energy_eV", "spread_eV", "polarisation_e_nm", "prefactor_Hz", "max_rate_Hz")


def check(what: str, value: object, needed: str, valid: Callable[[float], bool]) -> None:
    """Refuse what is not a number, or not one that is allowed."""
    if isinstance(value, bool) or not isinstance(value, Real) or not valid(float(value)):
        raise KmcError(f"{what} is {value if isinstance(value, Real) else repr(value)}; {needed} is needed")


@dataclass(frozen=True)
class Process:
    """One process and its reverse; build it with :func:`hop`, :func:`reaction`, :func:`turn`, ...

    Attributes:
        name: what ``engine.counts`` calls it.
        kind: "pair" (two neighbouring sites), "single" (one site) or "exchange" (one site and a reservoir).
        before, after: species on the site(s); for exchange, ``after`` has put one particle into the reservoir.
        barrier_eV: symmetric barrier E0; the rate without field and energy change is prefactor x exp(-E0/kT). It may be
            negative: E = max(E0 + dU/2, dU, 0). With -inf (``METROPOLIS``) that is E = max(dU, 0), the rates
            prefactor x min(1, exp(-dU/kT)) of Ising and Kawasaki dynamics.
        prefactor_Hz: attempt frequency nu, 1/s.
        energy_eV: energy of ``after`` minus ``before`` that is not in site or pair energies.
        spread_eV: standard deviation of a Gaussian added to E0 per undirected edge (or site), drawn once.
        polarisation_e_nm: lowering of E0 per field along the edge (or from the site to its reservoir), eV/(V/nm).
        max_rate_Hz: the faster of the two directions is throttled to this rate, the other by the same factor.
        reservoir: name of the reservoir of an exchange, or of the electrode of an electrode reaction.
        particles: how many particles an exchange puts into its reservoir: 1, or 0 for an electrode, which gives and
            takes without end (electrons, or atoms of its own).
        electrons: where the electrons of charge that a pair process makes or destroys come from: "local" (the mean
            potential of the two sites) or "partner" (the second site, a metal).
        charge_e: charge that a hop moves (merged into the model's charges).
        reverse_name: what ``engine.counts`` calls the reverse direction; "<name>:reverse" by default.
        within_nm: a pair process acts only on edges that are not longer than this; on all edges when None. So pair
            energies can reach farther than hops.
        reversible: False leaves the reverse out: a driven process, for which no detailed balance is claimed.
        rate_Hz: a constant rate per site (or per edge; a pair of equal species that becomes a pair of equal species is
            one event) in place of the rate law: no energy, field or temperature changes it. A hop at a constant rate
            takes it both ways.
        reverse_rate_Hz: the constant rate of the reverse; that both balance is then up to the user.
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
    within_nm: float | None = None
    reversible: bool = True
    rate_Hz: float | None = None
    reverse_rate_Hz: float | None = None
    particles: int = 1
    electrons: str = "local"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise KmcError(f"a process is called {self.name!r}; its name must be a text that is not empty")
        where, default = f"process {self.name!r}", {item.name: item.default for item in fields(self)}
        if self.kind not in _SITES:
            raise KmcError(f"{where}: kind is {self.kind!r}; known are {hint(str(self.kind), tuple(_SITES))}")
        if not len(self.before) == len(self.after) == _SITES[self.kind]:
            needed = f"kind {self.kind!r} has {_SITES[self.kind]} site(s) on both sides"
            raise KmcError(f"{where}: {self.before} -> {self.after}; {needed}")
        for key, (needed, valid) in _NUMBERS.items():
            if getattr(self, key) is not None or default[key] is not None:
                check(f"{where}: {key}", getattr(self, key), needed, valid)
        if self.before == self.after:
            raise KmcError(f"{where} changes nothing: {self.before} -> {self.after}")
        self._check_reverse(where)
        for key, kinds, needs in (
            ("polarisation_e_nm", (PAIR, EXCHANGE), "two sites, or a site and a reservoir"),
            ("within_nm", (PAIR,), "a pair of sites"),
            ("reservoir", (EXCHANGE,), "an exchange"),
            ("particles", (EXCHANGE,), "an exchange"),
            ("electrons", (PAIR,), "a pair of sites"),
        ):
            if self.kind not in kinds and getattr(self, key) != default[key]:
                raise KmcError(f"{where}: {key} needs {needs}")
        if self.electrons not in ELECTRONS:
            raise KmcError(f"{where}: electrons is {self.electrons!r}; known are {hint(self.electrons, ELECTRONS)}")
        if self.particles not in (0, 1):
            raise KmcError(f"{where}: particles is {self.particles!r}; 0 or 1 is needed")
        if self.barrier_eV == METROPOLIS and (self.spread_eV or self.polarisation_e_nm):
            raise KmcError(f"{where}: barrier_eV is -inf (Metropolis); spread_eV and polarisation_e_nm must be 0")
        if self.rate_Hz is not None:
            self._check_constant(where, {**default, "barrier_eV": 0.0})

    def _check_reverse(self, where: str) -> None:
        if self.own_reverse:
            if self.energy_eV != 0.0:
                raise KmcError(
                    f"{where} is its own reverse, so its energy_eV must be 0, not {self.energy_eV}: what it gains on "
                    "the way there it cannot gain on the way back as well"
                )
            if not self.reversible:
                raise KmcError(f"{where} is its own reverse, so reversible cannot be False")
            if self.reverse_rate_Hz is not None:
                raise KmcError(f"{where} is its own reverse, so it takes rate_Hz both ways, and no reverse_rate_Hz")
        elif self.charge_e is not None:
            raise KmcError(f"{where}: charge_e belongs to a hop; give the charges of species in charges_e of the model")
        if self.reverse_name is not None and (self.own_reverse or not self.reversible):
            raise KmcError(f"{where} has no reverse that could be called {self.reverse_name!r} (reverse_name)")

    def _check_constant(self, where: str, default: Mapping[str, Any]) -> None:
        for key in _OF_THE_RATE_LAW:
            if getattr(self, key) != default[key]:
                raise KmcError(f"{where}: a constant rate (rate_Hz) takes no {key}, here {getattr(self, key)}")
        if self.kind == EXCHANGE:
            raise KmcError(f"{where}: an exchange with a reservoir takes barrier_eV, and no rate_Hz")
        if not self.own_reverse and self.reversible != (self.reverse_rate_Hz is not None):
            raise KmcError(
                f"{where}: reversible is {self.reversible} and reverse_rate_Hz is {self.reverse_rate_Hz}; beside a "
                "rate_Hz, a reverse needs a reverse_rate_Hz, and no reverse (reversible=False) takes none"
            )

    @property
    def own_reverse(self) -> bool:
        """Whether the same events, read from the other site, undo it: a hop."""
        return self.kind == PAIR and self.before == self.after[::-1]


def _sites(species: str | Sequence[str]) -> tuple[str, ...]:
    """One name is one site."""
    return (species,) if isinstance(species, str) else tuple(species)


def _process(
    name: str, before: tuple[str, ...], after: tuple[str, ...], barrier_eV: float | None, reversible: bool, **more: Any
) -> Process:
    """A process on one or two sites by the rate law or, where there is no barrier, at constant rates."""
    if len(before) != len(after) or len(before) not in (1, 2):
        raise KmcError(f"process {name!r}: {before} -> {after}; one or two sites, the same number on both sides")
    constant = more["rate_Hz"] is not None
    if constant == (barrier_eV is not None) or (more.get("reverse_rate_Hz") is not None and not constant):
        raise KmcError(
            f"process {name!r}: barrier_eV is {barrier_eV}, rate_Hz is {more['rate_Hz']}; either barrier_eV or rate_Hz "
            "(with reverse_rate_Hz where there is a reverse) is needed"
        )
    if constant and before != after[::-1]:
        reversible = reversible and more["reverse_rate_Hz"] is not None
    kind = PAIR if len(before) == 2 else SINGLE
    return Process(name, kind, before, after, 0.0 if barrier_eV is None else barrier_eV, reversible=reversible, **more)


def hop(
    species: str,
    into: str,
    barrier_eV: float | None = None,
    *,
    prefactor_Hz: float = 1e13,
    charge_e: float | None = None,
    name: str = "hop",
    spread_eV: float = 0.0,
    polarisation_e_nm: float = 0.0,
    max_rate_Hz: float = np.inf,
    within_nm: float | None = None,
    rate_Hz: float | None = None,
) -> Process:
    """A particle exchanges places with ``into`` on a neighbouring site; its own reverse.

    Either ``barrier_eV`` or a constant ``rate_Hz`` along every edge.
    """
    return _process(
        name, (species, into), (into, species), barrier_eV, True, prefactor_Hz=prefactor_Hz, charge_e=charge_e,
        spread_eV=spread_eV, polarisation_e_nm=polarisation_e_nm, max_rate_Hz=max_rate_Hz, within_nm=within_nm,
        rate_Hz=rate_Hz,
    )  # fmt: skip


def reaction(
    name: str,
    before: str | Sequence[str],
    after: str | Sequence[str],
    barrier_eV: float | None = None,
    *,
    energy_eV: float = 0.0,
    prefactor_Hz: float = 1e13,
    spread_eV: float = 0.0,
    polarisation_e_nm: float = 0.0,
    max_rate_Hz: float = np.inf,
    reverse_name: str | None = None,
    within_nm: float | None = None,
    reversible: bool = True,
    rate_Hz: float | None = None,
    reverse_rate_Hz: float | None = None,
    electrons: str = "local",
) -> Process:
    """A reaction on an ordered pair of sites, such as O + empty <-> V + Oi, or a change on one site.

    ``energy_eV`` is the energy of ``after`` minus ``before`` (a table's Ef - Eb); E0 = (Ef + Eb)/2. Where it changes
    the total charge, the electrons come from the local Fermi level (see :mod:`kmc.rates`), whose distance from the
    level on the site belongs in ``energy_eV``. ``electrons="partner"`` takes them from the second site, as an ion does
    that is reduced at a metal.

    In place of ``barrier_eV``, ``rate_Hz`` is a constant rate; without ``reverse_rate_Hz`` it has no reverse then.
    """
    return _process(
        name, _sites(before), _sites(after), barrier_eV, reversible, energy_eV=energy_eV, prefactor_Hz=prefactor_Hz,
        spread_eV=spread_eV, polarisation_e_nm=polarisation_e_nm, max_rate_Hz=max_rate_Hz, reverse_name=reverse_name,
        within_nm=within_nm, rate_Hz=rate_Hz, reverse_rate_Hz=reverse_rate_Hz, electrons=electrons,
    )  # fmt: skip


def turn(
    name: str,
    before: str,
    after: str,
    barrier_eV: float | None = None,
    *,
    energy_eV: float = 0.0,
    prefactor_Hz: float = 1e13,
    spread_eV: float = 0.0,
    max_rate_Hz: float = np.inf,
    reverse_name: str | None = None,
    reversible: bool = True,
    rate_Hz: float | None = None,
    reverse_rate_Hz: float | None = None,
) -> Process:
    """A change on one site, such as a spin flip or a change of charge state; arguments as in :func:`reaction`."""
    return _process(
        name, _sites(before), _sites(after), barrier_eV, reversible, energy_eV=energy_eV, prefactor_Hz=prefactor_Hz,
        spread_eV=spread_eV, max_rate_Hz=max_rate_Hz, reverse_name=reverse_name, rate_Hz=rate_Hz,
        reverse_rate_Hz=reverse_rate_Hz,
    )  # fmt: skip


def adsorption(
    name: str,
    before: str | Sequence[str],
    after: str | Sequence[str],
    rate_Hz: float,
    *,
    desorption_Hz: float = 0.0,
    reverse_name: str | None = None,
    within_nm: float | None = None,
) -> Process:
    """Adsorption from a gas at a constant rate; one species name each, or two where a molecule takes a pair of sites.

    ``rate_Hz`` is per site, or per pair of neighbours such as ("empty", "empty") -> ("O", "O"); ``desorption_Hz`` is
    the rate of the reverse, which 0 leaves out. For rates by an energy and the temperature use :func:`turn` or
    :func:`reaction`, for a gas that runs dry :func:`exchange`.
    """
    return _process(
        name, _sites(before), _sites(after), None, True, rate_Hz=rate_Hz, reverse_name=reverse_name,
        reverse_rate_Hz=None if desorption_Hz == 0.0 else desorption_Hz, within_nm=within_nm,
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
    reversible: bool = True,
) -> Process:
    """Exchange with a reservoir: ``before`` -> ``after`` puts one particle into it, the reverse takes one out."""
    return Process(
        name, EXCHANGE, (before,), (after,), barrier_eV, prefactor_Hz, energy_eV, spread_eV, polarisation_e_nm,
        max_rate_Hz, reservoir, None, reverse_name, reversible=reversible,
    )  # fmt: skip


def electrode(
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
    reversible: bool = True,
) -> Process:
    """A change on a site in contact with an electrode, which is a reservoir that neither fills nor empties.

    Charge that is made or destroyed has its electrons from the electrode, at the electrode's potential: with an ion's
    charge z, ion -> atom costs z (V - phi) beside the energies (Butler and Volmer with a transfer coefficient of 1/2).
    Particles that come and go are the electrode's own.
    """
    process = exchange(
        name, before, after, reservoir, barrier_eV, energy_eV=energy_eV, prefactor_Hz=prefactor_Hz, spread_eV=spread_eV,
        polarisation_e_nm=polarisation_e_nm, max_rate_Hz=max_rate_Hz, reverse_name=reverse_name, reversible=reversible,
    )  # fmt: skip
    return replace(process, particles=0)
