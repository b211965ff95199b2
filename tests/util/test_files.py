"""Files are complete or absent."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medtransfer.util.files import (
    atomic_file,
    atomic_folder,
    measured,
    remove_abandoned,
    sha256_of_file,
    sha256_of_folder,
    shown,
    write_json,
    write_text,
)


def everything_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "model.pt"
    with atomic_file(target) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists()
        assert temporary.parent == target.parent
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert everything_in(tmp_path) == {"new", "new/model.pt"}


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as temporary:
        temporary.write_bytes(b"half of the new")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert everything_in(tmp_path) == {"model.pt"}


def test_an_error_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="disk"), atomic_file(tmp_path / "model.pt") as temporary:
        temporary.write_bytes(b"half")
        raise ValueError("disk")
    assert everything_in(tmp_path) == set()


def test_a_folder_replaces_the_old_one_completely(tmp_path: Path) -> None:
    target = tmp_path / "views"
    target.mkdir()
    (target / "stale.npy").write_bytes(b"old")
    with atomic_folder(target) as temporary:
        (temporary / "below").mkdir()
        (temporary / "below" / "fresh.npy").write_bytes(b"new")
        assert (target / "stale.npy").exists()
    assert everything_in(tmp_path) == {"views", "views/below", "views/below/fresh.npy"}


def test_an_error_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "views"
    target.mkdir()
    (target / "old.npy").write_bytes(b"old")
    with pytest.raises(ValueError, match="disk"), atomic_folder(target) as temporary:
        (temporary / "new.npy").write_bytes(b"half")
        raise ValueError("disk")
    assert everything_in(tmp_path) == {"views", "views/old.npy"}


KILLED = """
import os, signal
from pathlib import Path
from medtransfer.util.files import atomic_file, atomic_folder
with atomic_folder(Path("models/scratch")) as folder, atomic_file(Path("models/card.json")) as file:
    (folder / "weights").write_text("half")
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_leaves_is_in_no_stages_folder_and_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert list((tmp_path / "models").iterdir()) == []
    assert len(list((tmp_path / ".medtransfer/unfinished").iterdir())) == 2
    with atomic_file(tmp_path / "mine.txt") as file:
        file.write_text("whole", encoding="utf-8")
        remove_abandoned()  # not what a living process is writing
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "whole"
    assert list((tmp_path / ".medtransfer/unfinished").iterdir()) == []


def test_what_dvc_left_in_its_cache_goes_once_nothing_is_written_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc_objects.fs.utils import tmp_fname

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    folder = tmp_path / ".dvc/cache/files/md5/ab"
    folder.mkdir(parents=True)
    old, growing = folder / tmp_fname("cdef"), folder / tmp_fname("")
    for path in (old, growing, folder / "cdef", folder / "mine.tmp"):
        path.touch()
        os.utime(path, (0, 0))
    os.utime(growing)
    monkeypatch.setattr(time, "time", lambda: 4e9)  # of this machine alone
    remove_abandoned()
    assert {path.name for path in folder.iterdir()} == {growing.name, "cdef", "mine.tmp"}


def test_files_and_folders_have_default_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "x")
        with atomic_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_json_keeps_order_characters_and_exact_floats(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, {"b": 0.1 + 0.2, "a": "Schädel", "none": None})
    assert path.read_text(encoding="utf-8") == (
        '{\n  "b": 0.30000000000000004,\n  "a": "Schädel",\n  "none": null\n}\n'
    )


def test_a_value_that_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert everything_in(tmp_path) == {"out.json"}


def test_text_is_utf8_in_any_locale(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "± –\n")
    assert (tmp_path / "a.md").read_bytes() == "± –\n".encode()


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_hash_of_a_folder_depends_only_on_names_and_bytes(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, bytes]) -> str:
        for path, content in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(content)
        return sha256_of_folder(tmp_path / name)

    files = {"b/x.png": b"1", "a.png": b"2", ".hidden": b"3"}
    original = folder("original", files)
    assert folder("same", dict(reversed(files.items()))) == original
    assert folder("renamed", {"b/y.png": b"1", "a.png": b"2", ".hidden": b"3"}) != original
    assert folder("other_bytes", files | {"a.png": b"4"}) != original
    assert folder("one_more", files | {"c.png": b""}) != original
    assert folder("swapped", {"b/x.png": b"2", "a.png": b"1", ".hidden": b"3"}) != original


def test_a_path_below_the_current_folder_is_shown_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown(tmp_path / "here" / "state" / "a.png") == "state/a.png"
    assert shown(Path("b.png")) == "b.png"
    assert shown(tmp_path / "elsewhere.png") == str(tmp_path / "elsewhere.png")


def test_concurrent_callers_share_one_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    asked: list[int] = []

    def measure() -> dict[str, int]:
        asked.append(len(asked))
        time.sleep(0.1)
        return {"found": asked[-1]}

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: measured("speed", {"a": 1, "b": 2}, measure), range(4)))
    assert found == 4 * [{"found": 0}]
    assert measured("speed", {"b": 2, "a": 1}, measure) == {"found": 0}
    assert measured("speed", {"b": 3, "a": 1}, measure) == {"found": 1}
    assert measured("costs", {"b": 2, "a": 1}, measure) == {"found": 2}
