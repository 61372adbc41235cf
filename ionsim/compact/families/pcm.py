"""Phase change: a glassy dome over a heater melts, freezes, crystallises, and switches by its own heat.

States: x, the radius of what is not crystalline (melt or glass) over the largest one; age, the energy by which the
barriers of relaxation of the glass have risen, which grows with the logarithm of the time since the last quench.

- Growth: dr/dt = -u(T) (1 + N)^(1/3), with u(T) of the same law as the physics (ionsim.materials.crystallisation:
  viscosity of the liquid, jumps across the front; Y. Wang et al., arXiv:2107.02035). u is negative above the melting
  point, where ``melt`` counts the grain boundaries from which a crystal melts besides its front. N: nuclei that are
  born in the dome while a front crosses it; with them the way to the nearest crystal is (1 + N)^(1/3) times shorter.
- Heat: the node t holds what the power would heat a crystalline cell by; around a dome of radius r the conductance to
  the ambient is r_eff (1 + r_eff/b) over that of the heater alone times as large, r_eff = (r^n + r_0^n)^(1/n), r_0 the
  heater, and follows r at once (a ball of 30 nm takes 0.1 ns; the node's own time is that of heater and surroundings,
  since with one capacitance for both a front would overshoot and swing). The node tg holds what the core of the dome
  is hotter than the ambient: than its edge by the power of glass or melt and a share of that of the heater, over a
  conductance to which carriers add (Wiedemann and Franz). Its heat capacity goes with a power of the radius, so that a
  large dome stays hot for longer (were it a matter of diffusion alone, with the square). The front grows at
  T_edge + h (T_core - T_edge), beside a hot filament.
- Conduction: heater and crystal around the dome, r_s + k_c/r_eff, in series with the glass. The glass covers the
  heater from r_c on; d = w ln(1 + exp((r - r_c)/w)) is its thickness, s = d/(1 + d/l) that of a shell. Its
  conductivity is activated hopping in a field (Poole), sigma exp(-E_a/kT) sinh(y)/y, y = e F a/(2kT) with a lowering
  of E_a at most, F = v/(s f), and turns into that of the melt at the melting point.
- Threshold switching is thermally assisted and has no state of its own (M. Le Gallo and others, J. Appl. Phys. 119,
  025704 (2016)): current heats the core, which conducts better; a series resistance chooses a point of the S.
- Drift: d(age)/dt = nu E_s exp(-age/kT) in the glass, back to ``age_0`` above ``frozen_k``; sigma falls by
  exp(-shift/E_s (age - age_ref)/kT), which is R ~ t^(shift/E_s) (M. Le Gallo and others, Adv. Electron. Mater. 4,
  1700627 (2018)).

What is left out: latent heat (5 uW of 840 uW in a RESET of the calibrated cell), glass beside the path of the current
(a ring that a SET leaves), the scatter of nuclei, thermoelectric heat. Both signs of the voltage do the same.

Geometry, heat and conductances are fitted to runs of ``gst_mushroom``; kinetics are those of its material set.
"""

import math

import sympy
from scipy import constants
from sympy import Float, exp, log, tanh

from ionsim.compact.description import Flow, Model, Node, Noise, Parameter, Probe, Quantity, State, symbol
from ionsim.compact.functions import clip, maximum, minimum, power, sinhc, softplus, window

K_OVER_E = Float(constants.k / constants.e)
BOLTZMANN = Float(constants.k)

#: Lorenz number of free electrons, W Ohm/K2.
LORENZ = Float(constants.pi**2 / 3 * (constants.k / constants.e) ** 2)

#: Values of the thermal nodes between which the equations see them, in K. That of t is the rise of a cell without a
#: dome: a RESET goes up to some thousand.
RISE_K = (-200, 10000)

#: Least temperature of the core, in K: both thermal nodes of an iterate may be far below 0, and at a negative absolute
#: temperature an exponential overflows, after which ngspice goes on with numbers that are none.
LEAST_K = 50.0

#: Temperatures between which kinetics are evaluated, in K: for iterates of Newton's method.
KINETIC_K = (200, 2000)

#: Least, usual and largest temperature of a node in an ngspice subcircuit, in K.
SPREAD_K = (50.0, 300.0, 15000.0)

#: Exponents between which a share goes from 1 to 0.
EXPONENT = (-80, 80)

