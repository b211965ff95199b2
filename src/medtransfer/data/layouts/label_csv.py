"""One CSV of labels: a column with the name or path of each image, one with its label, perhaps one with its split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import LAYOUTS, LayoutFormat, Reading
from medtransfer.data.layouts.files import IMAGE_SUFFIXES, SPLIT_NAMES, ImageFiles, images_of, shared_start, words
from medtransfer.data.layouts.joins import with_columns
from medtransfer.data.layouts.mask_pairs import speaks_of_masks
from medtransfer.data.layouts.tables import TABLE_SUFFIXES, match_images, match_names, read_table
from medtransfer.study import Layout
from medtransfer.util.errors import UserError, near

LABEL_WORDS = frozenset(
    words(
        "label labels class classes classname target diagnosis dx category finding findings disease condition "
        "pathology grade plane level birads severity stage subtype"
    )
)
OTHER_WORDS = frozenset(
    words(
        "patient subject case person id uid age sex gender group fold date operator machine site source width height "
        "size view male female x y xmin ymin xmax ymax x1 x2 y1 y2 bbox"
    )
)
ENOUGH = 0.5
"""The least share of the values of a column that must name images, or of images that they name, for it to be the column
of images."""


def read_label_csv(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the CSV named by `layout` and find the image of each row below `layout.images`.

    A name may be a path or a bare name, with or without its extension. The other columns of the CSV are
    kept, so that one of them may be the group.
    """
    table, problems = open_table(root, layout, images)
    if table is None:
        return pd.DataFrame(), problems
    return label_rows(root, table, table[layout.label], layout, images)


