"""Selectors: two-terminal devices in series with a cell that pass little at half the voltage.

- ``VARISTOR``: i = i_s sinh(v/v_s), a stack of oxides through which electrons tunnel.
- ``THRESHOLD``: electro-thermal switch as of NbO2. Electrons are emitted from traps, i = g v exp(-(ea - b sqrt|v|)/kT)
  (Poole and Frenkel), and heat the device: C dT/dt = i v - (T - T_ambient)/R. Above a voltage no cold state is left;
  from there to the holding voltage the steady characteristic has a negative slope. No phase transition takes part:
  Slesazeck et al., RSC Adv. 5, 102318 (2015), who found a rise of 150 K at threshold; with these defaults it is 93 K.
  b follows from thickness and permittivity.
"""

from __future__ import annotations

import sympy
from scipy import constants
from sympy import Float, exp

from ionsim.compact.description import Flow, Model, Node, Noise, Parameter, Probe, Quantity, symbol
from ionsim.compact.families.vcm import BOLTZMANN, K_OVER_E, RISE_K
from ionsim.compact.functions import clip, power, sinh_linear

#: e/(pi eps0) in V m: (e d/(pi eps0 eps_r v))^(1/2) v is the lowering of a Coulomb barrier by the voltage v over d.
_COULOMB = Float(constants.e / (constants.pi * constants.epsilon_0))

#: Voltage in V below which sqrt|v| is smooth.
_SMOOTH_V = Float(1e-3)

_v, _t = symbol("v_sel"), symbol("temp")
_i_s, _v_s, _rs = map(symbol, ("i_s", "v_s", "rs"))

VARISTOR = Model(
    name="ion_varistor",
    family="selector",
    summary="selector by tunnelling: current rises with sinh of the voltage",
    parameters=(
        Parameter("i_s", "A", 2e-10, "current scale", "chosen: 1e3 less current at half the voltage", low=0),
        Parameter("v_s", "V", 0.08, "voltage scale", "chosen: 1e3 less current at half of 1.1 V", low=0, open_low=True),
    ),
    nodes=(Node("a"), Node("b")),
    probes=(Probe("v_sel", "a", "b"),),
    quantities=(Quantity("i_sel", _i_s * sinh_linear(_v / _v_s), "A", "current"),),
    flows=(Flow("a", "b", symbol("i_sel")),),
    noises=(Noise("a", "b", 4 * BOLTZMANN * symbol("ambient") * _i_s / _v_s, "selector"),),
)

_g, _ea, _thickness, _eps, _rth, _cth = map(symbol, ("g_free", "ea", "thickness", "eps_r", "rth", "cth"))

THRESHOLD = Model(
    name="ion_threshold",
    family="selector",
    summary="threshold selector: emission from traps with Joule heat, negative slope above the threshold voltage",
    parameters=(
        Parameter("rs", "Ohm", 500.0, "series resistance of electrodes", "chosen", low=0, open_low=True),
        Parameter("g_free", "S", 2e-3, "conductance without a barrier", "chosen: threshold near 1.1 V", low=0),
        Parameter("ea", "eV", 0.25, "depth of the traps", "chosen: a rise of some 100 K at threshold", low=0),
        Parameter("thickness", "m", 10e-9, "thickness", "chosen", low=0, open_low=True),
        Parameter("eps_r", "1", 45.0, "permittivity", "chosen: a high one, as of a transition metal oxide", low=1),
        Parameter("rth", "K/W", 2e6, "thermal resistance", "chosen: a device of 30 nm", low=1e-3),
        Parameter(
            "cth", "J/K", 3e-17, "thermal capacitance",
            "derived: 30 x 30 x 10 nm at 2.72 MJ/(m^3 K) (CRC, NbO2), rounded up for its surroundings", low=0,
        ),
    ),
    nodes=(Node("a"), Node("b"), Node("t", "thermal", optional=True), Node("ni", port=False)),
    probes=(Probe("v_series", "a", "ni"), Probe("v_sel", "ni", "b"), Probe("rise", "t")),
    quantities=(
        Quantity("temp", symbol("ambient") + clip(symbol("rise"), *RISE_K), "K", "temperature"),
        Quantity(
            "lowering",
            sympy.sqrt(_COULOMB / (_eps * _thickness))
            * (power(_v**2 + _SMOOTH_V**2, Float(0.25)) - sympy.sqrt(_SMOOTH_V)),
            "eV",
            "lowering of the barrier by the field",
        ),
        Quantity(
            "g_sel", _g * exp(-clip(_ea - symbol("lowering"), 0, 10) / (K_OVER_E * _t)), "S", "conductance"
        ),
        Quantity("i_sel", symbol("g_sel") * _v, "A", "current"),
    ),
    flows=(
        Flow("a", "ni", symbol("v_series") / _rs),
        Flow("ni", "b", symbol("i_sel")),
        Flow("t", None, symbol("rise") / _rth, capacitance=_cth),
        Flow("t", None, -symbol("i_sel") * _v),
    ),
    noises=(
        Noise("a", "ni", 4 * BOLTZMANN * symbol("ambient") / _rs, "series"),
        Noise("ni", "b", 4 * BOLTZMANN * _t * symbol("g_sel"), "selector"),
    ),
)  # fmt: skip
