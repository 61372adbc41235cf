"""Kernels on disk: one that calls changed code must not be taken from the cache."""

import shutil

import kmc.drawing
import kmc.keeping
import kmc.kernels
import kmc.rates
from kmc import jit


def test_the_cache_of_every_kernel_is_stamped_with_the_whole_package():
    """Numba looks at a kernel's own file only; ``run`` would go on with an old rate law (see :mod:`kmc.jit`)."""
    kernels = kmc.kernels
    for function in (
        kernels.run_tree,
        kernels.run_lists,
        kmc.keeping.refresh_all,
        kmc.drawing.choose,
        kmc.rates.pair_rate,
    ):
        assert function._cache._cache_file._source_stamp == jit.source_stamp()


def test_the_stamp_follows_the_sources(tmp_path, monkeypatch):
    shutil.copytree(jit.Path(jit.__file__).parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    assert jit.source_stamp() == jit._STAMP
    with (tmp_path / "rates.py").open("a") as file:
        file.write("\n")
    assert jit.source_stamp() != jit._STAMP
