"""A phase-change cell in 3D on two MPI ranks, really launched, against one."""

from pathlib import Path

import numpy as np
import pytest

from ionsim.verification.serial_parallel import launch

SCRIPT = Path(__file__).parent / "mpi" / "pcm_mushroom.py"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["coupled", "staggered"])
def test_two_ranks_equal_one(method: str, tmp_path: Path) -> None:
    stored = []
    for ranks in (1, 2):
        path = tmp_path / f"{ranks}.npz"
        launch(ranks, [str(SCRIPT), str(path), method], timeout_s=300.0)
        with np.load(path) as results:
            stored.append(dict(results))
    one, two = stored
    assert (one.pop("ranks"), two.pop("ranks")) == (1, 2)
    assert one["rows"][-1, 2] > 900.0
    assert one["rows"][-1, 3] == len(one["rows"])  # each a single step
    assert one["crystalline_share"] < 1.0
    assert set(one) == set(two)
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-8, atol=1e-8 * np.abs(value).max(), err_msg=name)
