"""Fetching a set, as it was published, with a manifest that describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medtransfer.data.sources import SOURCES
from medtransfer.study import Data
from medtransfer.util.files import atomic_folder, sha256_of_folder, write_json


def fetch(data: Data, seed: int, raw: Path, manifest: Path) -> dict[str, Any]:
    """Write the files of the set to the folder `raw` and its description to `manifest`.

    The manifest has the source, its reference and version, its licence if it is stated, the number
    of files and one SHA-256 of all their paths and bytes. Raises `UserError` if the set cannot be fetched;
    then neither is written.
    """
    with atomic_folder(raw) as folder:
        described = SOURCES[data.source](folder, data, seed)
        described["files"] = sum(path.is_file() for path in folder.rglob("*"))
        described["sha256"] = sha256_of_folder(folder)
    write_json(manifest, described)
    return described
