"""One stage in a process group of its own, so that it ends with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAST_BYTES = 4096
PATIENCE = 5.0
"""Seconds that a stage has to end after each of SIGINT and SIGTERM."""


@dataclass
class Worker:
    """A running `dvc repro` of a single stage, which writes to `log`."""

    stage: str
    slot: int
    log: Path
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.started

    def last_line(self) -> str:
        """Give what it wrote last; of a progress bar, its newest state."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - LAST_BYTES))
            text = file.read().decode(errors="replace")
        lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
        return next((line for line in reversed(lines) if line), "")


def start(stage: str, slot: int, log: Path, environment: Mapping[str, str]) -> Worker:
    """Run one stage, without those upstream of it; DVC's own lock keeps `dvc.lock` whole."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["dvc", "--wait-for-lock", "repro", "--single-item", stage],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,
        )
    return Worker(stage, slot, log, process)


def stop_all(workers: list[Worker]) -> None:
    """End workers and everything that they started: asked twice, then killed."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        alive = [worker for worker in workers if _group_lives(worker.process.pid)]
        for worker in alive:
            os.killpg(worker.process.pid, sign)
        deadline = time.monotonic() + PATIENCE
        while alive and time.monotonic() < deadline:
            alive = [worker for worker in alive if worker.process.poll() is None or _group_lives(worker.process.pid)]
            time.sleep(0.05)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
