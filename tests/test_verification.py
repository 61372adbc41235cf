"""All cases of ``ionsim verify`` pass: what other tests pick from them is not all."""

import pytest

from ionsim.verification import cases


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(cases()))
def test_case_passes(name):
    assert [(record.name, record.value) for record in cases()[name]() if record.passed is False] == []
