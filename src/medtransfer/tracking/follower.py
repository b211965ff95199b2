"""The process that reads the stages' events and carries them out on MLflow, one after the other."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medtransfer.tracking.origin import is_gone
from medtransfer.tracking.tracker import FOLLOWER_LOCK, WARNINGS, waiting, warning
from medtransfer.tracking.variant_log import VariantLog

IDLE_SECONDS, POLL_SECONDS = 10.0, 0.1


class Followed:
    """One stage's file of events, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open(encoding="utf-8")
        self._log: VariantLog | None = None
        self._variant, self._process = "", ""
        self._failed = False

    def advance(self) -> bool:
        """Carry out what is new; say whether this was the last of it."""
        gone = bool(self._process) and is_gone(self._process)  # before reading: what it wrote last is read then
        closed = False
        while (line := self._line()) is not None:
            event = json.loads(line)
            closed = event["call"] == "close"
            self._carry_out(event["call"], event["arguments"])
        if gone and not closed:
            self._carry_out("close", {"status": "KILLED"})
        if gone or closed:
            self._file.close()
            self._path.unlink()
        return gone or closed

    def _line(self) -> str | None:
        """Give the next whole line; a half written one is left for later."""
        place = self._file.tell()
        line = self._file.readline()
        if line.endswith("\n"):
            return line
        self._file.seek(place)
        return None

    def _carry_out(self, call: str, arguments: dict[str, Any]) -> None:
        """Call the log; after the first failure leave one warning, and pass the rest over."""
        if self._failed:
            return
        try:
            if call == "open":
                self._variant, self._process = arguments["variant"], arguments["process"]
                self._log = VariantLog(**arguments)
            else:
                getattr(self._log, call)(**arguments)
        except Exception as error:  # noqa: BLE001 - whatever a server does, training goes on
            self._failed = True
            with (self._path.parent / WARNINGS).open("a", encoding="utf-8") as warnings:
                warnings.write(warning(self._variant, f"{type(error).__name__}: {error}") + "\n")


def main(spool: Path) -> None:
    """Follow all files of the folder until there has been none for a while; leave where another does so already."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it outlives the stages, and closes their runs
    try:
        with FileLock(spool / FOLLOWER_LOCK, timeout=2 * POLL_SECONDS):
            follow(spool)
    except Timeout:
        return


def follow(spool: Path) -> None:
    """Carry out the events of all files, the oldest file first."""
    followed: dict[Path, Followed] = {}
    busy = time.monotonic()
    while time.monotonic() - busy < IDLE_SECONDS:
        for path in waiting(spool):
            if path not in followed:
                followed[path] = Followed(path)
            if followed[path].advance():
                del followed[path]
            busy = time.monotonic()
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
