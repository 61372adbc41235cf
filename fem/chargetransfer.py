"""Reactions that move ions across an interface or into an electrode, and what terminals and interfaces are made of."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fem.errors import FemError, unknown_name
from fem.ionphases import check_activation

Array = NDArray[np.float64]
#: fractions n/sites of the ion, and of what it becomes if that has a density -> j0 (A/m^2) and its derivatives by each
Exchange = Callable[..., tuple[Any, ...]]
Rate = Literal["butler-volmer", "marcus", "marcus-hush-chidsey"]
_STEP = 0.8  # kT between points over the electrons' energies: 2e-11 of the integral, for its poles at +-i pi
_REACH = 10.5  # sqrt(lambda kT) from the largest part of the integrand: what is beyond is 1e-12 of it


@dataclass(frozen=True)
class ChargeTransfer:
    """An ion crosses from ``ion`` to the species ``into`` on the other side, or to an electrode that takes it up.

    With the affinity A = mu(ion) - mu(into), electrochemical potentials included, the current density is

    - Butler-Volmer: j0 [exp(alpha A/kT) - exp(-(1 - alpha) A/kT)]
    - Marcus, symmetric, with ``reorganisation_eV`` lambda: j0 exp(-A^2 / (4 lambda kT)) 2 sinh(A / 2kT), which is the
      difference of the rates exp(-(lambda -+ A)^2 / (4 lambda kT)) over that of equilibrium; far beyond A = lambda it
      falls to nothing (the inverted region), so that a strongly driven interface blocks (Bazant, Acc. Chem. Res. 46,
      1144 (2013), doi 10.1021/ar300145c)
    - Marcus, Hush and Chidsey: the same, of all electrons of a metal: j0 2 sinh(A / 2kT) h(A) / h(0) with h(A) the
      integral of exp(-(x - A)^2 / (4 lambda kT)) / cosh(x / 2kT) over energies x, by the trapezoidal rule to 1e-9. It
      levels off beyond A = lambda (Chidsey, Science 251, 919 (1991), doi 10.1126/science.251.4996.919). The closed form
      of Zeng, Smith, Bai and Bazant (J. Electroanal. Chem. 735, 77 (2014), doi 10.1016/j.jelechem.2014.09.038) is not
      used: measured against the integral it is off by up to 12 % for lambda up to 10 kT, 18 % at 30, 35 % at 50 kT

    so it vanishes in equilibrium whatever j0 is, and forth and back are as exp(A/kT). ``rate`` None: Butler-Volmer, or
    Marcus if there is a reorganisation energy. ``exchange_A_per_m2``: j0, a number or a function. ``into`` None: the
    electrode is a reservoir with the chemical potential ``reservoir_eV`` (without the electrode's potential). At an
    interface both species need the same charge: in a metal, the ion stands for itself and the electrons that join it.
    ``activation_eV``: j0 goes with exp(-activation_eV / kT), from its value at ``reference_K`` of the Transport.
    """

    ion: str
    exchange_A_per_m2: float | Exchange
    into: str | None = None
    alpha: float = 0.5
    reorganisation_eV: float | None = None
    reservoir_eV: float = 0.0
    activation_eV: float = 0.0
    rate: Rate | None = None

    def __post_init__(self) -> None:
        j0 = self.exchange_A_per_m2
        if not callable(j0) and not (math.isfinite(j0) and j0 > 0.0):
            raise FemError(f"exchange_A_per_m2 must be positive and finite, got {j0!r}")
        check_activation(self.activation_eV)
        if not 0.0 < self.alpha < 1.0:
            raise FemError(f"alpha must lie between 0 and 1, got {self.alpha!r}")
        if self.reorganisation_eV is not None and not (
            math.isfinite(self.reorganisation_eV) and self.reorganisation_eV > 0.0
        ):
            raise FemError(f"reorganisation_eV must be positive and finite, or None for Butler-Volmer, got "
                           f"{self.reorganisation_eV!r}")  # fmt: skip
        if self.rate is not None and self.rate not in get_args(Rate):
            raise unknown_name("rate", self.rate, get_args(Rate))
        if self.law == "butler-volmer" and self.reorganisation_eV is not None:
            raise FemError(f"the Butler-Volmer rate takes no reorganisation_eV, got {self.reorganisation_eV!r}")
        if self.law != "butler-volmer" and self.reorganisation_eV is None:
            raise FemError(f"rate {self.law!r} needs a reorganisation_eV")
        if self.law != "butler-volmer" and self.alpha != 0.5:
            raise FemError(f"the Marcus rate is symmetric: alpha must be 0.5 with it, got {self.alpha!r}")

    @property
    def law(self) -> Rate:
        """The rate that holds."""
        return self.rate or ("butler-volmer" if self.reorganisation_eV is None else "marcus")

    def drive(self, a: Array, kT_eV: Any) -> tuple[Array, Array]:
        """Current over j0 (n,), and its derivative, at affinities ``a`` (n,) in kT (a number or (n,))."""
        with np.errstate(over="ignore", invalid="ignore"):  # a wild iterate gives inf or nan, which Newton rejects
            if self.reorganisation_eV is None:
                forward, backward = np.exp(self.alpha * a), np.exp(-(1.0 - self.alpha) * a)
                return forward - backward, self.alpha * forward + (1.0 - self.alpha) * backward
            width = self.reorganisation_eV / kT_eV
            if self.law == "marcus-hush-chidsey":
                return _of_all_electrons(a, width)
            damping = np.exp(-(a**2) / (4.0 * width))
            odd = 2.0 * np.sinh(0.5 * a)
            return damping * odd, damping * (np.cosh(0.5 * a) - a / (2.0 * width) * odd)

    def exchange(self, *x: Array) -> tuple[Array, ...]:
        """j0 (n,) in A/m^2 and its derivatives by the fractions ``x`` of the ion (and of ``into``)."""
        j0 = self.exchange_A_per_m2
        values = j0(*x) if callable(j0) else (j0, *(0.0 for _ in x))
        if len(values) != len(x) + 1:
            raise FemError(f"exchange_A_per_m2 of {self.ion!r} must return j0 and {len(x)} derivatives, "
                           f"got {len(values)} values")  # fmt: skip
        return tuple(np.broadcast_to(np.asarray(value, dtype=np.float64), x[0].shape) for value in values)


def _of_all_electrons(a: Array, width: Any) -> tuple[Array, Array]:
    """2 sinh(a/2) h(a)/h(0) of Marcus, Hush and Chidsey, and its derivative; a (n,) and lambda ``width`` in kT.

    The points lie about the largest part of the integrand. sinh goes into it, so that nothing overflows.
    """
    step = _STEP * float(np.minimum(1.0, np.sqrt(width).min()))
    points = step * np.arange(-np.ceil(_REACH * np.sqrt(width).max() / step), 1.0)
    points = np.concatenate([points, -points[-2::-1]])[:, None]

    def sums(a: Array) -> tuple[Array, Array]:
        """h(a) exp(|a|/2) and, divided by exp(|a|/2), its derivative."""
        x = np.copysign(np.maximum(np.abs(a) - width, 0.0), a) + points
        size = np.abs(x)
        part = np.exp(-((x - a) ** 2) / (4.0 * width) + 0.5 * (np.abs(a) - size)) / (1.0 + np.exp(-size))
        return part.sum(axis=0), (part * (x - a)).sum(axis=0) / (2.0 * width)

    rest = sums(np.zeros(np.shape(width) or 1))[0]
    grown, slope = sums(a)
    fall = np.exp(-np.abs(a))
    odd, even = np.copysign(-np.expm1(-np.abs(a)), a), 0.5 * (1.0 + fall)
    return odd * grown / rest, (even * grown + odd * slope) / rest


def insertion_exchange(j_A_per_m2: float, alpha: float = 0.5) -> Exchange:
    """j0 = j (x_ion (1 - x_into))^(1 - alpha) x_into^alpha of mass action between a solution and vacant sites.

    With it the rate of insertion is proportional to x_ion (1 - x_into), that of the way back to x_into (Doyle, Fuller
    and Newman, J. Electrochem. Soc. 140, 1526 (1993), doi 10.1149/1.2221597). That is for an ideal solution: where its
    ions crowd (``lattice_gas``) insertion goes with x_ion / (1 - x_ion)^alpha, the way back with (1 - x_ion)^(1-alpha).
    """

    def exchange(x_ion: Array, x_into: Array) -> tuple[Array, Array, Array]:
        vacant = np.maximum(1.0 - x_into, 1e-16)
        j0 = j_A_per_m2 * (x_ion * vacant) ** (1.0 - alpha) * x_into**alpha
        return j0, (1.0 - alpha) * j0 / x_ion, j0 * (alpha / x_into - (1.0 - alpha) / vacant)

    return exchange


def coupled_exchange(j_A_per_m2: float) -> Exchange:
    """j0 = j (1 - x_into) (x_ion x_into)^(1/2): the ion and an electron go together, through a state that fills a site.

    With Butler-Volmer at alpha 0.5 the rates are those of coupled ion-electron transfer at moderate affinity: insertion
    goes with x_ion (1 - x_into), the way back with x_into (1 - x_into) (Fraggedakis et al., Electrochim. Acta 367,
    137432 (2021), doi 10.1016/j.electacta.2020.137432). With a Marcus rate it is an approximation: there lambda meets
    A - kT ln(x_ion / x_into) instead of A, so that the limiting current of insertion goes with x_ion (1 - x_into)
    instead of j0.
    """

    def exchange(x_ion: Array, x_into: Array) -> tuple[Array, Array, Array]:
        vacant = np.maximum(1.0 - x_into, 1e-16)
        j0 = j_A_per_m2 * vacant * np.sqrt(x_ion * x_into)
        return j0, 0.5 * j0 / x_ion, j0 * (0.5 / x_into - 1.0 / vacant)

    return exchange


def _check_capacitance(value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0.0):
        raise FemError(f"capacitance_F_per_m2 must be finite and not negative, or None for none, got {value!r}")


@dataclass(frozen=True)
class Terminal:
    """What is connected to one wire: metal regions, and electrodes on surfaces of the mesh.

    The potential is the same all over ``regions``, and that of the nodes of ``surfaces`` too unless a compact layer of
    ``capacitance_F_per_m2`` lies between. Ions are stopped at the surfaces unless ``reactions`` (without ``into``) take
    them, or ``densities_per_m3`` holds their density there (a bath).
    """

    surfaces: Sequence[str] = ()
    regions: Sequence[str] = ()
    reactions: Sequence[ChargeTransfer] = ()
    densities_per_m3: Mapping[str, float] = field(default_factory=dict)
    capacitance_F_per_m2: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.surfaces, str) or isinstance(self.regions, str):
            raise FemError("surfaces and regions of a terminal must be lists of names")
        if not (self.surfaces or self.regions):
            raise FemError("a terminal needs a surface or a region")
        for name, value in self.densities_per_m3.items():
            if not (math.isfinite(value) and value > 0.0):
                raise FemError(f"densities_per_m3: {name!r} must be positive and finite, got {value!r}")
        for reaction in self.reactions:
            if reaction.into is not None:
                raise FemError(f"a terminal takes {reaction.ion!r} up: into must be None, got {reaction.into!r}")
        _check_capacitance(self.capacitance_F_per_m2)


@dataclass(frozen=True)
class Junction:
    """An interface of a split mesh: its ``reactions``, and a compact layer across which the potential may jump.

    Without ``capacitance_F_per_m2`` the potential is continuous; with it, capacitance times jump is the charge.
    """

    reactions: Sequence[ChargeTransfer] = ()
    capacitance_F_per_m2: float | None = None

    def __post_init__(self) -> None:
        for reaction in self.reactions:
            if reaction.into is None:
                raise FemError(f"a reaction at a junction needs into: the species that {reaction.ion!r} becomes")
        _check_capacitance(self.capacitance_F_per_m2)


@dataclass(frozen=True)
class Conductor:
    """Metal regions of electrons with a finite conductivity: a potential of its own at every node, Ohm's law between.

    ``sigma_S_per_m`` is that of the start (fem.Transport.set_conductivity). A sheet conductance may lie on the split
    ``interface``. Nodes that it shares with regions of terminals, or with their surfaces without compact layer, have
    the terminal's potential; with ``contact_ohm_m2`` that resistance lies between it and regions of terminals.
    """

    regions: Sequence[str]
    sigma_S_per_m: float
    interface: str | None = None
    contact_ohm_m2: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.regions, str) or not self.regions:
            raise FemError("regions of a conductor must be a list of one name or more")
        for name, value in (("sigma_S_per_m", self.sigma_S_per_m), ("contact_ohm_m2", self.contact_ohm_m2)):
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise FemError(f"{name} of a conductor must be positive and finite, got {value!r}")
