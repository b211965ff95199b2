"""Which CSV says which image has which label, judged by what its columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES, SPLIT_NAMES, shared_start, split_of, words
from medtransfer.data.layouts.mask_files import speaks_of_masks
from medtransfer.data.layouts.one_hot_csv import CSV_NAME
from medtransfer.data.layouts.tables import match_names, read_table
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

TABLE_SUFFIXES = frozenset((".csv", ".tsv"))
LABEL_WORDS = frozenset(
    words(
        "label labels class classes classname target diagnosis dx category finding findings disease condition "
        "pathology grade plane y"
    )
)
OTHER_WORDS = frozenset(
    words(
        "patient subject case person id uid age sex gender group fold date operator machine site source width height "
        "size view"
    )
)
MARKS = frozenset(("0", "1", "0.0", "1.0"))
ENOUGH = 0.5
"""The share of a column's values that must name images for it to be the column of images."""


def split_table_layouts(files: Sequence[PurePosixPath]) -> list[Layout]:
    """Give a layout for each folder whose split folders hold a one-hot `_classes.csv`."""
    tables = [file for file in files if file.name == CSV_NAME and split_of(file.parent.name)]
    return [Layout(kind="one_hot_csv", root=str(root)) for root in sorted({table.parent.parent for table in tables})]


def table_layouts(
    base: Path, files: Sequence[PurePosixPath], images: Sequence[PurePosixPath]
) -> tuple[list[Layout], list[Layout]]:
    """Give all readings of the set's CSVs: those whose label column bears the name of one, and the others.

    Raises `UserError` for a CSV with a column of masks.
    """
    named, unnamed = [], []
    for file in files:
        if file.suffix.lower() not in TABLE_SUFFIXES:
            continue
        try:
            table = read_table(base / file)
        except ValueError:
            continue  # not a table of any kind: it stays among the files that are passed over
        sure, unsure = _read(file, table, images)
        named += sure
        unnamed += unsure
    return named, unnamed


def _read(
    file: PurePosixPath, table: pd.DataFrame, images: Sequence[PurePosixPath]
) -> tuple[list[Layout], list[Layout]]:
    image = _image_column(file, table, images)
    if image is None:
        return [], []
    places = _folders_of_images(table[image], images)
    split = next((name for name in table if name != image and _holds_splits(table[name])), None)
    rest = [name for name in table if name not in (image, split)]
    common = {"file": str(file), "image": image, "split": split}
    labels, sure = _label_columns(table[rest])
    if not sure and (marks := _one_hot_columns(table[rest])):
        changes: list[dict[str, Any]] = [{"kind": "one_hot_csv", "classes": marks, "images": place} for place in places]
        sure = True
    else:
        changes = [{"kind": "label_csv", "label": label, "images": place} for label in labels for place in places]
    found = [Layout.model_validate(common | change) for change in changes]
    return (found, []) if sure else ([], found)


def _image_column(file: PurePosixPath, table: pd.DataFrame, images: Sequence[PurePosixPath]) -> str | None:
    known = {image.name for image in images} | {image.stem for image in images}
    counts = {}
    for name in table:
        values = [PurePosixPath(value.strip().replace("\\", "/")) for value in table[name].unique()]
        hits = {
            key
            for value in values
            if (key := value.stem if value.suffix.lower() in IMAGE_SUFFIXES else value.name) in known
        }
        if len(hits) > 1 and len(hits) >= ENOUGH * len(values):
            counts[name] = len(hits)
    if not counts:
        return None
    for name in counts:
        if len(counts) > 1 and speaks_of_masks(name) and table[name].str.contains(r"\.\w+$").all():
            raise UserError(f"{file}: column {name!r} names masks: name their folder or suffix in data.masks")
    return max(counts, key=lambda name: counts[name])


def _folders_of_images(names: pd.Series, images: Sequence[PurePosixPath]) -> list[str]:
    """Give the folder below which the rows name their images; several where they would name others in each."""
    named = list(names.str.strip())
    keys = {PurePosixPath(name.replace("\\", "/")).name for name in named}
    places = [image.parts[:-1] for image in images if image.name in keys or image.stem in keys]
    common = PurePosixPath(*shared_start(places))
    children = {PurePosixPath(*place[: len(common.parts) + 1]) for place in places}
    scores: dict[tuple[int, int], dict[tuple[str, ...], str]] = {}
    for folder in sorted({common, *common.parents, *children}, key=lambda path: (len(path.parts), path)):
        inside = [image for image in images if image.is_relative_to(folder)]
        found = match_names([str(path.relative_to(folder)) for path in inside], [str(path) for path in inside], named)
        score = (sum(path != "" for path in found.paths), -len(found.left))
        scores.setdefault(score, {}).setdefault(tuple(found.paths), str(folder))
    return list(scores[max(scores)].values())


def _holds_splits(column: pd.Series) -> bool:
    values = set(column.str.strip().str.lower())
    return len(values) > 1 and values <= set(SPLIT_NAMES)


def _one_hot_columns(table: pd.DataFrame) -> list[str]:
    marks = [name for name in table if set(table[name].str.strip()) <= MARKS]
    rows = table[marks].apply(pd.to_numeric).sum(axis=1) == 1
    return marks if len(marks) > 1 and rows.mean() > ENOUGH else []


def _label_columns(table: pd.DataFrame) -> tuple[list[str], bool]:
    """Give the columns that may be the label, and whether their names say so."""
    several = [name for name in table if 1 < table[name].nunique() <= max(2, len(table) // 2)]
    named = [name for name in several if LABEL_WORDS.intersection(words(name)) - OTHER_WORDS]
    others = [name for name in several if not OTHER_WORDS.intersection(words(name))]
    chosen: list[str] = []
    for name in sorted(
        named or others, key=lambda name: bool(pd.to_numeric(table[name], errors="coerce").notna().all())
    ):
        if not any(same_partition(table[name], table[other]) for other in chosen):
            chosen.append(name)  # `class_id` beside `class_name` says the same: the words are kept
    return chosen, bool(named)


def same_partition(first: pd.Series, second: pd.Series) -> bool:
    """Say whether two columns divide the rows alike, whatever they call the parts."""
    pairs = pd.DataFrame({"first": first.to_numpy(), "second": second.to_numpy()}).drop_duplicates()
    return not pairs["first"].duplicated().any() and not pairs["second"].duplicated().any()
