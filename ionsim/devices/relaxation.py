"""Structural relaxation of a glass: why the resistance of a RESET cell drifts.

The state of the glass is a number Sigma: 1 in the melt, falling as it relaxes. The barrier of the next step rises with
what has been done, E_s (1 - Sigma) (Le Gallo and others, Adv. Electron. Mater. 4, 1700627 (2018), collective
relaxation):

    dSigma/dt = -nu exp(-E_s (1 - Sigma) / kT)

With y = exp(-E_s Sigma / kT) at constant temperature dy/dt = (nu E_s / kT) exp(-E_s / kT), so a step of any length is
exact, and Sigma falls with the logarithm of time. The activation energy of conduction rises by shift_eV (Sigma_ref -
Sigma), which gives R ~ t^(shift_eV / E_s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import KB_EV

Array = NDArray[np.float64]

#: Age at which the conductivity of a material set holds: one second at 300 K.
_REFERENCE_S, _REFERENCE_K = 1.0, 300.0


@dataclass(frozen=True)
class Relaxation:
    """Numbers of a glass: largest barrier (eV), shift of the activation energy over a full relaxation (eV), attempts
    (Hz)."""

    barrier_eV: float
    shift_eV: float
    attempt_Hz: float

    def advance(self, state: ArrayLike, dt_s: float, temperature_K: ArrayLike) -> Array:
        """Sigma (n,) after ``dt_s`` at constant temperatures (n,) in K, from Sigma (n,)."""
        kt_eV = KB_EV * np.asarray(temperature_K, dtype=np.float64)
        scale = self.barrier_eV / kt_eV
        begun = -np.asarray(state, dtype=np.float64) * scale
        if dt_s <= 0.0:
            return np.asarray(state, dtype=np.float64).copy()
        added = np.log(self.attempt_Hz * dt_s * scale) - scale
        return np.asarray(-np.logaddexp(begun, added) / scale)

    def age_eV(self, state: ArrayLike) -> Array:
        """What relaxation has added to the activation energy of conduction (n,), eV; zero after a second at 300 K."""
        reference = self.advance(1.0, _REFERENCE_S, _REFERENCE_K)
        return np.asarray(self.shift_eV * (reference - np.asarray(state, dtype=np.float64)))

    @property
    def drift_exponent(self) -> float:
        """nu of R ~ t^nu at a constant temperature."""
        return self.shift_eV / self.barrier_eV
