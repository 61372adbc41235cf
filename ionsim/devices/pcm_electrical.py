"""Conductivities of a phase-change material as plain functions of temperature, field, phase and age.

Crystal: thermally activated. Amorphous: hopping over barriers that the field lowers (Poole), sinh(x)/x with x =
e F d / 2 k T (Ielmini and Zhang, J. Appl. Phys. 102, 054517 (2007)); the lowering never exceeds the barrier. Liquid: a
constant. What is not crystalline is liquid above the melting point. A mixture has the geometric mean, weighted by
volume (Lichtenecker). The functions take numbers, arrays, and the solver's expressions alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import scipy.constants as constants

import fem
from kmc import KB_EV

#: Lorenz number of free electrons, W Ohm/K2.
LORENZ = constants.pi**2 / 3.0 * (constants.k / constants.e) ** 2

#: Temperature to which conductivities of a material set refer, K.
REFERENCE_K = 300.0

#: Half width of the melting point in the conductivity, K.
_MELTING_WIDTH_K = 10.0


@dataclass(frozen=True)
class PhaseChangeConductor:
    """Conductivities of a phase-change material.

    ``crystalline_S_per_m`` and ``amorphous_S_per_m`` hold at 300 K (amorphous: low field, ``age`` equal to zero).
    ``age_eV`` in the methods is what structural relaxation has added to the activation energy of amorphous conduction.
    """

    melting_K: float
    crystalline_S_per_m: float
    crystalline_activation_eV: float
    liquid_S_per_m: float
    amorphous_S_per_m: float
    amorphous_activation_eV: float
    hop_distance_nm: float
    amorphous_W_per_mK: float
    crystalline_W_per_mK: float

    def crystal(self, T_K: Any) -> Any:
        """Conductivity of the crystal, S/m."""
        return self.crystalline_S_per_m * fem.exp(_activated(self.crystalline_activation_eV, T_K))

    def amorphous(self, T_K: Any, F_V_per_m: Any, age_eV: Any = 0.0) -> Any:
        """Conductivity of the glass at a field, S/m."""
        barrier_eV = self.amorphous_activation_eV
        lowering_eV = barrier_eV * fem.tanh(0.5e-9 * self.hop_distance_nm * F_V_per_m / barrier_eV)
        low_field = self.amorphous_S_per_m * fem.exp(_activated(barrier_eV, T_K) - age_eV / (KB_EV * T_K))
        return low_field * _sinhc(lowering_eV / (KB_EV * T_K))

    def disordered(self, T_K: Any, F_V_per_m: Any, age_eV: Any = 0.0) -> Any:
        """Conductivity (S/m) of what is not crystalline: glass and liquid below the melting point, melt above."""
        molten = self.molten(T_K)
        return self.amorphous(T_K, F_V_per_m, age_eV) ** (1.0 - molten) * self.liquid_S_per_m**molten

    def molten(self, T_K: Any) -> Any:
        """Share of what is not crystalline that conducts as melt: 0 below the melting point, 1 above, smooth."""
        return 0.5 * (1.0 + fem.tanh((T_K - self.melting_K) / _MELTING_WIDTH_K))

    def electrical(self, T_K: Any, F_V_per_m: Any, crystalline: Any, age_eV: Any = 0.0) -> Any:
        """Conductivity of the mixture, S/m."""
        return self.crystal(T_K) ** crystalline * self.disordered(T_K, F_V_per_m, age_eV) ** (1.0 - crystalline)

    def thermal(self, T_K: Any, crystalline: Any) -> Any:
        """Thermal conductivity, W/(m K): of the lattice, and of carriers at low field by Wiedemann and Franz."""
        lattice = self.amorphous_W_per_mK + (self.crystalline_W_per_mK - self.amorphous_W_per_mK) * crystalline
        return lattice + LORENZ * T_K * self.electrical(T_K, 0.0, crystalline)


def _activated(barrier_eV: float, T_K: Any) -> Any:
    """Exponent of an Arrhenius law that is zero at 300 K."""
    return barrier_eV / KB_EV * (1.0 / REFERENCE_K - 1.0 / T_K)


def _sinhc(x: Any) -> Any:
    """sinh(x)/x, at 0 as well."""
    small = 1.0 + x * x / 6.0
    safe = fem.where(x > 1e-3, x, 1.0)
    return fem.where(x > 1e-3, fem.sinh(safe) / safe, small)
