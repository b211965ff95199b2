"""Sources are registered, and each fills a folder that gets a manifest."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from medtransfer.data.sources import SOURCES, fetch
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_folder

from ..sets import data_of


def write_one(folder: Path, data: Data, seed: int) -> dict[str, Any]:
    (folder / "one.png").write_bytes(bytes([seed]))
    return {"source": "dummy", "reference": data.folder, "version": None, "licence": None}


def test_a_source_is_added_from_outside_by_registering_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(SOURCES) == {"folder", "kaggle", "phantom"}
    monkeypatch.setattr(SOURCES, "_items", dict(SOURCES))
    SOURCES.register("dummy", write_one)
    data = data_of().model_copy(update={"source": "dummy"})
    manifest = fetch(data, 7, tmp_path / "raw", tmp_path / "manifest.json")
    assert (tmp_path / "raw/one.png").read_bytes() == bytes([7])
    assert manifest == json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["reference"], manifest["files"]) == ("somewhere", 1)
    assert manifest["sha256"] == sha256_of_folder(tmp_path / "raw")


def test_a_folder_is_copied_with_its_links(tmp_path: Path) -> None:
    (tmp_path / "set/a").mkdir(parents=True)
    (tmp_path / "set/a/1.png").write_bytes(b"one")
    (tmp_path / "set/2.png").symlink_to("a/1.png")
    manifest = fetch(data_of(folder=str(tmp_path / "set")), 0, tmp_path / "raw", tmp_path / "manifest.json")
    assert (manifest["reference"], manifest["files"]) == ("set", 2)
    assert (tmp_path / "raw/2.png").read_bytes() == b"one"
    assert not (tmp_path / "raw/2.png").is_symlink()


@pytest.mark.parametrize(("exists", "line"), [(False, "is not a directory"), (True, "is empty; put the images")])
def test_a_missing_or_empty_folder_is_an_error_that_writes_nothing(tmp_path: Path, exists: bool, line: str) -> None:
    if exists:
        (tmp_path / "set").mkdir()
    with pytest.raises(UserError, match=line):
        fetch(data_of(folder=str(tmp_path / "set")), 0, tmp_path / "raw", tmp_path / "manifest.json")
    assert not (tmp_path / "raw").exists()
    assert not (tmp_path / "manifest.json").exists()


def test_a_copy_of_a_read_only_folder_can_be_deleted(tmp_path: Path) -> None:
    source = tmp_path / "set"
    (source / "a").mkdir(parents=True)
    (source / "a/1.png").write_bytes(b"one")
    for path in (source / "a/1.png", source / "a", source):
        path.chmod(0o555)
    try:
        fetch(data_of(folder=str(source)), 0, tmp_path / "raw", tmp_path / "manifest.json")
    finally:
        source.chmod(0o755)
        (source / "a").chmod(0o755)
    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "raw", *(tmp_path / "raw").rglob("*")))


def test_a_link_to_a_folder_above_is_not_followed_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "set/a").mkdir(parents=True)
    (tmp_path / "set/a/1.png").write_bytes(b"one")
    (tmp_path / "set/a/again").symlink_to(tmp_path / "set", target_is_directory=True)
    assert fetch(data_of(folder=str(tmp_path / "set")), 0, tmp_path / "raw", tmp_path / "manifest.json")["files"] == 1


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/1.png").write_bytes(b"one")
    manifest = fetch(data_of(folder="~/set"), 0, tmp_path / "raw", tmp_path / "manifest.json")
    assert (manifest["reference"], manifest["files"]) == ("set", 1)


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("data/raw", "data.folder: data/raw is in data/raw, which the pipeline overwrites; move the images"),
        ("data/raw/set", "data.folder: data/raw/set is in data/raw, which the pipeline overwrites"),
        (".", "data.folder: . contains data/raw, which the pipeline overwrites"),
        ("data", "data.folder: data contains data/raw, which the pipeline overwrites"),
    ],
)
def test_a_folder_of_the_pipeline_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/raw/set").mkdir(parents=True)
    (tmp_path / "data/raw/set/1.png").write_bytes(b"one")
    with pytest.raises(UserError, match=line):
        fetch(data_of(folder=folder), 0, tmp_path / "raw", tmp_path / "manifest.json")
    assert (tmp_path / "data/raw/set/1.png").exists()


def test_a_pipe_among_the_files_is_an_error_and_is_not_read(tmp_path: Path) -> None:
    source = tmp_path / "set"
    source.mkdir()
    (source / "1.png").write_bytes(b"one")
    os.mkfifo(source / "2.png")
    with pytest.raises(UserError, match=r"1 pipe or device among the files, such as 2\.png; delete them"):
        fetch(data_of(folder=str(source)), 0, tmp_path / "raw", tmp_path / "manifest.json")


def test_names_with_control_characters_are_an_error(tmp_path: Path) -> None:
    source = tmp_path / "images"
    source.mkdir()
    (source / "a\x1b[2J.png").touch()
    with pytest.raises(UserError, match=r"1 name with control characters, such as a\\u001b\[2J\.png; rename the files"):
        fetch(data_of(folder=str(source)), 0, tmp_path / "raw", tmp_path / "manifest.json")


def test_names_that_are_not_utf_8_and_dangling_links_are_errors(tmp_path: Path) -> None:
    source = tmp_path / "set"
    source.mkdir()
    (source / "1.png").write_bytes(b"one")
    (source / "2.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match=r"1 link to files that do not exist, such as 2\.png; restore or delete them"):
        fetch(data_of(folder=str(source)), 0, tmp_path / "raw", tmp_path / "manifest.json")
    (source / "2.png").unlink()
    (source / os.fsdecode(b"b\xf6se.png")).write_bytes(b"two")
    with pytest.raises(UserError, match=r"1 name not in UTF-8, such as b'b\\xf6se\.png'; rename the files"):
        fetch(data_of(folder=str(source)), 0, tmp_path / "raw", tmp_path / "manifest.json")
    assert not (tmp_path / "raw").exists()
