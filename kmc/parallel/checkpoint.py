"""What a rank needs to go on with the same trajectory, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kmc import lists
from kmc.errors import KmcError
from kmc.parallel.halo import together
from kmc.watching import Watched

if TYPE_CHECKING:
    from kmc.parallel.engine import ParallelEngine


def save(engine: ParallelEngine) -> dict[str, Any]:
    """Copies of this rank's arrays; see :meth:`kmc.parallel.ParallelEngine.checkpoint`."""
    saved = engine._engine.checkpoint()
    saved.update(
        parallel_clock=engine._clock.copy(), parallel_cycle=np.array([engine._cycle]), parallel_key=engine._key.copy(),
        parallel_speeds=engine._speeds.copy(), parallel_layout=engine._layout(),
        parallel_reservoirs=engine._reservoirs.count.copy(), parallel_reference=engine._reference.copy(),
        parallel_weight=engine._asked.weight.copy(), parallel_group=engine._group.copy(),
        parallel_bound=np.array([engine._asked.bound]), parallel_change=engine._asked.change.copy(),
        parallel_within=np.array([engine._asked.low, engine._asked.high]),
        parallel_valid=np.array(engine._valid),
    )  # fmt: skip
    for number, select in enumerate(engine._selections):
        order = lists.members(select.lists)
        saved[f"parallel_members_{number}"] = order
        saved[f"parallel_list_{number}"] = select.lists.where[order, 0].copy()
        saved[f"parallel_scale_{number}"] = select.lists.scale.copy()
        saved[f"parallel_room_{number}"] = select.lists.room.copy()
    return saved


def load(engine: ParallelEngine, saved: Mapping[str, Any]) -> None:
    """Put them back; see :meth:`kmc.parallel.ParallelEngine.restore`."""

    def check() -> None:
        layout = engine._layout()
        if not np.array_equal(saved.get("parallel_layout", ()), layout):
            theirs = np.asarray(saved.get("parallel_layout", ())).tolist()
            raise KmcError(
                f"checkpoint: ranks, rank, grid, sites, owned sites, sectors are {theirs}; here {layout.tolist()}"
            )
        engine._engine.restore(saved)

    together(engine.comm, check)
    engine._clock[:] = saved["parallel_clock"]
    engine._cycle = int(saved["parallel_cycle"][0])
    engine._key = np.array(saved["parallel_key"], dtype=np.uint64)
    engine._speeds[:] = saved["parallel_speeds"]
    engine._reservoirs.count[:] = saved["parallel_reservoirs"]
    engine._reference = np.array(saved["parallel_reference"], dtype=np.int8)
    low, high = (float(value) for value in saved["parallel_within"])
    engine._asked = Watched(
        np.array(saved["parallel_weight"], dtype=float), float(saved["parallel_bound"][0]),
        np.array(saved["parallel_change"], dtype=float), low, high,
    )  # fmt: skip
    engine._group = np.array(saved["parallel_group"], dtype=np.int8)
    engine._known[:] = engine._engine.state.occupation
    engine._closed, engine._exact = engine._engine.select, engine._engine.table.exact
    engine._valid = [bool(flag) and engine._engine.selector != "tree" for flag in saved["parallel_valid"]]
    for number in range(len(engine._sectors)):
        select = engine._empty(float(saved[f"parallel_scale_{number}"][0]))
        order = np.asarray(saved[f"parallel_members_{number}"], dtype=np.int32)
        numbers = np.full(len(engine._local.index), -1, dtype=np.int32)
        numbers[order] = saved[f"parallel_list_{number}"]
        lists.refill(select.lists, numbers, order, saved[f"parallel_room_{number}"])
        engine._selections[number] = select
