"""One CSV of labels: a column with the image's name or path, one with its label, perhaps one with its split."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.layouts.files import IMAGE_SUFFIXES, SPLIT_NAMES, images_below
from medtransfer.study import Layout, near


def read_label_csv(root: Path, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """Read the CSV named by `layout` and find each row's image below `layout.images`.

    A name may be a path or a bare name, with or without its extension. The other columns of the CSV are
    kept, so that a group may be one of them.
    """
    path = root / str(layout.file)
    if not path.is_file():
        return pd.DataFrame(), [f"data.layout.file: {layout.file} is not in the set"]
    try:
        table = pd.read_csv(path, skipinitialspace=True, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        return pd.DataFrame(), [f"{layout.file}: not a CSV table: {str(error).strip()}"]
    table.columns = table.columns.str.strip()
    wanted = {"image": layout.image, "label": layout.label, "split": layout.split}
    problems = [
        f"data.layout.{key}: {layout.file} has no column {name!r}{near(name, table.columns)}"
        for key, name in wanted.items()
        if name is not None and name not in table.columns
    ]
    folder = root / layout.images
    if not folder.is_dir():
        problems.append(f"data.layout.images: {layout.images} is no folder of the set")
    if problems:
        return pd.DataFrame(), problems
    return _match_rows(root, folder, table, layout)


def _match_rows(root: Path, folder: Path, table: pd.DataFrame, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    files = images_below(folder)
    by_path = {file.relative_to(folder).as_posix(): file for file in files}
    by_key: dict[str, list[Path]] = {}
    for path, file in by_path.items():
        for key in _keys(path):
            by_key.setdefault(key, []).append(file)
    problems, paths = [], []
    without = set(files)
    names = table[layout.image].str.strip()
    for name in names:
        found = [by_path[name]] if name in by_path else by_key.get(name, [])
        if len(found) != 1:
            what = "no such image" if not found else f"{len(found)} images of that name; give paths"
            problems.append(f"{layout.file}: {name or '(empty name)'}: {what}")
        paths.append(found[0].relative_to(root).as_posix() if len(found) == 1 else "")
        without.difference_update(found)
    rows = table.drop(columns=[name for name in ("path", "label", "split") if name in table])
    rows = rows.assign(path=paths, label=table[layout.label].str.strip(), split=None)
    if layout.split is not None:
        rows["split"] = table[layout.split].str.strip().str.lower().map(SPLIT_NAMES)
        unknown = sorted(set(table[layout.split][rows["split"].isna()]))
        problems += [f"{layout.file}: {value!r} is no split; expected train, val, test" for value in unknown]
    problems += [f"{layout.file}: {name}: has no label" for name in names[rows["label"] == ""]]
    twice = rows["path"][rows["path"].duplicated() & (rows["path"] != "")]
    problems += [f"{layout.file}: {path} stands in more than one row" for path in sorted(set(twice))]
    problems += [f"{file.relative_to(root).as_posix()}: has no row in {layout.file}" for file in sorted(without)]
    return rows, problems


def _keys(path: str) -> set[str]:
    """All the ways in which a row may name the image: path or bare name, with or without extension."""
    pure = PurePosixPath(path)
    stems = {str(pure.with_suffix("")), pure.stem} if pure.suffix.lower() in IMAGE_SUFFIXES else set()
    return {path, pure.name} | stems
