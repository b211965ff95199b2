"""The engine `ray`: the machines of a Ray cluster that share the study's folder, or this machine alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Literal

from medtransfer.engine.engines import ENGINES, Workers
from medtransfer.engine.engines.local import thread_variables
from medtransfer.engine.worker import Job, Outcome
from medtransfer.util.errors import UserError

SETTINGS = {"prestart_worker_first_driver": False}
"""Of a Ray that is started here: if a process that it starts ahead of time dies, `ray.init` waits for it for ever."""


@ENGINES.entry("ray")
@contextmanager
def ray(
    jobs: int | Literal["auto"], *, address: str = "", cpus: float = 1, gpus: float = 0, memory_gb: float = 0
) -> Iterator[Workers]:
    """Run stages on a Ray cluster.

    address: of the cluster, such as `auto`; by default one is started here, for this run, on loopback. cpus, gpus,
    memory_gb: what a stage needs; a quarter of a GPU lets four stages share one.
    """
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray
    except ImportError:
        raise UserError('the engine ray needs the package ray; `pip install "medtransfer[ray]"`') from None
    start: dict[str, Any] = {"address": address}
    if not address:
        start = {"_node_ip_address": "127.0.0.1", "include_dashboard": False, "_system_config": SETTINGS}
        if jobs != "auto":
            start["num_cpus"] = round(jobs * cpus)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **start)
    except Exception as error:  # noqa: BLE001 - of a node that starts too slowly, Ray raises nothing more special
        raise UserError(f"ray: {' '.join(str(error).split())[:300]}") from None
    try:
        there = ray.cluster_resources()
        most = int(min(there.get("CPU", 0) / cpus, there.get("GPU", 0) / gpus if gpus else float("inf")))
        if not most:
            raise UserError(f"ray: no stage fits; it needs {cpus:g} CPUs and {gpus:g} GPUs, the cluster has {there}")
        remote = ray.remote(num_cpus=cpus, num_gpus=gpus, memory=memory_gb * 1e9, max_retries=0)
        threads = thread_variables(max(1, int(cpus)))
        yield Workers(Tasks(remote), most if jobs == "auto" else min(jobs, most), threads, cpus, gpus)
    finally:
        ray.shutdown()


class Tasks:
    """Calls of functions as Ray's tasks."""

    def __init__(self, remote: Callable[..., Any]) -> None:
        self._remote = remote

    def submit(self, function: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        """Submit a stage; an error of the future means that its process or machine is gone."""
        future: Future[Outcome] = self._remote(function).remote(job).future()
        return future
