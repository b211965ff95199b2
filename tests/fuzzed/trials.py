"""Hostile files, each drawn from its own seed, and what becomes of them: read, refused in one line, or a fault."""

from __future__ import annotations

import io
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import ModuleType

from medtransfer.util.errors import MOST_CHARACTERS, UserError

MOST_SECONDS = 15


class TooSlowError(BaseException):
    """Not an `Exception`: what reads a file must not take it for damage."""


@dataclass(frozen=True)
class Outcome:
    """read, refused, or the fault: an error other than `UserError`, a wrong result, or too much time."""

    what: str
    seconds: float


def trial(module: ModuleType, seed: str) -> Outcome:
    """Write the file of a seed and read it by the functions of `module`, `write` and `read`."""
    with tempfile.TemporaryDirectory() as name, redirect_stdout(io.StringIO()):
        folder = Path(name).resolve() / "set"
        folder.mkdir()
        path = module.write(folder, Random(seed))
        started = time.monotonic()
        return Outcome(_read(module.read, path), time.monotonic() - started)


def _read(read: Callable[[Path], None], path: Path) -> str:
    try:
        with _alarm():
            read(path)
    except UserError as error:
        lines = error.problems
        sound = lines and all(line.strip() and "\n" not in line and len(line) <= MOST_CHARACTERS for line in lines)
        return "refused" if sound else f"lines: {[line[:200] for line in lines]}"
    except TooSlowError:
        return f"more than {MOST_SECONDS} s"
    except BaseException as error:  # noqa: BLE001 - any other error is what is looked for
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = "" if at is None else f" at {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{where}"
    return "read"


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
