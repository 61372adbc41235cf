"""Valence change: oxygen vacancies hop in and out of a thin disc in front of one electrode.

State: x, the density of vacancies in the disc over its largest value, between 0 (high resistance) and 1 (low).

- Rate: dx/dt = 2 nu a/l exp(-Ea/kT) sinh(z e a v/(2 l kT)) w(v, x), the Mott-Gurney hopping current of vacancies of
  charge z over barriers Ea by jumps a in the field v/l of the disc, divided by the disc's thickness. w: window by the
  sign of the drive. Without a field the same jumps level the density out: + nu a/l exp(-E_rest/kT) (x_rest - x), which
  is what heat alone does. Where wanted l grows as the disc empties (``stretch``), and RESET's window is taken to a
  power (``slowing``).
- Filling, where wanted: + nu_fill exp(-E_fill/kT - Q (1/kT_ambient - 1/kT)) (x_full - x). Vacancies come from around by
  diffusion. They shun a disc that is hotter than where they are, by their heat of transport Q (thermodiffusion, as
  exp(Q/kT) at rest): a bake fills the disc, its own heat does not.
- Conduction: i = m g_on v/(1 + alpha (T - T0)) + (1 - m) i_off exp(-phi (1/kT - 1/kT0)) sinh(v/v_off), m = x^q: a
  metallic plug where the disc is full, thermally activated emission through a barrier where it is empty. The plug may
  be activated too as it empties, with phi_plug (1 - x).
- Heat: C dT/dt = i v - (T - T_ambient)/R, and where wanted a share of what the series resistance dissipates
  (``rs_heat``), most of which is the filament above the disc; the terminal t lets neighbours heat each other.
  R = R_on + (1 - m) R_gap/(1 + c (T - T0)): the oxide of the empty disc conducts heat badly, and better when hot. R_gap
  is 0 by default.

SET (v > 0) runs away: current heats, heat moves vacancies, vacancies carry current, until the series resistance takes
the voltage. RESET stops itself: as the plug empties, current and temperature fall.

Jumps and barrier are of the JART VCM v1b set, resistances of the set of Hardtdegen et al., IEEE Trans. Electron Devices
65, 3229 (2018); the conduction is chosen for the ratios and voltages of Ta/HfO2 and Ti/HfO2 cells
(docs/compact-models.md).
"""

import sympy
from scipy import constants
from sympy import Float, exp

from ionsim.compact.description import Flow, Model, Node, Noise, Parameter, Probe, Quantity, State, symbol
from ionsim.compact.functions import clip, maximum, minimum, power, select, sinh_linear, window

#: k/e in V/K and k in J/K, as literals: header files of simulators hold older values.
K_OVER_E = Float(constants.k / constants.e)
BOLTZMANN = Float(constants.k)

#: Temperature rise between which the equations see the node's value, in K: for iterates of Newton's method, not for
#: devices.
RISE_K = (-200, 2000)

_JART = "JART VCM v1b"
_KIM = "Kim, Choi and Lu, ACS Nano 8, 2369 (2014)"
_TED = "Hardtdegen et al., IEEE TED 65, 3229 (2018)"

_NAMES = """
    x_start rs g_on mix alpha i_off v_off phi_off phi_plug nu jump disc stretch charge ea pw slowing ea_rest x_rest
    nu_fill ea_fill x_full soret rs_heat rth rth_gap kappa_rise cth t_ref flicker dx_max
"""
_p = {name: symbol(name) for name in _NAMES.split()}
_v, _rise, _x = symbol("v_cell"), symbol("rise"), symbol("x")
_t, _vt, _held, _mix = symbol("temp"), symbol("v_thermal"), symbol("x_held"), symbol("x_mix")
_v_ref = K_OVER_E * _p["t_ref"]
_jumps = _p["nu"] * _p["jump"] / _p["disc"]
_activated = exp(-_p["phi_off"] * (1 / _vt - 1 / _v_ref))

