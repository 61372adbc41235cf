"""ECRAM: a gate drives ions through an electrolyte into a channel, whose conductance is the weight.

The equations of docs/ecram-model.md, lumped. Charges and voltages of the gate's path, in series:

- u_gate, u_glass, u_layer: electric potential over the compact layer at the gate, the electrolyte, the compact layer
  at the channel. C du/dt = i_gate - (current of ions through it). i_gate is what the terminal brings; it comes along
  the channel, from both ends, and loses 1/(k_line G) on its way (a line fed at both ends: 12), and
  through the channel's surface layer, whose electrons go with its ions: emptied, it insulates (k_depth).
- Electrolyte: i_glass = g v_hop sinh(w/v_hop), hops helped by the field, w the difference of electrochemical potential
  between its ends. There ions pile up or are missing within the Debye length: the charge q that the layers bind there
  adds kT/e b to the potential of ions, b = q/(q_end c_rest (1-c_rest)), and the filled share of sites is c with
  ln(c/(1-c)) = b + ln(c_rest/(1-c_rest)). For small q that is a layer of q_end; it goes on without a limit.
- Interfaces, Butler-Volmer: i = i0 [exp(alpha A/kT) - exp(-(1-alpha) A/kT)]. At the channel A goes with u_layer, c
  and the open-circuit voltage v_half + kT/e ln(x/(1-x)) + omega (1-2x) at the share x of filled sites at the surface,
  and i0 with (c (1-x))^(1-alpha) x^alpha: insertion is proportional to 1 - x, the way back to x, so that x keeps its
  bounds.
  Beyond exp(a_max) the rate levels off, as it does where a reorganisation energy is exceeded.

Channel: shares x_0 (surface) ... x_3 of filled sites in four layers that grow in thickness, between which ions diffuse
down their chemical potential: flow = D(x) [P(x_i) - P(x_j)] / distance, P = -ln(1-x) - omega x^2/kT, D falling
exponentially. What a pulse puts into the surface spreads within microseconds to milliseconds: the slow volatile part.
The fast one is the field effect of the charge of the layer.

Conduction: G = m [q_sites sum(h_i x_i b(x_i)) + fe c_layer u_layer b(x_0)], b = exp(-E(x)/kT), E falling from hop_ev to
0 at the insulator-metal transition x_crit. The read current G v_ds does not touch the ions, so v_ds is to be small.

Retention: a gate that is held lets ions go in or out by the reaction until the open-circuit voltage is that of the
gate; an open gate loses by the electronic leak g_leak alone.

At the start the gate is at v_start (0 V) and carries no current: that is where all deviations are zero. Defaults are
the numbers of the example psg_wo3_pulse_train (100 x 50 nm, 10 nm of glass, 20 nm of WO3), whose sources are in
ionsim/materials/ecram_sets.toml.
"""

import sympy
from scipy import constants
from sympy import Expr, Float, Integer, exp, log

from ionsim.compact.description import Flow, Model, Node, Noise, Parameter, Probe, Quantity, State, symbol
from ionsim.compact.families.vcm import BOLTZMANN, K_OVER_E, RISE_K
from ionsim.compact.functions import clip, exp_linear, maximum, minimum, sinh_linear, softplus

#: Pace of voltages, which follow the gate within picoseconds.
PACE = 1e-6

#: Layers of the channel, from the surface to the back.
LAYERS = 4

_SET = "ecram_sets.toml"
_AREA_M2 = 100e-9 * 50e-9

_NAMES = """
    x_start v_start r_gate c_gate c_glass c_layer i0_gate i0_layer alpha g_glass v_hop ea_glass ea_gate ea_layer a_max
    q_sites q_end c_rest v_half omega share_0 share_1 share_2 d_rate d_fall dense_at ea_diff m_ch hop_ev x_crit x_width
    fe k_line k_depth g_off g_leak ea_leak c_over rth cth t_ref flicker
"""
_p = {name: symbol(name) for name in _NAMES.split()}
_vt, _temp = symbol("v_thermal"), symbol("temp")
_u_gate, _u_glass, _u_layer = symbol("u_gate"), symbol("u_glass"), symbol("u_layer")
_x = [symbol(f"x_{k}") for k in range(LAYERS)]
_q = {name: symbol(name) for name in ("b_in", "b_out", "g_channel", "i_gate", "i_rg", "i_glass", "i_ion", "r_line")}
_shares = [_p["share_0"], _p["share_1"], _p["share_2"], 1 - _p["share_0"] - _p["share_1"] - _p["share_2"]]
_odds_rest = (1 - _p["c_rest"]) / _p["c_rest"]
_room = _p["q_end"] * _p["c_rest"] * (1 - _p["c_rest"])


