"""Reactions that move ions across an interface or into an electrode, and what terminals and interfaces are made of."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem.errors import FemError
from fem.ionphases import check_activation

Array = NDArray[np.float64]
#: fractions n/sites of the ion, and of what it becomes if that has a density -> j0 (A/m^2) and its derivatives by each
Exchange = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class ChargeTransfer:
    """An ion crosses from ``ion`` to the species ``into`` on the other side, or to an electrode that takes it up.

    With the affinity A = mu(ion) - mu(into), electrochemical potentials included, the current density is

    - Butler-Volmer: j0 [exp(alpha A/kT) - exp(-(1 - alpha) A/kT)]
    - symmetric Marcus, with ``reorganisation_eV`` lambda: j0 exp(-A^2 / (4 lambda kT)) 2 sinh(A / 2kT), which is the
      difference of the rates exp(-(lambda -+ A)^2 / (4 lambda kT)) over that of equilibrium; far beyond A = lambda it
      falls to nothing (the inverted region), so that a strongly driven interface blocks (Bazant, Acc. Chem. Res. 46,
      1144 (2013), doi 10.1021/ar300145c)

    so it vanishes in equilibrium whatever j0 is. ``exchange_A_per_m2``: j0, a number or a function. ``into`` None: the
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

    def __post_init__(self) -> None:
        j0 = self.exchange_A_per_m2
        if not callable(j0) and not (math.isfinite(j0) and j0 > 0.0):
            raise FemError(f"exchange_A_per_m2 must be positive and finite, got {j0!r}")
        check_activation(self.activation_eV)
        if not 0.0 < self.alpha < 1.0:
            raise FemError(f"alpha must lie between 0 and 1, got {self.alpha!r}")
        if self.reorganisation_eV is not None and not self.reorganisation_eV > 0.0:
            raise FemError(f"reorganisation_eV must be positive, or None for Butler-Volmer, got "
                           f"{self.reorganisation_eV!r}")  # fmt: skip
        if self.reorganisation_eV is not None and self.alpha != 0.5:
            raise FemError(f"the Marcus rate is symmetric: alpha must be 0.5 with it, got {self.alpha!r}")

    def drive(self, a: Array, kT_eV: Any) -> tuple[Array, Array]:
        """Current over j0 (n,), and its derivative, at affinities ``a`` (n,) in kT (a number or (n,))."""
        with np.errstate(over="ignore", invalid="ignore"):  # a wild iterate gives inf or nan, which Newton rejects
            if self.reorganisation_eV is None:
                forward, backward = np.exp(self.alpha * a), np.exp(-(1.0 - self.alpha) * a)
                return forward - backward, self.alpha * forward + (1.0 - self.alpha) * backward
            width = self.reorganisation_eV / kT_eV
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


def insertion_exchange(j_A_per_m2: float, alpha: float = 0.5) -> Exchange:
    """j0 = j (x_ion (1 - x_into))^(1 - alpha) x_into^alpha of mass action between a solution and vacant sites.

    With it the rate of insertion is proportional to x_ion (1 - x_into), that of the way back to x_into (Doyle, Fuller
    and Newman, J. Electrochem. Soc. 140, 1526 (1993), doi 10.1149/1.2221597).
    """

    def exchange(x_ion: Array, x_into: Array) -> tuple[Array, Array, Array]:
        vacant = np.maximum(1.0 - x_into, 1e-16)
        j0 = j_A_per_m2 * (x_ion * vacant) ** (1.0 - alpha) * x_into**alpha
        return j0, (1.0 - alpha) * j0 / x_ion, j0 * (alpha / x_into - (1.0 - alpha) / vacant)

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
