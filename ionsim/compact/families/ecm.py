"""Electrochemical metallisation: a metal filament grows from the inert electrode, and electrons tunnel to its tip.

States, both between 0 and 1: x, the filament's length over the film's thickness L, so that the gap is L (1 - x); and w,
the radius of the tip between one atom (0) and the largest (1).

- Ions pass three steps one after the other: they leave the active electrode, cross what is left of the film, and are
  reduced at the metal. Each flux is an exchange rate times a difference of electrochemical activities, both
  interfaces with the symmetric barriers of Butler and Volmer. With voltages in kT/e, u = u_a + u_f + u_t over the
  three steps and mu the energy of an atom at the tip over kT, the velocity of the front is exactly

      2 sinh((u - mu)/2)/(exp((u_f + u_t - mu)/2)/k_a + exp((u_t - u_a - mu)/2) S(u_f/2)/k_f
                          + exp(-(u_a + u_f)/2)/k),

  S(a) = sinh(a)/a, with k = v0 exp(-E/kT) for each step. Where the last term is the largest, transfer limits (slope
  e/2kT), where the first two are, the supply of ions does. The voltage divides as over three resistances: the
  interfaces count as lengths l_a and l_t of film.
- Three barriers E belong to the last step: a front advances when ions become adatoms on a closed plane (``ea_grow``,
  on as many places as the largest tip has atoms), it retreats when atoms leave edges (``ea_dissolve``), and a plane
  that has begun spreads, or shrinks, at its edges (``ea_edge``). Each holds on its side of balance, where the flux is
  zero. Where no metal is, n atoms have to come together: one more resistance of growth with exp(-n u_t) (slope
  (n + 1/2) e/kT).
- The radius of the tip follows its edges; each new plane, ``hop`` farther, begins as one atom and so narrows it.
- Rest: mu = 2 gamma Omega/(r kT) (Gibbs and Thomson) makes the gap open; surface diffusion thins the tip, as 1/r^3.
- Electrons: G0 n exp(-2 gap/lambda) with n = (r/r_atom)^2 channels, which is Landauer's contact at gap = 0 and
  tunnelling else, with the voltage dependence v_t sinh(v/v_t) of a barrier (Simmons); it ends at the gap ``reach``,
  for physics that cut it off. Beside it the film's leakage; in series the metal, rho L x/(pi r^2), and the
  electrodes.
- Heat: C dT/dt = i v - (T - T_ambient)/R; the terminal t lets neighbours heat each other.

Only electrons carry current at the terminals. The flux of ions is some fA, and with it the open-circuit voltage of
Nernst and diffusion potentials (the "nanobattery") is left out: the model is pinched and passive in the plain sense.
Channels are not whole numbers here.

Butler-Volmer, hopping and nucleation in series: Menzel, Tappertzhofen, Waser and Valov, Phys. Chem. Chem. Phys. 15,
6945 (2013). Length first, then radius: Yu and Wong, IEEE Trans. Electron Devices 58, 1352 (2011). Decay by surface
diffusion: Wang et al., Nat. Commun. 10, 81 (2019).
"""

import sympy
from scipy import constants
from sympy import Float, exp

from ionsim.compact.description import Flow, Model, Node, Noise, Parameter, Probe, Quantity, State, symbol
from ionsim.compact.functions import (
    clip,
    exp_linear,
    magnitude,
    maximum,
    minimum,
    power,
    select,
    sinh_linear,
    sinhc,
    window,
)

#: k/e in V/K, k in J/K and 2e^2/h in S, as literals: header files of simulators hold older values.
K_OVER_E = Float(constants.k / constants.e)
BOLTZMANN = Float(constants.k)
G0 = Float(constants.physical_constants["conductance quantum"][0])

#: Temperature rise between which the equations see the node's value, in K: for iterates of Newton's method.
RISE_K = (-200, 2000)

#: Bounds between which the equations see a state: a little wider than its own, so that they are smooth there.
BEYOND = (-Float("0.05"), Float("1.05"))

#: Where tunnelling ends it does so over this share of a plane's distance.
REACH_SHARE = Float("0.1")

#: Largest argument of the barrier that the tip's curvature adds, over kT: for temperatures that only iterates have.
CURVATURE_LIMIT = 40