def detect_label_csv(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return a reading for each column of each CSV that may hold the labels; `named` if its name says so."""
    found = []
    for common, places, table in tables_of_images(root, files):
        labels, named = label_columns(table)
        layouts = [{"kind": "label_csv", "label": label, "images": place} for label in labels for place in places]
        found += [Reading(Layout.model_validate(common | each), "named" if named else "possible") for each in layouts]
    return found


LAYOUTS.register("label_csv", LayoutFormat(read_label_csv, detect_label_csv))


def open_table(root: Path, layout: Layout, images: Sequence[Path] = ()) -> tuple[pd.DataFrame | None, list[str]]:
    """Open the CSV named by `layout`, and add those of its columns that are in joined tables.

    If it, a column or a folder is missing, return None and the problems.
    """
    path = root / str(layout.file)
    if not path.is_file():
        return None, [f"data.layout.file: {layout.file} is not in the set"]
    try:
        table = read_table(path)
    except ValueError as error:
        return None, [f"{layout.file}: not a CSV table: {error}"]
    wanted = [("image", layout.image), ("label", layout.label), ("split", layout.split)]
    wanted += [("classes", name) for name in layout.classes or []]
    if isinstance(images, ImageFiles) and (missing := [name for _, name in wanted if name and name not in table]):
        table, problems = with_columns([root, images.root], table, images.tables, missing)
        if problems:
            return None, problems
    problems = [
        f"data.layout.{key}: {layout.file} has no column {name!r}{near(name, table.columns)}"
        for key, name in wanted
        if name is not None and name not in table.columns
    ]
    if not (root / layout.images).is_dir():
        problems.append(f"data.layout.images: {layout.images} is not a folder of the set")
    return (None if problems else table), problems


def label_rows(
    root: Path, table: pd.DataFrame, labels: pd.Series, layout: Layout, images: Sequence[Path]
) -> tuple[pd.DataFrame, list[str]]:
    """Join the rows of an opened CSV, each with its label, with the images that they name."""
    names = table[layout.image].str.strip()
    kept = ~_unwanted(root, layout, images, names)
    table, labels, names = table[kept], labels[kept], names[kept]
    matches = match_images(root, root / layout.images, images, names)
    problems = [f"{layout.file}: {line}" for line in matches.problems]
    rows = table.drop(columns=[name for name in ("path", "label", "split") if name in table])
    rows = rows.assign(path=matches.paths, label=labels.str.strip(), split=None)
    if layout.split is not None:
        rows["split"] = table[layout.split].str.strip().str.lower().map(SPLIT_NAMES)
        unknown = sorted(set(table[layout.split][rows["split"].isna()]))
        problems += [f"{layout.file}: {value!r} is not a split; expected train, val, test" for value in unknown]
    rows = rows[~(rows.duplicated(["path", "label", "split"]) & (rows["path"] != ""))]  # rows that say the same
    twice = rows["path"][rows["path"].duplicated() & (rows["path"] != "")]
    problems += [f"{layout.file}: {path} is in more than one row" for path in sorted(set(twice))]
    problems += [f"{path}: has no row in {layout.file}" for path in matches.unnamed]
    return rows, problems


def _unwanted(root: Path, layout: Layout, images: Sequence[Path], names: pd.Series) -> pd.Series:
    """Return which rows name images that `data.files` leaves out, and no other."""
    unwanted = images.unwanted if isinstance(images, ImageFiles) else []
    if not unwanted:
        return pd.Series(False, index=names.index)
    every = match_images(root, root / layout.images, [*images, *unwanted], names).paths
    kept = match_images(root, root / layout.images, images, names).paths
    out = {path.relative_to(root).as_posix() for path in unwanted}
    return pd.Series([not here and path in out for here, path in zip(kept, every, strict=True)], index=names.index)


def tables_of_images(
    root: Path, files: Sequence[PurePosixPath]
) -> Iterator[tuple[dict[str, object], list[str], pd.DataFrame]]:
    """Yield the CSVs that name images: their fields of `Layout`, candidates for `Layout.images`, the other columns.

    Raises `UserError` for a CSV with a column of masks.
    """
    images = images_of(files)
    for file in files:
        if file.suffix.lower() not in TABLE_SUFFIXES:
            continue
        try:
            table = read_table(root / file)
        except ValueError:
            continue  # not a table: it is counted among the ignored files
        image = image_column(file, table, images)
        if image is not None:
            split = next((name for name in table if name != image and _holds_splits(table[name])), None)
            fields: dict[str, object] = {"file": str(file), "image": image, "split": split}
            places = _folders_of_images(table[image], images)
            yield fields, places, table[[name for name in table if name not in (image, split)]]


def label_columns(table: pd.DataFrame) -> tuple[list[str], bool]:
    """Return the columns that may hold the label, and whether their names say so."""
    several = [name for name in table if 1 < table[name].nunique() <= max(2, len(table) // 2)]
    named = [name for name in several if LABEL_WORDS.intersection(words(name)) - OTHER_WORDS]
    others = [name for name in several if not OTHER_WORDS.intersection(words(name))]
    chosen: list[str] = []
    for name in sorted(named or others, key=lambda name: bool(pd.to_numeric(table[name], "coerce").notna().all())):
        if not any(same_partition(table[name], table[other]) for other in chosen):
            chosen.append(name)  # of `class_id` and `class_name`, which say the same, the words are kept
    return chosen, bool(named)


def same_partition(first: pd.Series, second: pd.Series) -> bool:
    """Return whether two columns divide the rows into the same parts, whatever their names."""
    pairs = pd.DataFrame({"first": first.to_numpy(), "second": second.to_numpy()}).drop_duplicates()
    return not pairs["first"].duplicated().any() and not pairs["second"].duplicated().any()


def image_column(file: PurePosixPath, table: pd.DataFrame, images: Sequence[PurePosixPath]) -> str | None:
    """Return the column of a table that names most images, or None."""
    known = {image.name for image in images} | {image.stem for image in images}
    counts = {}
    for name in table:
        values = [PurePosixPath(value.strip().replace("\\", "/")) for value in table[name].unique()]
        keys = {value.stem if value.suffix.lower() in IMAGE_SUFFIXES else value.name for value in values}
        hits = len(keys & known)
        if hits > 1 and hits >= ENOUGH * min(len(values), len(images)):
            counts[name] = hits
    for name in counts:
        if len(counts) > 1 and speaks_of_masks(name) and table[name].str.contains(r"\.\w+$").all():
            raise UserError(f"{file}: column {name!r} names masks: name their folder or suffix in data.masks")
    return max(counts, key=lambda name: counts[name], default=None)


def _folders_of_images(names: pd.Series, images: Sequence[PurePosixPath]) -> list[str]:
    """Return the folder below which the rows name their images; several if the rows name others in each."""
    named = list(names.str.strip())
    keys = {PurePosixPath(name.replace("\\", "/")).name for name in named}
    places = [image.parts[:-1] for image in images if image.name in keys or image.stem in keys]
    common = PurePosixPath(*shared_start(places))
    children = {PurePosixPath(*place[: len(common.parts) + 1]) for place in places}
    scores: dict[tuple[int, int], dict[tuple[str, ...], str]] = {}
    for folder in sorted({common, *common.parents, *children}, key=lambda path: (len(path.parts), path)):
        inside = [image for image in images if image.is_relative_to(folder)]
        matches = match_names([str(path.relative_to(folder)) for path in inside], [str(path) for path in inside], named)
        score = (sum(path != "" for path in matches.paths), -len(matches.unnamed))
        scores.setdefault(score, {}).setdefault(tuple(matches.paths), str(folder))
    return list(scores[max(scores)].values())


def _holds_splits(column: pd.Series) -> bool:
    values = set(column.str.strip().str.lower())
    return len(values) > 1 and values <= set(SPLIT_NAMES)
