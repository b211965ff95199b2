"""The command `medtransfer repro`: run the stages of a study several at once, here or on other machines."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from medtransfer.engine.committer import Begun, Committer, InputsChangedError
from medtransfer.engine.dvc_costs import in_linear_time
from medtransfer.engine.engines import Workers, open_engine
from medtransfer.engine.forecast import remember
from medtransfer.engine.remote import at_a_distance
from medtransfer.engine.schedule import Schedule, State, open_repository
from medtransfer.engine.table import LiveTable
from medtransfer.engine.worker import Job, Outcome, run_job
from medtransfer.util.errors import UserError
from medtransfer.util.places import repository, state_folder

TICK = 0.25
"""Seconds after which the table is redrawn even if no stage ends."""
TRIES = 3
"""How often a stage is started that is lost each time: its worker was killed or hung, or its inputs changed."""
FLUSH_AFTER, SHARE = 1.0, 0.05
"""Seconds between writes of the lock file, and the largest share of the run that they may take."""


def reproduce(jobs: int | Literal["auto"], targets: Sequence[str] = (), engine: str | None = None) -> None:
    """Bring stages up to date as `dvc repro` does, several at once, and commit them to DVC one after another.

    targets: names of stages to bring up to date with everything upstream of them; empty for all. The results are those
    of `dvc repro` with the same number of threads per stage. A failed stage stops only the stages downstream of it.
    Raises `UserError` that names each failed stage and its log. When interrupted, end every process that was started.
    """
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with open_repository() as repo, in_linear_time(), open_engine(engine, jobs) as workers:
            committer = Committer(repo, targets)
            try:
                with at_a_distance(repo, committer, workers) as near_or_far:
                    run = Run(committer, near_or_far)
                    try:
                        run.to_end()
                    finally:
                        remember(run.took)
            finally:
                committer.close()
    except KeyboardInterrupt:
        raise UserError("interrupted; `medtransfer repro` resumes from here") from None
    finally:
        signal.signal(signal.SIGTERM, previous)
    if run.problems:
        if left_out := run.schedule.in_state(State.LEFT_OUT):
            run.problems.append(f"not run, because they depend on a failed stage: {', '.join(left_out)}")
        raise UserError(run.problems)
    if run.idle:
        print("everything is up to date")  # noqa: T201


class Run:
    """One run: which stages wait, run and have ended."""

    def __init__(self, committer: Committer, workers: Workers) -> None:
        self.committer, self.workers = committer, workers
        self.schedule = Schedule(committer.needs)
        self.idle = True
        self.problems: list[str] = []
        self.took: dict[str, float] = {}
        self._tries: Counter[str] = Counter()
        self._running: dict[Future[Outcome], str] = {}
        self._started: dict[str, float] = {}
        self._flushed, self._cost = time.monotonic(), 0.0

    def to_end(self) -> None:
        """Run until nothing runs and nothing can start."""
        with LiveTable(self.workers.slots) as self._table:
            while not self.schedule.finished:
                self._start_ready()
                self._show()
                done, _ = wait(self._running, TICK, FIRST_COMPLETED)
                for future in sorted(done, key=lambda each: self._running[each]):
                    self._collect(self._running.pop(future), future)
                self._flush()

    def _start_ready(self) -> None:
        """Start stages until each slot is busy and has another one waiting; skip what has not changed."""
        most = 2 * self.workers.slots
        while len(self._running) < most and (ready := self.schedule.ready()):
            for stage in ready[: most - len(self._running)]:
                self.schedule.start(stage)
                try:
                    begun = self.committer.begin(stage)
                except UserError as error:
                    self._fail(stage, str(error))
                    continue
                self.idle &= begun is Begun.UNCHANGED or self.committer.always_runs(stage)
                if begun is Begun.TO_RUN:
                    self._submit(stage)
                    continue
                self.schedule.finish(stage, succeeded=True)
                if begun is Begun.RESTORED:
                    self._table.report(stage, begun.value)

    def _submit(self, stage: str) -> None:
        log, (command, folder) = log_of(stage).resolve(), self.committer.command(stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        if not self._tries[stage]:
            log.write_bytes(b"")
        self._tries[stage] += 1
        self._started.pop(stage, None)
        root = {"DVC_ROOT": str(repository().resolve()), "MEDTRANSFER_BARS": "1"}
        job = Job(stage, command, folder, str(log), self.workers.environment | root)
        self._running[self.workers.executor.submit(run_job, job)] = stage

    def _collect(self, stage: str, future: Future[Outcome]) -> None:
        """Commit a stage that has ended, start one again that was lost, and report one that failed."""
        try:
            outcome = future.result()
        except Exception as error:  # noqa: BLE001 - of the engine, such as a machine that is gone
            outcome = Outcome(None, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        lost, problem = outcome.lost, ""
        if outcome.code == 0:
            try:
                self.committer.commit(stage)
            except InputsChangedError:
                lost = "its inputs changed while it ran"
            except UserError as error:
                problem = str(error)
        if lost and self._tries[stage] < TRIES:
            self._table.report(stage, "again", outcome.seconds, f"  ({lost})")
            self.committer.release(stage)
            try:
                begun = self.committer.begin(stage)
            except UserError as error:
                self._fail(stage, str(error))
                return
            if begun is Begun.TO_RUN:
                self._submit(stage)
                return
            outcome, lost = Outcome(0, "", outcome.seconds), ""  # another one has run it meanwhile
        if outcome.code or lost or problem:
            why = problem or f"{stage} failed{f' ({lost}, {self._tries[stage]} times)' if lost else ''}"
            self._fail(stage, f"{why}; its output is in {log_of(stage)}", outcome.seconds)
        else:
            self.schedule.finish(stage, succeeded=True)
            self.took[stage] = outcome.seconds
            self._table.report(stage, "done", outcome.seconds)

    def _fail(self, stage: str, problem: str, seconds: float | None = None) -> None:
        self.committer.release(stage)
        self.problems.append(problem)
        self.schedule.finish(stage, succeeded=False)
        self._table.report(stage, "FAILED", seconds)

    def _show(self) -> None:
        """Show what runs; stages that wait for a slot have been submitted, too, so that none is idle for a moment."""
        submitted, now = list(self._running.values()), time.monotonic()
        running = {
            stage: (log_of(stage), self._started.setdefault(stage, now)) for stage in submitted[: self.workers.slots]
        }
        states = Counter({state.value: len(self.schedule.in_state(state)) for state in State})
        states[State.RUNNING.value] = len(running)
        states[State.WAITING.value] += len(submitted) - len(running)
        self._table.update(running, states, [*submitted[len(running) :], *self.schedule.in_state(State.WAITING)])

    def _flush(self) -> None:
        """Write the lock file, so seldom that a run of any number of stages spends little of its time on it."""
        started = time.monotonic()
        if started - self._flushed > max(FLUSH_AFTER, self._cost / SHARE):
            self.committer.flush()
            self._flushed = time.monotonic()
            self._cost = self._flushed - started


def log_of(stage: str) -> Path:
    """Return the log file of a stage."""
    return state_folder() / "logs" / f"{re.sub(r'[^A-Za-z0-9_@.-]', '_', stage)}.log"


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
