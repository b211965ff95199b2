"""Workers that do not see the study's folder: what their stages read and write travels through a DVC remote.

A worker has a clone of the study on its own machine: the files that a stage's code needs, and the inputs of the stages
that it has run, all fetched by their hashes. DVC's own code transfers, links and hashes them.
"""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from medtransfer.engine.committer import IN_DVC, Committer
from medtransfer.engine.engines import Executor, Workers
from medtransfer.engine.engines.local import local
from medtransfer.engine.worker import COMMAND, Job, Order, Outcome, has_own_source, run_job
from medtransfer.util.digests import script_digest
from medtransfer.util.errors import UserError
from medtransfer.util.places import HERE, shipped

CODE = ("dvc.yaml", "params.yaml", "stages", "src", "extensions")
"""The files and folders of a study, next to the inputs of a stage, that a stage may read."""
OF_THIS_MACHINE = ("check", "download", "external", "weights")
"""Stages that read files, accounts and the network of the machine where the command was started."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0)
"""Seconds between tries of a transfer: a remote may be gone for a minute and a half."""
MOST_OUTPUT = 100_000
"""Bytes of a stage's output that a worker sends back: its end."""


class RemoteIsGoneError(Exception):
    """A transfer failed each time that it was tried."""


@contextmanager
def at_a_distance(repo: Any, committer: Committer, workers: Workers) -> Iterator[Workers]:
    """Let stages run in clones, if the engine's configuration names a remote; else change nothing.

    Raises `UserError` if the study's `.dvc/config` has no such remote.
    """
    if workers.remote is None:
        yield workers
        return
    with local(1) as here:
        yield workers._replace(executor=Sender(repo, committer, workers, here.executor))


class Sender:
    """An executor that sends what a stage needs, lets another executor run it in a clone, and fetches its outs.

    Stages that bring data into the study, or read what DVC's cache does not keep, run here, one at a time.
    """

    def __init__(self, repo: Any, committer: Committer, workers: Workers, here: Executor) -> None:
        assert workers.remote is not None
        self._repo, self._committer, self._executor, self._here = repo, committer, workers.executor, here
        self._name, folder = workers.remote
        settings = repo.config.read("repo")["remote"].get(self._name)
        if settings is None:
            raise UserError(f"remote {self._name}: not in .dvc/config; add it by `dvc remote add {self._name} URL`")
        code = {name: keep(repo, Path(name)) for name in CODE if Path(name).exists()}
        links = repo.config["cache"].get("type") or []
        self._order = Order(code, {}, [], self._name, dict(settings), ",".join(links), folder)

    def submit(self, function: Callable[..., Any], job: Job, /) -> Future[Outcome]:
        """Submit a stage."""
        files = self._committer.files(job.stage)
        if files is None or job.stage.partition("@")[0] in OF_THIS_MACHINE:
            return self._here.submit(function, job)
        future: Future[Outcome] = Future()
        order = replace(self._order, inputs=files[0], outs=files[1])
        threading.Thread(target=self._settle, args=[future, job, order], daemon=True).start()
        return future

    def _settle(self, future: Future[Outcome], job: Job, order: Order) -> None:
        try:
            future.set_result(self._run(job, order))
        except BaseException as error:  # noqa: BLE001 - it belongs to the future
            future.set_exception(error)

    def _run(self, job: Job, order: Order) -> Outcome:
        try:
            transfer(self._repo, self._name, [*order.code.values(), *order.inputs.values()], send=True)
            outcome: Outcome = self._executor.submit(run_in_clone, replace(job, order=order)).result()
            if outcome.code == 0:
                transfer(self._repo, self._name, outcome.outs.values(), send=False)
        except RemoteIsGoneError as error:
            return Outcome(None, str(error))
        with Path(job.log).open("a", encoding="utf-8") as log:
            log.write(outcome.output)
        for path, found in outcome.outs.items():
            place(self._repo, Path(path), found, own=path not in self._committer.cached(job.stage))
        return outcome


_of_this_thread = threading.local()


