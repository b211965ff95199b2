"""A user's mistake ends in one line per problem and exit code 1; a programming error keeps its traceback."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from medtransfer.util.command import run
from medtransfer.util.errors import UserError, near

MISTAKE = """
from medtransfer.util.command import run
from medtransfer.util.errors import UserError

def main():
    raise UserError(PROBLEMS)

run(main)
"""


def test_a_successful_command_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    done = []
    run(lambda: done.append(1))
    assert done == [1]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("count", [1, 300])
def test_each_problem_is_one_line_and_the_exit_code_is_1(count: int) -> None:
    problems = [f"problem {number}" for number in range(count)]
    code = MISTAKE.replace("PROBLEMS", repr(problems))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [f"error: {problem}" for problem in problems]


def test_problems_are_one_text_or_several() -> None:
    assert UserError("only").problems == ["only"]
    assert str(UserError(iter(["a", "b"]))) == "a\nb"


def test_an_unknown_name_is_answered_by_the_nearest_one_or_by_all() -> None:
    assert near("resnet81", ["resnet18", "unet"]) == "; did you mean 'resnet18'?"
    assert near("x", ["b", "a"]) == "; choose from a, b"
    assert near("x", map(str, range(20))).endswith(" …")


def test_a_gpu_out_of_memory_is_one_line() -> None:
    found = "CUDA out of memory. Tried to allocate 3.50 GiB"

    def fill() -> None:
        raise torch.OutOfMemoryError(f"{found}. GPU 0 has a total capacity of 5.79 GiB of which 1.2 GiB is free.")

    with pytest.raises(SystemExit) as ended:
        run(fill)
    advice = "try a smaller batch_size, image_size or backbone, or gradient_checkpointing: true"
    assert ended.value.code == f"error: {found}; {advice}"


def test_a_programming_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="shapes"):
        run(lambda: torch.ones(2, 2) @ torch.ones(3, 3))


def fail_to_write() -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"full")


def fail_to_open() -> None:
    raise PermissionError(errno.EACCES, "Permission denied", "models/card.json")


def fail_in_a_library() -> None:
    raise RuntimeError("Error while serializing: I/O error:\nNo space left on device (os error 28)")


@pytest.mark.parametrize(
    ("fail", "told"),
    [
        (fail_to_write, "No space left on device; free some space"),
        (fail_to_open, "models/card.json: Permission denied; you may not do this"),
        (fail_in_a_library, "I/O error: No space left on device (os error 28); free some space"),
    ],
)
def test_a_disk_that_cannot_be_written_is_one_line(fail: Callable[[], None], told: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(told)) as ended:
        run(fail)
    assert "\n" not in str(ended.value)


def test_a_cache_that_cannot_be_made_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MEDTRANSFER_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(SystemExit, match="Not a directory; set MEDTRANSFER_CACHE to a folder that you may write to"):
        run(lambda: (tmp_path / "file" / "cache" / "features").mkdir(parents=True))


def test_another_error_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        run(lambda: (_ for _ in ()).throw(RuntimeError("a bug")))
