"""A worker runs stage after stage, reports how each ended, and ends with all that it started."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from medtransfer.engine.worker import Worker, stop_all

PROGRAM = """
import subprocess, sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
while True:
    script, log = connection.recv()
    with open(log, "ab") as file:
        connection.send(subprocess.run(["sh", "-c", script], stdout=file).returncode)
"""
"""Runs the names of stages as shell scripts."""


def worker_of(folder: Path) -> Worker:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    return Worker(0, {}, (sys.executable, str(program)))


def run(worker: Worker, script: str, log: Path) -> bool | None:
    worker.start(script, log)
    wait([worker.connection], 20)
    return worker.outcome()


def wait_for(log: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 20
    while len(found := log.read_text().split()) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return [int(number) for number in found]


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("trap", ["", "trap '' INT; "], ids=["plain", "ignores SIGINT"])
def test_stopping_a_worker_ends_its_children(tmp_path: Path, trap: str) -> None:
    log = tmp_path / "log"
    worker = worker_of(tmp_path)
    worker.start(f"{trap}sleep 60 & echo $!; sleep 60 & echo $!; wait", log)
    children = wait_for(log, 2)
    stop_all([worker])
    assert worker.process.poll() is not None
    assert not any(lives(child) for child in children)


def test_a_worker_runs_stage_after_stage_and_reports_how_each_ended(tmp_path: Path) -> None:
    worker = worker_of(tmp_path)
    process = worker.process.pid
    assert [run(worker, script, tmp_path / "log") for script in ("true", "false", "exit 3", "true")] == [
        True,
        False,
        False,
        True,
    ]
    worker.stage = None
    stop_all([worker])
    assert worker.process.pid == process
    assert worker.process.returncode == 1, "an idle worker ends by itself when its connection is closed"


def test_a_killed_worker_has_failed_its_stage_and_every_later_one(tmp_path: Path) -> None:
    worker = worker_of(tmp_path)
    worker.start("sleep 60", tmp_path / "log")
    assert worker.outcome() is None
    worker.process.send_signal(signal.SIGKILL)
    wait([worker.connection], 20)
    assert worker.outcome() is False
    assert worker.process.returncode == -signal.SIGKILL
    worker.start("true", tmp_path / "log")
    assert worker.outcome() is False
    stop_all([worker])


def test_the_last_line_is_the_newest_state_of_a_progress_bar(tmp_path: Path) -> None:
    worker = worker_of(tmp_path)
    run(worker, "printf 'Running stage\\ntrain: 1%%\\rtrain: 50%%\\r'", tmp_path / "log")
    assert worker.last_line() == "train: 50%"
    stop_all([worker])


def test_a_stage_without_output_has_no_last_line(tmp_path: Path) -> None:
    worker = worker_of(tmp_path)
    run(worker, "echo something", tmp_path / "log")
    run(worker, "true", tmp_path / "log")
    assert worker.last_line() == ""
    stop_all([worker])
