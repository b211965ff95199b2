"""What speaks against a reading of a table of labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import pandas as pd

from medtransfer.data.labels import as_yaml, plain
from medtransfer.data.layouts.evidence import Evidence, Objection, shown
from medtransfer.data.layouts.files import images_of, stem_of, words
from medtransfer.data.layouts.image_tables import (
    LEAST_MARKS,
    OTHER_WORDS,
    UNNAMED,
    ImageTable,
    mark_columns,
    same_partition,
)
from medtransfer.data.layouts.tables import UNNAMED_COLUMN
from medtransfer.data.targets.finding_cells import is_list, names_in
from medtransfer.data.targets.number_cells import rough_numbers
from medtransfer.util.text import counted

MOST_NUMBERS = 12
"""More different numbers than this are probably a quantity, not classes."""
MISSING = frozenset(
    ("nan", "na", "n/a", "#n/a", "null", "none", "?", "-", "nil", "unknown", "missing", "undefined", "not available",
     "unlabelled", "unlabeled", "pred", "prediction",
     "predictions", "unsorted", "untitled", "new folder", "untitled folder")
)  # fmt: skip
OUTLINES = frozenset(("rle", "encodedpixels"))
OF_NUMBERS, OF_FINDINGS = "the study own_numbers predicts numbers", "the study own_findings predicts several"
"""Where targets of other kinds belong: templates of `medtransfer use`."""


def unfit_targets(tables: Sequence[ImageTable]) -> list[str]:
    """Return a sentence for each table that names images but has targets of another kind than classes."""
    found = []
    for table in tables:
        others = table.others
        numbers = [
            f"{others[name].nunique()} different numbers in {name!r}"
            for name in others
            if not OTHER_WORDS.intersection(words(name))
            and not name.startswith(UNNAMED)
            and _many_numbers(others[name])
            and not UNNAMED_COLUMN.fullmatch(name)
        ]
        if numbers:
            found.append(f"{table.file} has {', '.join(numbers)}, a quantity and not a class ({OF_NUMBERS})")
        marks = mark_columns(others)
        several = (others[marks].isin(("1", "1.0")).sum(axis=1) > 1).sum() if len(marks) >= LEAST_MARKS else 0
        if several:
            found.append(
                f"{table.file} marks several of {shown(marks)} in {counted(several, 'row')}, not one class "
                f"({OF_FINDINGS})"
            )
    return found


def _several_labels(evidence: Evidence) -> Iterator[str]:
    """Find labels that are lists, or made of others, such as `A|B` of `A`; separated by spaces, of these alone."""
    lists = [label for label in evidence.labels if is_list(label) and len(names_in(label) or ()) > 1]
    if lists:
        yield _combined(lists)
        return
    for separator, enough in (("|", any), (",", any), (";", any), (" ", all)):
        parts = {label: [part.strip() for part in label.split(separator) if part.strip()] for label in evidence.labels}
        joined = {label: inside for label, inside in parts.items() if len(inside) > 1}
        uses = Counter(part for inside in joined.values() for part in set(inside))
        alone = set(evidence.labels) | {part for part, number in uses.items() if number > 1}
        several = [label for label, inside in joined.items() if enough(part in alone for part in inside)]
        if several:
            yield _combined(several)
            return


def _combined(labels: Sequence[str]) -> str:
    numbers = " or numbers with a comma" if all(re.fullmatch(r"[\d.,]+", label) for label in labels) else ""
    return (
        f"some labels are several at once{numbers} ({shown(labels)}): each combination would be a class of its own "
        f"({OF_FINDINGS})"
    )


def _numbers(evidence: Evidence) -> Iterator[str]:
    if _many_numbers(evidence.table["label"]):
        numbers = rough_numbers(pd.Series(evidence.labels))
        yield (
            f"the labels are {len(numbers)} different numbers from {numbers.min():g} to {numbers.max():g}, "
            f"a quantity and not classes ({OF_NUMBERS})"
        )


def _many_numbers(column: pd.Series) -> bool:
    values = pd.Series(column.unique())
    return len(values) > MOST_NUMBERS and bool(rough_numbers(values).notna().all())


def missing_labels(evidence: Evidence) -> Iterator[str]:
    """Find labels that may mean that there is none; `none` alone may well be a class."""
    found = [label for label in evidence.labels if _means_missing(label)]
    if found and {label.lower() for label in found} != {"none"}:
        images = counted(int(evidence.table["label"].isin(found).sum()), "image")
        remedy = (
            f"; to leave them out: {as_yaml(evidence.params, drop=found)}"
            if len(evidence.labels) > len(found) + 1
            else ""
        )
        yield f"the labels of {images} may mean that there is none ({shown(found)}){remedy}"


def _means_missing(label: str) -> bool:
    return not MISSING.isdisjoint((label.lower(), plain(label), plain(label.strip("_"))))


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


def _outlines(evidence: Evidence) -> Iterator[str]:
    """Find run lengths in the table of a column whose name does not say that it holds labels."""
    named = [name for name in evidence.table if OUTLINES.intersection(words(str(name)))]
    if named and evidence.reading.evidence == "possible":
        label = evidence.reading.layout.label
        yield f"column {named[0]!r} has outlines of objects, which are not read; {label!r} may not be what is learned"


def _unread_namesakes(evidence: Evidence) -> Iterator[str]:
    """Find images that are not read and have the name of one that is, as in a copy of the set in another size."""
    read = {str(path) for path, _ in evidence.rows}
    parts = {path.parts for path, _ in evidence.rows}
    telling = next(
        (count for count in range(1, 4) if len({of[-count:] for of in parts}) == len(parts)), 1
    )  # of names that recur in each folder, as those of slices, folders are a part
    names = {_name_of(path, telling) for path, _ in evidence.rows}
    others = [image for image in images_of(evidence.files, evidence.base) if str(image) not in read]
    same = [image for image in others if _name_of(image, telling) in names]
    if same:
        yield f"{counted(len(same), 'image')} with the names of others would not be read, such as {same[0]}"


def _name_of(image: PurePosixPath, parts: int) -> tuple[str, ...]:
    return (*image.parts[-parts:-1], stem_of(image.name))


OF_TABLES: Sequence[Objection] = (
    _several_labels,
    _numbers,
    missing_labels,
    _other_targets,
    _outlines,
    _unread_namesakes,
)
