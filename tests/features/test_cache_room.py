"""The limit on what kept activations take, and who goes first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medtransfer.features.cache import LIMIT_VARIABLE, fits, limit, lock_of, make_room
from medtransfer.util.errors import UserError

MEGABYTE = 1_000_000


@pytest.fixture(autouse=True)
def ten_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.01")


def shelf(root: Path, name: str, age: float, size: int = 3 * MEGABYTE) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "rows.bin").write_bytes(b"x" * size)
    os.utime(folder, (1e9 - age, 1e9 - age))
    return folder


def left(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir()}


def test_the_limit_is_ten_gigabytes_or_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit() == 10 * MEGABYTE
    monkeypatch.delenv(LIMIT_VARIABLE)
    assert limit() == 10_000 * MEGABYTE


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_limit_that_is_none_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, text)
    with pytest.raises(UserError, match=f"{LIMIT_VARIABLE}: expected gigabytes"):
        limit()


def test_the_ones_used_longest_ago_go_first_and_no_more_than_need_be(tmp_path: Path) -> None:
    for name, age in (("new", 1), ("old", 30), ("middle", 20)):
        shelf(tmp_path, name, age)
    make_room(tmp_path, 1 * MEGABYTE // 2, set())
    assert left(tmp_path) == {"new", "middle", "old"}
    make_room(tmp_path, 4 * MEGABYTE - 200_000, set())
    assert left(tmp_path) == {"new", "middle"}
    make_room(tmp_path, 9 * MEGABYTE, set())
    assert left(tmp_path) == set()


def test_those_in_use_stay(tmp_path: Path) -> None:
    for name, age in (("mine", 30), ("being filled", 20), ("other", 10)):
        shelf(tmp_path, name, age)
    with lock_of(tmp_path / "being filled"):
        make_room(tmp_path, 10 * MEGABYTE, {"mine"})
    assert left(tmp_path) == {"mine", "being filled"}


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    assert fits(tmp_path / "new", 10 * MEGABYTE)
    assert not fits(tmp_path / "new", 10 * MEGABYTE + 1)


def test_half_of_the_free_disk_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "1e9")
    statistics = os.statvfs(tmp_path)
    free = statistics.f_bavail * statistics.f_frsize
    assert fits(tmp_path, int(free * 0.4))
    assert not fits(tmp_path, int(free * 0.6))
