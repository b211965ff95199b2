"""Hundreds and thousands of damaged files: none ends the run or fills the memory, and every one is listed."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtransfer.data.images.decode import UnreadableImageError, decode
from medtransfer.data.prepare import prepare
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

pytest.importorskip("pydicom")

from .fuzzing import fuzzed_files

DATA = {
    "source": "folder",
    "folder": "raw",
    "layout": "auto",
    "group": None,
    "image_size": 16,
    "resize": "pad",
    "split": {"method": "random"},
    "leakage": "fail",
}
MOST_MEMORY = 700 * 1024 * 1024
"""Twice the memory of two threads for images of 50 million grey pixels that turn out to have no data."""


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def check(folder: Path, count: int, seed: int) -> None:
    """Prepare a set of damaged and sound files; compare the listed files with the damaged ones."""
    files = fuzzed_files(count, seed)
    for label in ("cyst", "normal"):
        (folder / "raw" / label).mkdir(parents=True)
        Image.fromarray(np.full((8, 8), 90, np.uint8)).save(folder / "raw" / label / "sound.png")
    for number, file in enumerate(files):
        (folder / "raw" / ("cyst", "normal")[number % 2] / file.name).write_bytes(file.content)
    before = peak_memory()
    with pytest.raises(UserError) as raised:
        prepare(folder / "raw", Data.model_validate(DATA), 0, Places(folder))
    assert peak_memory() - before < MOST_MEMORY
    *problems, remedy = raised.value.problems
    assert remedy.startswith("set data.unreadable: drop to leave them out: ")
    listed = {problem.split(": unreadable: ")[0].partition("/")[2] for problem in problems}
    assert all(": unreadable: " in problem and "\n" not in problem for problem in problems)
    assert sorted({file.name for file in files if file.broken is True} - listed) == []
    assert sorted({file.name for file in files if file.broken is False} & listed) == []
    assert "sound.png" not in listed
    assert len(listed) == len(problems)
    assert not [path for path in folder.rglob("*") if path.is_file() and folder / "raw" not in path.parents]


def test_hundreds_of_damaged_files_are_listed(tmp_path: Path) -> None:
    check(tmp_path, 350, seed=0)


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_listed(tmp_path: Path) -> None:
    check(tmp_path, 10_000, seed=1)


@pytest.mark.parametrize("file", fuzzed_files(140, seed=2), ids=lambda file: file.name)
def test_each_damaged_file_is_an_image_or_unreadable_and_never_another_error(tmp_path: Path, file) -> None:
    (tmp_path / file.name).write_bytes(file.content)
    try:
        found = decode(tmp_path / file.name, 16, "pad")
    except UnreadableImageError as error:
        assert file.broken is not False
        assert str(error).startswith(f"{file.name}: ")
    else:
        assert file.broken is not True
        assert found.pixels.shape[:2] == (16, 16)
