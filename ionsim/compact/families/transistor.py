"""A transistor to test memory cells with: smooth from weak to strong inversion, symmetric in its two ends.

The level-1 transistors of circuit simulators are not smooth where the current turns around, which is what a memory cell
makes them do. The current is the forward minus the reverse one, each by the interpolation ln^2(1 + exp(v/2)) of the EKV
model: Enz, Krummenacher and Vittoz, Analog Integr. Circ. Sig. Process. 8, 83 (1995).
"""

import sympy

from ionsim.compact.description import Flow, Model, Node, Parameter, Probe, Quantity, symbol
from ionsim.compact.functions import softplus

_width, _length, _threshold, _gain, _slope, _early = map(symbol, ("w", "l", "vto", "kp", "slope", "lambda_ds"))
_thermal, _leak = symbol("thermal_v"), symbol("g_leak")
_gate, _source, _drain, _across = map(symbol, ("v_gate", "v_source", "v_drain", "v_ds"))
_pinch = (_gate - _threshold) / _slope


def _inversion(end: sympy.Expr) -> sympy.Expr:
    return softplus((symbol("v_pinch") - end) / (2 * _thermal)) ** 2


EKV = Model(
    name="ion_ekv",
    family="transistor",
    summary="n-channel transistor for test circuits, smooth and symmetric in drain and source",
    parameters=(
        Parameter("w", "m", 1e-6, "channel width", "chosen", low=0, open_low=True),
        Parameter("l", "m", 1e-7, "channel length", "chosen", low=0, open_low=True),
        Parameter("vto", "V", 0.5, "threshold voltage", "chosen"),
        Parameter("kp", "A/V^2", 3e-4, "transconductance parameter", "chosen", low=0, open_low=True),
        Parameter("slope", "1", 1.3, "slope factor", "chosen", low=1),
        Parameter("lambda_ds", "1/V", 0.05, "channel-length modulation", "chosen", low=0),
        Parameter("thermal_v", "V", 0.025865, "thermal voltage, kT/q at 300.15 K", "CODATA", low=0, open_low=True),
        Parameter("g_leak", "S", 1e-12, "leakage between drain and source", "chosen", low=0),
    ),
    nodes=(Node("d"), Node("g"), Node("s"), Node("b")),
    probes=(
        Probe("v_gate", "g", "b"),
        Probe("v_source", "s", "b"),
        Probe("v_drain", "d", "b"),
        Probe("v_ds", "d", "s"),
    ),
    quantities=(
        Quantity("v_pinch", _pinch, "V", "pinch-off voltage"),
        Quantity(
            "i_drain",
            2
            * _slope
            * _gain
            * _width
            / _length
            * _thermal**2
            * (_inversion(_source) - _inversion(_drain))
            # sqrt(v^2 + 1e-6 V^2) for |v|: smooth where the current turns around
            * (1 + _early * sympy.sqrt(_across**2 + sympy.Float(1e-6)))
            + _leak * _across,
            "A",
            "drain current",
        ),
    ),
    flows=(Flow("d", "s", symbol("i_drain")),),
)
