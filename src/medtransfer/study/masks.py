"""The section `data.masks`: which masks belong to the images, and what their values mean."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from medtransfer.study.section import Positive, Section

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class Spacing(Section):
    """The side of a square pixel of the original images in mm: `mm`, one number for all, or a column of a CSV.

    `file` is the CSV, below the layout's root, `image` its column of images and `column` that of the spacing.
    """

    mm: Positive | None = None
    file: str | None = None
    image: str | None = None
    column: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Spacing:
        of_a_table = (self.file, self.image, self.column)
        if (self.mm is None) != all(of_a_table) or (self.mm is not None and any(of_a_table)):
            raise ValueError("expected a number of mm, or file, image and column of a CSV")
        return self


def _number_alone(value: Any) -> Any:
    return {"mm": float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _is_grey(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**16


def _is_colour(value: Any) -> bool:
    return isinstance(value, str) and COLOUR.fullmatch(value) is not None


def _auto(value: Any) -> Any:
    return {} if value == "auto" else value


class MaskFiles(Section):
    """Where the masks of the images lie, and which class each of their values means.

    folder: the name of the folders that hold masks, wherever they stand; a mask bears the name of its image. suffix:
    what may follow its image's name in that of a mask (`_mask`, also `_mask_1` and so on). With neither, masks are
    known by words such as mask, segmentation and annotation in the names of folders and files (`auto`).
    Several masks of one image are laid over each other. classes: the grey value or colour (`#rrggbb`) of each
    class; all other values are background. Without it there is one class, `foreground`: 1 of masks of 0 and 1, else
    what is brighter than half. missing: what becomes of images without a mask; `empty` says that nothing is on them.
    """

    folder: str | None = None
    suffix: str | None = Field(default=None, min_length=1)
    classes: dict[str, Any] | None = Field(default=None, min_length=1)
    missing: Literal["fail", "drop", "empty"] = "fail"
    spacing: Annotated[Spacing, BeforeValidator(_number_alone)] | None = None

    @model_validator(mode="after")
    def _values_are_of_one_kind(self) -> MaskFiles:
        values = list((self.classes or {}).values())
        wrong = [value for value in values if not _is_grey(value) and not _is_colour(value)]
        if wrong:
            raise ValueError(
                f"classes: expected grey values above 0 or colours such as '#ff0000', but got {wrong[0]!r}"
            )
        if len({type(value) for value in values}) > 1:
            raise ValueError("classes: expected grey values or colours, not both")
        if len(set(values)) < len(values):
            raise ValueError("classes: expected another value for each class")
        if len(values) > 255:
            raise ValueError(f"classes: expected 255 at most, but got {len(values)}")
        return self

    @model_validator(mode="after")
    def _the_folder_is_within_the_set(self) -> MaskFiles:
        path = PurePosixPath(self.folder or "masks")
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f"folder: expected the name of a folder of the set, but got {self.folder}")
        return self

    @property
    def class_names(self) -> list[str]:
        """Name the classes in the order of their numbers, which begin with 1; 0 is background."""
        return list(self.classes) if self.classes else ["foreground"]


Masks = Annotated[MaskFiles, BeforeValidator(_auto)]
