"""What a run shows: a live table of the stages that run, with the time left, and one line for each that ends."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from medtransfer.util.text import duration

LAST_BYTES = 4096


class LiveTable:
    """A table of the stages that run, on a terminal; elsewhere, one line for each stage that ends."""

    def __init__(self, slots: int) -> None:
        self._slots, self._started = slots, time.monotonic()
        self._took: dict[str, list[float]] = defaultdict(list)
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveTable:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, running: dict[str, tuple[Path, float]], states: Counter[str], waiting: list[str]) -> None:
        """Show each running stage, its log's last line, and the number of stages in each state.

        running: the log of each stage that runs, and when it started, in seconds of `time.monotonic`.
        """
        if not self._console.is_terminal:
            return
        table = Table(box=None, pad_edge=False, expand=True)
        table.add_column("stage", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("last line", ratio=1, no_wrap=True, overflow="ellipsis")
        now = time.monotonic()
        for stage, (log, started) in running.items():
            table.add_row(Text(stage), duration(now - started), Text(last_line(log)))
        counted = ", ".join(f"{count:,} {state}" for state, count in states.items() if count)
        left = self.left([*running, *waiting])
        self._live.update(Group(table, Text(f"{counted}{'; about ' + duration(left) + ' left' if left else ''}")))

    def left(self, stages: list[str]) -> float | None:
        """Estimate the seconds until all `stages` are done, from those of their kind; None before the first ended."""
        means = {kind: sum(took) / len(took) for kind, took in self._took.items()}
        if not means:
            return None
        unknown = sum(means.values()) / len(means)
        return sum(means.get(stage.partition("@")[0], unknown) for stage in stages) / self._slots

    def report(self, stage: str, state: str, seconds: float | None = None, note: str = "") -> None:
        """Print a line about a stage that ended."""
        if seconds is not None and state == "done":
            self._took[stage.partition("@")[0]] += [seconds]
        took = "" if seconds is None else f"  {duration(seconds)}"
        self._console.print(Text(f"{state:8} {stage}{took}{note}"))


def last_line(log: Path) -> str:
    """Return the last line of a log file; of a progress bar, its newest state; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LAST_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    return next((line for line in reversed(lines) if line), "")
