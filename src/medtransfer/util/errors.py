"""The one kind of error that is the user's to fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from medtransfer.util.text import visible

MOST_LINES = 3
MOST_CHARACTERS = 4000
"""Of a line: names and cells of files that are not trusted may have any length."""


ELSEWHERE = "change to the folder of a study, or create one with `medtransfer init`"
"""What to do where there is no study."""


class UserError(Exception):
    """A mistake in the parameters, the data or the setup, with one line per problem.

    Each line says what was expected, what was found, where, and what to do. Commands print the lines without a
    traceback and exit with code 1.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [
            _bounded(visible(problem)) for problem in ([problems] if isinstance(problems, str) else problems)
        ]
        super().__init__("\n".join(self.problems))


def _bounded(line: str) -> str:
    """Leave out the middle of a very long line: the problem is at its start, the remedy at its end."""
    half = MOST_CHARACTERS // 2
    return line if len(line) <= MOST_CHARACTERS else f"{line[: half - 7]} [...] {line[-half:]}"


def near(name: str, known: Iterable[str]) -> str:
    """Return the end of an error line about an unknown name: the name that was probably meant, or those there are."""
    names = sorted(known)
    if not names:
        return ""
    if close := difflib.get_close_matches(name, names, n=1):
        return f"; did you mean {close[0]!r}?"
    return f"; choose from {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"


def many(names: Sequence[str], problem: str) -> list[str]:
    """Return a line `name: problem` for each name; of more than three, one line with their number and the first three.

    Examples
    --------
    >>> many(["a", "b", "c", "d"], "no such image")
    ['no such image: 4, such as a, b, c']
    """
    if len(names) <= MOST_LINES:
        return [f"{name}: {problem}" for name in names]
    return [f"{problem}: {len(names):,}, such as {', '.join(names[:MOST_LINES])}"]