def run_in_clone(job: Job) -> Outcome:
    """Run a stage in a clone on this machine: fetch what it reads, and send what it wrote."""
    from dvc.repo import Repo

    assert job.order is not None
    order, where = job.order, socket.gethostname()
    clone = _clone_of_this_thread(order)
    log = clone / ".medtransfer" / "worker.log"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"")
    there = replace(job, folder=str(clone), log=str(log), environment=job.environment | {"DVC_ROOT": str(clone)})
    try:
        with Repo(str(clone)) as repo:
            transfer(repo, order.remote, [*order.code.values(), *order.inputs.values()], send=False)
            for out in order.outs:
                remove(clone / out)
                (clone / out).parent.mkdir(parents=True, exist_ok=True)
            for path, found in (order.code | order.inputs).items():
                place(repo, clone / path, found)
            if problem := _other_code(job, clone):
                return Outcome(None, f"{where}: {problem}")
            outcome = run_job(there)
            if outcome.code == 0:
                outs = {path: keep(repo, clone / path) for path in order.outs if (clone / path).exists()}
                transfer(repo, order.remote, outs.values(), send=True)
                outcome = replace(outcome, outs=outs)
    except RemoteIsGoneError as error:
        return Outcome(None, f"{where}: {error}")
    output = log.read_bytes()[-MOST_OUTPUT:].decode(errors="replace")
    return replace(outcome, output=output, lost=f"{where}: {outcome.lost}" if outcome.lost else "")


def _clone_of_this_thread(order: Order) -> Path:
    """Return the folder of a clone that no other thread or process uses, for as long as this thread lives."""
    from dvc.repo import Repo

    base = Path(order.folder).expanduser() if order.folder else user_cache_path("medtransfer") / "clones"
    lock: FileLock | None = getattr(_of_this_thread, "lock", None)
    number = 0
    while lock is None or Path(lock.lock_file).parent != base:
        base.mkdir(parents=True, exist_ok=True)
        lock = FileLock(base / f"{number}.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            lock, number = None, number + 1
    _of_this_thread.lock = lock
    clone = Path(lock.lock_file).with_suffix("").resolve()
    config = clone / ".dvc" / "config"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    with Repo(str(clone)) as repo, repo.config.edit() as settings:
        settings["core"] |= {"analytics": False, "site_cache_dir": str(clone / ".dvc" / "site")}
        settings["cache"]["dir"] = str(base.resolve() / "cache")
        if order.links:
            settings["cache"]["type"] = order.links
        settings["remote"][order.remote] = order.settings
    return clone


def _other_code(job: Job, clone: Path) -> str:
    """Return what is wrong if the installed package is not the code that the coordinator would run."""
    known = COMMAND.fullmatch(job.command)
    if known is None or not known["stage"] or has_own_source(str(clone)):
        return ""
    wanted = clone / HERE.code / f"{known['stage']}.txt"
    script = shipped("stages") / f"{known['stage']}.py"
    if not wanted.is_file() or wanted.read_text(encoding="utf-8").strip() == script_digest(script):
        return ""
    return "its code of medtransfer is not that of the coordinator; install the same version there"


def keep(repo: Any, path: Path) -> str:
    """Hash a file or folder into the cache of a repository, and return its hash."""
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.transfer import transfer as copy

    with IN_DVC:
        cache = repo.cache.local
        staging, _, found = build(cache, str(path.absolute()), repo.fs, "md5", ignore=repo.dvcignore)
        copy(staging, cache, {found.hash_info}, shallow=False)
        value = found.hash_info.value
    assert value is not None
    return value


def place(repo: Any, path: Path, found: str, own: bool = False) -> None:
    """Bring a file or folder from the cache to its place. own: not as a link."""
    from dvc_data.hashfile import load
    from dvc_data.hashfile.checkout import checkout
    from dvc_data.hashfile.hash_info import HashInfo

    cache, place_ = repo.cache.local, str(path.absolute())
    with IN_DVC:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkout(place_, repo.fs, load(cache, HashInfo("md5", found)), cache, force=True, state=repo.state)
        if own:
            cache.unprotect(place_)


def remove(path: Path) -> None:
    """Delete a file or folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def transfer(repo: Any, remote: str, hashes: Iterable[str], *, send: bool) -> None:
    """Copy files and folders, by their hashes, between the cache of a repository and a remote.

    A remote that does not answer is tried again, for a minute and a half in all. Raises `RemoteIsGoneError`.
    """
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer as copy

    wanted = {HashInfo("md5", each) for each in hashes}
    for pause in (*PAUSES, None):
        try:
            cache, there = repo.cache.local, repo.cloud.get_remote_odb(remote)
            ends = (cache, there) if send else (there, cache)
            done = copy(*ends, wanted, shallow=False, cache_odb=cache if send else None, verify=not send)
            if not done.failed:
                return
            problem = f"{len(done.failed)} files were not copied"
        except Exception as error:  # noqa: BLE001 - each kind of remote has errors of its own
            problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if pause is None:
            raise RemoteIsGoneError(f"remote {remote}: {problem}")
        time.sleep(pause)