VCM = Model(
    name="ion_vcm",
    family="vcm",
    summary="valence-change memory cell: vacancy density of a disc, Joule heat, series resistance",
    parameters=(
        Parameter("x_start", "1", 0.01, "state at t = 0", "chosen: a cell after RESET", low=0, high=1),
        Parameter(
            "rs",
            "Ohm",
            1200.0,
            "series resistance of oxide and electrodes",
            _TED,
            low=0,
            open_low=True,
        ),
        Parameter("g_on", "S", 3.3e-4, "conductance of the full disc", "chosen: above rs, for a gradual RESET", low=0),
        Parameter("mix", "1", 1.0, "exponent of the state in the mixture of conductions", "chosen: by area", low=0.5),
        Parameter("alpha", "1/K", 1e-3, "temperature coefficient of the plug", "chosen: a dirty metal", low=0),
        Parameter("i_off", "A", 4e-7, "emission current of the empty disc", "chosen: R_HRS of 1.2 MOhm", low=0),
        Parameter("v_off", "V", 0.5, "voltage scale of the emission", "chosen", low=0, open_low=True),
        Parameter("phi_off", "eV", 0.05, "activation energy of the emission", _KIM, low=0),
        Parameter(
            "phi_plug",
            "eV",
            0.0,
            "activation energy of the plug's conduction where few vacancies are left",
            "chosen: off",
            low=0,
        ),
        Parameter("nu", "1/s", 2e13, "attempt frequency of a jump", _JART, low=0),
        Parameter("jump", "m", 0.25e-9, "jump distance", _JART, low=0, open_low=True),
        Parameter(
            "disc",
            "m",
            0.4e-9,
            "thickness of the disc",
            "chosen: the two layers of oxygen at the electrode",
            low=0,
            open_low=True,
        ),
        Parameter("stretch", "1", 0.0, "by how much of itself the empty disc is thicker", "chosen: off", low=0),
        Parameter("charge", "1", 2.0, "charge of a vacancy in e", _JART, low=0, open_low=True),
        Parameter("ea", "eV", 1.35, "barrier of a jump", _JART, low=0),
        Parameter("pw", "1", 2.0, "exponent of the window", "chosen: gradual in both directions", low=1),
        Parameter(
            "slowing",
            "1",
            1.0,
            "exponent of RESET's window: the last vacancies leave more slowly, as the emptied layer grows",
            "chosen: off",
            low=1,
        ),
        Parameter("ea_rest", "eV", 1.35, "barrier of diffusion without a field", "chosen: as ea", low=0),
        Parameter(
            "x_rest",
            "1",
            0.3,
            "state at which diffusion ends",
            "chosen: between the states, so that baked levels overlap",
            low=0,
            high=1,
        ),
        Parameter("nu_fill", "1/s", 0.0, "rate of filling from around, prefactor", "chosen: off", low=0),
        Parameter("ea_fill", "eV", 1.2, "barrier of that", "chosen: off", low=0),
        Parameter("x_full", "1", 0.6, "state at which it ends", "chosen: off", low=0, high=1),
        Parameter(
            "soret",
            "eV",
            1.2,
            "heat of transport: vacancies do not come into a disc that is hotter than its surroundings",
            "chosen: off",
            low=0,
        ),
        Parameter(
            "rs_heat",
            "1",
            0.0,
            "share of the series resistance's heat that heats the disc",
            "chosen: off",
            low=0,
            high=1,
        ),
        Parameter(
            "rth",
            "K/W",
            2.5e6,
            "thermal resistance to the ambient",
            "chosen: RESET is gradual; " + _TED + " has 1.06e6",
            low=1e-3,
        ),
        Parameter("rth_gap", "K/W", 0.0, "what the empty disc adds to it at t_ref", "chosen: off", low=0),
        Parameter("kappa_rise", "1/K", 0.0, "rise of the empty disc's thermal conductivity", "chosen: off", low=0),
        Parameter(
            "cth",
            "J/K",
            1.6e-16,
            "thermal capacitance",
            "chosen: hemisphere of the filament's radius 30 nm (" + _TED + ") at 2.77 MJ/(m^3 K)",
            low=0,
        ),
        Parameter("t_ref", "K", 300.15, "temperature at which conductances are given", "chosen", low=0, open_low=True),
        Parameter("flicker", "1", 0.0, "noise power of the current over its square, times f", "chosen: off", low=0),
        Parameter("dx_max", "1", 0.02, "largest change of the state in a step", "chosen", low=0, high=1, open_low=True),
    ),
    nodes=(Node("te"), Node("be"), Node("t", "thermal", optional=True), Node("ni", port=False)),
    probes=(Probe("v_series", "te", "ni"), Probe("v_cell", "ni", "be"), Probe("rise", "t")),
    quantities=(
        Quantity("temp", symbol("ambient") + clip(_rise, *RISE_K), "K", "temperature of the disc"),
        Quantity("v_thermal", K_OVER_E * _t, "V", "kT/e", shown=False),
        Quantity("x_held", clip(_x, 0, 1), "1", "state within its bounds", shown=False),
        Quantity("x_mix", power(_held, _p["mix"]), "1", "share of metallic conduction", shown=False),
        Quantity(
            "g_plug",
            _p["g_on"]
            * _mix
            * exp(-_p["phi_plug"] * (1 - _held) * (1 / _vt - 1 / _v_ref))
            / (1 + _p["alpha"] * clip(_t - _p["t_ref"], -200, 5000)),
            "S",
            "conductance of the plug",
        ),
        Quantity(
            "rth_all",
            _p["rth"] + (1 - _mix) * _p["rth_gap"] / (1 + _p["kappa_rise"] * clip(_t - _p["t_ref"], 0, 5000)),
            "K/W",
            "thermal resistance",
            shown=False,
        ),
        Quantity("i_gap", (1 - _mix) * _p["i_off"] * _activated, "A", "prefactor of the emission", shown=False),
        Quantity("i_cell", symbol("g_plug") * _v + symbol("i_gap") * sinh_linear(_v / _p["v_off"]), "A", "current"),
        Quantity("p_cell", symbol("i_cell") * _v, "W", "dissipated power"),
        Quantity(
            "stretched", 1 + _p["stretch"] * (1 - _held), "1", "thickness over that of the full disc", shown=False
        ),
        Quantity(
            "drive",
            _p["charge"] * _p["jump"] / (2 * _p["disc"] * symbol("stretched")) * _v / _vt,
            "1",
            "field over kT",
            shown=False,
        ),
        Quantity("w_plain", window(_v, clip(_x, -1, 2), _p["pw"]), "1", "plain window", shown=False),
        Quantity(
            "w_drive",
            select(
                _v,
                symbol("w_plain"),
                minimum(symbol("w_plain"), 0) + power(maximum(symbol("w_plain"), 0), _p["slowing"]),
            ),
            "1",
            "window",
            shown=False,
        ),
        Quantity(
            "x_drift",
            2 * _jumps / symbol("stretched") * exp(-_p["ea"] / _vt) * sinh_linear(symbol("drive")) * symbol("w_drive"),
            "1/s",
            "dx/dt by the field",
        ),
        Quantity(
            "barred",
            clip(_p["soret"] * (1 / (K_OVER_E * symbol("ambient")) - 1 / _vt), -5, 100),
            "1",
            "what a disc hotter than its surroundings costs a vacancy, over kT",
            shown=False,
        ),
        Quantity(
            "x_fill",
            _p["nu_fill"] * exp(-_p["ea_fill"] / _vt - symbol("barred")) * (_p["x_full"] - _x),
            "1/s",
            "dx/dt by vacancies that come back",
        ),
        Quantity(
            "x_rate",
            symbol("x_drift") + _jumps * exp(-_p["ea_rest"] / _vt) * (_p["x_rest"] - _x) + symbol("x_fill"),
            "1/s",
            "dx/dt",
        ),
    ),
    flows=(
        Flow("te", "ni", symbol("v_series") / _p["rs"]),
        Flow("ni", "be", symbol("i_cell")),
        Flow("t", None, _rise / symbol("rth_all"), capacitance=_p["cth"]),
        Flow("t", None, -symbol("p_cell") - _p["rs_heat"] * symbol("v_series") ** 2 / _p["rs"]),
    ),
    states=(
        State("x", _p["x_start"], symbol("x_rate"), "vacancy density of the disc over its largest", low=0, high=1),
    ),
    noises=(
        Noise("te", "ni", 4 * BOLTZMANN * symbol("ambient") / _p["rs"], "series"),
        Noise("ni", "be", 4 * BOLTZMANN * _t * (symbol("g_plug") + symbol("i_gap") / _p["v_off"]), "cell"),
        Noise("ni", "be", _p["flicker"] * symbol("i_cell") ** 2, "flicker", exponent=sympy.Integer(1)),
    ),
    largest_change=_p["dx_max"],
)
