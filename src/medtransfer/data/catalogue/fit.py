"""Whether the files are what the catalogue describes. No entry is believed against them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from medtransfer.data.catalogue.entry import Entry
from medtransfer.data.targets.target import COUNTED, counts_of
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.text import listed

MOST_CLASSES = 6
PLAIN = {
    "dataset": "null",
    "layout": "auto",
    "masks": "auto",
    "files": "{}",
    "labels": "{}",
    "tables": "[]",
    "group": "null",
}
"""What to set instead of the keys of an entry, so that the files alone decide."""


@contextmanager
def as_described(entry: Entry | None) -> Iterator[None]:
    """Explain a failure to read the files: they are not what the entry describes."""
    try:
        yield
    except UserError as error:
        if entry is None:
            raise
        raise UserError([*error.problems, _remedy(entry)]) from None


def check_fit(entry: Entry, table: pd.DataFrame, data: Data) -> int:
    """Compare what was read (columns path, label) with the entry; return the number of images.

    If all files of the entry's version were downloaded, numbers have to agree; otherwise a part of the set may be
    there, which may lack rare findings. Raises `UserError` that says what differs.
    """
    complete = _is_complete(entry, data)
    found = counts_of(table).to_dict()
    problems = []
    if _has_classes(entry, found):
        unknown, missing = sorted(found.keys() - entry.classes.keys()), sorted(entry.classes.keys() - found.keys())
        missing = [] if COUNTED in table and not complete else missing
        if unknown or missing:
            parts = [
                f"{word} {listed(names[:MOST_CLASSES])}"
                for word, names in (("without", missing), ("with", unknown))
                if names
            ]
            problems.append(f"data.dataset: the classes differ from those of {entry.reference}: {', '.join(parts)}")
    known = entry.classes if _has_classes(entry, found) else {}
    counts = {name: (number, expected) for name, number in found.items() if (expected := known.get(name))}
    if entry.images is not None:
        counts["images in all"] = (len(table), entry.images)
    wrong = {name: pair for name, pair in counts.items() if (pair[0] != pair[1] if complete else pair[0] > pair[1])}
    if wrong:
        shown = ", ".join(
            f"{name}: {number:,} instead of {expected:,}"
            for name, (number, expected) in list(wrong.items())[:MOST_CLASSES]
        )
        problems.append(f"data.dataset: the numbers of images differ from those of {entry.reference}: {shown}")
    if problems:
        raise UserError([*problems, _remedy(entry, read=True)])
    return len(table)


def summary_of(entry: Entry, images: int) -> dict[str, Any]:
    """Return the part of the audit about a set of the catalogue of which a number of images was read."""
    return {
        "reference": entry.reference,
        "version": entry.version,
        "title": entry.title,
        "page": entry.page,
        "images": entry.images,
        "read": images,
        "licence": entry.licence,
        "citation": entry.citation,
        "unchecked": entry.unchecked,
        "flaws": [{"says": flaw.says, "source": flaw.source} for flaw in entry.flaws],
    }


def _is_complete(entry: Entry, data: Data) -> bool:
    kaggle = data.kaggle
    if data.source != "kaggle" or kaggle is None or kaggle.files is not None:
        return False
    return kaggle.competition == entry.reference or (kaggle.dataset, kaggle.version) == (entry.reference, entry.version)


def _has_classes(entry: Entry, found: dict[str, int]) -> bool:
    """Return whether the classes of the entry are labels of images, not of pixels."""
    return len(found) > 1 and len(entry.classes) > 1


def _remedy(entry: Entry, read: bool = False) -> str:
    """Return how to read the files nevertheless; if they were read, but hold something else, also in the same way."""
    version = "" if entry.version is None else f", version {entry.version}"
    plain = ", ".join(f"data.{key}: {value}" for key, value in PLAIN.items() if key in entry.settings())
    described = f"the files are not what the catalogue describes ({entry.reference}{version})"
    same = "; to keep how they were read: data.dataset: null" if read else ""
    return f"{described}{same}; to read them as they are: {plain}"
