"""The one kind of error that is the user's to fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in the parameters, the data or the setup, with one line per problem.

    Each line says what was expected, what was found, where, and what to do. Commands print the lines without a
    traceback and exit with code 1.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def near(name: str, known: Iterable[str]) -> str:
    """Return the end of an error line about an unknown name: the name that was probably meant, or those there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choose from {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
