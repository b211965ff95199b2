"""The engine `local`: processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Literal

from medtransfer.engine.engines import ENGINES, Workers
from medtransfer.engine.worker import Job, Outcome, stop_workers
from medtransfer.util.hardware import cpu_count


@ENGINES.entry("local")
@contextmanager
def local(jobs: int | Literal["auto"]) -> Iterator[Workers]:
    """Run stages on this machine: by default one per GPU, else one per CPU core."""
    devices = gpus()
    slots = jobs if jobs != "auto" else len(devices) or cpu_count()
    executor = Threads(slots, devices)
    try:
        threads = max(1, cpu_count() // slots)
        yield Workers(executor, slots, thread_variables(threads), threads, min(1.0, len(devices) / slots))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)  # a thread that is free must not take the next stage
        stop_workers()
        executor.shutdown()


class Threads(ThreadPoolExecutor):
    """Threads that each run stages in a warm process of their own, on one of the GPUs."""

    def __init__(self, slots: int, devices: list[str]) -> None:
        super().__init__(slots)
        self._devices, self._slot, self._numbers = devices, threading.local(), count()

    def submit(self, function, job, /):  # type: ignore[no-untyped-def, override]
        """Submit a stage."""
        return super().submit(self._run, function, job)

    def _run(self, function: Callable[[Job], Outcome], job: Job) -> Outcome:
        if not self._devices:
            return function(job)
        if not hasattr(self._slot, "number"):
            self._slot.number = next(self._numbers)
        device = self._devices[self._slot.number % len(self._devices)]
        return function(replace(job, environment=job.environment | {"CUDA_VISIBLE_DEVICES": device}))


def thread_variables(threads: int) -> dict[str, str]:
    """Return the variables that limit the threads of a stage; MEDTRANSFER_THREADS is kept if it is set.

    The last bits of a training depend on the number of threads.
    """
    number = os.environ.get("MEDTRANSFER_THREADS", str(threads))
    return {"MEDTRANSFER_THREADS": number, "OMP_NUM_THREADS": number}


def gpus() -> list[str]:
    """List the GPUs by number.

    Another process counts them with torch, which would keep its memory here for the whole run.
    """
    if not list(Path("/dev").glob("nvidia[0-9]*")) and sys.platform == "linux":
        return []
    counting = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    found = subprocess.run(counting, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [str(number) for number in range(int(found))]
