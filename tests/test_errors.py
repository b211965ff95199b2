"""A user's mistake ends in lines on standard error and exit code 1; a programmer's keeps its traceback."""

from __future__ import annotations

import pytest

from medtransfer.errors import MOST_LINES, UserError, run


def fail(problems: str | list[str]) -> None:
    raise UserError(problems)


def test_a_command_that_succeeds_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    done = []
    run(lambda: done.append(1))
    assert done == [1]
    assert capsys.readouterr() == ("", "")


def test_every_problem_is_one_line_and_the_exit_code_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda: fail(["first", "second"]))
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "error: first\nerror: second\n")


def test_one_problem_may_be_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(lambda: fail("only"))
    assert capsys.readouterr().err == "error: only\n"
    assert UserError("only").problems == ["only"]
    assert str(UserError(iter(["a", "b"]))) == "a\nb"


@pytest.mark.parametrize(("count", "lines", "last"), [(50, 50, "problem 49"), (53, 51, "… and 3 more")])
def test_a_flood_of_problems_is_counted(capsys: pytest.CaptureFixture[str], count: int, lines: int, last: str) -> None:
    assert MOST_LINES == 50
    with pytest.raises(SystemExit):
        run(lambda: fail([f"problem {number}" for number in range(count)]))
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == lines
    assert shown[-1] == f"error: {last}"


def test_an_error_of_the_program_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)
