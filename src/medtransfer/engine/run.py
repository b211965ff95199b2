"""Runs the stages of a schedule, several at once."""

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

from medtransfer.engine.schedule import Schedule, State
from medtransfer.engine.stages import stages_to_run
from medtransfer.engine.table import LiveTable
from medtransfer.engine.worker import Worker, stop_all
from medtransfer.util.errors import UserError
from medtransfer.util.hardware import cpu_count
from medtransfer.util.places import state_folder

TICK = 0.25
"""Seconds after which the table is drawn anew where no stage ends."""


def reproduce(jobs: int | Literal["auto"], targets: Sequence[str] = ()) -> None:
    """Bring the stages up to date, at most `jobs` at once, each by DVC itself.

    The result is that of `dvc repro` with the same number of threads a stage. A failed stage stops only what
    hangs on it. Raises `UserError` that names each failed stage and its log. Interrupted, it ends every
    process that it started.
    """
    with ThreadPoolExecutor(1) as beside:
        cards = beside.submit(graphics_cards)
        schedule = Schedule(stages_to_run(targets))
        devices = cards.result()
    if not schedule.states:
        print("everything is up to date")  # noqa: T201
        return
    count = jobs if jobs != "auto" else len(devices) or cpu_count()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    workers: list[Worker] = []
    try:
        with LiveTable(schedule) as table:
            while not schedule.finished:
                _start_ready(schedule, workers, count, devices)
                busy = [worker for worker in workers if worker.stage]
                table.update(busy)
                wait([worker.connection for worker in busy], TICK)
                _collect(schedule, workers, table)
    except KeyboardInterrupt:
        raise UserError("interrupted; `medtransfer repro` goes on from here") from None
    finally:
        stop_all(workers)
        signal.signal(signal.SIGTERM, previous)
    _report(schedule)


def graphics_cards() -> list[str]:
    """Name the graphics cards that a worker each may use.

    torch counts them in a process of its own: here it would take memory as long as anything runs.
    """
    counting = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    count = subprocess.run(counting, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [str(number) for number in range(int(count))]


def worker_environment(slot: int, jobs: int, devices: Sequence[str]) -> dict[str, str]:
    """Divide the processors among `jobs` workers, and give each a graphics card in turn.

    A user's own MEDTRANSFER_THREADS stays: the last bits of a training depend on the number of threads.
    """
    threads = os.environ.get("MEDTRANSFER_THREADS", str(max(1, cpu_count() // jobs)))
    shared = {"MEDTRANSFER_THREADS": threads, "OMP_NUM_THREADS": threads, "MEDTRANSFER_BARS": "1"}
    return shared | ({"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]} if devices else {})


def log_of(stage: str) -> Path:
    """Say where a stage's output goes."""
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
        table.say(worker.stage, "done" if succeeded else "FAILED", worker.seconds)
        worker.stage = None
        if worker.process.poll() is not None:
            stop_all([worker])
            workers.remove(worker)


def _report(schedule: Schedule) -> None:
    failed = schedule.in_state(State.FAILED)
    if not failed:
        return
    problems = [f"{stage} failed; its output is in {log_of(stage)}" for stage in failed]
    if left_out := schedule.in_state(State.LEFT_OUT):
        problems.append(f"left out, because they hang on a failed stage: {', '.join(left_out)}")
    raise UserError(problems)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
