"""What the stages call: events to a process of its own that talks to MLflow.

A slow, broken or missing server costs a warning and a bounded wait at the end, never a stage. The process
starts at once, so that MLflow's import, seconds long, runs beside the stage's own. What is logged also stands
in files of the stages, from which `medtransfer log` can log a lost run again.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

WAIT_SECONDS, KILLED_WAIT_SECONDS = 60.0, 5.0


class Tracker:
    """The MLflow run of a variant, seen from a stage. No method raises or waits, but for the end of `with`.

    With MEDTRANSFER_TRACKING=off nothing is logged. A SIGTERM inside the `with` becomes an exit that closes
    the runs as killed.
    """

    def __init__(self, study: str, variant: str) -> None:
        self._variant = variant
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        if os.environ.get("MEDTRANSFER_TRACKING") != "off":
            self._process = subprocess.Popen(
                [sys.executable, "-m", "medtransfer.tracking.follower", study, variant],
                stdin=subprocess.PIPE,
                text=True,
            )
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def start(self, resolved: dict[str, Any], inputs: str, data: str) -> None:
        """Open the variant's run: its parameters, the hash of its inputs and that of its pixels."""
        self._send("start", resolved=resolved, inputs=inputs, data=data)

    def epoch(self, fold: int, seed: int, values: dict[str, float]) -> None:
        """Log an epoch, `values` with its number as `epoch`, to the nested run of a fold and seed."""
        self._send("epoch", fold=fold, seed=seed, values=values)

    def history(self, folder: Path) -> None:
        """Log the card and the history of a trained variant's folder."""
        self._send("history", folder=str(folder))

    def expect_evaluation(self) -> None:
        """Let the process import what logging a model takes while the stage still computes."""
        self._send("expect_evaluation")

    def evaluation(self, folder: Path, found: dict[str, Any], figure: Path) -> None:
        """Add test metrics, a figure and the model to the run of the same inputs, where training left one."""
        self._send("evaluation", folder=str(folder), found=found, figure=str(figure))

    def __enter__(self) -> Tracker:
        self._signal = signal.signal(signal.SIGTERM, _exit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._signal)
        killed = kind is not None and not issubclass(kind, Exception)
        self._send("close", status="KILLED" if killed else "FAILED" if kind else "FINISHED")
        self._events.put(None)
        self._wait(KILLED_WAIT_SECONDS if killed else WAIT_SECONDS)

    def _send(self, call: str, **arguments: Any) -> None:
        self._events.put({"call": call, "arguments": arguments})

    def _write(self) -> None:
        while (event := self._events.get()) is not None:
            if self._process is None or self._process.stdin is None:
                continue
            try:
                self._process.stdin.write(json.dumps(event) + "\n")
                self._process.stdin.flush()
            except OSError:  # the process has ended, and said why
                self._process = None

    def _wait(self, seconds: float) -> None:
        process = self._process
        if process is None:
            return
        self._writer.join(seconds)
        if process.stdin is not None and not self._writer.is_alive():
            process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            warn(self._variant, f"not done after {seconds:g} s")


def warn(variant: str, what: str) -> None:
    """Say in one line what was not logged, and how it can be logged again."""
    message = " ".join(what.split())[:300]
    print(f"warning: MLflow: {message}; nothing is lost: `medtransfer log {variant}` logs it again", file=sys.stderr)  # noqa: T201


def _exit(*_: object) -> None:
    raise SystemExit(143)
