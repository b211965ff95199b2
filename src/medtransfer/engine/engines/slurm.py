"""The engine `slurm`: jobs of a cluster with a shared file system, or those of another scheduler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Literal

from medtransfer.engine.engines import ENGINES, Workers
from medtransfer.engine.engines.local import thread_variables
from medtransfer.engine.worker import Job, Outcome
from medtransfer.util.errors import UserError
from medtransfer.util.places import state_folder

MOST = 64
"""Jobs at once, if the user names no number: a queue, not a machine, decides how many of them run."""
LOOK = 1.0
"""Seconds between looks at the jobs."""


@ENGINES.entry("slurm")
@contextmanager
def slurm(
    jobs: int | Literal["auto"], *, cluster: str = "slurm", cpus: int = 1, parameters: dict[str, Any] | None = None
) -> Iterator[Workers]:
    """Run stages as arrays of jobs.

    cluster: a scheduler by submitit's name; plugins add some. cpus: CPU cores of a stage. parameters: anything else
    that submitit sets, such as `timeout_min`, `mem_gb` or `slurm_partition`.
    """
    try:
        import submitit
    except ImportError:
        raise UserError('the engine slurm needs the package submitit; `pip install "medtransfer[slurm]"`') from None
    slots = MOST if jobs == "auto" else jobs
    limit = {"slurm_array_parallelism": slots} if cluster == "slurm" else {}
    try:
        executor = submitit.AutoExecutor(folder=state_folder().resolve() / "jobs", cluster=cluster)
        executor.update_parameters(name="medtransfer", cpus_per_task=cpus, **limit | (parameters or {}))
    except (RuntimeError, ValueError, NameError, TypeError) as error:
        raise UserError(f"{cluster}: {' '.join(str(error).split())[:300]}") from None
    queue = Queue(executor)
    try:
        yield Workers(queue, slots, thread_variables(cpus), cpus, (parameters or {}).get("gpus_per_node", 0))
    finally:
        queue.close()


class Queue:
    """Jobs of a scheduler as futures; what is submitted within a second becomes one array."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._new: SimpleQueue[tuple[Future[Outcome], Callable[..., Outcome], Job]] = SimpleQueue()
        self._there: list[tuple[Future[Outcome], Any]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def submit(self, function: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        """Submit a stage; an error of the future means that its job was lost."""
        future: Future[Outcome] = Future()
        self._new.put((future, function, job))
        return future

    def close(self) -> None:
        """Cancel the jobs that are left."""
        self._closed.set()
        self._thread.join()
        for future, job in self._there:
            job.cancel(check=False)
            future.cancel()

    def _look(self) -> None:
        while not self._closed.wait(LOOK):
            new = []
            while True:
                try:
                    new.append(self._new.get_nowait())
                except Empty:
                    break
            if new:
                self._start(new)
            for future, job in [each for each in self._there if each[1].done()]:
                self._there.remove((future, job))
                _settle(future, job.result)

    def _start(self, new: list[tuple[Future[Outcome], Callable[..., Outcome], Job]]) -> None:
        try:
            with self._executor.batch():
                jobs = [self._executor.submit(function, job) for _, function, job in new]
        except Exception as error:  # noqa: BLE001 - the scheduler refuses: each stage is lost, and tried again
            for future, _, _ in new:
                future.set_exception(error)
        else:
            self._there += [(future, job) for (future, _, _), job in zip(new, jobs, strict=True)]


def _settle(future: Future[Outcome], result: Callable[[], Outcome]) -> None:
    try:
        future.set_result(result())
    except Exception as error:  # noqa: BLE001 - it belongs to the future
        future.set_exception(error)
