"""A user's mistake ends in lines on standard error and exit code 1; a programmer's keeps its traceback."""

from __future__ import annotations

import pytest
import torch

from medtransfer.util.command import run
from medtransfer.util.errors import UserError


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


def test_all_problems_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(lambda: fail([f"problem {number}" for number in range(300)]))
    assert len(capsys.readouterr().err.splitlines()) == 300


def test_a_card_whose_memory_is_full_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = "CUDA out of memory. Tried to allocate 3.50 GiB"

    def fill() -> None:
        raise torch.OutOfMemoryError(f"{said}. GPU 0 has a total capacity of 5.79 GiB of which 1.2 GiB is free.")

    with pytest.raises(SystemExit) as ended:
        run(fill)
    assert ended.value.code == 1
    advice = "a smaller batch_size, image_size or backbone needs less of it, gradient_checkpointing: true too"
    assert capsys.readouterr().err == f"error: {said}: {advice}\n"


def test_an_error_of_the_program_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="shapes"):
        run(lambda: torch.ones(2, 2) @ torch.ones(3, 3))
