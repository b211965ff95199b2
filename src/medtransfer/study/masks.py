"""The part `masks` of the section `data`: where masks are, what their values mean, and the size of their pixels."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from medtransfer.study.section import Positive, Section, leaves_folder

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
MOST_CLASSES = 254
"""Masks are stored in bytes, in which 0 is background and 255 ignored."""


class Spacing(Section):
    """The side of a square pixel of the original images in mm: one number, `mm`, or a column of a CSV.

    file: the CSV, below the layout's root. image, column: its columns of images and of spacings.
    """

    mm: Positive | None = None
    file: str | None = None
    image: str | None = None
    column: str | None = None

    @model_validator(mode="after")
    def _number_or_column(self) -> Spacing:
        of_a_table = (self.file, self.image, self.column)
        if (self.mm is None) != all(of_a_table) or (self.mm is not None and any(of_a_table)):
            raise ValueError("expected a number of mm, or file, image and column of a CSV")
        return self


def _number_alone(value: Any) -> Any:
    return {"mm": float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _is_mask_value(value: Any) -> bool:
    is_colour = isinstance(value, str) and COLOUR.fullmatch(value) is not None
    return is_colour or (type(value) is int and 0 <= value < 2**16)


def _name_of_folder(folder: str) -> str:
    path = PurePosixPath(folder or "masks")
    if leaves_folder(path) or not path.parts:
        raise ValueError(f"expected the name of a folder of the set, but got {folder}")
    return folder


FolderName = Annotated[str, AfterValidator(_name_of_folder)]


class MaskPlace(Section):
    """Where the masks of one class are: a folder, a suffix, or both; see `MaskFiles`."""

    folder: FolderName | None = None
    suffix: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _somewhere(self) -> MaskPlace:
        if not self.folder and not self.suffix:
            raise ValueError("expected folder, suffix or both")
        return self


class MaskFiles(Section):
    """Where the masks of the images are, and which class each of their values means.

    folder: the name of the folders that hold masks, at any depth; a mask has the name of its image. suffix: what may
    follow the image's name in that of a mask (`_mask`, also `_mask_1` and so on). If both are omitted (`auto`), masks
    are recognised by words such as mask, segmentation and annotation in the names of folders and files. Several masks
    of one image are merged. classes: the grey value or colour (`#rrggbb`) of each class; all other values are
    background. If omitted, there is one class, `foreground`: the 1 of masks of 0 and 1, otherwise pixels brighter than
    half. Instead of values, classes may have places: `{lung: {folder: lungs}, infection: {suffix: _inf}}`, each with a
    mask of its own for an image, later ones over earlier ones. ignore: the value of pixels that are left out of loss
    and metrics. missing: how to treat images without a mask, or without that of a class that has a place; `empty` means
    that they show only background.
    """

    folder: FolderName | None = None
    suffix: str | None = Field(default=None, min_length=1)
    classes: dict[str, Any] | None = Field(default=None, min_length=1)
    ignore: Any = None
    missing: Literal["fail", "drop", "empty"] = "fail"
    spacing: Annotated[Spacing, BeforeValidator(_number_alone)] | None = None

    @field_validator("classes")
    @classmethod
    def _places(cls, classes: dict[str, Any] | None) -> dict[str, Any] | None:
        return {
            name: MaskPlace.model_validate(value) if isinstance(value, dict) else value
            for name, value in (classes or {}).items()
        } or None

    @model_validator(mode="after")
    def _values_are_of_one_kind(self) -> MaskFiles:
        if self.places:
            if len(self.places) < len(self.classes or {}) or self.folder or self.suffix:
                raise ValueError("classes: expected a folder or suffix for each class, and none for all of them")
            if len(set(map(str, self.places.values()))) < len(self.places):
                raise ValueError("classes: expected a different place for each class")
            return self
        if self.ignore is not None and (self.ignore == 0 or not _is_mask_value(self.ignore)):
            raise ValueError(f"ignore: expected a grey value above 0 or a colour, but got {self.ignore!r}")
        values = [*(self.classes or {}).values()]
        wrong = [value for value in values if not _is_mask_value(value)]
        if wrong:
            raise ValueError(
                f"classes: expected grey values of 0 or more, or colours such as '#ff0000', but got {wrong[0]!r}"
            )
        values += [] if self.ignore is None else [self.ignore]
        if len({type(value) for value in values}) > 1:
            raise ValueError("classes: expected grey values or colours, not both, also for ignore")
        if len(set(values)) < len(values):
            raise ValueError("classes: expected a different value for each class, and another for ignore")
        if len(self.class_names) > MOST_CLASSES:
            raise ValueError(f"classes: expected at most {MOST_CLASSES}, but got {len(values)}")
        return self

    @property
    def class_names(self) -> list[str]:
        """The classes in the order of their numbers, which start at 1; 0 is background."""
        return list(self.classes) if self.classes else ["foreground"]

    @property
    def places(self) -> dict[str, MaskPlace]:
        """The place of each class that has one."""
        return {name: place for name, place in (self.classes or {}).items() if isinstance(place, MaskPlace)}

    @property
    def values(self) -> dict[str, int | str] | None:
        """The value of each class; None if each mask shows one class, by its brightness."""
        return None if self.places else self.classes
