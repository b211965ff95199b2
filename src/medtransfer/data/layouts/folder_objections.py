"""What speaks against a reading of folders as classes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from glob import escape
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.evidence import Evidence, Objection, shown
from medtransfer.data.layouts.files import SPLIT_NAMES, images_of, names_split, split_of, words
from medtransfer.data.layouts.folders import MOST_NUMBERED_CLASSES, PATIENT_DIGITS, only_numbered
from medtransfer.data.layouts.image_tables import image_tables, label_columns, same_partition, split_column
from medtransfer.data.layouts.label_csv import MOST_EXCLUDED
from medtransfer.data.layouts.mask_pairs import SUFFIX
from medtransfer.data.layouts.namesakes import same_names
from medtransfer.data.layouts.table_objections import missing_labels
from medtransfer.data.layouts.tables import LISTS, TABLE_SUFFIXES, loose, match_names, read_table
from medtransfer.util.text import counted, yaml_word

LEAST_NAMED = 0.5
"""The least share of images whose names contain that of their class for others to contradict theirs."""
NUMBERED_CLASSES = frozenset(words("class grade stage type level label category score birads kl group"))
MOST_LOOKED_UP = 200


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


def _without_numbers(name: str) -> str:
    return " ".join("#" if re.search(r"\d", word) else word for word in words(name))


def _in_order(names: Collection[str]) -> bool:
    """Return whether numbers count from 0 or 1 to at most ten, as those of classes do and those of patients rarely."""
    numbers, count = sorted(map(int, names)), len(names)
    return count <= MOST_NUMBERED_CLASSES and numbers in (list(range(count)), list(range(1, count + 1)))


def are_keys(names: Sequence[str], keys: Collection[str]) -> bool:
    """Return whether folders are what the rows of a table name, and no classes by their number or numbers.

    Half of the names are enough if all differ only in numbers, as test images have no rows.
    """
    named = len({loose(key.rpartition("/")[2]) for key in keys}.intersection(map(loose, names)))
    digits = all(name.isdigit() for name in names)
    numbered = only_numbered(names) or (digits and (len(names[0]) >= PATIENT_DIGITS or not _in_order(names)))
    return 2 * named >= len(names) if numbered else named == len(names) > MOST_NUMBERED_CLASSES


def _splits_as_classes(evidence: Evidence) -> Iterator[str]:
    layout = evidence.reading.layout
    if named := list(filter(names_split, evidence.labels)):
        yield f"folders named like splits would be classes ({shown(named)})"
    at = len(PurePosixPath(layout.root).parts)
    above = {part for path, _ in evidence.rows for part in path.parts[at : at + layout.depth]}
    if layout.kind == "class_folders" and (named := sorted(filter(names_split, above))):
        yield (
            f"folders above the classes are named like splits ({shown(named)}), which would be ignored; to use them: "
            f"{_by_folder(evidence, named)}"
        )


def _numbers_as_classes(evidence: Evidence) -> Iterator[str]:
    names = evidence.labels
    differing = f"{len(names)} folders differ only in a number ({names[0]} … {names[-1]})"
    if all(name.isdigit() for name in names):
        if not _in_order(names):
            yield f"{differing}: they may be patients, not classes"
    elif len({_without_numbers(name) for name in names}) == 1 and not NUMBERED_CLASSES.intersection(
        re.findall("[a-z]+", names[0].lower())
    ):
        yield f"{differing}: they may be patients, folds or parts of an archive, not classes"


def _classes_further_down(evidence: Evidence) -> Iterator[str]:
    if evidence.reading.layout.kind != "class_split_folders":
        for _, names in deeper_levels(evidence):
            yield f"subfolders may be the classes ({shown(names)})"


def _unread_siblings(evidence: Evidence) -> Iterator[str]:
    """Find folders next to the splits that hold the same classes, such as `holdout`."""
    layout = evidence.reading.layout
    if layout.kind != "split_folders":
        return
    read, at = {path for path, _ in evidence.rows}, len(PurePosixPath(layout.root).parts)
    unread = [image for image in images_of(evidence.files, evidence.base) if image not in read]
    places = {image.parts[at:-1] for image in unread if image.parts[:at] == PurePosixPath(layout.root).parts}
    names = sorted({place[0] for place in places if set(place[1:]) & set(evidence.labels)})
    if not names:
        return
    ways = "name them train, val or test"
    if all({*place[layout.depth + 1 : layout.depth + 2]} & set(evidence.labels) for place in places):
        ways = f"to use it: {_by_folder(evidence, names)}"
    verbs = ("holds", "is") if len(names) == 1 else ("hold", "are")
    yield f"{shown(names)} {verbs[0]} images of the same classes, but {verbs[1]} not named like a split; {ways}"


def _mostly_unread(evidence: Evidence) -> Iterator[str]:
    """Find more images elsewhere than are read, unless their folders are named as a test split."""
    read = {path for path, _ in evidence.rows}
    unread = [image for image in images_of(evidence.files, evidence.base) if image not in read]
    unread = [image for image in unread if "test" not in map(split_of, image.parts[:-1])]
    if len(unread) > len(read):
        yield f"{counted(len(unread), 'image')} elsewhere would not be read, such as {unread[0]}"


def _lone_masks(evidence: Evidence) -> Iterator[str]:
    """Find some images that are named as masks, of images that are not there."""
    endings = {path: found for path, _ in evidence.rows if (found := SUFFIX.search(path.stem))}
    if 0 < len(endings) < len(evidence.rows):
        patterns = sorted({f"*{escape(found.string[found.start() : found.end(1)])}*" for found in endings.values()})
        yield (
            f"{counted(len(endings), 'image')} named as masks, such as {next(iter(endings))}, would be images of a "
            f"class; to leave them out: data.files: {{exclude: {json.dumps(patterns, ensure_ascii=False)}}}"
        )


def _by_folder(evidence: Evidence, names: Sequence[str]) -> str:
    """Return the layout and split by which folders of these names, besides those named as splits, are splits."""
    layout, root = evidence.reading.layout, PurePosixPath(evidence.start) / evidence.reading.layout.root
    depth = layout.depth + (layout.kind == "split_folders")
    known = set(evidence.table["split"].dropna())
    values = {}
    for name in names:
        said = {split for word, split in SPLIT_NAMES.items() if any(part.startswith(word) for part in words(name))}
        values[name] = said.pop() if len(said) == 1 else "val" if "val" not in known else "test"
    flow = ", ".join(f"{yaml_word(name)}: {split}" for name, split in values.items() if split_of(name) is None)
    fields = ["kind: class_folders", *([f"root: {yaml_word(str(root))}"] if root.parts else []), f"depth: {depth}"]
    split = ["method: published", f"folder: {len(root.parts) + 1}", *([f"values: {{{flow}}}"] if flow else [])]
    return f"data.layout: {{{', '.join(fields)}}} and data.split: {{{', '.join(split)}}}"


def _contradicting_names(evidence: Evidence) -> Iterator[str]:
    """Find images whose own names contain that of another class, if those of most contain that of theirs."""
    uses = Counter(tuple(_words_of(label)) for label in evidence.labels)
    runs = {run: label for label in evidence.labels if (run := tuple(_words_of(label))) and uses[run] == 1}
    longest = max(map(len, runs), default=0)
    own, others = 0, []
    for path, label in evidence.rows:
        parts = _words_of(path.stem)
        said = next(
            (
                runs[run]
                for length in range(longest, 0, -1)
                for at in range(len(parts) - length + 1)
                if (run := tuple(parts[at : at + length])) in runs
            ),
            None,
        )
        own += said == label
        others += [path] if said not in (None, label) else []
    if others and own >= LEAST_NAMED * len(evidence.rows):
        patterns = [escape(str(PurePosixPath(evidence.start) / path)) for path in others]
        leaving = f"; to leave them out: data.files: {{exclude: {json.dumps(patterns, ensure_ascii=False)}}}"
        yield (
            f"the file names of {counted(len(others), 'image')} contain another class than their folder, such as "
            f"{others[0]}{leaving if len(others) <= MOST_EXCLUDED else ''}"
        )


def _words_of(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_\d]+", name.casefold()) if word]


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
        others = rows.drop(columns=["path", "truth", *filter(None, [split_column(table.others)])])
        columns = label_columns(others)[0] if len(rows) else []
        if any(same_partition(rows[column], rows["truth"]) for column in columns):
            continue
        differing = [column for column in columns if not _in_paths(rows[column], rows["path"])]
        if differing:
            values = f" ({shown(sorted(rows[differing[0]].unique()))})" if len(differing) == 1 else ""
            yield (
                f"{table.file} names {len(rows)} of these images, and its {'column' if values else 'columns'} "
                f"{shown(list(map(repr, differing)))}{values} {'differs' if values else 'differ'} from the folders"
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


OF_FOLDERS: Sequence[Objection] = (
    _splits_as_classes,
    _numbers_as_classes,
    _classes_further_down,
    _unread_siblings,
    _mostly_unread,
    _lone_masks,
    _contradicting_names,
    missing_labels,
    same_names,
    _contradicting_tables,
)