#: What keeps the glass of a crystalline cell from having no thickness at all, in m: a thousandth of an Ohm.
LEAST_M = 1e-14

#: Least undercooling over the melting point at which nuclei are counted: their barrier is far above kT there.
LEAST_UNDERCOOLING = 0.01

_WANG = "arXiv:2107.02035"
_SET = "set GST-225 of ionsim"
_FIT = "fitted: runs of gst_mushroom"

_NAMES = """
    x_start age_start r_max rs k_c r_heater corner r_cover w_cover l_shell rho_g f_field l_field
    c_cover n_cover e_a e_low hop s_liquid width_m t_ref age_ref nu_relax e_relax shift age_0 tau_young width_f
    g_th b_th c_th cap_t cap_g n_core r_core share wf mix_front melt nuclei pw
    t_melt t_glass frag eta_hot t_frozen e_frozen latent v_mono jump gamma_i wetting flicker dx_max
"""
_p = {name: symbol(name) for name in _NAMES.split()}
_v, _rise_t, _rise_g = symbol("v_glass"), symbol("rise_t"), symbol("rise_g")
_x, _age, _ambient = symbol("x"), symbol("age"), symbol("ambient")


def _q(name: str) -> sympy.Symbol:
    return symbol(name)


_rc_n = power(_q("radius"), _p["corner"]) + power(_p["r_heater"], _p["corner"])
_shell0 = _q("depth") / (1 + _q("depth") / _p["l_shell"])
_ln_young = (
    -_p["e_a"] * (1 / _q("vt_core") - 1 / (K_OVER_E * _p["t_ref"]))
    - _p["shift"] / _p["e_relax"] * (_q("age_held") - _p["age_ref"]) / _q("vt_core")
)
_lowering = _p["e_low"] * tanh(_p["hop"] / 2 * _v / (_q("shell") * _p["f_field"] + _p["l_field"]) / _p["e_low"])
# logistic functions keep their digits where they are small, which 1 + tanh does not
_molten = 1 / (1 + exp(clip(2 * (_p["t_melt"] - _q("temp_core")) / _p["width_m"], *EXPONENT)))
_fluid = 1 / (1 + exp(clip(2 * (_p["t_frozen"] - _q("temp_core")) / _p["width_f"], *EXPONENT)))

_melting = 1 / (1 + exp(clip(2 * (_p["t_melt"] - _q("temp_front")) / _p["width_m"], *EXPONENT)))

# viscosity: MYEGA above t_frozen, an Arrhenius law below (J. Mauro et al., PNAS 106, 19780 (2009))
_span = 12 - log(_p["eta_hot"]) / math.log(10)
_cooled = _p["t_glass"] / maximum(_q("temp_front"), _p["t_frozen"])
_liquid = log(_p["eta_hot"]) + math.log(10) * _span * _cooled * exp((_p["frag"] / _span - 1) * (_cooled - 1))
_ln_eta = _liquid + _p["e_frozen"] / K_OVER_E * (1 / minimum(_q("temp_front"), _p["t_frozen"]) - 1 / _p["t_frozen"])
_kt_front = BOLTZMANN * _q("temp_front")


def _drive_over_kt(cooling: sympy.Expr) -> sympy.Expr:
    """Energy that a formula unit gains (C. Thompson and F. Spaepen, Acta Met. 27, 1855 (1979)) over kT."""
    return _p["v_mono"] * _p["latent"] / BOLTZMANN * cooling * 2 / (_p["t_melt"] + _q("temp_front"))


# everything over kT and lengths of units: ngspice adds 1e-32 to what it divides by
_unit = power(_p["v_mono"], Float(1 / 3))
_surface = _p["wetting"] * power(_p["gamma_i"] * _unit * _unit / _kt_front, 3) * (math.pi / 3)
_critical = 32 * _surface / power(_q("drive_cold"), 3)
_zeldovich = sympy.sqrt(_q("drive_cold") / (6 * math.pi * _critical))
_nuclei = (
    power(_critical, Float(2 / 3)) * _zeldovich * exp(-16 * _surface / power(_q("drive_cold"), 2))
    / (1 - exp(-_q("drive_cold"))) * (2 * math.pi / 3) * _q("radius") / _p["jump"] * power(_q("radius") / _unit, 3)
)  # fmt: skip


def _positive(name: str, unit: str, default: float, meaning: str, source: str) -> Parameter:
    return Parameter(name, unit, default, meaning, source, low=0, open_low=True)


