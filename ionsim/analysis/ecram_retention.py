"""How fast the channel of an ECRAM stack with its gate shorted, or held, comes to balance; and what theory expects.

::

    device = load("ecram_retention")
    print(decay_rate(device), limits(device).rate_per_s)

Near balance the filled share relaxes exponentially. A uniform channel does so at |dU/dx| / (e N d R): the slope of its
open-circuit voltage drives protons through the resistances in series of both reactions, kT/(e j0), and of the
electrolyte, L/sigma. With diffusion in the channel the mode is cos(q z), q d tan(q d) = h d/D, h = |dU/dx|/(e N R), and
its rate D q^2, where D is the chemical diffusivity; h d/D is the Biot number of heat conduction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import constants
from scipy.integrate import quad
from scipy.optimize import brentq

from ionsim.analysis.ecram_gate import hold, started
from ionsim.config.ecram import EcramDevice
from ionsim.config.ecram_geometry import EcramStack
from ionsim.devices.ecram import Ecram
from ionsim.devices.ecram_cell import ION
from ionsim.materials.constants import K_EV_PER_K
from ionsim.materials.intercalation import RegularSolution

Floats = NDArray[np.float64]

_REFERENCE_K = 300.0
_NM = 1e-9

#: The decay begins so far below balance, in filled share; its rate is that of the second half of so many time
#: constants, in so many steps each: BDF2 is then off by 1e-4.
_AWAY, _LAST, _PER_TIME = 0.01, 6.0, 50

#: Ratio of the times at which the way to the half is looked at; the first of them, in time constants of the late decay.
_RATIO, _FIRST = 1.05, 1e-5


@dataclass(frozen=True)
class Theory:
    """What is expected of a stack with its gate held at one voltage.

    ``x`` at balance and ``slope_V`` = |dU/dx| there; ``resistance_ohm_m2`` by name: gate, electrolyte, channel (its
    reaction), diffusion (in the channel, d kT/(3 e^2 N x D)); ``rate_per_s`` of the late decay.
    ``insertion_A_per_m2``: exchange current of the channel's reaction at x -> 0 without its factor
    (1 - x)^(1 - alpha) x^alpha.
    """

    x: float
    slope_V: float
    resistance_ohm_m2: dict[str, float]
    rate_per_s: float
    insertion_A_per_m2: float

    @property
    def limit(self) -> str:
        """Name of the largest resistance."""
        return max(self.resistance_ohm_m2, key=lambda name: self.resistance_ohm_m2[name])


def balance(device: EcramDevice, gate_V: float = 0.0) -> float:
    """Filled share of the channel at which the open-circuit voltage is ``gate_V``."""
    wanted_V = device.number("reservoir.potential_V") - gate_V
    law, kT_eV = _law(device), K_EV_PER_K * device.ambient_K
    return float(brentq(lambda x: float(law.voltage_V(np.array(x), kT_eV)) - wanted_V, 1e-9, 1.0 - 1e-9, xtol=1e-14))


def expected(device: EcramDevice, gate_V: float = 0.0) -> Theory:
    """The theory above for a stack; the ions at the channel's surface are those of the simulated balance."""
    geometry, number = device.geometry, device.number
    if not isinstance(geometry, EcramStack):
        raise ValueError("expected: needs the geometry ecram_stack")
    kT_V = K_EV_PER_K * device.ambient_K
    x, step = balance(device, gate_V), 1e-6
    law = _law(device)
    slope_V = float(law.voltage_V(np.array(x - step), kT_V) - law.voltage_V(np.array(x + step), kT_V)) / (2.0 * step)
    rest = started(with_initial(device, x)).transport
    pairs, _ = rest.interface("electrolyte/channel")
    fractions = rest.fraction(ION)
    ions = float(fractions[pairs[np.isfinite(fractions[pairs])]].mean())
    density, sites = number("electrolyte.density_per_m3"), number("electrolyte.sites_per_m3")
    alpha = number("interfaces.channel.transfer")
    insertion = (
        number("interfaces.channel.exchange_A_per_m2") * _arrhenius(device, "interfaces.channel.activation_eV")
        / ((0.5 * density / sites) ** (1.0 - alpha) * 0.5**alpha) * ions ** (1.0 - alpha)
    )  # fmt: skip
    gate = number("interfaces.gate.exchange_A_per_m2") * _arrhenius(device, "interfaces.gate.activation_eV")
    # D is what is activated, so sigma = e^2 n D/kT falls with 1/T besides
    sigma = number("electrolyte.conductivity_S_per_m") * _arrhenius(device, "electrolyte.activation_eV")
    sigma *= _REFERENCE_K / device.ambient_K
    diffusivity = float(device.diffusivity()(np.array(x))[0]) * _arrhenius(device, "channel.activation_eV")
    volume_C = constants.e * number("channel.sites_per_m3")  # charge per m^3 of a full channel
    depth_m = geometry.channel_nm * _NM
    resistance = {
        "gate": kT_V / gate, "electrolyte": geometry.electrolyte_nm * _NM / sigma,
        "channel": kT_V / (insertion * (1.0 - x) ** (1.0 - alpha) * x**alpha),
    }  # fmt: skip
    chemical = diffusivity * x * slope_V / kT_V
    biot = slope_V / (volume_C * sum(resistance.values())) * depth_m / chemical
    mode = float(brentq(lambda qd: qd * np.tan(qd) - biot, 0.0, 0.5 * np.pi * (1.0 - 1e-12), xtol=1e-14))
    resistance["diffusion"] = depth_m * kT_V / (3.0 * volume_C * x * diffusivity)
    return Theory(x, slope_V, resistance, chemical * (mode / depth_m) ** 2, insertion)


