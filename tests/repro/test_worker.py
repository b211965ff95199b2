"""A worker ends with everything that it started, and tells what its bar shows."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from medtransfer.repro.worker import Worker, stop_all


def running(script: str, log: Path) -> Worker:
    with log.open("wb") as file:
        process = subprocess.Popen(["sh", "-c", script], stdout=file, start_new_session=True)
    return Worker("train@x", 0, log, process)


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


@pytest.mark.parametrize("trap", ["", "trap '' INT; "], ids=["willing", "deaf to SIGINT"])
def test_the_children_of_a_stopped_worker_are_gone(tmp_path: Path, trap: str) -> None:
    log = tmp_path / "log"
    worker = running(f"{trap}sleep 60 & echo $!; sleep 60 & echo $!; wait", log)
    children = wait_for(log, 2)
    stop_all([worker])
    assert worker.process.poll() is not None
    assert not any(lives(child) for child in children)


def test_the_last_line_is_the_newest_state_of_a_bar(tmp_path: Path) -> None:
    worker = running("printf 'Running stage\\ntrain: 1%%\\rtrain: 50%%\\r'", tmp_path / "log")
    worker.process.wait()
    assert worker.last_line() == "train: 50%"


def test_a_worker_that_wrote_nothing_has_no_last_line(tmp_path: Path) -> None:
    worker = running("true", tmp_path / "log")
    worker.process.wait()
    assert worker.last_line() == ""