_YU = "Yu and Wong, IEEE TED 58, 1352 (2011)"
_MENZEL = "Menzel et al., PCCP 15, 6945 (2013)"
_SUITE = "docs/ecm-model.md"

_NAMES = """
    x_start w_start rs rho film r_atom r_max decay reach v_tunnel g_film v_film phi_film v_attempt ea_active ea_hop
    ea_grow ea_dissolve ea_edge ea_nucleus n_nucleus hop len_active len_tip gamma surface ea_surface pw rth cth t_ref
    flicker dx_max
"""
_p = {name: symbol(name) for name in _NAMES.split()}
_v, _rise, _x, _w = symbol("v_cell"), symbol("rise"), symbol("x"), symbol("w")
_t, _vt, _held, _gap, _radius = symbol("temp"), symbol("v_thermal"), symbol("x_held"), symbol("gap"), symbol("radius")
_u, _ua, _uf, _ut, _mu = (symbol(f"u_{name}") for name in ("all", "active", "film", "tip", "curved"))
_flux, _edge, _whole = symbol("tip_speed"), symbol("edge_speed"), symbol("len_all")
_v_ref = K_OVER_E * _p["t_ref"]

# Ratios of lengths stand in ``power``, which keeps them ratios: ngspice adds 1e-32 to what it divides by.


def _speed(barrier: str) -> sympy.Expr:
    """Exchange rate of a step as a velocity of the tip."""
    return _p["v_attempt"] * exp(-_p[barrier] / _vt)


def _meter(name: str, default: float, meaning: str, source: str, *, zero: bool = False) -> Parameter:
    return Parameter(name, "m", default, meaning, source, low=0, open_low=not zero)


