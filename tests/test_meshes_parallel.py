"""Split meshes on two MPI ranks, really launched, against one."""

from pathlib import Path

import numpy as np
import pytest

from ionsim.verification.serial_parallel import launch

SCRIPT = Path(__file__).parent / "mpi" / "split_meshes.py"


@pytest.mark.slow
def test_split_meshes_are_the_same_on_two_ranks(tmp_path: Path) -> None:
    stored = []
    for ranks in (1, 2):
        path = tmp_path / f"{ranks}.npz"
        launch(ranks, [str(SCRIPT), str(path)])
        with np.load(path) as results:
            stored.append(dict(results))
    one, two = stored
    assert (one.pop("ranks"), two.pop("ranks")) == (1, 2)
    for found in stored:
        assert str(found.pop("wrong")) == ""
        assert "'heater/top' is no surface between two regions" in str(found.pop("message"))
        assert all(bool(value) for name, value in found.items() if " same" in name)
    assert set(one) == set(two)
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-12, err_msg=name)
    for name in ("mushroom", "pcm_array"):
        assert (tmp_path / f"{name}_1.msh").stat().st_size == (tmp_path / f"{name}_2.msh").stat().st_size
