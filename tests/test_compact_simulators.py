"""Exported models in the real tools; what is not installed is skipped."""

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest
from circuit_tools import needs_compiler, needs_ngspice, needs_simulator, needs_vacask, passed
from scipy import constants

from ionsim.compact import CompactError, tools, verify, verilog_a
from ionsim.compact.circuits import Instance, Transient, Waveform, run_ngspice, run_vacask, single
from ionsim.compact.circuits.netlist import Circuit
from ionsim.compact.circuits.rawfile import read_raw
from ionsim.compact.families import EKV, THRESHOLD, VARISTOR, VCM
from ionsim.compact.frozen import frozen
from ionsim.compact.numeric import residual
from ionsim.compact.osdi import CompiledModel
from ionsim.compact.reference import Network
from ionsim.compact.verify.equations import draw

TRIAL = verify.TRIALS["vcm"]



@needs_compiler
@pytest.mark.parametrize("model", [VCM, EKV, THRESHOLD, VARISTOR], ids=lambda model: model.name)
def test_compiled_models_are_the_reference(model):
    passed(verify.compiled_records(model))


@needs_compiler
def test_compilation_is_strict(tmp_path):
    source = tmp_path / "bad.va"
    source.write_text(verilog_a(VCM).replace("I(te, ni) <+ v_series/rs;", "I(te, ni) <+ nothing/rs;"))
    with pytest.raises(CompactError, match="does not compile cleanly"):
        tools.compile_model(source)


@needs_compiler
@pytest.mark.skipif(
    importlib.util.find_spec("osdi_py") is None, reason="no osdi-py (wheels for Python 3.11 and 3.12 alone)"
)
def test_osdi_py_reads_the_same(tmp_path):
    """The residual and the Jacobian through osdi-py, against the reference and against our own reader."""
    import osdi_py

    source = tmp_path / "ion_vcm.va"
    source.write_text(verilog_a(VCM))
    path = tools.compile_model(source)
    library = osdi_py.OsdiLibrary(str(path))
    model = library.create_model()
    model.process_params()
    instance = model.create_instance()
    instance.process_params(300.15, library.num_terminals)
    instance.init_node_mapping(list(range(library.num_terminals)))
    flags = osdi_py.CALC_RESIST_RESIDUAL | osdi_py.CALC_REACT_RESIDUAL | osdi_py.CALC_RESIST_JACOBIAN
    flags |= osdi_py.CALC_REACT_JACOBIAN | osdi_py.ANALYSIS_TRAN
    ours, n = CompiledModel(path), library.num_nodes
    entries = [entry for entry in library.get_jacobian_entries() if entry["has_resist"]]
    for point in draw(VCM, 50, seed=3):
        instance.eval(point.tolist(), flags, 1e-6, 0.0)
        theirs = np.array(instance.load_residual_resist([0.0] * n))
        exact = residual(VCM, point, VCM.values())
        assert theirs == pytest.approx(exact.resistive, rel=1e-9)
        jacobian = np.zeros((n, n))
        for entry, value in zip(entries, instance.write_jacobian_array_resist(), strict=True):
            jacobian[entry["col"], entry["row"]] += value  # osdi-py 0.1.5 calls the row of the Jacobian "col"
        assert jacobian == pytest.approx(ours.evaluate(point, 1e-6).resistive_slope, rel=1e-12)


@needs_simulator
def test_a_sweep_in_the_simulators():
    passed(verify.sweep_records(TRIAL))


@needs_simulator
def test_a_drift_of_a_ten_millionth():
    passed(verify.retention_records(TRIAL))


@pytest.mark.slow
@needs_vacask
def test_selectors_in_crossbars():
    passed(verify.selector_records(TRIAL))


@needs_vacask
def test_the_thermal_terminal_heats_a_neighbour():
    """Two cells with one thermal node share their heat; the second one's own voltage is too low to warm it."""
    wave = Waveform((0.0, 1e-9, 1e-7), (0.0, 0.5, 0.5))
    weak = Waveform((0.0, 1e-9, 1e-7), (0.0, 0.01, 0.01))
    cells = tuple(Instance(f"c{i}", VCM, (f"n{i}", "0", "warm"), {"x_start": 0.5}) for i in (1, 2))
    circuit = Circuit("two cells", cells, {"n1": wave, "n2": weak})
    exact = Network(circuit).solve([9e-8])
    found = run_vacask(circuit, Transient(1e-7, 1e-9, 1e-12, relative_tolerance=1e-6))
    assert exact.potentials["warm"][-1] > 10
    assert found.potentials["warm"][-1] == pytest.approx(exact.potentials["warm"][-1], rel=1e-5)


@needs_vacask
def test_noise_in_vacask(tmp_path):
    """A resting cell and a resistor: 4kT over the sum of their conductances, at any frequency."""
    (tmp_path / "ion_vcm.va").write_text(verilog_a(VCM))
    (tmp_path / "noise.sim").write_text(
        'noise\nload "ion_vcm.va"\nload "resistor.osdi"\nmodel vsource vsource\nmodel mm ion_vcm\nmodel rr resistor\n'
        "v_in (in 0) vsource dc=0 mag=1\nrl (in te) rr r=1k\ncell (te 0) mm x_start=0.5\ncontrol\n"
        '  options rawfile="binary" reltol=1e-6 temp=27\n'
        '  analysis nz noise out="te" in="v_in" from=1 to=1e9 mode="dec" points=1\nendc\n'
    )
    subprocess.run([tools.vacask(), "-qp", "noise.sim"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    conductance = 1e-3 + frozen(VCM, 1e-9, 0.0, {"x_start": 0.5}).flows[0, 0] / 1e-9
    found = read_raw(tmp_path / "nz.raw")["onoise"]
    assert found == pytest.approx(np.full(len(found), 4 * constants.k * 300.15 / conductance), rel=1e-6)


@needs_vacask
def test_failures_are_told(tmp_path, monkeypatch):
    circuit = single(VCM, Waveform((0.0, 1.0), (0.0, 1.0)))
    from ionsim.compact.circuits import runners

    monkeypatch.setattr(runners, "vacask_deck", lambda *args: "nonsense\nload nothing\n")
    with pytest.raises(CompactError, match="vacask failed"):
        run_vacask(circuit, Transient(1.0, 0.1), tmp_path)


@needs_ngspice
def test_files_stay_where_asked(tmp_path):
    circuit = single(VCM, Waveform((0.0, 1.0), (0.0, 0.3)))
    run_ngspice(circuit, Transient(1.0, 0.1), tmp_path / "kept", osdi=False)
    assert {path.name for path in Path(tmp_path / "kept").iterdir()} >= {"circuit.cir", "ion_vcm.sub", "tran.raw"}


@pytest.mark.slow
@needs_simulator
@pytest.mark.parametrize(
    "check",
    ["operating_point_records", "pulse_records", "crossbar_records", "transistor_records", "square_wave_records"],
)
def test_circuits_in_the_simulators(check):
    passed(getattr(verify, check)(TRIAL))


@pytest.mark.slow
@pytest.mark.parametrize(
    "check", ["bounds_records", "frequency_records", "programming_records", "fading_memory_records"]
)
def test_behaviour(check):
    passed(getattr(verify, check)(TRIAL))