ECM = Model(
    name="ion_ecm",
    family="ecm",
    summary="electrochemical metallisation cell: gap and radius of a filament, tunnelling, heat, series resistance",
    parameters=(
        Parameter("x_start", "1", 0.01, "filament over film at t = 0", "chosen: nearly dissolved", low=0, high=1),
        Parameter("w_start", "1", 0.1, "radius of the tip at t = 0, between the bounds", "chosen", low=0, high=1),
        Parameter("rs", "Ohm", 1000.0, "series resistance", "chosen: leads and a small load", low=0, open_low=True),
        Parameter(
            "rho", "Ohm m", 2e-7, "resistivity of the filament", "chosen: thin silver, some 12 times bulk", low=0,
        ),
        _meter("film", 2e-9, "thickness of the film", "chosen: as ag_gese_kinetics"),
        _meter("r_atom", 0.144e-9, "radius of one channel and of the thinnest tip", "half of silver's bond"),
        _meter("r_max", 0.5e-9, "radius of the thickest tip", "chosen: 12 channels"),
        _meter("decay", 0.39e-9, "decay length of the tunnelling amplitude", _SUITE + ": 2.26 eV and 0.11 m0"),
        _meter("reach", 1e-6, "gap beyond which nothing tunnels", "chosen: none"),
        Parameter(
            "v_tunnel", "V", 0.76, "voltage scale of tunnelling", _SUITE + ": WKB over 2.26 eV and 2 nm at 1.6 and 2 V",
            low=0, open_low=True,
        ),
        Parameter("g_film", "S", 1e-8, "conductance of the film beside the filament", "chosen: a leaky film", low=0),
        Parameter("v_film", "V", 0.5, "voltage scale of the film's conduction", "chosen", low=0, open_low=True),
        Parameter("phi_film", "eV", 0.1, "activation energy of the film's conduction", "chosen", low=0),
        Parameter(
            "v_attempt", "m/s", 2e3, "attempt frequency times a plane's distance",
            "1e13 Hz and 0.2 nm; " + _SUITE, low=0
        ),
        Parameter(
            "ea_active", "eV", 0.25, "barrier at the active electrode, with the ion's energy", "chosen: fast", low=0,
        ),
        Parameter(
            "ea_hop", "eV", 0.2, "barrier of migration, with the ion's energy", "chosen: a fast electrolyte", low=0,
        ),
        Parameter(
            "ea_grow", "eV", 1.06, "barrier of reduction on a closed plane", "chosen: SET at 0.7 V at 1 V/s", low=0,
        ),
        Parameter("ea_dissolve", "eV", 0.9, "barrier of oxidation at an edge", "chosen: sooner than growth", low=0),
        Parameter("ea_edge", "eV", 0.85, "barrier of both at the edge of the tip", "chosen: sooner than planes", low=0),
        Parameter("ea_nucleus", "eV", 1.5, "barrier of the nucleus at no overpotential", "chosen: below 0.6 V", low=0),
        Parameter(
            "n_nucleus", "1", 1.0, "atoms that a nucleus needs beside the last", "chosen; " + _MENZEL, low=0, high=20,
        ),
        _meter("hop", 0.2e-9, "distance of a hop and of two planes", "silver: 0.204 nm"),
        _meter(
            "len_active", 0.2e-9, "film that resists as the active interface does",
            "chosen: large electrode", zero=True,
        ),
        _meter("len_tip", 2e-8, "film that resists as the tip's interface does", "chosen: overpotential at the tip"),
        Parameter(
            "gamma", "eV m", 1e-11, "surface energy times an atom's volume",
            "chosen: 0.1 J/m^2, a clean surface has 1.2",
            low=0,
        ),
        Parameter(
            "surface", "m/s", 1e-10, "thinning of a tip of r_atom by surface diffusion",
            "chosen: 1 s for one atom", low=0
        ),
        Parameter("ea_surface", "eV", 0.5, "barrier of surface diffusion", "chosen: hops of adatoms", low=0),
        Parameter("pw", "1", 4.0, "exponent of the windows", "chosen: bounds are rather hard", low=1),
        Parameter("rth", "K/W", 1e6, "thermal resistance to the ambient", _YU, low=1e-3),
        Parameter("cth", "J/K", 1e-16, "thermal capacitance", "chosen: a sphere of 20 nm at 3 MJ/(m^3 K)", low=0),
        Parameter("t_ref", "K", 300.15, "temperature at which rates at rest are given", "chosen", low=0, open_low=True),
        Parameter("flicker", "1", 0.0, "noise power of the current over its square, times f", "chosen: off", low=0),
        Parameter("dx_max", "1", 0.02, "largest change of a state in a step", "chosen", low=0, high=1, open_low=True),
    ),
    nodes=(Node("te"), Node("be"), Node("t", "thermal", optional=True), Node("ni", port=False)),
    probes=(Probe("v_series", "te", "ni"), Probe("v_cell", "ni", "be"), Probe("rise", "t")),
    quantities=(
        Quantity("temp", symbol("ambient") + clip(_rise, *RISE_K), "K", "temperature of the tip"),
        Quantity("v_thermal", K_OVER_E * _t, "V", "kT/e", shown=False),
        Quantity("x_held", clip(_x, *BEYOND), "1", "length, hardly beyond its bounds", shown=False),
        Quantity("gap", _p["film"] * (1 - _held), "m", "gap between tip and active electrode"),
        Quantity("radius", _p["r_atom"] + (_p["r_max"] - _p["r_atom"]) * clip(_w, *BEYOND), "m", "radius of the tip"),
        Quantity(
            "g_tip",
            G0 * power(_radius / _p["r_atom"], 2) * exp(-2 * _gap / _p["decay"])
            / (1 + exp_linear((_gap - _p["reach"]) / (REACH_SHARE * _p["hop"]))),
            "S", "contact, or tunnelling",
        ),
        Quantity(
            "g_beside", _p["g_film"] * exp(-_p["phi_film"] * (1 / _vt - 1 / _v_ref)), "S", "conductance of the film",
            shown=False,
        ),
        Quantity(
            "i_cell",
            symbol("g_tip") * _p["v_tunnel"] * sinh_linear(_v / _p["v_tunnel"])
            + symbol("g_beside") * _p["v_film"] * sinh_linear(_v / _p["v_film"]),
            "A", "current",
        ),
        Quantity("p_cell", symbol("i_cell") * _v, "W", "dissipated power"),
        Quantity(
            "r_metal",
            _p["rs"] + _p["rho"] * _p["film"] * maximum(_held, 0) / (sympy.Float(sympy.pi) * _radius**2),
            "Ohm", "series resistance with the filament",
        ),
        Quantity("len_all", _p["len_active"] + _gap + _p["len_tip"], "m", "film and interfaces", shown=False),
        Quantity("u_all", _v / _vt, "1", "voltage over kT/e", shown=False),
        Quantity("u_active", _u * _p["len_active"] / _whole, "1", "of it at the active electrode", shown=False),
        Quantity("u_film", _u * _gap / _whole, "1", "of it in the film", shown=False),
        Quantity("u_tip", _u * _p["len_tip"] / _whole, "1", "of it at the tip", shown=False),
        Quantity(
            "u_curved", clip(2 * _p["gamma"] / (_radius * _vt), 0, CURVATURE_LIMIT), "1", "curvature over kT",
            shown=False,
        ),
        Quantity(
            "t_supply",
            exp_linear((_uf + _ut - _mu) / 2) / _speed("ea_active")
            + exp_linear((_ut - _ua - _mu) / 2) * sinhc(_uf / 2) * (1 + _gap / _p["hop"]) / _speed("ea_hop"),
            "s/m", "resistance of the supply of ions", shown=False,
        ),
        Quantity("t_field", exp_linear(-(_ua + _uf) / 2), "1", "what the film takes from transfer", shown=False),
        Quantity(
            "t_front",
            symbol("t_field")
            * select(
                _u - _mu,
                1 / (_speed("ea_grow") * power(_p["r_max"] / _p["r_atom"], 2))
                + power(1 - _held, 16) * exp(-_p["n_nucleus"] * minimum(magnitude(_ut), 60)) / _speed("ea_nucleus"),
                1 / _speed("ea_dissolve"),
            ),
            "s/m", "resistance of transfer and nucleation", shown=False,
        ),
        Quantity("affinity", 2 * sinh_linear((_u - _mu) / 2), "1", "what drives all fluxes", shown=False),
        Quantity(
            "tip_speed", symbol("affinity") / (symbol("t_supply") + symbol("t_front")), "m/s", "velocity of the front"
        ),
        Quantity(
            "edge_speed", symbol("affinity") / (symbol("t_supply") + symbol("t_field") / _speed("ea_edge")), "m/s",
            "velocity of the tip's edges",
        ),
        Quantity("x_rate", _flux / _p["film"] * window(_flux, clip(_x, -1, 2), _p["pw"]), "1/s", "dx/dt"),
        Quantity(
            "w_thin",
            _p["surface"] * power(_p["r_atom"] / _radius, 3) * exp(-_p["ea_surface"] * (1 / _vt - 1 / _v_ref))
            / (_p["r_max"] - _p["r_atom"]),
            "1/s", "thinning by surface diffusion", shown=False,
        ),
        Quantity(
            "w_rate",
            _edge / (_p["r_max"] - _p["r_atom"]) * window(_edge, clip(_w, -1, 2), _p["pw"])
            - maximum(symbol("x_rate"), 0) * _p["film"] / _p["hop"] * _w
            - symbol("w_thin") * (1 - power(maximum(1 - clip(_w, -1, 2), 0), _p["pw"])),
            "1/s", "dw/dt",
        ),
    ),
    flows=(
        Flow("te", "ni", symbol("v_series") / symbol("r_metal")),
        Flow("ni", "be", symbol("i_cell")),
        Flow("t", None, _rise / _p["rth"], capacitance=_p["cth"]),
        Flow("t", None, -symbol("p_cell")),
    ),
    states=(
        State("x", _p["x_start"], symbol("x_rate"), "length of the filament over the film's thickness", low=0, high=1),
        State("w", _p["w_start"], symbol("w_rate"), "radius of the tip between its bounds", low=0, high=1),
    ),
    noises=(
        Noise("te", "ni", 4 * BOLTZMANN * symbol("ambient") / symbol("r_metal"), "series"),
        Noise("ni", "be", 4 * BOLTZMANN * _t * (symbol("g_tip") + symbol("g_beside")), "cell"),
        Noise("ni", "be", _p["flicker"] * symbol("i_cell") ** 2, "flicker", exponent=sympy.Integer(1)),
    ),
    largest_change=_p["dx_max"],
)  # fmt: skip
