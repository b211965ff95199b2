"""The command `medtransfer repro`: run the stages of a schedule, several at once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from medtransfer.engine.schedule import CHECK, Schedule, State, stages_to_run
from medtransfer.engine.worker import Worker, stop_all
from medtransfer.util.errors import UserError
from medtransfer.util.hardware import cpu_count
from medtransfer.util.places import state_folder
from medtransfer.util.text import duration

TICK = 0.25
"""Seconds after which the table is redrawn even if no stage ends."""


def reproduce(jobs: int | Literal["auto"], targets: Sequence[str] = ()) -> None:
    """Bring the stages up to date, at most `jobs` at once, each by DVC itself.

    The results are those of `dvc repro` with the same number of threads per stage. A failed stage stops only the stages
    downstream of it. Raises `UserError` that names each failed stage and its log. When interrupted, end every process
    that was started.
    """
    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(gpus)
        schedule = Schedule(stages_to_run(targets))
        devices = counting.result()
    count = jobs if jobs != "auto" else len(devices) or cpu_count()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    workers: list[Worker] = []
    try:
        if CHECK in schedule.states:  # what it writes decides which of the others have changed
            schedule = Schedule({CHECK: frozenset()})
            _run(schedule, workers, count, devices)
            if not schedule.in_state(State.FAILED):
                schedule = Schedule(stages_to_run(targets, checked=True))
        if not schedule.states:
            print("everything is up to date")  # noqa: T201
        _run(schedule, workers, count, devices)
    except KeyboardInterrupt:
        raise UserError("interrupted; `medtransfer repro` resumes from here") from None
    finally:
        stop_all(workers)
        signal.signal(signal.SIGTERM, previous)
    if failed := schedule.in_state(State.FAILED):
        problems = [f"{stage} failed; its output is in {log_of(stage)}" for stage in failed]
        if left_out := schedule.in_state(State.LEFT_OUT):
            problems.append(f"not run, because they depend on a failed stage: {', '.join(left_out)}")
        raise UserError(problems)


def _run(schedule: Schedule, workers: list[Worker], jobs: int, devices: Sequence[str]) -> None:
    """Run a schedule to its end, with the workers that there are and more."""
    with LiveTable(schedule) as table:
        while not schedule.finished:
            _start_ready(schedule, workers, jobs, devices)
            busy = [worker for worker in workers if worker.stage]
            table.update(busy)
            wait([worker.connection for worker in busy], TICK)
            _collect(schedule, workers, table)


def gpus() -> list[str]:
    """List the GPUs by number.

    Another process counts them with torch, which would keep its memory here for the whole run.
    """
    counting = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    count = subprocess.run(counting, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [str(number) for number in range(int(count))]


def worker_environment(slot: int, jobs: int, devices: Sequence[str]) -> dict[str, str]:
    """Divide the CPU cores among `jobs` workers, and assign GPUs in turn; commands are those of this environment.

    MEDTRANSFER_THREADS is kept if it is set: the last bits of a training depend on the number of threads.
    """
    threads = os.environ.get("MEDTRANSFER_THREADS", str(max(1, cpu_count() // jobs)))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    shared = {"MEDTRANSFER_THREADS": threads, "OMP_NUM_THREADS": threads, "MEDTRANSFER_BARS": "1", "PATH": path}
    return shared | ({"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]} if devices else {})


def log_of(stage: str) -> Path:
    """Return the log file of a stage."""
    return state_folder() / "logs" / f"{re.sub(r'[^A-Za-z0-9_@.-]', '_', stage)}.log"


def _start_ready(schedule: Schedule, workers: list[Worker], jobs: int, devices: Sequence[str]) -> None:
    for stage in schedule.ready()[: jobs - sum(worker.stage is not None for worker in workers)]:
        idle = next((worker for worker in workers if worker.stage is None), None)
        if idle is None:
            slot = min(set(range(jobs)) - {worker.slot for worker in workers})
            idle = Worker(slot, worker_environment(slot, jobs, devices))
            workers.append(idle)
        schedule.start(stage)
        idle.start(stage, log_of(stage))


def _collect(schedule: Schedule, workers: list[Worker], table: LiveTable) -> None:
    for worker in list(workers):
        if worker.stage is None or (succeeded := worker.outcome()) is None:
            continue
        schedule.finish(worker.stage, succeeded)
        table.report(worker.stage, "done" if succeeded else "FAILED", worker.seconds)
        worker.stage = None
        if worker.process.poll() is not None:
            stop_all([worker])
            workers.remove(worker)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


class LiveTable:
    """A table of the stages that run, on a terminal; elsewhere, one line for each stage that ends."""

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
        """Show each worker that runs a stage, and the number of stages in each state."""
        if not self._console.is_terminal:
            return
        table = Table(box=None, pad_edge=False, expand=True)
        table.add_column("stage", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("last line", ratio=1, no_wrap=True, overflow="ellipsis")
        for worker in workers:
            table.add_row(Text(worker.stage or ""), duration(worker.seconds), Text(worker.last_line()))
        counts = {state: len(self._schedule.in_state(state)) for state in State}
        counted = ", ".join(f"{count} {state.value}" for state, count in counts.items() if count)
        self._live.update(Group(table, Text(counted)))

    def report(self, stage: str, state: str, seconds: float) -> None:
        """Print a line about a stage that ended."""
        self._console.print(Text(f"{state:8} {stage}  {duration(seconds)}"))
