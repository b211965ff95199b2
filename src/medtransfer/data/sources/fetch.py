"""A set that already lies on this machine; Brings a set to `data/raw` as it was published, with a manifest that says what it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from fetal_phantom import write_phantom
from medtransfer.data.sources.kaggle import fetch_kaggle
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, sha256_of_folder, write_json


def copy_folder(source: Path, target: Path) -> None:
    """Copy every file below `source` into the existing folder `target`; links are followed.

    They are copies, not hard links, because DVC makes what it caches read-only. Raises `UserError` where
    `source` is missing or empty.
    """
    if not source.is_dir():
        raise UserError(f"data.folder: expected a folder of images, but {source} is none")
    if not any(path.is_file() for path in source.rglob("*")):
        raise UserError(f"data.folder: {source} is empty; put the set's files there, or name another folder")
    shutil.copytree(source, target, dirs_exist_ok=True)


def fetch(data: Data, seed: int, raw: Path, manifest: Path) -> dict[str, Any]:
    """Write the set's files to the folder `raw` and its description to `manifest`.

    The manifest holds the source, its reference and version, its licence as far as it is stated, the number
    of files and one SHA-256 of all their paths and bytes. Raises `UserError` where the set cannot be had;
    then neither is written.
    """
    with atomic_folder(raw) as folder:
        described = _fill(folder, data, seed)
        described["files"] = sum(path.is_file() for path in folder.rglob("*"))
        described["sha256"] = sha256_of_folder(folder)
    write_json(manifest, described)
    return described


def _fill(folder: Path, data: Data, seed: int) -> dict[str, Any]:
    if data.source == "folder":
        copy_folder(Path(data.folder), folder)
        return {"source": "folder", "reference": Path(data.folder).name, "version": None, "licence": None}
    if data.source == "phantom":
        assert data.phantom is not None
        write_phantom(folder, **data.phantom.model_dump(), seed=seed)
        return {
            "source": "phantom",
            "reference": "simulation",
            "version": None,
            "licence": "simulated; free to use",
        }
    assert data.kaggle is not None
    return fetch_kaggle(data.kaggle, folder)
