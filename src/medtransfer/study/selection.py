"""Parts of the section `data` that say which files count, what labels are called, and which images belong together."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from medtransfer.study.section import OTHER, WORD, PathInSet, Section, leaves_folder


def _as_label(value: Any) -> Any:
    """Refuse what YAML has read as a number, a truth value or nothing: `0.0` and `0` would be one label."""
    if value is None or isinstance(value, bool | int | float):
        raise ValueError(f"write it in quotes: {value!r} is not a text")
    return value


Label = Annotated[str, BeforeValidator(_as_label)]
FOLDER_0 = "folder: expected 1, 2, … from the top or -1, -2, … from the file, but got 0"
Patterns = Annotated[list[str], Field(min_length=1)]


class Files(Section):
    """Which files of the set count: those that match a pattern of `include`, if given, and none of `exclude`.

    Patterns are matched with the path within the set; `*` matches anything, folders included, `?` one character and
    `[abc]` one of these. Excluded tables are not read, and rows of tables that name excluded images are left out.
    """

    include: Patterns | None = None
    exclude: Patterns | None = None


class Labels(Section):
    """The names of labels: `aliases` maps names in the set to the names to use; labels named in `drop` are left out.

    Aliases come first. A name that is its own alias is confirmed: it is not questioned for resembling another.
    positive: of two classes, the one whose sensitivity and precision are reported, such as the disease; by default
    the second in alphabetical order. corrections: a CSV in the folder `extensions`, with the columns path and
    corrected, of labels that somebody has corrected; `-` leaves an image out, and an empty cell its label as it is.

    Of several findings, `aliases` and `drop` are of single findings, and an image keeps its others. separator: what
    separates the findings in a cell; "" if each cell is one. none: the words that mean that there is no finding; by
    default `No Finding`, `normal` and the like. uncertain, empty: what -1 and an empty cell mean in the column of a
    finding; `ignore` leaves it out of the image's loss and metrics.

    Of numbers, `decimal` is the sign before decimals where a table leaves it open, as 1,234 does; the other one
    separates thousands.
    """

    aliases: dict[Label, Label] = Field(default_factory=dict)
    drop: list[Label] = Field(default_factory=list)
    positive: Label | None = None
    separator: str | None = None
    none: list[Label] | None = None
    uncertain: Literal["ignore", "positive", "negative"] | None = None
    empty: Literal["ignore", "negative"] | None = None
    decimal: Literal[".", ","] | None = None
    corrections: Annotated[str, Field(pattern=r"^extensions/[^/].*\.csv$")] | None = None

    @model_validator(mode="after")
    def _aliases_end(self) -> Labels:
        if self.corrections is not None and leaves_folder(PurePosixPath(self.corrections)):
            raise ValueError(f"corrections: expected a file in the folder extensions, but got {self.corrections}")
        for name, target in self.aliases.items():
            if self.aliases.get(target, target) != target:
                raise ValueError(f"aliases: {name!r} becomes {target!r}, which becomes another; name the last one")
        return self


class JoinedTable(Section):
    """A further table of the set, whose columns are added to the rows of images.

    file: a CSV by its path below the layout's root, or within the set. key: its column of image names, or, with `on`,
    of values that are those of the column `on` of the layout's CSV or of an earlier table. where: values that columns
    of the table must have; other rows are ignored. A column whose name is taken is added as `FILE.COLUMN`, without the
    extension of the file.
    """

    file: PathInSet
    key: str
    on: str | None = None
    where: dict[str, Label | list[Label]] = Field(default_factory=dict)


class Group(Section):
    """Groups of images that a split must not divide: those that share a key.

    pattern: a regular expression, searched in file names; if it matches none of them, in paths within the set. The key
    is what its groups capture, or the whole match if it has none. column: a column of the layout's CSV or of
    `data.tables`, or `label`. dicom: a DICOM element by keyword, such as PatientID. folder: the number of a folder in
    the path within the set, 1 being the first and -1 the one that holds the file. missing: how to treat images without
    a key; with `alone` each is a group of its own.
    """

    pattern: str | None = None
    column: str | None = None
    dicom: str | None = None
    folder: int | None = None
    missing: Literal["fail", "alone"] = "fail"

    @model_validator(mode="after")
    def _one_key(self) -> Group:
        keys = (self.pattern, self.column, self.dicom, self.folder)
        if sum(key is not None for key in keys) != 1:
            raise ValueError("expected one of pattern, column, dicom, folder; join several in a list")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"pattern: {self.pattern!r} is not a valid regular expression: {error}") from None
        if self.folder == 0:
            raise ValueError(FOLDER_0)
        return self


Groups = Annotated[
    Annotated[Group, Tag(OTHER)] | Annotated[Annotated[list[Group], Field(min_length=1)], Tag(WORD)],
    Discriminator(lambda value: WORD if isinstance(value, list) else OTHER),
]
"""One key, or a list of several that are joined."""
