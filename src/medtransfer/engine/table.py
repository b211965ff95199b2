"""What runs, what is done and what is left, as a table that keeps itself up to date."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from medtransfer.engine.schedule import Schedule, State
from medtransfer.engine.worker import Worker
from medtransfer.util.text import duration


class LiveTable:
    """A table on the terminal; where there is none, one line for each stage that starts or ends."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveTable:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, workers: Sequence[Worker]) -> None:
        """Show how things stand, and each worker that runs a stage."""
        if self._console.is_terminal:
            self._live.update(Group(self._rows(workers), self._counts()))

    def say(self, stage: str, state: str, seconds: float) -> None:
        """Tell of a stage that ended."""
        self._console.print(Text(f"{state:8} {stage}  {duration(seconds)}"))

    def _rows(self, workers: Sequence[Worker]) -> Table:
        table = Table(box=None, pad_edge=False, expand=True)
        table.add_column("stage", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("last line", ratio=1, no_wrap=True, overflow="ellipsis")
        for worker in workers:
            table.add_row(Text(worker.stage or ""), duration(worker.seconds), Text(worker.last_line()))
        return table

    def _counts(self) -> Text:
        counts = {state: len(self._schedule.in_state(state)) for state in State}
        return Text(", ".join(f"{count} {state.value}" for state, count in counts.items() if count))
