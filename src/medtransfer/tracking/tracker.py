"""Tracking as stages see it: events appended to a file, which one background process sends to MLflow.

A stage waits for nothing, so that a slow, broken or missing server costs a warning and never a stage. One follower
serves all stages, because importing MLflow and torch takes seconds; it starts with the first event and ends when there
is nothing left to follow. Everything logged is also in files of the stages: `medtransfer log` restores a lost run.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from filelock import FileLock, Timeout

from medtransfer.tracking.origin import origin
from medtransfer.util.places import state_folder
from medtransfer.util.processes import process_name
from medtransfer.util.text import without_credentials

FOLLOWER_LOCK, WARNINGS = "follower.lock", "warnings.txt"


class Tracker:
    """The MLflow run of a variant, seen from a stage; see `VariantLog`. No method raises or waits.

    MEDTRANSFER_TRACKING=off disables tracking. Within the `with` block, SIGTERM becomes an exit that closes the runs as
    killed.
    """

    def __init__(self, study: str, variant: str) -> None:
        self._variant = variant
        self._file: TextIO | None = None
        if os.environ.get("MEDTRANSFER_TRACKING") == "off":
            return
        try:
            spool = spool_folder()
            spool.mkdir(parents=True, exist_ok=True)
            # later than all that wait, even if the clock went back: a follower logs them in this order
            order = max([time.time_ns(), *(int(path.name.partition("_")[0]) + 1 for path in waiting(spool))])
            self._file = (spool / f"{order}_{os.getpid()}.jsonl").open("w", encoding="utf-8", buffering=1)
            self._send("open", study=study, variant=variant, process=process_name(), origin=origin())
            ensure_follower(spool)
        except OSError as error:
            self._give_up(error)

    def start(self, resolved: dict[str, Any], inputs: str, data: str) -> None:
        """Open the variant's run, with its parameters and the hashes of its inputs and its pixels."""
        self._send("start", resolved=resolved, inputs=inputs, data=data)

    def epoch(self, fold: int, seed: int, values: dict[str, float]) -> None:
        """Log an epoch to the nested run of a fold and seed; `values` include the epoch's number as `epoch`."""
        self._send("epoch", fold=fold, seed=seed, values=values)

    def history(self, folder: Path) -> None:
        """Log the card and the history in a trained variant's folder."""
        self._send("history", folder=str(folder.resolve()))

    def evaluation(self, folder: Path, found: dict[str, Any], figure: Path) -> None:
        """Log test metrics, a figure and the model to the run of the same inputs, if training left one."""
        self._send("evaluation", folder=str(folder.resolve()), found=found, figure=str(figure.resolve()))

    def intervals(self, folder: Path, values: dict[str, float]) -> None:
        """Log the bounds of the intervals of test metrics to the run of the same inputs, if training left one."""
        self._send("intervals", folder=str(folder.resolve()), values=values)

    def explanation(self, folder: Path, found: dict[str, Any], figure: Path) -> None:
        """Log the measures and the contact sheet of maps to the run of the same inputs, if training left one."""
        self._send("explanation", folder=str(folder.resolve()), found=found, figure=str(figure.resolve()))

    def __enter__(self) -> Tracker:
        self._signal = signal.signal(signal.SIGTERM, _exit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._signal)
        killed = kind is not None and not issubclass(kind, Exception)
        self._send("close", status="KILLED" if killed else "FAILED" if kind else "FINISHED")
        if self._file is None:
            return
        self._file.close()
        try:
            ensure_follower(spool_folder())
            print_warnings(spool_folder())
        except OSError as error_of_spool:
            self._give_up(error_of_spool)

    def _send(self, call: str, **arguments: Any) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps({"call": call, "arguments": arguments}) + "\n")
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._file = None
        sys.stderr.write(f"{warning(self._variant, str(error))}\n")


def spool_folder() -> Path:
    """Return the folder of events: one per MLflow server, because a follower logs to one server."""
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("MLFLOW_TRACKING_"))
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    return state_folder().resolve() / "tracking" / digest


def ensure_follower(spool: Path) -> None:
    """Start the follower if events are waiting and none is running."""
    if not waiting(spool):
        return
    try:
        with FileLock(spool / FOLLOWER_LOCK, timeout=0):
            pass
    except Timeout:
        return
    with (spool / "follower.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "medtransfer.tracking.follower", str(spool)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for_follower(seconds: float) -> None:
    """Wait until all events are logged, for at most `seconds`, and print any warnings."""
    if os.environ.get("MEDTRANSFER_TRACKING") == "off":
        return
    spool, deadline = spool_folder(), time.monotonic() + seconds
    ensure_follower(spool)
    while waiting(spool) and time.monotonic() < deadline:
        time.sleep(0.1)
    print_warnings(spool)


def waiting(spool: Path) -> list[Path]:
    """List the files with events that are not logged yet, oldest first."""
    return sorted(spool.glob("*.jsonl"))


def print_warnings(spool: Path) -> None:
    """Print the follower's warnings once."""
    taken = spool / f"{WARNINGS}.{os.getpid()}"
    try:
        (spool / WARNINGS).rename(taken)
    except FileNotFoundError:
        return
    sys.stderr.write(taken.read_text(encoding="utf-8"))
    taken.unlink()


def warning(variant: str, reason: str) -> str:
    """Return one line about a variant that was not logged, and how to log it."""
    message = without_credentials(" ".join(reason.split()))[:300]
    return f"warning: MLflow: {message}; nothing is lost: `medtransfer log {variant}` logs it again"


def _exit(*_: object) -> None:
    raise SystemExit(143)
