"""Which files of a set count, and what becomes of the rest: `data.files`, and the record of all that is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import translate
from pathlib import Path
from re import compile as compile_pattern
from typing import Any

from medtransfer.data.layouts.files import files_below, images_of
from medtransfer.study import Files
from medtransfer.util.errors import UserError

MOST_LISTED = 50

Dropped = dict[str, list[str]]
"""The images that were left out, by the reason."""


def unwanted_files(root: Path, files: Files) -> list[str]:
    """List the files below `root` that `data.files` leaves out, as sorted paths relative to `root`.

    Raises `UserError` with every pattern that matches no file, and if no image is left.
    """
    if files.include is None and files.exclude is None:
        return []
    paths = {path: path.relative_to(root).as_posix() for path in files_below(root)}
    problems = []

    def matching(key: str, patterns: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for pattern in patterns:
            match = compile_pattern(translate(pattern)).match
            matched = {path for path in paths.values() if match(path)}
            if not matched:
                problems.append(
                    f"data.files.{key}: {pattern!r} matches none of the {len(paths)} files, such as "
                    f"{min(paths.values(), default='none')}; * matches any part of a path within the set"
                )
            found |= matched
        return found

    kept = set(paths.values()) if files.include is None else matching("include", files.include)
    kept -= matching("exclude", files.exclude or ())
    if not problems and not any(paths[path] in kept for path in images_of(paths)):
        problems.append("data.files: the patterns leave no image")
    if problems:
        raise UserError(problems)
    return sorted(set(paths.values()) - kept)


def summary_of(dropped: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the entry of the audit: for each reason, the number of images and the first 50."""
    return {
        reason: {"images": len(paths), "paths": sorted(paths)[:MOST_LISTED]}
        for reason, paths in dropped.items()
        if paths
    }
