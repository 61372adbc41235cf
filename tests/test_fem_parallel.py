"""Two MPI ranks, really launched, against one."""

from pathlib import Path

import numpy as np
import pytest

import meshes
from ionsim.verification.serial_parallel import launch

SCRIPT = Path(__file__).parent / "mpi" / "fem_solution.py"


@pytest.mark.parametrize("kind", meshes.KINDS)
def test_two_ranks_equal_one(kind: str, tmp_path: Path) -> None:
    stored = []
    for ranks in (1, 2):
        path = tmp_path / f"{ranks}.npz"
        launch(ranks, [str(SCRIPT), str(path), kind])
        assert path.with_suffix(".bp").exists()
        with np.load(path) as results:
            stored.append(dict(results))
    one, two = stored
    assert (one.pop("ranks"), two.pop("ranks")) == (1, 2)
    assert str(one.pop("message")) == str(two.pop("message"))
    assert set(one) == set(two)
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-9, atol=1e-9 * np.abs(value).max(), err_msg=name)


def stored_of(script: str, tmp_path: Path, *arguments: str) -> dict[str, np.ndarray]:
    """Results of a script of ``tests/mpi`` on one rank, after those of two have been compared with them."""
    stored = []
    for ranks in (1, 2):
        path = tmp_path / f"{ranks}.npz"
        launch(ranks, [str(SCRIPT.with_name(script)), str(path), *arguments], timeout_s=300.0)
        with np.load(path) as results:
            stored.append(dict(results))
    one, two = stored
    assert (one.pop("ranks"), two.pop("ranks")) == (1, 2)
    assert set(one) == set(two)
    for name, value in one.items():
        scale = np.broadcast_to(np.abs(value).max(axis=0), value.shape)  # of each column
        np.testing.assert_array_less(np.abs(two[name] - value), 1e-8 * scale + 1e-300, err_msg=name)
    return one


@pytest.mark.slow
@pytest.mark.parametrize("method", ["coupled", "staggered"])
def test_transient_on_two_ranks_equals_one(method: str, tmp_path: Path) -> None:
    one = stored_of("transient.py", tmp_path, method)
    assert one["limited"].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]


@pytest.mark.slow
def test_vacancies_on_two_ranks_equal_one(tmp_path: Path) -> None:
    one = stored_of("vacancies.py", tmp_path)
    assert one["refused"] == 2.0  # by every rank
    assert np.all(one["3D entering"] != 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["stack", "plane", "resistive", "solid"])
def test_ions_on_two_ranks_equal_one(problem: str, tmp_path: Path) -> None:
    one = stored_of("transport.py", tmp_path, problem)
    assert np.all(np.abs(one["currents_A"][:, 0]) > 0.0)
    assert one["work"].max() > 4
    assert np.ptp(one["inserted"]) > 1e-4


def test_networks_on_two_ranks_equal_one(tmp_path: Path) -> None:
    one = stored_of("networks.py", tmp_path)
    assert one["heat, resistance"][-1, 0] > one["heat, none"][-1, 0] + 1.0
