"""What speaks against a reading of a set: `auto` accepts a reading only if nothing does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.labels import as_yaml
from medtransfer.data.layouts import Reading
from medtransfer.data.layouts.files import images_of, names_split, stem_of, words
from medtransfer.data.layouts.folders import MOST_NUMBERED_CLASSES
from medtransfer.data.layouts.image_tables import (
    LEAST_MARKS,
    OTHER_WORDS,
    ImageTable,
    image_tables,
    label_columns,
    mark_columns,
    same_partition,
)
from medtransfer.data.layouts.tables import LISTS, TABLE_SUFFIXES, UNNAMED_COLUMN, match_names, read_table
from medtransfer.study import Labels
from medtransfer.util.text import counted

MOST_NUMBERS = 12
"""More different numbers than this are probably a quantity, not classes."""
LEAST_TWINS = 0.5
"""The least share of images with a namesake of another format for the set to hold every image twice."""
NUMBERED_CLASSES = frozenset(words("class grade stage type level label category score birads kl group"))
MOST_LOOKED_UP = 200
MISSING = frozenset(("nan", "na", "n/a", "#n/a", "null", "none", "?", "-", "nil"))
NOT_READ = {
    ".nii.gz": "NIfTI volume",
    ".nii": "NIfTI volume",
    ".mha": "MetaImage volume",
    ".mhd": "MetaImage volume",
    ".nrrd": "NRRD volume",
    ".npy": "NumPy array",
    ".npz": "NumPy archive",
    ".mat": "MATLAB file",
    ".h5": "HDF5 file",
    ".hdf5": "HDF5 file",
    ".svs": "whole-slide image",
    ".ndpi": "whole-slide image",
    ".mrxs": "whole-slide image",
    ".heic": "HEIC image",
    ".tfrec": "TFRecord file",
    ".tfrecord": "TFRecord file",
    ".avi": "video",
    ".mp4": "video",
    ".zip": "archive",
    ".tar": "archive",
    ".tar.gz": "archive",
    ".7z": "archive",
    ".rar": "archive",
}
"""Files that may hold images, by their extension; an archive has to be unpacked, the images of others saved as PNG."""


@dataclass(frozen=True)
class Evidence:
    """A reading and the table that it gives.

    files: those of the set, relative to `base`, without its masks. params: the section `data.labels`.
    """

    base: Path
    files: Sequence[PurePosixPath]
    reading: Reading
    table: pd.DataFrame
    params: Labels = field(default_factory=Labels)

    @cached_property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted(self.table["label"].unique())

    @cached_property
    def rows(self) -> list[tuple[PurePosixPath, str]]:
        """The path and label of each image."""
        return list(zip(map(PurePosixPath, self.table["path"]), self.table["label"], strict=True))


Objection = Callable[[Evidence], Iterator[str]]


def objections(evidence: Evidence) -> list[str]:
    """Return a sentence for each thing that speaks against a reading."""
    of_folders: Sequence[Objection] = (
        _splits_as_classes,
        _numbers_as_classes,
        _classes_further_down,
        _unread_siblings,
        _twins,
        _contradicting_tables,
    )
    of_tables: Sequence[Objection] = (_several_labels, _numbers, _missing_labels, _other_targets, _unread_namesakes)
    checks = of_tables if evidence.reading.layout.file else of_folders
    return [line for check in (*checks, _unread_images) for line in check(evidence)]


def deeper_levels(evidence: Evidence) -> list[tuple[int, list[str]]]:
    """Return the levels of folders below the classes that may be the classes, as (levels further down, names)."""
    layout = evidence.reading.layout
    start = len(PurePosixPath(layout.root).parts) + layout.depth + (layout.kind != "class_folders")
    places = {(path.parts[start:-1], label) for path, label in evidence.rows}
    found = []
    for level in range(1, max(len(parts) for parts, _ in places)):
        by_class: dict[str, set[str]] = {}
        for parts, label in places:
            by_class.setdefault(label, set()).update(parts[level : level + 1])
        names = set().union(*by_class.values())
        if all(name.isdigit() for name in names):
            shared = sum(sum(name in inside for inside in by_class.values()) > 1 for name in names)
            may_be_classes = shared > 1 or (len(names) > 1 and _in_order(names))
        else:
            may_be_classes = len({_without_numbers(name) for name in names}) > 1
        if may_be_classes:
            found.append((level, sorted(names)))
    return found


def other_kinds(files: Iterable[PurePosixPath]) -> list[str]:
    """Count the files that may hold images but are not read, by what they are: `12 NIfTI volumes (.nii.gz)`."""
    kinds = Counter(suffix for file in files if (suffix := _not_read(file)))
    return [f"{counted(number, NOT_READ[suffix])} ({suffix})" for suffix, number in sorted(kinds.items())]


def unfit_targets(tables: Sequence[ImageTable]) -> list[str]:
    """Return a sentence for each table that names images but has targets of another kind than classes."""
    found = []
    for table in tables:
        others = table.others
        numbers = [
            f"{others[name].nunique()} different numbers in {name!r}"
            for name in others
            if not OTHER_WORDS.intersection(words(name))
            and _many_numbers(others[name])
            and not UNNAMED_COLUMN.fullmatch(name)
        ]
        if numbers:
            found.append(f"{table.file} has {', '.join(numbers)}, a quantity and not a class")
        marks = mark_columns(others)
        several = (others[marks].isin(("1", "1.0")).sum(axis=1) > 1).sum() if len(marks) >= LEAST_MARKS else 0
        if several:
            found.append(f"{table.file} marks several of {_shown(marks)} in {counted(several, 'row')}, not one class")
    return found


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
        yield f"folders named like splits would be classes ({_shown(named)})"
    at = len(PurePosixPath(layout.root).parts)
    above = {part for path, _ in evidence.rows for part in path.parts[at : at + layout.depth]}
    if layout.kind == "class_folders" and (named := sorted(filter(names_split, above))):
        yield f"folders above the classes are named like splits ({_shown(named)}), which would be ignored"


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
    if evidence.reading.layout.kind != "class_split_folders":
        for _, names in deeper_levels(evidence):
            yield f"subfolders may be the classes ({_shown(names)})"


def _unread_siblings(evidence: Evidence) -> Iterator[str]:
    """Find folders next to the splits that hold the same classes, such as `holdout`."""
    layout = evidence.reading.layout
    if layout.kind != "split_folders":
        return
    read, at = {path for path, _ in evidence.rows}, len(PurePosixPath(layout.root).parts)
    unread = [image for image in images_of(evidence.files, evidence.base) if image not in read]
    places = {image.parts[at:-1] for image in unread if image.parts[:at] == PurePosixPath(layout.root).parts}
    for name in sorted({place[0] for place in places if set(place[1:]) & set(evidence.labels)}):
        yield (
            f"{name} holds images of the same classes, but is not named like a split; rename it to train, val or test "
            "to use it"
        )


def _unread_images(evidence: Evidence) -> Iterator[str]:
    """Find files next to the images that may hold images, too, but are not read."""
    folders = {path.parent for path, _ in evidence.rows}
    near = [file for file in evidence.files if _not_read(file) and file.parent in folders]
    near = [file for file in near if str(file) not in evidence.reading.layout.files]
    if near:
        yield f"next to the images are {', '.join(other_kinds(near))}, which are not read, such as {near[0]}"


def _not_read(file: PurePosixPath) -> str | None:
    name = file.name.lower()
    return next((suffix for suffix in NOT_READ if name.endswith(suffix)), None)


def _twins(evidence: Evidence) -> Iterator[str]:
    """Find images that are there in two formats."""
    paths = pd.Series(evidence.table["path"].unique())
    twins = paths[paths.str.replace(r"\.[^./]+$", "", regex=True).duplicated(keep=False)]
    if len(twins) >= LEAST_TWINS * len(paths):
        yield f"{len(twins)} of {len(paths)} images differ only in their extension, such as {' and '.join(twins[:2])}"


def _several_labels(evidence: Evidence) -> Iterator[str]:
    """Find labels that are made of others, such as `A|B` of `A`; separated by spaces, every part must be one."""
    for separator, enough in (("|", any), (",", any), (";", any), (" ", all)):
        parts = {label: [part.strip() for part in label.split(separator) if part.strip()] for label in evidence.labels}
        joined = {label: inside for label, inside in parts.items() if len(inside) > 1}
        uses = Counter(part for inside in joined.values() for part in set(inside))
        alone = set(evidence.labels) | {part for part, number in uses.items() if number > 1}
        several = [label for label, inside in joined.items() if enough(part in alone for part in inside)]
        if several:
            yield f"some labels are several at once ({_shown(several)}): each combination would be a class of its own"
            return


def _numbers(evidence: Evidence) -> Iterator[str]:
    if _many_numbers(evidence.table["label"]):
        numbers = pd.to_numeric(pd.Series(evidence.labels))
        yield (
            f"the labels are {len(numbers)} different numbers from {numbers.min():g} to {numbers.max():g}, "
            "a quantity and not classes"
        )


def _many_numbers(column: pd.Series) -> bool:
    values = pd.Series(column.unique())
    return len(values) > MOST_NUMBERS and bool(pd.to_numeric(values, errors="coerce").notna().all())


def _missing_labels(evidence: Evidence) -> Iterator[str]:
    """Find labels that may mean that there is none; `none` alone may well be a class."""
    found = [label for label in evidence.labels if label.lower() in MISSING]
    if found and {label.lower() for label in found} != {"none"}:
        images = counted(int(evidence.table["label"].isin(found).sum()), "image")
        remedy = (
            f"; to leave them out: {as_yaml(evidence.params, drop=found)}"
            if len(evidence.labels) > len(found) + 1
            else ""
        )
        yield f"the labels of {images} may mean that there is none ({_shown(found)}){remedy}"


def _other_targets(evidence: Evidence) -> Iterator[str]:
    """Find further columns that may hold the label, if the column was chosen for its values alone."""
    layout, table = evidence.reading.layout, evidence.table
    if evidence.reading.evidence != "possible":
        return
    known = {"path", "label", "split", layout.image, layout.label, layout.split}
    for name in table.columns.difference(list(known), sort=False):
        telling = table[name].nunique() > 1 and not OTHER_WORDS.intersection(words(name))
        if telling and not same_partition(table[name], table["label"]):
            yield f"{', '.join(layout.files)}: column {name!r} may be the target as well as {layout.label!r}"


def _unread_namesakes(evidence: Evidence) -> Iterator[str]:
    """Find images that are not read and have the name of one that is, as in a copy of the set in another size."""
    read = {str(path) for path, _ in evidence.rows}
    names = {stem_of(path.name) for path, _ in evidence.rows}
    others = [image for image in images_of(evidence.files, evidence.base) if str(image) not in read]
    same = [image for image in others if stem_of(image.name) in names]
    if same:
        yield f"{counted(len(same), 'image')} with the names of others would not be read, such as {same[0]}"


def _contradicting_tables(evidence: Evidence) -> Iterator[str]:
    """Find tables that name the images that were read and whose columns may be labels other than the folders."""
    labels = {str(path): label for path, label in evidence.rows}
    images = list(map(str, images_of(evidence.files, evidence.base)))
    tables = image_tables(evidence.base, evidence.files)
    for table in tables:
        paths = match_names(images, images, list(table.table[table.image].str.strip())).paths
        rows = table.others.assign(path=paths, truth=[labels.get(path) for path in paths])
        unread = rows[rows["truth"].isna() & (rows["path"] != "")]
        if not table.is_submission and len(unread) > 1 and label_columns(unread.drop(columns=["path", "truth"]))[1]:
            yield f"{table.file} has labels of {len(unread)} images that are not read, such as {unread['path'].iloc[0]}"
        rows = rows[rows["truth"].notna()]
        columns = label_columns(rows.drop(columns=["path", "truth"]))[0] if len(rows) else []
        if any(same_partition(rows[column], rows["truth"]) for column in columns):
            continue
        differing = [column for column in columns if not _in_paths(rows[column], rows["path"])]
        if differing:
            values = f" ({_shown(sorted(rows[differing[0]].unique()))})" if len(differing) == 1 else ""
            yield (
                f"{table.file} names {len(rows)} of these images, and its {'column' if values else 'columns'} "
                f"{_shown(list(map(repr, differing)))}{values} {'differs' if values else 'differ'} from the folders"
            )
    readable = {table.file for table in tables}
    for file in evidence.files:
        if file not in readable and _names_unreadably(evidence.base / file, labels):
            yield f"{file} names these images, but cannot be read as a table"


def _in_paths(values: pd.Series, paths: pd.Series) -> bool:
    """Return whether each value is a part of its path, such as the magnification `40` in `40X/a.png`."""
    return all(
        value.strip().lower() in re.split(r"[\W_]|(?<=\d)(?=[a-z])", path.lower())
        for value, path in zip(values, paths, strict=True)
    )


def _names_unreadably(path: Path, images: Iterable[str]) -> bool:
    """Return whether a file of a table that cannot be read holds the names of half of the images."""
    if path.suffix.lower() not in TABLE_SUFFIXES - LISTS:
        return False
    try:
        read_table(path)
    except ValueError:
        content = path.read_bytes()
        stems = [PurePosixPath(image).stem.encode() for image in list(images)[:MOST_LOOKED_UP]]
        return 2 * sum(stem in content for stem in stems) >= len(stems)
    return False