PCM = Model(
    name="ion_pcm",
    family="pcm",
    summary="phase-change memory cell: glassy dome over a heater, melting, growth, threshold switching, drift",
    parameters=(
        Parameter("x_start", "1", 0.01, "radius of the dome over r_max at t = 0", "chosen: a crystalline cell",
                  low=0, high=1),
        Parameter("age_start", "eV", 0.897, "age at t = 0", "a second at 300 K", low=0, high=5),
        _positive("r_max", "m", 50e-9, "largest radius of the dome", "chosen: the film is 60 nm thick"),
        _positive("rs", "Ohm", 367, "resistance of heater and contacts", _FIT),
        _positive("k_c", "Ohm m", 6.37e-6, "resistance of the crystal around the dome times its radius",
                  "resistivity over 2 pi, " + _SET),
        _positive("r_heater", "m", 9.28e-09, "radius below which the heater's size counts, not the dome's", _FIT),
        _positive("corner", "1", 6.5, "sharpness of that transition", _FIT),
        _positive("r_cover", "m", 1.9e-08, "radius from which the dome covers the heater", _FIT),
        _positive("w_cover", "m", 8.19e-10, "length over which the cover closes", _FIT),
        _positive("l_shell", "m", 9.31e-09, "thickness at which a shell has half its largest resistance", _FIT),
        _positive("rho_g", "Ohm/m", 9.36e+14, "resistance of the glass per thickness at t_ref, age_ref, low field",
                  _FIT),
        _positive("f_field", "1", 2.44, "length over which the voltage drops, over the thickness of the shell", _FIT),
        _positive("l_field", "m", 1e-9, "least of that length", "chosen: a hop or less"),
        Parameter("c_cover", "1", 0.45, "constriction by glass over part of the heater, over the crystal's resistance",
                  _FIT, low=0),
        _positive("n_cover", "1", 2, "its exponent in the radius", _FIT),
        Parameter("e_a", "eV", 0.36, "activation energy of the glass", _SET, low=0.01, high=2),
        _positive("e_low", "eV", 0.117, "largest lowering of the barrier by the mean field", _FIT),
        Parameter("hop", "m", 3.6e-9, "distance of hops", _SET, low=0),
        _positive("s_liquid", "1", 1.6e5, "conductivity of the melt over that of the glass",
                  "3.2e5 over 2 S/m, " + _SET),
        _positive("width_m", "K", 10.0, "half width of the melting point in the conductivity", "chosen: as ionsim"),
        _positive("t_ref", "K", 300.0, "temperature at which rho_g holds", "convention"),
        Parameter("age_ref", "eV", 0.897, "age at which rho_g holds", "a second at 300 K", low=0),
        _positive("nu_relax", "1/s", 1e13, "attempt frequency of relaxation", _SET),
        _positive("e_relax", "eV", 3.0, "largest barrier of relaxation", _SET),
        Parameter("shift", "eV", 0.3, "rise of e_a over a full relaxation", _SET, low=0),
        Parameter("age_0", "eV", 0.36, "age of the glass as quenched", "a nanosecond at 300 K: edges take that long",
                  low=0),
        _positive("tau_young", "s", 1e-9, "time in which the liquid forgets its age", "chosen: as fast as edges"),
        _positive("width_f", "K", 10.0, "half width of the transition at t_frozen", "chosen: as width_m"),
        _positive("g_th", "W/K", 2.15e-07, "thermal conductance of a crystalline cell at small rise", _FIT),
        _positive("b_th", "m", 1.01e-07, "radius at which heat flows off twice as well as from a ball", _FIT),
        Parameter("c_th", "1/K", 0.000642, "rise of thermal conductance with the rise of temperature", _FIT, low=0),
        Parameter("cap_t", "J/K", 2.7e-16, "heat capacity of heater and surroundings", _FIT, low=0),
        Parameter("cap_g", "J/K", 2.53e-17, "heat capacity of the core of the glass", _FIT, low=0),
        _positive("n_core", "1", 1.68, "exponent of that heat capacity in the radius", _FIT),
        _positive("r_core", "K/W", 5.46e+06, "thermal resistance from the core of the glass to its edge", _FIT),
        Parameter("share", "1", 0.0383, "share of the heat of heater and crystal that goes through the core", _FIT,
                  low=0, high=1),
        Parameter("wf", "1", 3.66, "share of the carriers' heat conduction between core and edge", _FIT, low=0),
        Parameter("mix_front", "1", 0.519, "share of the core's temperature that the front sees", _FIT, low=0, high=1),
        _positive("melt", "1", 7.45, "speed of melting over that of a front", _FIT),
        Parameter("nuclei", "1", 9.84, "factor of the rate of nucleation", _FIT, low=0),
        Parameter("pw", "1", 20.0, "exponent of the window", "chosen: within 1/20 of a bound", low=1),
        _positive("t_melt", "K", 900.0, "melting point", _WANG),
        _positive("t_glass", "K", 472.0, "temperature at which the viscosity is 1e12 Pa s", _WANG),
        _positive("frag", "1", 140.0, "fragility of the liquid", _WANG),
        _positive("eta_hot", "Pa s", 0.012, "viscosity of the hot liquid", _WANG),
        _positive("t_frozen", "K", 534.0, "kinetic glass transition", _WANG),
        Parameter("e_frozen", "eV", 2.45, "activation energy of the viscosity below it", _WANG, low=0),
        _positive("latent", "J/m^3", 625e6, "heat of fusion", _WANG),
        _positive("v_mono", "m^3", 2.9e-28, "volume of a formula unit", _WANG),
        _positive("jump", "m", 0.299e-9, "distance of a jump at the front", _WANG),
        _positive("gamma_i", "J/m^2", 0.06, "energy of the interface of crystal and liquid", _WANG),
        Parameter("wetting", "1", 0.9157, "share of the barrier of nucleation left on a wall", _WANG + ": 130 degrees",
                  low=0, high=1),
        Parameter("flicker", "1", 0.0, "noise power of the current over its square, times f", "chosen: off", low=0),
        Parameter("dx_max", "1", 0.02, "largest change of a state in a step", "chosen", low=0, high=1, open_low=True),
    ),
    nodes=(
        Node("te"), Node("be"), Node("t", "thermal", optional=True), Node("ni", port=False),
        Node("tg", "thermal", port=False),
    ),
    probes=(
        Probe("v_series", "te", "ni"), Probe("v_glass", "ni", "be"), Probe("rise_t", "t"), Probe("rise_g", "tg"),
    ),
    quantities=(
        Quantity("radius", _p["r_max"] * clip(_x, 0, 1), "m", "radius of the dome"),
        Quantity("r_eff", power(_rc_n, 1 / _p["corner"]), "m", "radius that counts for heat and current", shown=False),
        Quantity("rise_linear", clip(_rise_t, *RISE_K) * _p["r_heater"] * (1 + _p["r_heater"] / _p["b_th"])
                 / (_q("r_eff") * (1 + _q("r_eff") / _p["b_th"])), "K", "rise of the edge at g_th", shown=False),
        # p = g rise (1 + c rise), solved for the rise
        Quantity("temp_edge", _ambient + 2 * _q("rise_linear")
                 / (1 + sympy.sqrt(1 + 4 * _p["c_th"] * maximum(_q("rise_linear"), 0))), "K",
                 "temperature at the edge of the dome", spread=SPREAD_K),
        Quantity("temp_core", maximum(_ambient + clip(_rise_g, *RISE_K), Float(LEAST_K)), "K",
                 "temperature of the core of the dome",
                 spread=SPREAD_K),
        Quantity("temp_front", clip(_q("temp_edge") + _p["mix_front"] * (_q("temp_core") - _q("temp_edge")),
                                    *KINETIC_K), "K", "temperature at which the front moves",
                 spread=(KINETIC_K[0], 300.0, KINETIC_K[1])),
        Quantity("vt_core", K_OVER_E * _q("temp_core"), "V", "kT/e of the core", shown=False),
        Quantity("age_held", clip(_age, _p["age_0"], 5), "eV", "age of what has been quenched", shown=False),
        Quantity("depth", _p["w_cover"] * softplus((_q("radius") - _p["r_cover"]) / _p["w_cover"]), "m",
                 "thickness of the glass above the heater"),
        Quantity("shell", _shell0 + LEAST_M, "m", "thickness that counts for the resistance", shown=False),
        Quantity("lowering", _lowering, "eV", "lowering of the barrier by the field", shown=False),
        Quantity("molten", _molten, "1", "share of the core that conducts as melt", shown=False),
        Quantity("covered", _p["c_cover"] * power(minimum(_q("radius") / _p["r_cover"], 1), _p["n_cover"])
                 * (1 - _q("molten")), "1", "constriction of the current by the glass", shown=False),
        Quantity("r_series", _p["rs"] + _p["k_c"] / _q("r_eff") * (1 + _q("covered")), "Ohm",
                 "resistance of heater and crystal"),
        Quantity("ln_glass", _ln_young + log(sinhc(_q("lowering") / _q("vt_core"))), "1",
                 "logarithm of the glass's conductivity over that at t_ref", shown=False),
        Quantity("g_glass", exp((1 - _q("molten")) * _q("ln_glass") + _q("molten") * log(_p["s_liquid"]))
                 / (_p["rho_g"] * _q("shell")), "S", "conductance of the glass or melt"),
        Quantity("i_glass", _q("g_glass") * _v, "A", "current"),
        Quantity("p_series", symbol("v_series") ** 2 / _q("r_series"), "W", "heat of heater and crystal"),
        Quantity("p_glass", _q("i_glass") * _v, "W", "heat of the glass"),
        Quantity("g_core", 1 / _p["r_core"] + _p["wf"] * LORENZ * _q("temp_core") * _q("g_glass"), "W/K",
                 "thermal conductance of the core", shown=False),
        Quantity("pace", power(_p["r_cover"] / _q("r_eff"), _p["n_core"]), "1",
                 "heat capacity of the core of a dome that just covers the heater over that of this one", shown=False),
        Quantity("cooling", (_p["t_melt"] - _q("temp_front")) / _p["t_melt"], "1", "undercooling", shown=False),
        Quantity("speed", 4 * _kt_front / (3 * math.pi * _p["jump"] ** 2) * exp(-_ln_eta)
                 * (1 - exp(-_drive_over_kt(_q("cooling")))), "m/s", "growth velocity of a plane front"),
        Quantity("drive_cold", _drive_over_kt(maximum(_q("cooling"), Float(LEAST_UNDERCOOLING))), "1",
                 "drive of nuclei over kT", shown=False),
        Quantity("n_nuclei", _p["nuclei"] * _nuclei, "1", "nuclei born while a front crosses the dome"),
        # both factors change over some kelvin: a kink would sit where the front of a melt comes to rest
        Quantity("r_rate", -_q("speed") * (power(1 + _q("n_nuclei"), Float(1 / 3)) + (_p["melt"] - 1) * _melting),
                 "m/s", "speed of the dome's edge", shown=False),
        Quantity("x_rate", _q("r_rate") / _p["r_max"] * window(_q("r_rate"), clip(_x, -1, 2), _p["pw"]), "1/s",
                 "dx/dt"),
        Quantity("fluid", _fluid, "1", "0 in the glass, 1 in the liquid", shown=False),
        Quantity("age_rate", (1 - _q("fluid")) * _p["nu_relax"] * _p["e_relax"] * exp(-_q("age_held") / _q("vt_core"))
                 + _q("fluid") * (_p["age_0"] - _age) / _p["tau_young"], "eV/s", "d(age)/dt"),
    ),
    flows=(
        Flow("te", "ni", symbol("v_series") / _q("r_series")),
        Flow("ni", "be", _q("i_glass")),
        Flow("t", None, _rise_t * _p["g_th"], capacitance=_p["cap_t"]),
        Flow("t", None, -_q("p_series") - _q("p_glass")),
        # over the ratio of the heat capacities of this dome and of the one that just covers the heater
        Flow("tg", None, _q("pace") * (_rise_g + _ambient - _q("temp_edge")) * _q("g_core")),
        Flow("tg", None, -_q("pace") * (_q("p_glass") + _p["share"] * _q("p_series")), capacitance=_p["cap_g"]),
    ),
    states=(
        State("x", _p["x_start"], _q("x_rate"), "radius of the dome over its largest", low=0, high=1),
        State("age", _p["age_start"], _q("age_rate"), "age of the glass", unit="eV", low=0.3, high=3),
    ),
    noises=(
        Noise("te", "ni", 4 * BOLTZMANN * _q("temp_edge") / _q("r_series"), "series"),
        Noise("ni", "be", 4 * BOLTZMANN * _q("temp_core") * _q("g_glass"), "glass"),
        Noise("ni", "be", _p["flicker"] * _q("i_glass") ** 2, "flicker", exponent=sympy.Integer(1)),
    ),
    largest_change=_p["dx_max"],
)  # fmt: skip