def _arrhenius(ea: str) -> Expr:
    """Factor of a rate that is given at t_ref."""
    return exp(-_p[ea] * (1 / _vt - 1 / (K_OVER_E * _p["t_ref"])))


def _held(x: Expr) -> Expr:
    return clip(x, 0, 1)


def _barrier(x: Expr) -> Expr:
    """exp(-E(x)/kT) of the carriers' hops."""
    return exp(-_p["hop_ev"] / (1 + exp((_held(x) - _p["x_crit"]) / _p["x_width"])) / _vt)


def _spread(x: Expr) -> Expr:
    """P(x), of which the flow of ions is the gradient; it rises with x everywhere."""
    return -log(1 - clip(x, -1, Float(0.9999))) - _p["omega"] / _vt * x * maximum(x, 0)


def _mobility(x: Expr) -> Expr:
    return exp(-_p["d_fall"] * minimum(_held(x), _p["dense_at"]))


def _surface_S() -> Expr:
    """Conductance of a channel whose sites were all filled as those of its surface."""
    least = Float(1e-9)
    return _p["m_ch"] * _p["q_sites"] * maximum(_held(_x[0]), least) * _barrier(_x[0])


def _distance(k: int) -> Expr:
    """Between the middles of layer k and the next; the surface layer's ions sit at the surface."""
    first = _shares[0] if k == 0 else _shares[k] / 2
    return first + _shares[k + 1] / 2


def _flow(k: int) -> Expr:
    """Ions from layer k to the next, in shares of all sites per s."""
    mean = (_mobility(_x[k]) + _mobility(_x[k + 1])) / 2
    return symbol("d_now") * mean * (_spread(_x[k]) - _spread(_x[k + 1])) / _distance(k)


def _energy(x: Expr) -> Expr:
    """Free energy of mixing over kT of a share x of filled sites."""
    return x * log(x) + (1 - x) * log(1 - x)


def _stored() -> Expr:
    """Energy in capacitances, end regions and channel, J."""
    held = [clip(x, Float(1e-12), 1 - Float(1e-12)) for x in _x]
    electric = sum(_p[c] * u**2 / 2 for c, u in (("c_gate", _u_gate), ("c_glass", _u_glass), ("c_layer", _u_layer)))
    ends = sum(_room * _vt * symbol(b) ** 2 / 2 for b in ("b_in", "b_out"))
    channel = sum(
        h * (_vt * _energy(x) + _p["omega"] * x * (1 - x) + _p["v_half"] * x)
        for h, x in zip(_shares, held, strict=True)
    )
    return electric + ends + _p["q_sites"] * channel + _p["v_half"] * _p["c_layer"] * _u_layer


def _out_of(k: int) -> Expr:
    """Rate of layer k, 1/s."""
    into = symbol("i_ion") / _p["q_sites"] if k == 0 else symbol(f"j_{k - 1}")
    onward = symbol(f"j_{k}") if k < LAYERS - 1 else Integer(0)
    return (into - onward) / _shares[k]


_alpha = _p["alpha"]
# logarithms of both rates over i0 and over the share of sites that takes part: filled ions and free sites in front
_drive = (_u_layer - _p["omega"] * (1 - 2 * _held(_x[0]))) / _vt
_logit = _q["b_out"] - log(_odds_rest)
_norm = (1 - _alpha) * log(_p["c_rest"] / 2) - _alpha * log(Integer(2))
_forth = _alpha * (_drive + softplus(_logit) + log(_odds_rest)) - softplus(-_logit) - _norm
_back = -(1 - _alpha) * (_drive + softplus(_logit) + log(_odds_rest)) - _norm



def _positive(name: str, unit: str, default: float, meaning: str, source: str) -> Parameter:
    return Parameter(name, unit, default, meaning, source, low=0, open_low=True)


def _at_least_0(name: str, unit: str, default: float, meaning: str, source: str) -> Parameter:
    return Parameter(name, unit, default, meaning, source, low=0)


