"""Circuits run in VACASK and ngspice: exported, compiled, simulated in a folder, read back."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionsim.compact import tools
from ionsim.compact.circuits.decks import ngspice_deck, ngspice_state, vacask_deck, wanted
from ionsim.compact.circuits.netlist import Analysis, Circuit, Instance, Solution, Spectrum, Steady, Transient
from ionsim.compact.circuits.rawfile import read_raw
from ionsim.compact.description import CompactError
from ionsim.compact.render import ngspice_subcircuit, verilog_a

Floats = NDArray[np.float64]

#: How long a simulation may take, in s.
LIMIT_S = 600.0


def run_vacask(circuit: Circuit, analysis: Transient | Steady, folder: str | Path | None = None) -> Solution:
    """The circuit in VACASK; files stay in ``folder`` where one is given.

    Raises CompactError where VACASK is missing or failed (it says "aborted" and ends with code 0).
    """
    return _in_folder(folder, lambda place: _vacask(circuit, analysis, place))


def run_ngspice(
    circuit: Circuit, analysis: Transient | Steady, folder: str | Path | None = None, osdi: bool = True
) -> Solution:
    """The circuit in ngspice, with compiled models (ngspice 44 or later) or with B-source subcircuits.

    Raises CompactError where ngspice is missing, too old or failed.
    """
    if osdi and tools.ngspice_version() < 44:
        raise CompactError(f"ngspice {tools.ngspice_version()} loads no OSDI 0.5; 44 or later does")
    return _in_folder(folder, lambda place: _ngspice(circuit, analysis, place, osdi))


def noise_vacask(circuit: Circuit, analysis: Spectrum, folder: str | Path | None = None) -> tuple[Floats, Floats]:
    """A noise analysis in VACASK: frequencies (n,) in Hz, power densities (n,) in V^2/Hz."""

    def run(place: Path) -> tuple[Floats, Floats]:
        raw = _run_vacask(circuit, analysis, place)
        return raw["frequency"], raw["onoise"]

    return _in_folder(folder, run)


def noise_ngspice(circuit: Circuit, analysis: Spectrum, folder: str | Path | None = None) -> tuple[Floats, Floats]:
    """The same in ngspice, 44 or later, with compiled models: B-sources are without noise."""
    if tools.ngspice_version() < 44:
        raise CompactError(f"ngspice {tools.ngspice_version()} loads no OSDI 0.5; 44 or later does")

    def run(place: Path) -> tuple[Floats, Floats]:
        raw = _run_ngspice(circuit, analysis, place, osdi=True)
        return raw["frequency"], raw["onoise_spectrum"] ** 2

    return _in_folder(folder, run)


def _in_folder[T](folder: str | Path | None, run: Callable[[Path], T]) -> T:
    if folder is not None:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        return run(place)
    with tempfile.TemporaryDirectory(prefix="ionsim-compact-") as name:
        return run(Path(name))


def _compile_all(circuit: Circuit, folder: Path) -> None:
    for model in circuit.models:
        source = folder / f"{model.name}.va"
        source.write_text(verilog_a(model), encoding="utf-8")
        tools.compile_model(source)


def _run_vacask(circuit: Circuit, analysis: Analysis, folder: Path) -> dict[str, Floats]:
    _compile_all(circuit, folder)
    (folder / "circuit.sim").write_text(vacask_deck(circuit, analysis), encoding="utf-8")
    _run([str(tools.vacask()), "-qp", "circuit.sim"], folder, "tran.raw", r"aborted|error")
    return read_raw(folder / "tran.raw")


def _vacask(circuit: Circuit, analysis: Transient | Steady, folder: Path) -> Solution:
    raw = _run_vacask(circuit, analysis, folder)
    nodes, states = wanted(circuit, analysis)
    return Solution(
        raw["points" if isinstance(analysis, Steady) else "time"],
        {node: raw[node] for node in nodes},
        {f"{item.name}.{state}": _state(item, state, raw[f"{item.name}:n_{state}"]) for item, state in states},
        {node: -raw[f"v_{node}:flow(br)"] for node in circuit.sources},
    )


def _run_ngspice(circuit: Circuit, analysis: Analysis, folder: Path, osdi: bool) -> dict[str, Floats]:
    if osdi:
        _compile_all(circuit, folder)
    else:
        for model in circuit.models:
            (folder / f"{model.name}.sub").write_text(ngspice_subcircuit(model), encoding="utf-8")
    (folder / "circuit.cir").write_text(ngspice_deck(circuit, analysis, osdi=osdi), encoding="utf-8")
    _run([str(tools.ngspice()), "-b", "circuit.cir"], folder, "tran.raw", r"aborted|Timestep too small|singular matrix")
    return read_raw(folder / "tran.raw")


def _ngspice(circuit: Circuit, analysis: Transient | Steady, folder: Path, osdi: bool) -> Solution:
    raw = _run_ngspice(circuit, analysis, folder, osdi)
    nodes, states = wanted(circuit, analysis)
    return Solution(
        raw["v(v-sweep)" if isinstance(analysis, Steady) else "time"],
        {node: raw[f"v({node})"] for node in nodes},
        {f"{item.name}.{state}": _state(item, state, raw[ngspice_state(item, state, osdi)]) for item, state in states},
        {node: -raw[f"i(v_{node})"] for node in circuit.sources},
    )


def _run(command: list[str], folder: Path, result: str, failure: str) -> None:
    (folder / result).unlink(missing_ok=True)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise CompactError(f"{Path(command[0]).name} took more than {LIMIT_S:g} s") from error
    said = done.stdout + done.stderr
    if done.returncode or not (folder / result).is_file() or re.search(failure, said, flags=re.IGNORECASE):
        raise CompactError(f"{Path(command[0]).name} failed (code {done.returncode}):\n{said.strip()[-2000:]}")


def _state(item: Instance, state: str, deviation: Floats) -> Floats:
    start, scale = item.model.start_and_scale(state, item.model.values(item.values))
    return start + scale * deviation
