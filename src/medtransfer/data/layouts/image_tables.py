"""Which tables of a set name its images, by which column, and which other columns may be labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES, SPLIT_NAMES, images_of, stem_of, words
from medtransfer.data.layouts.keys import images_of_keys, spread
from medtransfer.data.layouts.mask_pairs import speaks_of_masks
from medtransfer.data.layouts.tables import LISTS, TABLE_SUFFIXES, WORKBOOKS, loose, read_table
from medtransfer.data.layouts.workbooks import first_sheet, sheets_of
from medtransfer.util.errors import UserError

LABEL_WORDS = frozenset(
    words(
        "label labels class classes classname target diagnosis dx category finding findings disease condition "
        "pathology grade plane level birads severity stage subtype"
    )
)
IDENTITY_WORDS = frozenset(words("patient subject case person id uid"))
OTHER_WORDS = IDENTITY_WORDS | frozenset(
    words(
        "age sex gender group fold folds kfold date operator machine site source width height size view male female "
        "x y xmin ymin xmax ymax x1 x2 y1 y2 bbox"
    )
)
UNNAMED = "Unnamed: "
"""How the name of a column begins that has none, such as a count of the rows."""
HOW_LABELLED = frozenset(words("type method source confidence reader quality date by"))
"""A column such as `dx_type` says how the label in `dx` was found."""
MARKS = frozenset(("0", "1", "0.0", "1.0", "-1", "-1.0", ""))
LEAST_MARKS = 3
ENOUGH = 0.5
"""The least share of the values of a column that must name images, or of images that they name, for it to be the column
of images."""
ENOUGH_LOOSELY = 0.9
"""The same for values that differ from the names in case or zeros."""
MOST_LISTS = 50
"""More text files than this describe one image each."""


@dataclass(frozen=True)
class ImageTable:
    """A table of the set, relative to its root, and the column that names images.

    folders: if the column names folders, patients or cases, its values as written; it then holds the path of an image
    of each, in a row of its own.
    """

    file: PurePosixPath
    image: str
    table: pd.DataFrame
    folders: frozenset[str] = frozenset()

    @property
    def others(self) -> pd.DataFrame:
        """The columns besides that of images."""
        return self.table.drop(columns=self.image)

    @property
    def is_submission(self) -> bool:
        """Whether the labels are predictions or examples of them, as in `sampleSubmission.csv`."""
        return "submission" in self.file.stem.lower()


def image_tables(root: Path, files: Sequence[PurePosixPath]) -> list[ImageTable]:
    """Return the tables among `files`, relative to `root`, that name images among them.

    A table without a header is one whose first row names an image. Raises `UserError` for a table with a column of
    masks.
    """
    known = _Names(images_of(files, root))
    lists = sum(file.suffix.lower() in LISTS for file in files)
    found = []
    of_few = (
        file for file in files if file.suffix.lower() in TABLE_SUFFIXES - (LISTS if lists > MOST_LISTS else set())
    )
    for file in chain.from_iterable(_sheets(root, file) for file in of_few):
        try:
            table = read_table(root / file)
            if known.in_header_of(table):
                table = read_table(root / file, header=False)
        except (OSError, ValueError):
            continue  # it is counted among the ignored files
        image = _image_column(file, table, known)
        if (image is None or known.are_ambiguous(table[image])) and (of_keys := _by_keys(file, table, known, image)):
            found.append(of_keys)
        elif image is not None:
            found.append(ImageTable(file, image, table))
    return found


def _by_keys(file: PurePosixPath, table: pd.DataFrame, known: _Names, image: str | None) -> ImageTable | None:
    """Return a table by the column whose values are the folders, patients or cases of most images.

    Where a column `image` may name images, too, only one that explains all rows and images counts.
    """
    best: tuple[int, str, list[list[str]]] = (0, "", [])
    for name in table:
        values = table[name].str.strip()
        if _measures(name) or values.nunique() < max(2, ENOUGH * len(values)):
            continue
        found = images_of_keys(known.paths, known.paths, list(values))
        explained, images = sum(map(bool, found)), len({path for paths in found for path in paths})
        if image is not None and (explained < len(found) or images < known.count):
            continue
        if explained > 1 and max(explained / len(found), images / known.count) >= ENOUGH and images > best[0]:
            best = images, name, found
    count, name, found = best
    if not count:
        return None
    rows, paths = spread(table, found, missing=False)
    return ImageTable(file, name, rows.assign(**{name: paths}), frozenset(table[name].str.strip().str.strip("/")))


def _sheets(root: Path, file: PurePosixPath) -> list[PurePosixPath]:
    """Return the tables of a file: itself, or the sheets of a workbook if it has several, or one that is not first."""
    if file.suffix.lower() not in WORKBOOKS:
        return [file]
    try:
        sheets = sheets_of(root / file)
    except (OSError, ValueError):
        return []  # it is counted among the ignored files
    return [file] if len(sheets) == 1 and sheets[0] == first_sheet(root / file) else [file / name for name in sheets]


def label_columns(table: pd.DataFrame) -> tuple[list[str], bool]:
    """Return the columns that may hold the label, and whether their names say so."""
    several = [
        name for name in table if 1 < table[name].nunique() - (table[name] == "").any() <= max(2, len(table) // 2)
    ]
    named = [name for name in several if LABEL_WORDS.intersection(words(name)) - OTHER_WORDS]
    marks = mark_columns(table)
    named = [name for name in named if not any(_says_how(name, other) for other in named)]
    named = [name for name in named if len(marks) < LEAST_MARKS or name not in marks]  # `No Finding`, one of several
    others = [name for name in several if not OTHER_WORDS.intersection(words(name))]
    chosen: list[str] = []
    for name in sorted(named or others, key=lambda name: bool(pd.to_numeric(table[name], "coerce").notna().all())):
        if not any(same_partition(table[name], table[other]) for other in chosen):
            chosen.append(name)  # of `class_id` and `class_name`, which say the same, the words are kept
    return chosen, bool(named)


def mark_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that mark what an image shows: 0 or 1, or -1 or nothing if it is unknown."""
    return [name for name in table if table[name].nunique() > 1 and set(table[name].str.strip()) <= MARKS]


