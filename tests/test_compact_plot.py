"""Pictures of what circuit simulators wrote."""

import numpy as np
import pytest

from ionsim.compact import CompactError
from ionsim.plots.circuits import MOST, classify, raw_figure


def write_raw(path, columns):
    lines = "\n".join(f"\t{k}\t{name}\tnotype" for k, name in enumerate(columns))
    table = np.array(list(columns.values())).T
    header = f"Title: t\nFlags: real\nNo. Variables: {len(columns)}\nNo. Points: {len(table)}\nVariables:\n{lines}\n"
    path.write_bytes(header.encode() + b"Binary:\n" + table.astype("<f8").tobytes())
    return path


def test_signals_of_both_simulators_are_told_apart():
    one = np.ones(2)
    vacask = classify({"te": one, "cell_t": one, "cell:n_x": one, "v_te:flow(br)": one})
    osdi = classify({"v(te)": one, "v(cell_t)": one, "v(ncell#n_x)": one, "i(v_te)": one})
    sources = classify({"v(te)": one, "v(cell_t)": one, "v(xcell.n_x)": one, "i(v_te)": one})
    for found in (vacask, osdi, sources):
        assert {kind: list(names) for kind, names in found.items()} == {
            "voltage": ["te"], "current": ["te"], "rise": ["cell_t"], "state": ["cell.x"],
        }  # fmt: skip
        assert found["current"]["te"][0] == -1.0  # out of the source


def test_the_loop_is_that_of_the_source_that_swings_most(tmp_path):
    time = np.linspace(0.0, 1e-6, 50)
    columns = {"time": time, "te": np.sin(6e6 * time), "wl": np.full(50, 1.0)}
    columns |= {"v_te:flow(br)": -1e-5 * columns["te"], "v_wl:flow(br)": 0.0 * time}
    columns |= {f"c_{k}:n_x": k * time for k in range(10)}
    figure = raw_figure(write_raw(tmp_path / "a.raw", columns))
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "voltage (V)", "current (A)", "state - start (scaled)", "|current| of te (A)",
    ]  # fmt: skip
    assert len(figure.axes[2].lines) == MOST
    assert figure.axes[2].lines[-1].get_label() == "c_9.x"
    assert figure.axes[2].get_xlim()[1] == pytest.approx(1.0)  # us


def test_the_command(tmp_path, command):
    path = write_raw(tmp_path / "a.raw", {"v-sweep": np.arange(3.0), "v(te)": np.arange(3.0), "i(v_te)": np.ones(3)})
    assert command("compact", "plot", path).code == 0
    assert path.with_suffix(".png").stat().st_size > 1000
    refused = command("compact", "plot", tmp_path / "missing.raw")
    assert (refused.code, "missing.raw: the simulator wrote no results" in refused.err) == (2, True)
    with pytest.raises(CompactError, match="no binary raw file"):
        raw_figure(write_text(tmp_path))


def write_text(folder):
    path = folder / "b.raw"
    path.write_text("Title: a table in text\n", encoding="utf-8")
    return path
