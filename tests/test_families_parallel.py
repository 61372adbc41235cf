"""Devices without a lattice on two MPI ranks, really launched, against one."""

from pathlib import Path

import numpy as np
import pytest

from ionsim.verification.serial_parallel import launch

SCRIPT = Path(__file__).parent / "mpi" / "families.py"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "frames"), [("continuum", 8), ("ecram", 10), ("ecram_heat", 6)])
def test_two_ranks_give_the_rows_and_the_cut_of_one(name: str, frames: int, tmp_path: Path) -> None:
    stored = []
    for ranks in (1, 2):
        path = tmp_path / f"{ranks}.npz"
        launch(ranks, [str(SCRIPT), str(path), name, str(frames)], timeout_s=400.0)
        with np.load(path) as results:
            stored.append(dict(results))
        assert (tmp_path / f"fields_{ranks}.bp").is_dir()
    one, two = stored
    assert (one.pop("ranks"), two.pop("ranks")) == (1, 2)
    assert set(one) == set(two)
    assert len(one["time_s"]) == frames
    assert np.ptp(one["current_A"]) > 0.0
    assert one["n_steps"][-1] > frames  # the same steps on both
    np.testing.assert_array_equal(two["n_steps"], one["n_steps"])
    for key, value in one.items():
        np.testing.assert_allclose(two[key], value, rtol=1e-8, atol=1e-8 * np.abs(value).max(), err_msg=key)
