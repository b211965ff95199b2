"""A warm process: it imports what stages need once, and forks for each stage.

`run_job` is what an engine calls wherever it computes. The process itself runs this file as a program, in a session of
its own, with pipes as its only connection: it ends, with all that it started, when the other side goes away.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from medtransfer.util.command import FailureOfTheMachine, run
from medtransfer.util.errors import UserError

WARM = (
    "matplotlib.backends.backend_agg", "pyarrow.dataset", "scipy.sparse", "medtransfer.deployment.trained",
    "medtransfer.tasks.classes.figures", "medtransfer.tracking.tracker", "medtransfer.training.variant",
    "medtransfer.util.command",
)  # fmt: skip
"""Modules that most stages import. None of them may start a thread or touch a GPU, which a fork would not survive."""
OF_THE_MACHINE = 75
"""The exit code of a stage that failed because of the machine (EX_TEMPFAIL of sysexits.h): another one may succeed."""
COMMAND = re.compile(
    r"(?P<source>PYTHONPATH=src )?(python (?P<script>[\w./-]+\.py)|medtransfer stage (?P<stage>\w+))"
    r'(?P<item> "\$DVC_STAGE")?'
)
"""The commands of stages that need no new process. All others are left to a shell, which knows what they mean."""
BEAT, TICK, PATIENCE = 1.0, 0.02, 5.0
"""Seconds between signs of life of a stage, between looks at it, and that it has to end after SIGTERM."""
SILENCE = 300.0
"""Seconds without a sign of life after which a stage counts as hung. It comes from a thread of its own."""


@dataclass(frozen=True)
class Order:
    """What a stage in a clone needs: hashes of its code, of its inputs and the paths of its outs; see `remote`.

    remote, settings: the DVC remote through which all travels. links: how DVC brings files from its cache. folder: of
    the clones on each machine.
    """

    code: dict[str, str]
    inputs: dict[str, str]
    outs: list[str]
    remote: str
    settings: dict[str, Any]
    links: str
    folder: str


@dataclass(frozen=True)
class Job:
    """A stage to run: its name and command in DVC, its folder, its log file, and environment variables to add."""

    stage: str
    command: str
    folder: str
    log: str
    environment: dict[str, str] = field(default_factory=dict)
    silence: float = SILENCE
    order: Order | None = None


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: its exit code, or why it did not end by itself; and the seconds that it took.

    outs: hashes of what it wrote in a clone. output: the end of its log there.
    """

    code: int | None
    lost: str = ""
    seconds: float = 0.0
    outs: dict[str, str] = field(default_factory=dict)
    output: str = ""


