"""Phases that hold ions, and the species in them: sites, excess chemical potential, diffusivity."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.errors import FemError

Array = NDArray[np.float64]
#: (filled fraction x (n,), free fraction 1 - x (n,), kT in eV, a number or (n,)) -> excess chemical potential (n,) in
#: eV and its derivative by x. The free fraction keeps its digits where x is 1 to rounding.
Excess = Callable[[Array, Array, Any], tuple[Any, Any]]
#: filled fraction (n,) -> diffusivity (n,) in m^2/s and its derivative by the filled fraction.
Diffusivity = Callable[[Array], tuple[Any, Any]]
#: One mole in a litre, 1/m^3.
ONE_MOLAR_PER_M3 = 6.02214076e26


def lattice_gas(x: Array, free: Array, kT_eV: Any) -> tuple[Array, Array]:
    """Crowding on a lattice of sites: -kT ln(1 - x) in eV, and its derivative; kT ln(x/(1-x)) with the ideal part.

    The activity coefficient 1/(1 - x) of Bikerman and of Kilic, Bazant and Ajdari (doi 10.1103/PhysRevE.75.021503).
    """
    return -kT_eV * np.log(free), kT_eV / free


def regular_solution(omega_eV: float) -> Excess:
    """Excess of a regular solution: -kT ln(1-x) + Omega (1-2x), so that mu = kT ln(x/(1-x)) + Omega (1-2x).

    ``omega_eV``: above 0 the ions attract each other; above 2 kT the phase comes apart (there is no gradient energy to
    hold a boundary between the two: the mesh does), below 0 they repel.
    """

    def excess(x: Array, free: Array, kT_eV: Any) -> tuple[Array, Array]:
        value, slope = lattice_gas(x, free, kT_eV)
        return value + omega_eV * (1.0 - 2.0 * x), slope - 2.0 * omega_eV

    return excess


def check_activation(value: float) -> None:
    """Raises FemError for an activation energy that is negative or not finite."""
    if not (math.isfinite(value) and value >= 0.0):
        raise FemError(f"activation_eV must be finite and not negative, got {value!r}")


@dataclass(frozen=True)
class Phase:
    """Regions whose ions share sites. x is the filled fraction: the sum of the densities over ``sites_per_m3``.

    The chemical potential of a species is standard_eV + kT ln(n / sites) + excess(x). ``excess`` None: an ideal
    solution, with any density, whose ``sites_per_m3`` is the standard density (default 1 mol/L); otherwise 0 < x < 1.
    ``fixed_charge_per_m3``: charge of an immobile background, in e per m^3. Raises FemError for values out of range.
    """

    regions: Sequence[str]
    sites_per_m3: float = ONE_MOLAR_PER_M3
    excess: Excess | None = None
    fixed_charge_per_m3: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.regions, str) or not self.regions:
            raise FemError(f"regions of a phase must be a list of at least one name, got {self.regions!r}")
        if not (math.isfinite(self.sites_per_m3) and self.sites_per_m3 > 0.0):
            raise FemError(f"sites_per_m3 must be positive and finite, got {self.sites_per_m3!r}")
        if not math.isfinite(self.fixed_charge_per_m3):
            raise FemError(f"fixed_charge_per_m3 must be finite, got {self.fixed_charge_per_m3!r}")

    def activity(self, x: Array, free: Array, kT_eV: Any) -> tuple[Array, Array]:
        """ln gamma (n,) and its derivative at filled and free fractions (n,)."""
        if self.excess is None:
            return np.zeros_like(x), np.zeros_like(x)
        value, slope = self.excess(x, free, kT_eV)
        slope = np.asarray(slope / kT_eV)
        return np.asarray(value / kT_eV), slope if slope.shape == x.shape else np.broadcast_to(slope, x.shape)


@dataclass(frozen=True)
class Species:
    """An ion in a phase.

    ``diffusivity_m2_per_s``: D of the mobility D / kT, a number, a function of the filled fraction, or one of these by
    region. The chemical diffusivity is D (1 + n d ln gamma/dn); on a lattice gas D = D0 (1 - x) makes it D0.
    ``initial_per_m3``: a number or a nodal array (local dofs,), above 0. ``charge``: in e; inside a metal, electrons
    make up for it. ``regions``: part of the phase's, default all. ``standard_eV``: standard chemical potential.
    ``activation_eV``: D goes with exp(-activation_eV / kT), from its value at ``reference_K`` of the Transport.

    ``hop_nm``: jump distance a. Fields lower the barrier of jumps along them and raise that of jumps back, so that a
    field E multiplies the flux by sinh(w)/w with w = z e a E / (2 kT): drift goes with sinh(w) (Verwey, Physica 2, 1059
    (1935); Mott and Gurney, Electronic Processes in Ionic Crystals (1940)). It is taken edge by edge with the field
    along the edge, so that equilibrium is untouched; in a strong field oblique to the edges of a mesh the current
    depends on their directions. None: linear at any field.
    """

    phase: str
    charge: int
    diffusivity_m2_per_s: float | Diffusivity | Mapping[str, float | Diffusivity]
    initial_per_m3: float | ArrayLike
    regions: Sequence[str] | None = None
    standard_eV: float = 0.0
    hop_nm: float | None = None
    activation_eV: float = 0.0

    def __post_init__(self) -> None:
        if self.hop_nm is not None and not (math.isfinite(self.hop_nm) and self.hop_nm > 0.0):
            raise FemError(f"hop_nm must be positive and finite, or None for no acceleration, got {self.hop_nm!r}")
        check_activation(self.activation_eV)

    def diffusivity(self, region: str) -> float | Diffusivity:
        """Number or function that holds in ``region``. Raises FemError where there is none, or a wrong one."""
        value = self.diffusivity_m2_per_s
        if isinstance(value, Mapping):
            if region not in value:
                raise FemError(f"diffusivity_m2_per_s has no value for region {region!r}; given: {', '.join(value)}")
            value = value[region]
        if callable(value):
            return value
        if not (math.isfinite(value) and value > 0.0):
            raise FemError(f"diffusivity_m2_per_s must be positive and finite, got {value!r}")
        return float(value)
