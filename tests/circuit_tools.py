"""Markers for tests that need a circuit tool, and what records must show; shared by the tests of compact models."""

import pytest

from ionsim.compact import tools

needs_compiler = pytest.mark.skipif(
    not tools.have("openvaf"), reason="no Verilog-A compiler: pip install 'ionsim[circuit]'"
)
needs_vacask = pytest.mark.skipif(not tools.have("vacask"), reason="no VACASK: pip install 'ionsim[circuit]'")
needs_ngspice = pytest.mark.skipif(not tools.have("ngspice"), reason="no ngspice on the PATH")
needs_simulator = pytest.mark.skipif(
    not (tools.have("vacask") or tools.have("ngspice")),
    reason="neither VACASK nor ngspice: pip install 'ionsim[circuit]'",
)


def passed(records):
    """There are records, and none has failed."""
    failed = [record for record in records if record.passed is False]
    assert records
    assert not failed, failed
