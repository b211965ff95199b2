"""The section `data.masks`: which masks belong to the images, and what their values mean; The section `data`: where the images come from, how they are laid out, grouped and split."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from medtransfer.study.section import Count, Fraction, Positive, Section, kind_alone

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


class PhantomSource(Section):
    """The simulated set: how many patients, at most how many frames of each, pixels, and how hard."""

    patients: Annotated[int, Field(ge=10)] = 150
    frames: Count = 4
    size: Annotated[int, Field(ge=32, le=512)] = 96
    difficulty: Annotated[float, Field(ge=0, le=1)] = 0.5
    split_by: Literal["patient", "image"] = "patient"


class KaggleSource(Section):
    """A Kaggle data set, `owner/name` and the version that the study was made with, or a competition by its name.

    `files` are patterns that choose some of its files, `*` standing for anything, folders included. `sha256`
    is that of the archive. It stands here, not beside `source`, because only Kaggle's sets come as an
    archive, and because the download then runs again when it changes. Without it, the one recorded at the first
    download counts.
    """

    dataset: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$")
    version: Count | None = None
    competition: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]+$")
    files: Annotated[list[str], Field(min_length=1)] | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _one_of_both(self) -> KaggleSource:
        if (self.dataset is None) == (self.competition is None):
            raise ValueError("expected either dataset, with its version, or competition")
        if self.dataset is not None and self.version is None:
            raise ValueError("dataset needs a version: the number on its page, so that the study stays what it is")
        if self.competition is not None and self.version is not None:
            raise ValueError("version belongs to dataset; a competition has none")
        return self


LayoutKind = Literal[
    "auto", "one_hot_csv", "class_folders", "split_folders", "class_split_folders", "label_csv", "images"
]


class Layout(Section):
    """How the set's files say which image has which label.

    auto: recognised from the files, and refused where they can be read in more than one way. one_hot_csv: split
    folders, each with a one-hot `_classes.csv`; with `file`, one such CSV for the whole set, whose columns
    `classes` (or all but `image`, the first, and `split`) are 0 or 1. class_folders: CLASS/image.
    split_folders: SPLIT/CLASS/image. class_split_folders: CLASS/SPLIT/image. label_csv: the CSV `file`, with
    columns `image` (path or bare name, with or without extension), `label`, and perhaps `split`. images: all images
    below the root, without labels, which segmentation needs none of; a folder named as a split is one. `images` is
    the folder, below `root`, that a CSV's names are looked for in. `root` is the folder within the set where
    all this begins, because archives often wrap a set in folders of its own name. `depth` counts the folders
    above the classes that are neither split nor class (`train/train/CLASS`).
    """

    kind: LayoutKind
    root: str = "."
    depth: Annotated[int, Field(ge=0)] = 0
    file: str | None = None
    image: str | None = None
    label: str | None = None
    split: str | None = None
    classes: Annotated[list[str], Field(min_length=2)] | None = None
    images: str = "."

    @model_validator(mode="after")
    def _fields_belong_to_the_kind(self) -> Layout:
        columns = {"file": self.file, "image": self.image, "label": self.label}
        if self.kind == "label_csv" and None in columns.values():
            missing = ", ".join(name for name, value in columns.items() if value is None)
            raise ValueError(f"label_csv needs {missing}: the CSV file and its column names")
        of_a_csv = any(columns.values()) or self.split is not None or self.images != "."
        one_table = self.kind == "one_hot_csv" and self.file is not None and self.label is None
        if of_a_csv and self.kind != "label_csv" and not one_table:
            raise ValueError(f"file, image, label, split and images belong to label_csv, not to {self.kind}")
        if self.classes is not None and not one_table:
            raise ValueError("classes belongs to one_hot_csv with a file: its columns of 0 and 1")
        if self.depth and self.kind not in ("class_folders", "split_folders"):
            raise ValueError(f"depth belongs to class_folders and split_folders, not to {self.kind}")
        return self

    @model_validator(mode="after")
    def _folders_stay_inside_the_set(self) -> Layout:
        for name in ("root", "file", "images"):
            path = PurePosixPath(getattr(self, name) or ".")
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name}: expected a path within the set, but got {path}")
        return self


class Group(Section):
    """What must not be divided by a split: a regular expression on the file name, or a column of the label CSV.

    The key is what the pattern's groups captured, or the whole match where it has none.
    """

    pattern: str | None = None
    column: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Group:
        if (self.pattern is None) == (self.column is None):
            raise ValueError("expected either pattern or column")
        return self


class Split(Section):
    """Which rows train, select and test.

    published: as the set's own folders or column say; where it has no usable validation rows, a share
    `validation` of train is carved, by group. random: stratified shares `test` and `validation`, by group.
    kfold: fold f tests, fold f + 1 validates, the others train. With published or random, `folds` above 1
    rotates the validation rows and leaves the test rows as they are. `train_images` keeps that many training
    images, by class and group, and leaves the others out of the set.
    """

    method: Literal["published", "random", "kfold"]
    test: Fraction = 0.2
    validation: Fraction = 0.15
    folds: Count = 1
    train_images: Count | None = None

    @model_validator(mode="after")
    def _enough_folds(self) -> Split:
        if self.method == "kfold" and self.folds < 3:
            raise ValueError("kfold needs folds: 3 or more (one tests, one validates, the others train)")
        if self.method == "random" and self.test + self.validation >= 1:
            raise ValueError(f"test + validation must stay below 1, but are {self.test + self.validation:g}")
        if self.train_images is not None and self.folds > 1:
            raise ValueError("train_images goes with fixed training rows, not with folds")
        return self


class Data(Section):
    """Where the images come from, how they are laid out, and how they are split."""

    source: Literal["phantom", "folder", "kaggle"]
    folder: str
    phantom: PhantomSource | None = None
    kaggle: KaggleSource | None = None
    layout: Annotated[Layout, BeforeValidator(kind_alone)]
    masks: Masks | None = None
    group: Group | None
    image_size: Annotated[int, Field(ge=16, le=2048)]
    resize: Literal["stretch", "crop", "pad"]
    split: Split
    leakage: Literal["fail", "regroup", "drop", "report"]

    @model_validator(mode="after")
    def _the_source_is_described(self) -> Data:
        if self.source != "folder" and getattr(self, self.source) is None:
            raise ValueError(f"source: {self.source} needs a section data.{self.source}")
        return self