def same_partition(first: pd.Series, second: pd.Series) -> bool:
    """Return whether two columns divide the rows into the same parts, whatever their names."""
    pairs = pd.DataFrame({"first": first.to_numpy(), "second": second.to_numpy()}).drop_duplicates()
    return not pairs["first"].duplicated().any() and not pairs["second"].duplicated().any()


def split_value(value: str) -> str | None:
    """Return the split that a cell names: `train`, `Valid`, or Kaggle's `PublicTest` and `PrivateTest`.

    These two are the validation and the test images of FER2013 and of sets published like it.
    """
    plain = "".join(words(value))
    return SPLIT_NAMES.get(plain) or {"publictest": "val", "privatetest": "test"}.get(plain)


def split_column(table: pd.DataFrame) -> str | None:
    """Return the first column that holds nothing but names of at least two splits."""
    for name in table:
        values = [split_value(value) for value in table[name].unique()]
        if None not in values and len(set(values)) > 1:
            return str(name)
    return None


def base_name(name: str) -> str:
    """Return the last part of a path, of any system, without the extension of an image."""
    return stem_of(name.strip().replace("\\", "/").rpartition("/")[2])


class _Names:
    """The names of images that cells of a table may hold."""

    def __init__(self, images: Sequence[PurePosixPath]) -> None:
        self.count = len(images)
        self.paths = list(map(str, images))
        self.counts = Counter(stem_of(image.name) for image in images)
        self.exact = self.counts.keys()
        self.loose = set(map(loose, self.exact))
        self.folders = {folder for image in images for folder in image.parts[:-1]}

    def are_ambiguous(self, names: pd.Series) -> bool:
        """Return whether every name is that of several images, or of none."""
        return all(self.counts[key] != 1 for key in map(base_name, names))

    def in_header_of(self, table: pd.DataFrame) -> bool:
        """Return whether the first row of a table, read as its header, names an image as the rows below do.

        A word is that of a column even if an image has this name, unless no row names that image.
        """
        for name in table:
            key = base_name(name)
            if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
                return True
            if _last_folder(name) in self.folders and len(self.folders & set(map(_last_folder, table[name]))) > 1:
                return True
            if loose(key) in self.loose:
                keys = set(map(base_name, table[name]))
                numbered = re.search(r"\d", key) and len(self.loose.intersection(map(loose, keys))) > 1
                if numbered or (key in self.exact and key not in keys):
                    return True
        return False


def _image_column(file: PurePosixPath, table: pd.DataFrame, known: _Names) -> str | None:
    """Return the column of a table that names most images, or None."""
    exact: dict[str, int] = {}
    loosely: list[str] = []
    for name in table:
        values = table[name].unique()
        keys = list(map(base_name, values))
        least = min(len(values), known.count)
        if _measures(name) and all(map(str.isdigit, keys)):
            continue  # ages or a count of the rows, even if images are numbered, too
        hits = sum(key in known.exact for key in keys)
        if hits > 1 and hits >= ENOUGH * least:
            exact[name] = hits
        elif len(values) >= ENOUGH * min(len(table), known.count) and not _measures(name):
            hits = len(known.loose.intersection(map(loose, keys)))
            loosely += [name] if hits > 1 and hits >= ENOUGH_LOOSELY * least else []
    for name in exact:
        if len(exact) > 1 and speaks_of_masks(name) and table[name].str.contains(r"\.\w+$").all():
            raise UserError(f"{file}: column {name!r} names masks: name their folder or suffix in data.masks")
    if not exact:
        return loosely[0] if len(loosely) == 1 else None
    return max(exact, key=lambda name: exact[name])


def _last_folder(name: str) -> str:
    return name.strip("/ ").rpartition("/")[2]


def _measures(name: str) -> bool:
    return name.startswith(UNNAMED) or bool((OTHER_WORDS - IDENTITY_WORDS).intersection(words(name)))


def _says_how(name: str, label: str) -> bool:
    more = set(words(name)) - set(words(label))
    return name != label and set(words(label)) < set(words(name)) and more <= HOW_LABELLED
