"""When a run is to stop before its drive ends: a limit of wall time, or a signal."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

#: What batch systems send before they end a job: Slurm and PBS SIGTERM, or SIGUSR1 where a script asks for it; and what
#: a terminal sends at Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)

_HINT = b"\nionsim: stopping at the next recorded point; Ctrl-C again ends at once\n"

#: A launcher may hand on what the terminal has sent already: interrupts so close to each other are one.
_ONE_PRESS_S = 0.3


class Stop:
    """Asks runs to stop after so much wall time, or once the process has received a signal of :data:`SIGNALS`.

    As a context it listens for the signals, and takes them no more when it ends; handlers can be set in the main thread
    only, so elsewhere just the time counts. A run looks once for each point that it records, so it goes on to the end
    of the one under way. Under MPI a signal to any rank stops all.

    A second SIGINT ends the process at once: what is on the disk then is its last checkpoint. A process that ignores
    SIGINT (a worker, whose parent decides) goes on ignoring it.

    Args:
        after_s: wall time (s) from now on; None for no limit.
    """

    def __init__(self, after_s: float | None = None) -> None:
        self._end = None if after_s is None else time.monotonic() + after_s
        self._received = False
        self._interrupted_s: float | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether it is time."""
        return self._received or (self._end is not None and time.monotonic() >= self._end)

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            numbers = [number for number in SIGNALS if number is not signal.SIGINT or not ignored]
            self._before = {number: signal.signal(number, self._receive) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        if number != signal.SIGINT:
            return
        now = time.monotonic()
        if self._interrupted_s is None:
            self._interrupted_s = now
            with suppress(OSError):
                os.write(2, _HINT)  # not print: the handler may have interrupted one
        elif now - self._interrupted_s > _ONE_PRESS_S:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
