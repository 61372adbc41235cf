"""How fast a phase-change material grows and nucleates crystals, from the viscosity of its liquid.

Growth is limited by how often an atom jumps across the front, nucleation is classical; both go with 1/viscosity. The
formulas, and the set GST_225, are those of Y. Wang et al., arXiv:2107.02035 ("multiphysics GCA"). All functions take
temperatures of any shape in K and return an array of that shape; they are plain functions for ``fem.PhaseFront`` and
``fem.Nucleation``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import constants

from ionsim.materials.phase_change import phase_change_set

Array = NDArray[np.float64]

_LN10 = float(np.log(10.0))
_GLASS_PA_S = 12.0  # log10 of the viscosity that defines the glass transition
_LARGEST = 700.0  # exp of more overflows


@dataclass(frozen=True)
class Crystallisation:
    """Parameters of growth and nucleation.

    Attributes:
        melting_K: temperature at which a crystal neither grows nor melts.
        glass_K: glass transition: the liquid's viscosity is 1e12 Pa s there.
        fragility: slope of log10 viscosity against glass_K/T at glass_K.
        hot_viscosity_Pa_s: limit of the viscosity at high temperature.
        frozen_K: below it the liquid falls out of balance, and the viscosity is an Arrhenius law.
        activation_eV: of that law.
        latent_J_per_m3: heat of fusion.
        interface_J_per_m2: energy of the interface of crystal and liquid.
        monomer_m3: volume of one formula unit, the unit of growth and nucleation.
        jump_m: distance of a jump.
        wetting_degrees: wetting angle of a nucleus on what it forms on; 180: homogeneous.
        hydrodynamic_ratio: radius of an atom over its hydrodynamic radius.
    """

    melting_K: float
    glass_K: float
    fragility: float
    hot_viscosity_Pa_s: float
    frozen_K: float
    activation_eV: float
    latent_J_per_m3: float
    interface_J_per_m2: float
    monomer_m3: float
    jump_m: float
    wetting_degrees: float
    hydrodynamic_ratio: float = 1.0

    @classmethod
    def of(cls, number: Callable[[str], float]) -> Self:
        """From the numbers of a phase-change set (:mod:`ionsim.materials.phase_change`) by their keys."""
        return cls(
            melting_K=number("melting_K"),
            glass_K=number("glass_K"),
            fragility=number("fragility"),
            hot_viscosity_Pa_s=number("hot_viscosity_Pa_s"),
            frozen_K=number("frozen_K"),
            activation_eV=number("frozen_activation_eV"),
            latent_J_per_m3=number("latent_J_per_m3"),
            interface_J_per_m2=number("interface_J_per_m2"),
            monomer_m3=1e-27 * number("monomer_nm3"),
            jump_m=1e-9 * number("jump_nm"),
            wetting_degrees=number("wetting_deg"),
            hydrodynamic_ratio=number("hydrodynamic_ratio"),
        )

    def viscosity_Pa_s(self, temperature_K: ArrayLike) -> Array:
        """MYEGA above ``frozen_K`` (J. Mauro et al., PNAS 106, 19780 (2009)), Arrhenius below, continuous."""
        return np.exp(self._log_viscosity(np.asarray(temperature_K, dtype=np.float64)))

    def velocity_m_per_s(self, temperature_K: ArrayLike) -> Array:
        """Growth velocity u(T) of a plane front; negative above melting."""
        kelvin = np.asarray(temperature_K, dtype=np.float64)
        thermal_J = constants.k * kelvin
        jumps = 4.0 * self.hydrodynamic_ratio * thermal_J / (3.0 * np.pi * self.jump_m**2)
        return jumps * np.exp(-self._log_viscosity(kelvin)) * -np.expm1(-self._drive_J(kelvin) / thermal_J)

    def nucleation_per_m3s(self, temperature_K: ArrayLike) -> Array:
        """Nucleation rate I(T) per volume; 0 from melting on."""
        kelvin = np.asarray(temperature_K, dtype=np.float64)
        cold = kelvin < self.melting_K
        kelvin = np.where(cold, kelvin, 0.5 * self.melting_K)
        thermal_J, drive_J = constants.k * kelvin, self._drive_J(kelvin)
        surface = self.wetting * self.monomer_m3**2 * self.interface_J_per_m2**3 * np.pi / 3.0
        barrier_J = 16.0 * surface / drive_J**2
        critical = 32.0 * surface / drive_J**3  # formula units in a critical nucleus
        zeldovich = np.sqrt(drive_J / (6.0 * np.pi * thermal_J * critical))
        log_jumps = np.log(thermal_J / (3.0 * np.pi * self.jump_m**3)) - self._log_viscosity(kelvin)
        attached = 4.0 * np.cbrt(critical) ** 2 * zeldovich / self.monomer_m3
        exponent = np.minimum(log_jumps + np.log(attached) - barrier_J / thermal_J, _LARGEST)
        return np.where(cold, np.exp(exponent), 0.0)

    @property
    def wetting(self) -> float:
        """What remains of the barrier on a wall, 1 for homogeneous nucleation."""
        cosine = float(np.cos(np.radians(self.wetting_degrees)))
        return (2.0 - 3.0 * cosine + cosine**3) / 4.0

    def _drive_J(self, kelvin: Array) -> Array:
        """Energy gained by a formula unit that crystallises (C. Thompson, F. Spaepen, Acta Met. 27, 1855 (1979))."""
        undercooling = (self.melting_K - kelvin) / self.melting_K
        return self.monomer_m3 * self.latent_J_per_m3 * undercooling * 2.0 * kelvin / (self.melting_K + kelvin)

    def _log_viscosity(self, kelvin: Array) -> Array:
        hot = np.log10(self.hot_viscosity_Pa_s)
        span, cooled = _GLASS_PA_S - hot, self.glass_K / np.maximum(kelvin, self.frozen_K)
        liquid = hot + span * cooled * np.exp((self.fragility / span - 1.0) * (cooled - 1.0))
        colder = 1.0 / np.minimum(kelvin, self.frozen_K) - 1.0 / self.frozen_K
        return np.asarray(_LN10 * liquid + self.activation_eV * constants.e / constants.k * colder)


#: Of the set of numbers "GST-225".
GST_225 = Crystallisation.of(lambda key: phase_change_set("GST-225")[key].value)
