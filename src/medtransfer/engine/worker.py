"""A process that runs stages one after another, in a process group of its own, so that it ends with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

LAST_BYTES = 4096
PATIENCE = 5.0
"""Seconds that a process has to end, unasked where it is idle, and after each of SIGINT and SIGTERM."""
DVC = (sys.executable, "-P", "-m", "medtransfer.engine.dvc_process")


class Worker:
    """A process that waits for the name of a stage and a log, runs it, and says how it ended.

    command: what to run; it gets the number of a file descriptor to talk through, of a `Connection`.
    """

    def __init__(self, slot: int, environment: Mapping[str, str], command: Sequence[str] = DVC) -> None:
        self.slot = slot
        self.stage: str | None = None
        self.log = Path(os.devnull)
        self.started = time.monotonic()
        self.connection, theirs = Pipe()
        self.process = subprocess.Popen(
            [*command, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env=os.environ | environment,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()

    def start(self, stage: str, log: Path) -> None:
        """Run a stage, without those upstream of it; what it says goes to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        self.stage, self.log, self.started = stage, log, time.monotonic()
        with suppress(OSError):  # where the process has died, `outcome` says so
            self.connection.send((stage, str(log)))

    def outcome(self) -> bool | None:
        """Say whether its stage succeeded; None while it runs. A process that died has failed its stage."""
        if not self.connection.poll():
            return None
        try:
            code: int = self.connection.recv()
        except (EOFError, OSError):
            self.process.wait()
            return False
        return code == 0

    @property
    def seconds(self) -> float:
        """How long its stage has run."""
        return time.monotonic() - self.started

    def last_line(self) -> str:
        """Give what its stage wrote last; of a progress bar, its newest state."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - LAST_BYTES))
            text = file.read().decode(errors="replace")
        lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
        return next((line for line in reversed(lines) if line), "")


def stop_all(workers: Sequence[Worker]) -> None:
    """End workers and everything that they started: idle ones by themselves; others are asked twice, then killed."""
    for worker in workers:
        worker.connection.close()
        if worker.stage is None:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(PATIENCE)
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
