"""Sources are registered, and each fills a folder that gets a manifest."""

from __future__ import annotations

import json
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
