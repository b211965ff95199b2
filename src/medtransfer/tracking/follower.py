"""The background process that reads the stages' events and sends them to MLflow, one after another."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medtransfer.tracking.tracker import FOLLOWER_LOCK, WARNINGS, waiting, warning
from medtransfer.tracking.variant_log import VariantLog
from medtransfer.util.errors import UserError
from medtransfer.util.files import age
from medtransfer.util.processes import is_gone

IDLE_SECONDS, POLL_SECONDS, ABANDONED_SECONDS = 10.0, 0.1, 30.0


class EventFile:
    """One stage's file of events, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open(encoding="utf-8")
        self._log: VariantLog | None = None
        self._variant, self._process = "", ""
        self._failed = False

    def advance(self) -> bool:
        """Log the new events; return whether the file is complete, and then delete it."""
        gone = is_gone(self._process) if self._process else self._is_abandoned()  # asked first: its last events follow
        closed = False
        while (line := self._line()) is not None:
            try:
                event = json.loads(line)
                call, arguments = event["call"], event["arguments"]
            except (ValueError, TypeError, KeyError) as error:
                self._fail(f"{self._path.name}: {type(error).__name__}: {error}")
                continue
            closed = call == "close"
            self._log_event(call, arguments)
        if gone and not closed:
            self._log_event("close", {"status": "KILLED"})
        if gone or closed:
            self._file.close()
            self._path.unlink()
        return gone or closed

    def _line(self) -> str | None:
        """Return the next complete line, if there is one."""
        place = self._file.tell()
        line = self._file.readline()
        if line.endswith("\n"):
            return line
        self._file.seek(place)
        return None

    def _log_event(self, call: str, arguments: dict[str, Any]) -> None:
        """Call the log; after a first failure, leave one warning and skip the rest."""
        if self._failed:
            return
        try:
            if call == "open":
                self._variant, self._process = arguments["variant"], arguments["process"]
                self._log = VariantLog(**arguments)
            else:
                getattr(self._log, call)(**arguments)
        except UserError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - training continues whatever a server does
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            with (self._path.parent / WARNINGS).open("a", encoding="utf-8") as warnings:
                warnings.write(warning(self._variant or "VARIANT", reason) + "\n")

    def _is_abandoned(self) -> bool:
        """Whether the file is old and still has no first event: its stage was killed before it wrote one."""
        return age(self._path) > ABANDONED_SECONDS


def main(spool: Path) -> None:
    """Follow all files in a folder until none has been there for a while; end at once if another follower runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it outlives the stages, and closes their runs
    try:
        with FileLock(spool / FOLLOWER_LOCK, timeout=2 * POLL_SECONDS):
            follow(spool)
    except Timeout:
        return


def follow(spool: Path) -> None:
    """Log the events of all files, the oldest file first."""
    files: dict[Path, EventFile] = {}
    busy = time.monotonic()
    while time.monotonic() - busy < IDLE_SECONDS:
        for path in waiting(spool):
            if path not in files:
                files[path] = EventFile(path)
            if files[path].advance():
                del files[path]
            busy = time.monotonic()
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
