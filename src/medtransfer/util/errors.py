"""The one kind of error that is the user's to mend, and how a command reports it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from medtransfer.util.hardware import collect_old_garbage_seldom, keep_freed_memory


class UserError(Exception):
    """A mistake in the params, the data or the set-up, told in one line for each problem.

    Each line says what was expected, what was found, where, and what to do. Commands print the lines
    without a traceback and end with exit code 1.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def run(main: Callable[[], object]) -> None:
    """Call `main`; turn a `UserError` into one line a problem on standard error, and exit code 1.

    A graphics card whose memory is full is the user's to mend too.
    """
    keep_freed_memory()
    collect_old_garbage_seldom()
    try:
        main()
    except UserError as error:
        _end(error.problems)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's: importing it takes a second
            raise
        advice = "a smaller batch_size, image_size or backbone needs less of it, gradient_checkpointing: true too"
        _end([f"{str(error).split('. GPU')[0]}: {advice}"])


def _end(problems: Iterable[str]) -> NoReturn:
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)  # noqa: T201
    sys.exit(1)
