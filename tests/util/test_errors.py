"""Lines for users."""

from __future__ import annotations

from medtransfer.util.errors import MOST_CHARACTERS, UserError


def test_the_middle_of_a_very_long_line_is_left_out() -> None:
    (line,) = UserError(f"labels.csv: {'x' * 1_000_000}: not a class; use another").problems
    assert len(line) == MOST_CHARACTERS
    assert line.startswith("labels.csv: x")
    assert line.endswith("x: not a class; use another")
    assert UserError("short").problems == ["short"]
