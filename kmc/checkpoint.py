"""What a run needs to go on with the same trajectory, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kmc import keeping, lists
from kmc.compile import with_exact
from kmc.errors import KmcError
from kmc.watching import Watched

if TYPE_CHECKING:
    from kmc.engine import Engine

#: What a checkpoint leaves out: it follows from the rest, only speed hangs on it, or whoever gave it gives it again.
DERIVED = (
    "neighbour_count", "pair_rate", "single_rate", "fixed_rate", "memo", "bound", "guess", "guess_share", "closed",
    "own", "halts",
)  # fmt: skip


def save(engine: Engine) -> dict[str, Any]:
    """Copies of the arrays of an engine; see :meth:`kmc.Engine.checkpoint`."""
    saved = {name: value.copy() for name, value in engine.state._asdict().items() if name not in DERIVED}
    listed = engine.select.lists
    saved.update(
        reference=engine._watch.reference.copy(), group=engine._group.copy(),
        weight=engine._asked.weight.copy(), bound=np.array([engine._asked.bound]),
        change=engine._asked.change.copy(), within=np.array([engine._asked.low, engine._asked.high]),
        exact=engine.table.exact.copy(), scale=listed.scale.copy(), list_of=listed.where[:, 0].copy(),
        members=lists.members(listed), room=listed.room.copy(), missed=listed.missed.copy(),
    )  # fmt: skip
    if engine.superbasin is not None:
        saved.update(engine.superbasin.checkpoint())
    return saved


def load(engine: Engine, saved: Mapping[str, Any]) -> None:
    """Put them back; see :meth:`kmc.Engine.restore`."""
    count = len(engine.sites)
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {
        name: (value.shape,) for name, value in engine.state._asdict().items() if name not in DERIVED
    }
    shapes.update(
        fields=((1, 2), (count, 2), (count, 3)), reference=((0,), (count,)), group=(engine._group.shape,),
        weight=((0,), (count,)), bound=((1,),), change=((0,), (count,)), within=((2,),),
        exact=(engine.table.exact.shape,), scale=((2,),), list_of=(engine.select.lists.where[:, 0].shape,),
        room=((lists.LISTS,),), missed=((1,),),
    )  # fmt: skip
    if engine.superbasin is not None:
        shapes.update({name: (value.shape,) for name, value in engine.superbasin.checkpoint().items()})
    for name, allowed in shapes.items():
        if name not in saved or np.shape(saved[name]) not in allowed:
            raise KmcError(f"checkpoint: {name!r} is missing or has another shape than {allowed[-1]}")
    if np.shape(saved.get("members", ())) != (np.count_nonzero(saved["list_of"] >= 0),):
        raise KmcError("checkpoint: 'members' is missing or has another shape than 'list_of' asks for")
    for name, value in engine.state._asdict().items():
        if name == "fields":
            engine.state = engine.state._replace(fields=np.array(saved[name], dtype=float))
        elif name not in DERIVED:
            value[...] = saved[name]
    engine.table = with_exact(engine.table, np.array(saved["exact"], dtype=bool))
    low, high = (float(value) for value in saved["within"])
    engine._asked = Watched(
        np.array(saved["weight"], dtype=float), float(saved["bound"][0]),
        np.array(saved["change"], dtype=float), low, high,
    )  # fmt: skip
    engine._group = np.array(saved["group"], dtype=np.int8)
    engine._watch = engine._watched(np.array(saved["reference"], dtype=np.int8))
    fresh = lists.new_lists(len(saved["list_of"]), float(saved["scale"][0]))
    fresh.missed[:] = saved["missed"]
    lists.refill(
        fresh, np.asarray(saved["list_of"], dtype=np.int32), np.asarray(saved["members"], dtype=np.int32),
        np.asarray(saved["room"], dtype=np.int64),
    )  # fmt: skip
    engine.select = keeping.Selection(engine.select.tree, fresh)
    engine._rebuild(fresh)
    if engine.superbasin is not None:
        engine.superbasin.restore(saved)
