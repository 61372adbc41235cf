"""When a run is to stop before its drive ends: a limit of wall time, or a signal."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

#: What batch systems send before they end a job: Slurm and PBS SIGTERM, or SIGUSR1 where a script asks for it.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Stop:
    """Asks runs to stop after so much wall time, or once the process has received a signal of :data:`SIGNALS`.

    As a context it listens for the signals, and takes them no more when it ends; handlers can be set in the main thread
    only, so elsewhere just the time counts. A run looks once for each point that it records, so it goes on to the end
    of the one under way. Under MPI a signal to any rank stops all.

    Args:
        after_s: wall time (s) from now on; None for no limit.
    """

    def __init__(self, after_s: float | None = None) -> None:
        self._end = None if after_s is None else time.monotonic() + after_s
        self._received = False
        self._before: dict[signal.Signals, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether it is time."""
        return self._received or (self._end is not None and time.monotonic() >= self._end)

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