def expected_half_s(device: EcramDevice, gate_V: float = 0.0) -> float:
    """Time in which a uniform channel goes half of the way from rest to balance when its reaction limits.

    Electrolyte and layers are then in balance with the gate, so that the whole difference of the open-circuit voltage
    from ``gate_V`` is the affinity of the reaction.
    """
    theory, law, kT_V = expected(device, gate_V), _law(device), K_EV_PER_K * device.ambient_K
    alpha, begin = device.number("interfaces.channel.transfer"), filled(started(device))
    balance_V = float(law.voltage_V(np.array(theory.x), kT_V))

    def slowness(x: float) -> float:
        over = (float(law.voltage_V(np.array(x), kT_V)) - balance_V) / kT_V
        exchange = theory.insertion_A_per_m2 * (1.0 - x) ** (1.0 - alpha) * x**alpha
        return 1.0 / (exchange * (np.exp(alpha * over) - np.exp(-(1.0 - alpha) * over)))

    charge = constants.e * device.number("channel.sites_per_m3") * device.geometry.channel_nm * _NM
    return charge * float(quad(slowness, begin, 0.5 * (begin + theory.x))[0])


def decay_rate(device: EcramDevice, gate_V: float = 0.0) -> float:
    """Rate in 1/s at which a simulated stack with its gate at ``gate_V`` relaxes when it is near balance."""
    theory = expected(device, gate_V)
    cell = started(with_initial(device, theory.x - _AWAY))
    step_s = 1.0 / (_PER_TIME * theory.rate_per_s)
    hold(cell, step_s, gate_V)
    apart = []
    for _ in range(round(_LAST * _PER_TIME)):
        hold_on(cell, step_s)
        apart.append(theory.x - filled(cell))
    half = len(apart) // 2
    return float(np.log(apart[half] / apart[-1]) / ((len(apart) - 1 - half) * step_s))


def half_time(device: EcramDevice, gate_V: float = 0.0) -> float:
    """Time in s in which a simulated stack with its gate at ``gate_V`` goes half of the way from rest to balance."""
    theory = expected(device, gate_V)
    cell = started(device)
    wanted = 0.5 * (filled(cell) + theory.x)
    time_s, share = _FIRST / theory.rate_per_s, filled(cell)
    hold(cell, time_s, gate_V)
    while True:
        before = share
        hold_on(cell, (_RATIO - 1.0) * time_s)
        share = filled(cell)
        if (share - wanted) * (before - wanted) <= 0.0:
            return time_s * float(1.0 + (_RATIO - 1.0) * (wanted - before) / (share - before))
        time_s *= _RATIO


def activation_eV(kelvins: Floats, rates: Floats) -> float:
    """Slope of ln(rate) (n,) against -1/kT, eV, by least squares."""
    return float(np.polyfit(-1.0 / (K_EV_PER_K * kelvins), np.log(rates), 1)[0])


def filled(cell: Ecram) -> float:
    """Mean filled share of the channel."""
    return float(cell.observe()["x_mean"])


def hold_on(cell: Ecram, seconds: float) -> None:
    """The gate stays as it is."""
    hold(cell, seconds, cell.device_V, 0.5 * seconds)


def with_initial(device: EcramDevice, x: float) -> EcramDevice:
    """The device with another filled share at the start."""
    return device.model_copy(update={"channel": device.channel.model_copy(update={"initial": x})})


def _law(device: EcramDevice) -> RegularSolution:
    law = device.open_circuit()
    if not isinstance(law, RegularSolution):
        raise ValueError(f"channel.material: {device.channel.material!r} is no regular solution")
    return law


def _arrhenius(device: EcramDevice, key: str) -> float:
    inverse = 1.0 / device.ambient_K - 1.0 / _REFERENCE_K
    return float(np.exp(-device.number(key) / K_EV_PER_K * inverse))
