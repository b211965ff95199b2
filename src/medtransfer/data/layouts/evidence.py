"""Everything in a set that a reading leaves unexplained or that contradicts it: `auto` takes no reading with any."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts import Reading
from medtransfer.data.layouts.files import images_of, names_split, words
from medtransfer.data.layouts.label_csv import OTHER_WORDS, image_column, label_columns, same_partition
from medtransfer.data.layouts.tables import TABLE_SUFFIXES, match_names, read_list, read_table, read_workbook

MOST_NUMBERS = 12
"""More different numbers than this are probably measurements, not classes."""
MOST_NUMBERED_CLASSES = 10
LEAST_TWINS = 0.5
"""The least share of images that have a namesake of another format for these to be seen as two copies of one set."""
NUMBERED_CLASSES = frozenset(words("class grade stage type level label category score birads kl group"))
MOST_LOOKED_UP = 200
MISSING = frozenset(("nan", "na", "n/a", "#n/a", "null", "none", "?", "-", "nil"))
NOT_READ = (".nii", ".nii.gz", ".mha", ".nrrd", ".jp2", ".heic", ".svs", ".npy", ".npz", ".mat")
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")


@dataclass(frozen=True)
class Evidence:
    """A reading, the table that it gives, and the files of the set, relative to `base`, without its masks."""

    base: Path
    files: Sequence[PurePosixPath]
    reading: Reading
    table: pd.DataFrame

    @property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted(self.table["label"].unique())


Objection = Callable[[Evidence], Iterator[str]]


def objections(evidence: Evidence) -> list[str]:
    """Return a sentence for each thing that speaks against a reading."""
    of_folders = (
        _splits_as_classes,
        _numbers_as_classes,
        _classes_further_down,
        _unread_siblings,
        _unread_images,
        _twins,
    )
    of_tables = (_several_labels, _numbers, _missing_labels, _other_targets)
    checks: Sequence[Objection] = of_tables if evidence.reading.layout.file else (*of_folders, _contradicting_tables)
    return [line for check in checks for line in check(evidence)]


def deeper_levels(evidence: Evidence) -> list[tuple[int, list[str]]]:
    """Return the levels of folders below the classes that may be the classes, as (levels further down, names)."""
    layout = evidence.reading.layout
    start = len(PurePosixPath(layout.root).parts) + layout.depth + (layout.kind != "class_folders")
    places = {(PurePosixPath(path).parts[start:-1], label) for path, label in _rows(evidence)}
    found = []
    for level in range(1, max(len(parts) for parts, _ in places)):
        by_class: dict[str, set[str]] = {}
        for parts, label in places:
            by_class.setdefault(label, set()).update(parts[level : level + 1])
        names = set().union(*by_class.values())
        if all(name.isdigit() for name in names):
            shared = sum(sum(name in inside for inside in by_class.values()) > 1 for name in names)
            differ = shared > 1 or (len(names) > 1 and _in_order(names))
        else:
            differ = len({_without_numbers(name) for name in names}) > 1
        if differ:
            found.append((level, sorted(names)))
    return found


def _rows(evidence: Evidence) -> list[tuple[str, str]]:
    return list(zip(evidence.table["path"], evidence.table["label"], strict=True))


def _without_numbers(name: str) -> str:
    return " ".join("#" if re.search(r"\d", word) else word for word in words(name))


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _in_order(names: Collection[str]) -> bool:
    """Return whether numbers count from 0 or 1 to at most ten, as those of classes do and those of patients rarely."""
    numbers, count = sorted(map(int, names)), len(names)
    return count <= MOST_NUMBERED_CLASSES and numbers in (list(range(count)), list(range(1, count + 1)))


def _splits_as_classes(evidence: Evidence) -> Iterator[str]:
    layout = evidence.reading.layout
    if named := list(filter(names_split, evidence.labels)):
        yield f"folders named as splits would be classes ({_shown(named)})"
    at = len(PurePosixPath(layout.root).parts)
    above = {part for path, _ in _rows(evidence) for part in PurePosixPath(path).parts[at : at + layout.depth]}
    if layout.kind == "class_folders" and (named := sorted(filter(names_split, above))):
        yield f"folders above the classes are named as splits ({_shown(named)}), which would not be used"


def _numbers_as_classes(evidence: Evidence) -> Iterator[str]:
    names = evidence.labels
    shown = f"{len(names)} folders differ only in a number ({names[0]} … {names[-1]})"
    if all(name.isdigit() for name in names):
        if not _in_order(names):
            yield f"{shown}: they may be patients, not classes"
    elif len({_without_numbers(name) for name in names}) == 1 and not NUMBERED_CLASSES.intersection(
        re.findall("[a-z]+", names[0].lower())
    ):
        yield f"{shown}: they may be patients, folds or parts of an archive, not classes"


def _classes_further_down(evidence: Evidence) -> Iterator[str]:
    if evidence.reading.layout.kind == "class_split_folders":
        return
    for _, names in deeper_levels(evidence):
        yield f"folders below them may be the classes ({_shown(names)})"


def _unread_siblings(evidence: Evidence) -> Iterator[str]:
    """Find folders next to those of the splits that hold the same classes, such as `holdout`."""
    layout = evidence.reading.layout
    if layout.kind != "split_folders":
        return
    read, at = set(evidence.table["path"]), len(PurePosixPath(layout.root).parts)
    inside = [image.parts[at:-1] for image in images_of(evidence.files) if str(image) not in read and
              image.is_relative_to(layout.root)]  # fmt: skip
    siblings = {parts[0] for parts in inside if set(parts[1:]) & set(evidence.labels)}
    for name in sorted(siblings):
        yield f"{name} holds images of the same classes, but is not named as a split (train, val, test)"


def _unread_images(evidence: Evidence) -> Iterator[str]:
    """Find files next to the images that are images of a kind or name that is not read."""
    folders = {PurePosixPath(path).parent for path in evidence.table["path"]}
    near = [file for file in evidence.files if file.parent in folders]
    found = [file for file in near if file.name.lower().endswith(NOT_READ) or _nameless_image(evidence.base / file)]
    if found:
        yield f"{len(found)} files next to the images are images that are not read, such as {found[0]}"


def _twins(evidence: Evidence) -> Iterator[str]:
    """Find images that are there in two formats."""
    paths = pd.Series(evidence.table["path"].unique())
    stems = paths.map(lambda path: str(PurePosixPath(path).with_suffix("")))
    twins = paths[stems.duplicated(keep=False)]
    if len(twins) >= LEAST_TWINS * len(paths):
        yield f"{len(twins)} of {len(paths)} images differ only in their extension, such as {' and '.join(twins[:2])}"


def _nameless_image(path: Path) -> bool:
    if path.suffix:
        return False
    with path.open("rb") as file:
        return file.read(8).startswith(SIGNATURES)


def _several_labels(evidence: Evidence) -> Iterator[str]:
    labels = evidence.labels
    for separator, enough in (("|", any), (",", any), (";", any), (" ", all)):
        pairs = {label: [part.strip() for part in label.split(separator)] for label in labels}
        split = {label: [part for part in parts if part] for label, parts in pairs.items() if len(parts) > 1}
        parts = {part for inside in pairs.values() for part in (inside if len(inside) > 1 else [])}
        alone = set(labels) | {part for part in parts if sum(part in inside for inside in split.values()) > 1}
        several = [label for label, inside in split.items() if enough(part in alone for part in inside)]
        if several:
            yield f"some labels are several at once ({_shown(several)}): each combination would be a class"
            return


def _numbers(evidence: Evidence) -> Iterator[str]:
    numbers = pd.to_numeric(pd.Series(evidence.labels), errors="coerce")
    if _many_numbers(evidence.table["label"]):
        yield f"the labels are {len(numbers)} different numbers from {numbers.min():g} to {numbers.max():g}"


def _many_numbers(column: pd.Series) -> bool:
    values = pd.Series(column.unique())
    return len(values) > MOST_NUMBERS and bool(pd.to_numeric(values, errors="coerce").notna().all())


def _missing_labels(evidence: Evidence) -> Iterator[str]:
    counts = evidence.table["label"].value_counts()
    for label in evidence.labels:
        if label.lower() in MISSING - {"none"} or (label.lower() == "none" and "nan" in map(str.lower, counts.index)):
            yield f"{counts[label]} images have the label {label!r}, which may mean that it is missing"


def _other_targets(evidence: Evidence) -> Iterator[str]:
    """Find further columns that may be the target, if only the values of the column of labels say that it is one."""
    layout, table = evidence.reading.layout, evidence.table
    if evidence.reading.evidence != "possible":
        return
    known = {"path", "label", "split", layout.image, layout.label, layout.split}
    for name in table.columns.difference(list(known), sort=False):
        telling = table[name].nunique() > 1 and not OTHER_WORDS.intersection(words(name))
        if telling and not same_partition(table[name], table["label"]):
            yield f"{layout.file}: column {name!r} may be the target as well as {layout.label!r}"


def _contradicting_tables(evidence: Evidence) -> Iterator[str]:
    """Find tables that name the images that were read and whose columns may be labels other than the folders."""
    labels = dict(_rows(evidence))
    images = images_of(evidence.files)
    for file in evidence.files:
        table = _any_table(evidence.base / file)
        name = None if table is None else image_column(file, table, images)
        if table is None or name is None:
            if table is None and _mentions(evidence.base / file, labels):
                yield f"{file} cannot be read as a table"
            continue
        places = [str(image) for image in images]
        paths = pd.Series(match_names(places, places, list(table[name].str.strip())).paths, index=table.index)
        rows = table[paths.isin(labels.keys())].assign(**{name: paths})
        columns = label_columns(rows.drop(columns=name))[0] if len(rows) else []
        truth = rows[name].map(labels)
        if any(same_partition(rows[column], truth) for column in columns):
            continue
        for column in columns:
            values = sorted(rows[column].unique())
            if not all(value.strip().lower() in re.split(r"[\W_]|(?<=\d)(?=[a-z])", path.lower()) for value, path in
                       zip(rows[column], rows[name], strict=True)):  # fmt: skip
                yield f"{file} names {len(rows)} of these images, and its column {column!r} ({_shown(values)}) " + (
                    "differs from the folders"
                )


def tables_of_images(base: Path, files: Sequence[PurePosixPath]) -> list[str]:
    """Return the tables and lists that name images of the set, each with the column that does."""
    images, found = images_of(files), []
    for file in files:
        table = _any_table(base / file)
        name = None if table is None else image_column(file, table, images)
        if table is not None and name is not None:
            without = "" if file.suffix.lower() in TABLE_SUFFIXES else ", but is not a CSV with a header"
            numbers = [
                f", and holds {table[column].nunique()} different numbers in {column!r}"
                for column in table
                if column != name and not OTHER_WORDS.intersection(words(column)) and _many_numbers(table[column])
            ]
            found.append(f"{file} names images in {name!r}{without}{''.join(numbers)}")
    return found


def _mentions(path: Path, images: Iterable[str]) -> bool:
    """Return whether a file of a table that cannot be read holds the names of half of the images."""
    if path.suffix.lower() not in (*TABLE_SUFFIXES, ".xlsx"):
        return False
    content, stems = path.read_bytes(), [PurePosixPath(image).stem.encode() for image in list(images)[:MOST_LOOKED_UP]]
    return 2 * sum(stem in content for stem in stems) >= len(stems)


def _any_table(path: Path) -> pd.DataFrame | None:
    readers = {".xlsx": read_workbook, ".txt": read_list} | dict.fromkeys(TABLE_SUFFIXES, read_table)
    try:
        return readers[path.suffix.lower()](path)
    except (KeyError, ValueError):
        return None
