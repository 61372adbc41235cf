"""What a channel that takes up ions does: its open-circuit voltage, its conductivity, how fast ions move in it.

All functions take the filled share x of its sites, arrays of any shape; they are plain functions for ``fem.Phase``,
``fem.Species`` and ``fem.ChannelConduction``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.materials.constants import E_C, K_EV_PER_K

Array = NDArray[np.float64]

#: Filled and free share of sites below which a chemical potential changes no more: iterates may reach 0 and 1.
_LEAST = 1e-300



@dataclass(frozen=True)
class RegularSolution:
    """U(x) = middle_V - entropy kT/e ln(x/(1-x)) - interaction/e (1-2x), against the reference of the set.

    ``interaction_eV`` below 0: the ions repel each other, and the voltage falls by 2 interaction/e from x = 0 to 1.
    ``entropy`` 1: the ions are placed at random; 2: their electrons as well, on sites of their own.
    """

    middle_V: float
    interaction_eV: float
    entropy: float = 1.0

    def voltage_V(self, x: Array, kT_eV: float | Array) -> Array:
        """Open-circuit voltage in V."""
        return np.asarray(
            self.middle_V - self.entropy * kT_eV * np.log(x / (1.0 - x)) - self.interaction_eV * (1.0 - 2.0 * x)
        )

    def excess(self, x: Array, free: Array, kT_eV: float) -> tuple[Array, Array]:
        """Chemical potential -e U + e middle_V without kT ln x, in eV, and its derivative; see fem.Phase."""
        more = self.entropy - 1.0
        x, free = np.maximum(x, _LEAST), np.maximum(free, _LEAST)
        value = -self.entropy * kT_eV * np.log(free) + more * kT_eV * np.log(x) + self.interaction_eV * (1.0 - 2.0 * x)
        return value, self.entropy * kT_eV / free + more * kT_eV / x - 2.0 * self.interaction_eV


@dataclass(frozen=True)
class FittedVoltage:
    """An open-circuit voltage from a fit that holds between ``low`` and ``high``; outside it goes on as a lattice gas.

    ``fit(x)``: voltage in V and its derivative. At the ends ideal mixing takes over, kT/e ln((1-x)/x) shifted to fit,
    so that no site is filled more than once.
    """

    fit: Callable[[Array], tuple[Array, Array]]
    low: float
    high: float
    middle_V: float

    def voltage_V(self, x: Array, kT_eV: float | Array) -> Array:
        """Open-circuit voltage in V."""
        inner = np.clip(x, self.low, self.high)
        mixing = np.log((1.0 - x) / x) - np.log((1.0 - inner) / inner)
        return np.asarray(self.fit(inner)[0] + kT_eV * mixing)

    def excess(self, x: Array, free: Array, kT_eV: float) -> tuple[Array, Array]:
        """Chemical potential -e U + e middle_V without kT ln x, in eV, and its derivative; see fem.Phase."""
        x, free = np.maximum(x, _LEAST), np.maximum(free, _LEAST)
        inner = np.clip(x, self.low, self.high)
        outside = (x < self.low) | (x > self.high)
        voltage, slope = self.fit(inner)
        log = np.log(free) - np.log(x) - np.log((1.0 - inner) / inner)
        value = self.middle_V - voltage - kT_eV * log - kT_eV * np.log(x)
        return value, np.where(outside, kT_eV / (x * free), -slope) - kT_eV / x


def lithium_cobalt_oxide(x: Array) -> tuple[Array, Array]:
    """Open-circuit voltage in V of LixCoO2 against lithium, and its derivative; the fit of Newman's Dualfoil.

    As in the parameters of Marquis et al., J. Electrochem. Soc. 166, A3693 (2019), doi 10.1149/2.0341915jes, with its
    stretched x; data of Garcia (2001) for 0.5 < x < 0.99. It falls everywhere between 0.3 and 0.999.
    """
    s = _STRETCH * x
    value, slope = np.full_like(s, _LCO_V), np.zeros_like(s)
    for height, rate, centre in _LCO_STEPS:
        step = np.tanh(rate * (s - centre))
        value = value + height * step
        slope = slope + height * rate * (1.0 - step**2)
    return value, _STRETCH * slope


_STRETCH, _LCO_V = 1.062, 2.16216
#: Height (V), rate and place of every step.
_LCO_STEPS = (
    (-0.07645, 54.4806, 30.834 / 54.4806), (-2.1581, 50.294, 52.294 / 50.294), (0.14169, 19.8543, 11.0923 / 19.8543),
    (-0.2051, 5.4888, 1.4684 / 5.4888), (-0.2531, 1.0 / 0.1316, 0.56478), (-0.02167, 1.0 / 0.006, 0.525),
)  # fmt: skip


def open_circuit(law: str, number: Callable[[str], float]) -> RegularSolution | FittedVoltage:
    """The voltage of a channel set by the word for its law and its numbers by key."""
    if law == "lithium cobalt oxide":
        return FittedVoltage(lithium_cobalt_oxide, 0.4, 0.995, 0.0)
    return RegularSolution(number("emf_V"), number("interaction_eV"), number("entropy"))


@dataclass(frozen=True)
class HoppingMetal:
    """Conductivity that rises from hopping to metallic: sigma = e N c mobility exp(-E(c)/kT).

    c is the share of carriers, x (electrons that came with ions) or, with ``holes``, 1 - x. E is ``hopping_eV`` where
    they are few, half of it at ``critical`` and nothing beyond, E = hopping / (1 + exp((c - critical)/width)).
    """

    sites_per_m3: float
    mobility_m2_per_Vs: float
    hopping_eV: float
    critical: float
    width: float
    holes: bool = False

    def carriers(self, x: Array) -> Array:
        """Share of carriers c."""
        return 1.0 - x if self.holes else x

    def mobility(self, x: Array, temperature_K: float | Array) -> Array:
        """Mobility of a carrier in m^2/(V s)."""
        barrier_eV = self.hopping_eV / (1.0 + np.exp((self.carriers(x) - self.critical) / self.width))
        return np.asarray(self.mobility_m2_per_Vs * np.exp(-barrier_eV / (K_EV_PER_K * temperature_K)))

    def conductivity(self, x: Array, temperature_K: float | Array) -> Array:
        """Conductivity in S/m."""
        return np.asarray(E_C * self.sites_per_m3 * self.carriers(x) * self.mobility(x, temperature_K))


@dataclass(frozen=True)
class FallingDiffusivity:
    """D that falls exponentially from ``dilute`` at x = 0 to ``dense`` at x = ``dense_at`` and beyond, in m^2/s."""

    dilute: float
    dense: float
    dense_at: float

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """D and its derivative."""
        rate = np.log(self.dense / self.dilute) / self.dense_at
        value = self.dilute * np.exp(rate * np.minimum(x, self.dense_at))
        return value, np.where(x < self.dense_at, rate * value, 0.0)


