"""A process that runs stages one after another, in its own process group, so that it ends with all it started.

The process itself runs this file as a program. It loads DVC once, and not for every stage.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

LAST_BYTES = 4096
PATIENCE = 5.0
"""Seconds that a process has to end: by itself if it is idle, and after each of SIGINT and SIGTERM."""
DVC = (sys.executable, "-P", "-m", "medtransfer.engine.worker")


class Worker:
    """A process that waits for the name of a stage and a log file, runs the stage, and reports how it ended.

    command: the program, which gets the file descriptor of a `Connection` as its last argument.
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
        """Run a stage, without those upstream of it; its output goes to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        self.stage, self.log, self.started = stage, log, time.monotonic()
        with suppress(OSError):  # the process may have died: see `outcome`
            self.connection.send((stage, str(log)))

    def outcome(self) -> bool | None:
        """Return whether the stage succeeded; None while it runs. It has failed if the process died."""
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
        """How long the stage has run."""
        return time.monotonic() - self.started

    def last_line(self) -> str:
        """Return the last line that the stage wrote; of a progress bar, its newest state."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - LAST_BYTES))
            text = file.read().decode(errors="replace")
        lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
        return next((line for line in reversed(lines) if line), "")


def stop_all(workers: Sequence[Worker]) -> None:
    """End workers and all that they started: wait for idle ones, interrupt and terminate the others, then kill."""
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


def main(descriptor: int) -> None:
    """Receive names of stages and log files through a connection, and answer with DVC's exit codes.

    Ends when the other side closes the connection, or on SIGINT.
    """
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            stage, log = connection.recv()
            connection.send(run_stage(stage, Path(log)))


def run_stage(stage: str, log: Path) -> int:
    """Run one stage by DVC's own command line; its lock protects `dvc.lock`."""
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    from dvc.cli import main as dvc

    code: int = dvc(["--wait-for-lock", "repro", "--single-item", stage])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main(int(sys.argv[1]))
