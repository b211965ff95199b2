"""Runs stages through DVC's own command line, one after another: DVC is loaded once, and not for every stage."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path


def main() -> None:
    """Take names of stages and logs from the connection whose file descriptor is named; answer with DVC's exit codes.

    Ends where the other side does, or on SIGINT.
    """
    number = int(sys.argv[1])
    os.set_inheritable(number, False)
    connection = Connection(number)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            stage, log = connection.recv()
            connection.send(reproduce(stage, Path(log)))


def reproduce(stage: str, log: Path) -> int:
    """Run one stage, without those upstream of it; DVC's own lock keeps `dvc.lock` whole."""
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    from dvc.cli import main as dvc

    code: int = dvc(["--wait-for-lock", "repro", "--single-item", stage])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
