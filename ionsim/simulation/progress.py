"""A progress bar with simulated time, events, current, and an estimate of what remains."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from ionsim.drive import Drive
    from ionsim.simulation.loop import Frame


class Progress:
    """A context that shows nothing when ``shown`` is false."""

    def __init__(self, title: str, drive: Drive, shown: bool) -> None:
        self._drive = drive
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn(),
            disable=not shown, transient=False,
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=drive.duration_s, note="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, frame: Frame) -> None:
        """Show a frame."""
        events = int(frame.row.get("n_events", 0))
        note = f"{frame.stage} {frame.voltage_V:+.2f} V {frame.current_A:+.1e} A {events:,} events"
        self._bar.update(self._task, completed=frame.time_s, total=self._drive.duration_s, note=note)