class Worker:
    """A warm process, seen from outside."""

    def __init__(self, job: Job) -> None:
        self.environment, self.folder = job.environment, job.folder
        self.connection, theirs = Pipe()
        commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        path = {"PATH": commands}  # a shell finds the commands of this environment, active or not
        if has_own_source(job.folder):
            path["PYTHONPATH"] = str(Path(job.folder) / "src")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "medtransfer.engine.worker", str(theirs.fileno())],
            cwd=job.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | path | job.environment,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self.child: int | None = None

    def run(self, job: Job) -> Outcome:
        """Run a stage to its end. A stage without a sign of life for `job.silence` seconds is killed."""
        started, lost = time.monotonic(), f"no sign of life for {job.silence:g} s"
        code: int | None = None
        try:
            self.connection.send(job)
            silence = SILENCE  # a new process imports for seconds, on a busy machine for many
            while self.connection.poll(silence):
                kind, value = self.connection.recv()
                if kind == "started":
                    self.child, silence = value, job.silence
                elif kind == "ended":
                    code, self.child = value, None
                    break
        except (EOFError, OSError):
            lost = "its worker was killed"
        seconds = time.monotonic() - started
        if code is None:
            self.stop(PATIENCE)
            return Outcome(None, lost, seconds)
        if code < 0:
            return Outcome(None, f"killed by {signal.Signals(-code).name}", seconds)
        return (
            Outcome(1, "the machine cannot run it", seconds) if code == OF_THE_MACHINE else Outcome(code, "", seconds)
        )

    def stop(self, patience: float = 2 * PATIENCE) -> None:
        """End the process and all that it started: by SIGTERM, or after `patience` seconds by SIGKILL."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        for group in (self.process.pid, self.child):
            if group is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
        self.process.wait()


def has_own_source(folder: str) -> bool:
    """Return whether a folder is a clone, which runs its own code, as its `dvc.yaml` says."""
    return (Path(folder) / "src" / "medtransfer").is_dir()


_of_this_thread = threading.local()
_all: list[Worker] = []


def run_job(job: Job) -> Outcome:
    """Run a stage in the warm process of this thread; one that has died, or has another environment, is replaced."""
    worker: Worker | None = getattr(_of_this_thread, "worker", None)
    if (
        worker is None
        or worker.process.poll() is not None
        or (worker.environment, worker.folder)
        != (
            job.environment,
            job.folder,
        )
    ):
        if worker is not None:
            with suppress(ValueError):  # `stop_workers` forgot it
                _all.remove(worker)
            worker.stop()
        worker = _of_this_thread.worker = Worker(job)
        _all.append(worker)
    return worker.run(job)


def stop_workers() -> None:
    """End all warm processes of this process, at the same time."""
    stopping = [threading.Thread(target=worker.stop) for worker in _all]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join()
    _all.clear()


def serve(connection: Connection) -> tuple[Job, int]:
    """Fork for each job that arrives; return only in a child: its job, and the pipe for its signs of life.

    The process ends on SIGTERM, or when the other side closes the connection, with the child that it has.
    """
    for module in WARM:
        import_module(module)
    from medtransfer.models.families import FAMILIES
    from medtransfer.models.heads import HEADS
    from medtransfer.study.loading import read_yaml
    from medtransfer.tasks import TASKS

    for registry in (FAMILIES, HEADS, TASKS):
        len(registry)  # imports the modules of its package
    gc.freeze()  # so that collecting garbage in children does not copy pages that they share
    signal.signal(signal.SIGTERM, _stop)
    while True:
        try:
            job: Job = connection.recv()
            with suppress(UserError):
                read_yaml(Path(job.folder) / "params.yaml")  # the child finds it parsed; it reports what is wrong
            ours, theirs = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(ours)
                connection.close()
                return job, theirs
            os.close(theirs)
            connection.send(("started", child))
            code = _watch(connection, child, ours)
            os.close(ours)
            connection.send(("ended", code))
        except (EOFError, OSError):
            sys.exit()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # another one would interrupt the end
    raise EOFError


def _watch(connection: Connection, child: int, beats: int) -> int:
    """Wait until a child ends, pass its signs of life on, and return its exit code; end it if nobody listens."""
    try:
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            ready = wait([connection, beats], TICK)
            if beats in ready and os.read(beats, 1):
                connection.send(("alive", None))
            if connection in ready:  # nothing is sent while a stage runs: the connection was closed
                raise EOFError
    except (EOFError, OSError):
        _end_group(child)
        raise


def _end_group(leader: int) -> None:
    """Terminate a process group; kill what is left after some seconds."""
    deadline = time.monotonic() + PATIENCE
    with suppress(ProcessLookupError, ChildProcessError):
        os.killpg(leader, signal.SIGTERM)
        while time.monotonic() < deadline and not os.waitpid(leader, os.WNOHANG)[0]:
            time.sleep(TICK)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def become_stage(job: Job, beats: int) -> int:
    """Run a stage in this process, a fresh fork, as its command would, and return its exit code.

    It is in its own process group, with the signals, streams and environment of a new process.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.chdir(job.folder)
    os.environ |= job.environment | {"DVC_STAGE": job.stage}
    threading.Thread(target=_beat, args=[beats], daemon=True).start()
    known = COMMAND.fullmatch(job.command)
    if known is None or (known["source"] and not has_own_source(job.folder)):
        return subprocess.run(job.command, shell=True, check=False).returncode
    item = job.stage if known["item"] else None
    if known["script"]:
        return _exit_code(lambda: _run_script([known["script"], *([item] if item else [])]))
    from medtransfer.engine.stage import run_script  # imports what only stages need, not `medtransfer repro`

    return _exit_code(lambda: run(lambda: run_script(known["stage"], item)))


def _run_script(words: list[str]) -> None:
    import runpy

    sys.argv = words
    sys.path.insert(0, str(Path(words[0]).resolve().parent))
    runpy.run_path(words[0], run_name="__main__")


def _exit_code(main: Callable[[], None]) -> int:
    try:
        main()
    except SystemExit as exit_:
        if isinstance(exit_.code, str):
            sys.stderr.write(f"{exit_.code}\n")
        if isinstance(exit_, FailureOfTheMachine):
            return OF_THE_MACHINE
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:  # noqa: BLE001 - the end of a process
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _beat(beats: int) -> None:
    """Show signs of life for as long as somebody reads them; without a worker, end with all that was started."""
    try:
        while True:
            os.write(beats, b".")
            time.sleep(BEAT)
    except OSError:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(become_stage(*serve(Connection(int(sys.argv[1])))))