# fmt: off
ECRAM = Model(
    name="ion_ecram",
    family="ecram",
    summary="ECRAM: gate, drain, source; ions between a reservoir and a channel of four layers",
    parameters=(
        Parameter("x_start", "1", 0.15, "filled share of the channel's sites at t = 0", "chosen: mid-range", low=0,
                  high=1),
        Parameter("v_start", "V", 0.0, "gate voltage until t = 0, reached without ions in or out of the channel",
                  "chosen: a circuit at rest"),
        _positive("r_gate", "Ohm", 1e4, "resistance of the gate's wire and contact", "chosen"),
        _positive("c_gate", "F", 0.07 * _AREA_M2, "capacitance of the compact layer at the gate", _SET + ": PdHx/PSG"),
        _positive("c_glass", "F", 4 * constants.epsilon_0 * _AREA_M2 / 10e-9, "capacitance of the electrolyte",
                  _SET + ": PSG, 10 nm"),
        _positive("c_layer", "F", 0.04 * _AREA_M2, "capacitance of the compact layer at the channel",
                  _SET + ": PSG/WO3"),
        _at_least_0("i0_gate", "A", 1e3 * _AREA_M2, "exchange current at the gate", _SET + ": PdHx/PSG"),
        _at_least_0("i0_layer", "A", 1e-5 * _AREA_M2, "exchange current at the channel, half of the sites filled",
                    _SET + ": PSG/WO3"),
        Parameter("alpha", "1", 0.5, "transfer coefficient at the channel", "convention", low=0.05, high=0.95),
        _positive("g_glass", "S", 1e-3 * _AREA_M2 / 10e-9, "conductance of the electrolyte at low field",
                  _SET + ": PSG, 10 nm"),
        _positive("v_hop", "V", 2 * 0.025852 * 10 / 0.35, "voltage over the electrolyte at which the field helps hops",
                  _SET + ": PSG, 2 kT/e times 10 nm over the jump of 0.35 nm"),
        _at_least_0("ea_glass", "eV", 0.45, "activation energy of ions' hops", _SET + ": PSG"),
        _at_least_0("ea_gate", "eV", 0.35, "activation energy of i0_gate", _SET + ": PdHx/PSG"),
        _at_least_0("ea_layer", "eV", 0.3, "activation energy of i0_layer", _SET + ": PSG/WO3"),
        Parameter("a_max", "1", 36.0, "exponent from which the rate at the channel levels off",
                  "chosen: 1e4 times the currents of pulses, and below what an empty surface takes to be resolved",
                  low=1, high=75),
        _positive("q_sites", "C", constants.e * 1.86e28 * _AREA_M2 * 20e-9, "charge of all sites of the channel",
                  _SET + ": WO3, 20 nm"),
        _positive("q_end", "C", constants.e * 4e27 * _AREA_M2 * 0.2e-9,
                  "charge of all sites of an end region of the electrolyte",
                  _SET + ": PSG; 0.2 nm, half of a W-W distance"),
        Parameter("c_rest", "1", 0.5, "filled share of the electrolyte's sites at rest", _SET + ": PSG", low=0.01,
                  high=0.99),
        Parameter("v_half", "V", 0.031, "open-circuit voltage of the gate at x = 1/2", _SET + ": PdHx less WO3"),
        Parameter("omega", "eV", -0.265, "interaction of ions in the channel; below 0 they repel each other",
                  _SET + ": WO3", low=-5, high=0),
        Parameter("share_0", "1", 0.01, "thickness of the surface layer over the channel's",
                  "0.2 nm, half of a W-W distance, of 20 nm", low=0, high=0.25, open_low=True),
        Parameter("share_1", "1", 0.03, "thickness of the second layer over the channel's", "chosen: 3 times the first",
                  low=0, high=0.25, open_low=True),
        Parameter("share_2", "1", 0.12, "thickness of the third layer over the channel's", "chosen: 4 times the second",
                  low=0, high=0.25, open_low=True),
        _at_least_0("d_rate", "1/s", 1e-13 / 20e-9**2, "diffusivity of few ions over the channel's thickness squared",
                    _SET + ": WO3, 20 nm"),
        Parameter("d_fall", "1", 6.214608 / 0.3, "fall of ln D with x", _SET + ": WO3, 500 times to x = 0.3", low=0,
                  high=100),
        Parameter("dense_at", "1", 0.3, "share of sites from which D is constant", _SET + ": WO3", low=0, high=1),
        _at_least_0("ea_diff", "eV", 0.35, "activation energy of diffusion in the channel", _SET + ": WO3"),
        _at_least_0("m_ch", "1/(V s)", 1.9e-6 / 100e-9**2, "mobility of carriers over the channel's length squared",
                    _SET + ": WO3, 100 nm"),
        Parameter("hop_ev", "eV", 0.1, "barrier of the carriers' hops where they are few", _SET + ": WO3", low=0,
                  high=2),
        Parameter("x_crit", "1", 0.32, "share at which half of that barrier is gone", _SET + ": WO3", low=0, high=1),
        Parameter("x_width", "1", 0.02, "width of that transition", _SET + ": WO3", low=0.005, high=1),
        _at_least_0("fe", "1", 1.0, "mobility of field-effect carriers over that of the others", "chosen: the same"),
        _positive("k_line", "1", 12.0, "conductance for the gate's current over the channel's conductance",
                  "a uniform line fed at both ends"),
        _at_least_0("k_depth", "1", (20 / 100) ** 2, "square of the channel's thickness over its length",
                    "20 nm, 100 nm: electrons come to the interface through the surface layer"),
        _positive("g_off", "S", 1e-13, "conductance of the empty channel", "chosen: far below the range"),
        _at_least_0("g_leak", "S", 1e-21, "electronic leak from gate to channel",
                    "chosen: 1e4 s for one electron at 1 V"),
        _at_least_0("ea_leak", "eV", 0.5, "activation energy of the leak", "chosen"),
        _at_least_0("c_over", "F", 1e-18, "capacitance of the gate to each of drain and source",
                    "chosen: 5 nm of overlap"),
        Parameter("rth", "K/W", 1e6, "thermal resistance to the ambient", "chosen: a small device on oxide", low=1e-3),
        _at_least_0("cth", "J/K", 3e-16, "thermal capacitance", "chosen: its volume at 2 MJ/(m^3 K)"),
        _positive("t_ref", "K", 300.0, "temperature at which currents and conductances are given", _SET),
        _at_least_0("flicker", "1", 0.0, "noise power of the read current over its square, times f", "chosen: off"),
    ),
    nodes=(Node("g"), Node("d"), Node("s"), Node("t", "thermal", optional=True)),
    probes=(Probe("v_gd", "g", "d"), Probe("v_gs", "g", "s"), Probe("v_ds", "d", "s"), Probe("rise", "t")),
    quantities=(
        Quantity("temp", symbol("ambient") + clip(symbol("rise"), *RISE_K), "K", "temperature"),
        Quantity("v_thermal", K_OVER_E * _temp, "V", "kT/e", shown=False),
        Quantity("x_mean", sum(h * x for h, x in zip(_shares, _x, strict=True)), "1", "filled share of all sites"),
        Quantity(
            "g_state",
            _p["m_ch"] * _p["q_sites"] * sum(h * _held(x) * _barrier(x) for h, x in zip(_shares, _x, strict=True))
            + _p["g_off"],
            "S",
            "conductance without field effect",
        ),
        Quantity(
            "g_channel",
            maximum(
                symbol("g_state") + _p["m_ch"] * _p["fe"] * _p["c_layer"] * _u_layer * _barrier(_x[0]),
                symbol("g_state") * Float(1e-3),
            ),
            "S",
            "conductance between drain and source",
        ),
        Quantity("i_channel", symbol("g_channel") * symbol("v_ds"), "A", "current from drain to source"),
        Quantity(
            "r_line",
            _p["r_gate"] + 1 / (_p["k_line"] * symbol("g_channel")) + _p["k_depth"] * _shares[0] / _surface_S(),
            "Ohm",
            "resistance of the gate's way, along the channel and through its surface layer",
            shown=False,
        ),
        Quantity(
            "i_gate",
            ((symbol("v_gd") + symbol("v_gs")) / 2 - _p["v_half"] - _u_gate - _u_glass - _u_layer) / symbol("r_line"),
            "A",
            "current into the gate, without leak and overlap",
        ),
        Quantity(
            "b_in",
            (_p["c_glass"] * _u_glass - _p["c_gate"] * _u_gate) / _room,
            "1",
            "potential over kT of ions in excess at the gate",
            shown=False,
        ),
        Quantity(
            "b_out",
            (_p["c_layer"] * _u_layer - _p["c_glass"] * _u_glass) / _room,
            "1",
            "potential over kT of ions in excess at the channel",
            shown=False,
        ),
        Quantity("forth", _forth, "1", "logarithm of the rate of insertion", shown=False),
        Quantity("back", _back, "1", "logarithm of the rate of the way back", shown=False),
        Quantity("a_gate", _u_gate - _vt * _q["b_in"], "V", "affinity at the gate", shown=False),
        Quantity(
            "i_rg",
            _p["i0_gate"] * _arrhenius("ea_gate") * 2 * sinh_linear(symbol("a_gate") / (2 * _vt)),
            "A",
            "Faradaic current at the gate",
        ),
        Quantity(
            "w_glass",
            _u_glass + _vt * (_q["b_in"] - _q["b_out"]),
            "V",
            "difference of the ions' potential over the electrolyte",
            shown=False,
        ),
        Quantity(
            "i_glass",
            _p["g_glass"]
            * _arrhenius("ea_glass")
            * _p["v_hop"]
            * sinh_linear(symbol("w_glass") * _p["t_ref"] / (_p["v_hop"] * _temp)),
            "A",
            "current of ions through the electrolyte",
        ),
        Quantity(
            "i_ion",
            _p["i0_layer"]
            * _arrhenius("ea_layer")
            * ((1 - clip(_x[0], -1, 2)) * exp_linear(symbol("forth")) - clip(_x[0], -1, 2) * exp_linear(symbol("back")))
            / (1 + exp_linear(symbol("forth") - _p["a_max"]) + exp_linear(symbol("back") - _p["a_max"])),
            "A",
            "Faradaic current into the channel",
        ),
        Quantity(
            "a_layer",
            _u_layer
            + _vt * _q["b_out"]
            - _p["omega"] * (1 - 2 * _held(_x[0]))
            - _vt * log(clip(_x[0], Float(1e-12), 1) / clip(1 - _x[0], Float(1e-12), 1)),
            "V",
            "affinity at the channel",
            shown=False,
        ),
        Quantity(
            "v_open",
            _p["v_half"] + _u_layer - symbol("a_layer") + _vt * _q["b_out"],
            "V",
            "open-circuit voltage of the gate at the surface's state",
        ),
        Quantity(
            "d_now", _p["d_rate"] * _arrhenius("ea_diff"), "1/s", "diffusivity over thickness squared", shown=False
        ),
        *(
            Quantity(f"j_{k}", _flow(k), "1/s", f"ions from layer {k} to {k + 1}", shown=False)
            for k in range(LAYERS - 1)
        ),
        Quantity("g_lost", _p["g_leak"] * _arrhenius("ea_leak"), "S", "leak", shown=False),
        Quantity(
            "p_cell",
            symbol("i_gate") ** 2 * symbol("r_line")
            + symbol("i_rg") * symbol("a_gate")
            + symbol("i_glass") * symbol("w_glass")
            + symbol("i_ion") * symbol("a_layer")
            + symbol("i_channel") * symbol("v_ds")
            + symbol("g_lost") / 2 * (symbol("v_gd") ** 2 + symbol("v_gs") ** 2),
            "W",
            "heat of currents and reactions",
        ),
    ),
    flows=(
        Flow("g", "d", symbol("i_gate") / 2 + symbol("g_lost") / 2 * symbol("v_gd"), capacitance=_p["c_over"]),
        Flow("g", "s", symbol("i_gate") / 2 + symbol("g_lost") / 2 * symbol("v_gs"), capacitance=_p["c_over"]),
        Flow("d", "s", symbol("i_channel")),
        Flow("t", None, symbol("rise") / _p["rth"], capacitance=_p["cth"]),
        Flow("t", None, -symbol("p_cell")),
    ),
    states=(
        State("x_0", _p["x_start"], _out_of(0), "filled share at the channel's surface", low=0, high=1),
        *(
            State(f"x_{k}", _p["x_start"], _out_of(k), f"filled share in layer {k} of the channel", low=0, high=1)
            for k in range(1, LAYERS)
        ),
        State(
            "u_gate",
            sympy.S.Zero,
            (symbol("i_gate") - symbol("i_rg")) / _p["c_gate"],
            "voltage of the gate's layer",
            "V",
            pace=PACE,
        ),
        State(
            "u_glass",
            sympy.S.Zero,
            (symbol("i_gate") - symbol("i_glass")) / _p["c_glass"],
            "voltage of the electrolyte",
            "V",
            pace=PACE,
        ),
        State(
            "u_layer",
            _p["v_start"] - _p["v_half"],
            (symbol("i_gate") - symbol("i_ion")) / _p["c_layer"],
            "voltage of the channel's layer",
            "V",
            pace=PACE,
        ),
    ),
    noises=(
        Noise("d", "s", 4 * BOLTZMANN * _temp * symbol("g_channel"), "channel"),
        Noise("d", "s", _p["flicker"] * symbol("i_channel") ** 2, "flicker", exponent=Integer(1)),
    ),
    stored=_stored(),
)
