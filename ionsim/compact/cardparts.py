"""The tables of a card, in SI throughout; a name that carries a quantity carries its unit too."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator

from ionsim.config.base import Section, number, setting

T = TypeVar("T")


def _in_order(table: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(table.items()))


#: A table whose keys the card's author chooses; kept in alphabetical order, so that equal cards have equal text.
Table = Annotated[dict[str, T], AfterValidator(_in_order)]

Range = tuple[float, float]
Matrix = tuple[tuple[float, ...], ...]
Scale = Literal["log", "linear"]


class DeviceText(Section):
    """The device that the physics simulated, whole."""

    name: str = setting(..., "name of the device")
    sha256: str = setting(..., "SHA-256 of the text below", pattern="^[0-9a-f]{64}$")
    toml: str = setting(..., "text of the device file")


class Value(Section):
    """A parameter of the compact model."""

    value: float = setting(..., "value in the unit of the model's parameter")
    unit: str = setting(..., "unit, as in the model")
    standard_error: float | None = setting(None, "standard error of the fit, in the same unit", ge=0)
    source: str = setting(..., "'fitted', or 'fixed: ' and why", pattern="^(fitted|fixed: .+)$")


class Covariance(Section):
    """Covariance of the fitted parameters: of ln(value) where ``scale`` is log."""

    names: tuple[str, ...] = setting(..., "parameters in the order of the matrix")
    scale: Table[Scale] = setting(..., "log or linear by name")
    matrix: Matrix = setting(..., "covariance, symmetric")


class ErrorRow(Section):
    """One comparison of the compact model with the physics."""

    check: str = setting(..., "what is compared")
    condition: str = setting(..., "rate, temperature, amplitude")
    held_out: bool = setting(..., "whether the fit never saw this condition")
    value: float | None = setting(..., "what was found; null where it could not be had")
    limit: float | None = setting(None, "what passes")
    unit: str = setting("", "unit of both")
    measured: float | None = setting(None, "figure of the physics, where two figures are compared")
    model: float | None = setting(None, "figure of the compact model")
    passed: bool | None = setting(None, "whether it passed; null without a limit")


class Marginal(Section):
    """The distribution of one quantity: normal in its latent scale, which is ln x, x, or the normal score of x.

    An empirical one is a quantile function: ``values`` at ``scores`` (standard normal), straight lines between, and
    nothing beyond the smallest and the largest value seen.
    """

    kind: Literal["lognormal", "normal", "empirical"] = setting(..., "latent scale: ln x, x, or normal score")
    unit: str = setting(..., "unit of x")
    p_lognormal: float | None = number(None, "1", "p of the test of normality of ln x; null where x <= 0 occurs", ge=0)
    p_normal: float | None = number(None, "1", "p of the test of normality of x", ge=0)
    scores: tuple[float, ...] = setting((), "standard normal scores of the quantiles, rising")
    values: tuple[float, ...] = setting((), "quantiles, rising")


class Intervals(Section):
    """95 % bootstrap intervals of one quantity, in its latent scale."""

    mean: Range
    device_sd: Range | None = setting(None, "null with one device")
    cycle_sd: Range | None = setting(None, "null with one cycle a device")


class Telegraph(Section):
    """Random telegraph noise: two levels with exponential dwell times."""

    quantity: str = setting(..., "what switches, with its unit, such as current_A")
    low: float = setting(..., "lower level")
    high: float = setting(..., "upper level")
    noise_sd: float = setting(..., "white noise upon either level", ge=0)
    dwell_low_s: float = number(..., "s", "mean time in the lower level", gt=0)
    dwell_high_s: float = number(..., "s", "mean time in the upper level", gt=0)
    transitions: int = setting(..., "how many were seen", ge=0)


class Statistics(Section):
    """Nested random effects: latent u = mean + device + cycle, the last two normal with these covariances.

    A device's effect is drawn once, a cycle's each time; both are correlated between quantities (a Gaussian copula).
    A covariance of zeros stands where a level was not observed (one device, or one cycle each).
    """

    names: tuple[str, ...] = setting(..., "quantities in the order of all that follows", min_length=1)
    marginals: Table[Marginal] = setting(..., "distribution by name")
    mean: tuple[float, ...] = setting(..., "mean in the latent scale")
    device_covariance: Matrix = setting(..., "between devices, in the latent scale")
    cycle_covariance: Matrix = setting(..., "between cycles of one device, in the latent scale")
    cycles: tuple[int, ...] = setting(..., "number of cycles seen by device", min_length=1)
    intervals: Table[Intervals] = setting(..., "bootstrap intervals by name")
    telegraph: Telegraph | None = setting(None, "random telegraph noise, where it was found")
    origin: str = setting("", "of which devices and cycles it is")

    @property
    def n_devices(self) -> int:
        """How many devices were seen."""
        return len(self.cycles)


class PulseTrain(Section):
    """Conductance against pulse number under equal pulses: read before the first one and after each."""

    direction: Literal["up", "down"] = setting(..., "up: potentiation; down: depression")
    amplitude: float = setting(..., "height of a pulse")
    amplitude_unit: Literal["V", "A"] = setting("V", "unit of the amplitude")
    width_s: float = number(..., "s", "length of a pulse", gt=0)
    read_V: float = number(..., "V", "voltage of a read")
    conductances_S: tuple[float, ...] = setting(..., "before the first pulse and after each, in S", min_length=3)
    device: int = setting(0, "number of the device", ge=0)
    cycle: int = setting(0, "number of the cycle on this device", ge=0)
    simulated: bool = setting(False, "made by the compact model itself, not by the physics")


class Retention(Section):
    """A state left alone: conductance against time since programming."""

    temperature_K: float = number(..., "K", "ambient", gt=0)
    times_s: tuple[float, ...] = setting(..., "time since programming, rising, > 0, in s", min_length=2)
    conductances_S: tuple[float, ...] = setting(..., "conductance at those times, in S", min_length=2)
    device: int = setting(0, "number of the device", ge=0)


class Metric(Section):
    """One figure of the universal benchmark; ``note`` says why there is none, or how it is defined."""

    value: float | None = setting(..., "the figure, or null")
    unit: str = setting(..., "its unit")
    interval: Range | None = setting(None, "95 % bootstrap interval")
    note: str = setting("", "definition, or why there is none")


class RunEntry(Section):
    """A run of the physics that the card rests on."""

    name: str = setting(..., "name of the experiment")
    role: str = setting(..., "fit, held_out, spread, pulses or retention")
    seed: int | None = setting(..., "seed of the run, null for measured data")
    sha256: str = setting(..., "SHA-256 of its input", pattern="^[0-9a-f]{64}$")
    ionsim_version: str = setting(..., "version that ran it")
    wall_s: float | None = number(None, "s", "wall time", ge=0)
