"""Sources of sets: a module of this package registers one by being imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from medtransfer.study import Data
from medtransfer.util.files import atomic_folder, sha256_of_folder, write_json
from medtransfer.util.registry import Registry

Fetch = Callable[[Path, Data, int], dict[str, Any]]
"""(existing empty folder, section `data`, seed) to the entries of the manifest: source, reference, version, licence,
and others of the source. It writes the files of the set to the folder; raises `UserError` if it cannot."""

SOURCES: Registry[Fetch] = Registry("source", package="medtransfer.data.sources")
"""By `data.source`."""


def fetch(data: Data, seed: int, raw: Path, manifest: Path) -> dict[str, Any]:
    """Write the files of the set, as published, to the folder `raw` and its description to `manifest`.

    The manifest has the entries of the source, the number of files and one SHA-256 of all their paths and bytes.
    Raises `UserError` if the set cannot be fetched; then neither is written.
    """
    with atomic_folder(raw) as folder:
        described = SOURCES[data.source](folder, data, seed)
        described["files"] = sum(path.is_file() for path in folder.rglob("*"))
        described["sha256"] = sha256_of_folder(folder)
    write_json(manifest, described)
    return described
