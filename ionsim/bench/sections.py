"""Where the wall time of a step goes: methods that are timed while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

Method = tuple[type[Any], str]


class Sections:
    """Times the named methods while the context is open; one inside another counts for itself only.

    Args:
        methods: section -> the methods (class and name) that belong to it.
        clock: seconds; of the processor by default, which leaves out what others had of the core.

    Attributes:
        seconds: section -> time so far, s; of a section within others "outer, inner". :meth:`clear` forgets all.
    """

    def __init__(self, methods: Mapping[str, Sequence[Method]], clock: Callable[[], float] = time.process_time) -> None:
        self._methods, self._clock = methods, clock
        self._originals: list[tuple[type[Any], str, Callable[..., Any]]] = []
        self._open: list[str] = []
        self._inner: list[float] = []
        self.seconds: dict[str, float] = {}

    def clear(self) -> None:
        """Forget what was measured."""
        self.seconds = {}

    def __enter__(self) -> Self:
        for section, methods in self._methods.items():
            for owner, name in methods:
                original = owner.__dict__[name]
                self._originals.append((owner, name, original))
                setattr(owner, name, self._timed(section, original))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for owner, name, original in reversed(self._originals):
            setattr(owner, name, original)
        self._originals.clear()

    def _timed(self, section: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            begun = self._clock()
            self._open.append(section)
            self._inner.append(0.0)
            try:
                return original(*arguments, **named)
            finally:
                key, taken = ", ".join(self._open), self._clock() - begun
                self.seconds[key] = self.seconds.get(key, 0.0) + taken - self._inner.pop()
                self._open.pop()
                if self._inner:
                    self._inner[-1] += taken

        return timed
