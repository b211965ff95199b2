"""The command `medtransfer clean`: delete what stages that are gone from `params.yaml` left behind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from medtransfer.engine.schedule import open_repository
from medtransfer.study.loading import read_yaml

LOCK = Path("dvc.lock")


def clean(*, dry_run: bool = False) -> dict[str, list[str]]:
    """Delete the outs and the lock entries of stages that `dvc.yaml` and `params.yaml` no longer define.

    Outs that another stage now writes are kept. Returns, for each such stage, the paths that were deleted, or with
    `dry_run` would be. Raises `UserError` if the current folder is not that of a study.
    """
    with open_repository() as repo:
        current = {stage.addressing for stage in repo.index.stages}
        written = {Path(out.fs_path).resolve() for out in repo.index.outs}
    entries: dict[str, Any] = read_yaml(LOCK).get("stages", {}) if LOCK.is_file() else {}
    gone = {
        stage: [
            out["path"]
            for out in entry.get("outs", [])
            if Path(out["path"]).resolve() not in written and _exists(Path(out["path"]))
        ]
        for stage, entry in entries.items()
        if stage not in current
    }
    if gone and not dry_run:
        for paths in gone.values():
            for path in map(Path, paths):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        _forget(gone)
    return gone


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _forget(stages: dict[str, list[str]]) -> None:
    """Delete entries of `dvc.lock`, written as DVC writes it."""
    from dvc.utils.serialize import modify_yaml

    with modify_yaml(str(LOCK)) as lock:
        for stage in stages:
            del lock["stages"][stage]
