"""The section `data`: where the images come from, how they are laid out, grouped and split."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from medtransfer.study.masks import MaskFiles
from medtransfer.study.section import (
    EACH_ONCE,
    KIND_ALONE,
    OTHER,
    WORD,
    Count,
    Fraction,
    PathInSet,
    Section,
    word_or_other,
)
from medtransfer.study.selection import FOLDER_0, Files, Groups, JoinedTable, Label, Labels


class PhantomSource(Section):
    """The simulated set: the number of patients, the most frames of each, their pixels, and the difficulty."""

    patients: Annotated[int, Field(ge=10)] = 150
    frames: Count = 4
    size: Annotated[int, Field(ge=32, le=512)] = 96
    difficulty: Annotated[float, Field(ge=0, le=1)] = 0.5
    split_by: Literal["patient", "image"] = "patient"


class KaggleSource(Section):
    """A Kaggle data set, `owner/name` with its version, or a competition by its name.

    files: patterns that select files, in which `*` matches anything, folders included. sha256: the hash of the archive;
    if omitted, that recorded at the first download counts. It is a parameter so that a change of it re-runs the
    download.
    """

    dataset: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$")
    version: Count | None = None
    competition: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]+$")
    files: Annotated[list[str], Field(min_length=1)] | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _dataset_or_competition(self) -> KaggleSource:
        if (self.dataset is None) == (self.competition is None):
            raise ValueError("expected either dataset, with its version, or competition")
        if self.dataset is not None and self.version is None:
            raise ValueError("dataset needs a version: the number on its page, so that the data cannot change")
        if self.competition is not None and self.version is not None:
            raise ValueError("version belongs to dataset; a competition has none")
        return self


SplitName = Literal["train", "val", "test"]
ForEachSplit = Annotated[
    Annotated[PathInSet, Tag(WORD)] | Annotated[dict[SplitName, PathInSet], Field(min_length=1), Tag(OTHER)],
    Discriminator(word_or_other),
]
"""One path, or one for each split."""

AUTO_MASKS = BeforeValidator(lambda value: {} if value == "auto" else value)
DEEP_LAYOUTS = ("class_folders", "split_folders")
FOLDER_LAYOUTS = (*DEEP_LAYOUTS, "auto", "class_split_folders", "images")


class Layout(Section):
    """How the files of the set state which image has which label.

    kind: a registered layout, or `auto`: recognised from the files, and refused if they can be read in several ways.
    one_hot_csv: split folders, each with a one-hot `_classes.csv`; with `file`, one such CSV for the whole set or for
    each split, whose columns `classes` (or all but `image`, the first, and `split`) are 0 or 1. class_folders:
    CLASS/image. split_folders: SPLIT/CLASS/image. class_split_folders: CLASS/SPLIT/image. label_csv: the table `file`,
    with columns `image` (a path or name, with or without extension), `label`, and optionally `split`; or one such table
    for each split; `*` in its name stands for anything, and all tables of such names are read as one. The columns of a
    table without a header are `column 1`, `column 2` and so on; a sheet of a workbook is `book.xlsx/sheet`. npz: the
    NumPy archive `file` with the arrays train_images, train_labels and so on. images: all images below the root,
    without labels, for segmentation; a folder named as a split is one. root: the folder of the set that contains all
    this, because archives often wrap a set in folders of its name. images: the folder, below `root`, of the images that
    a table names, or one for each split. where: values that columns of the table must have, as in `data.tables`.
    missing: how to treat rows without an image, images without a row, and class folders without images. depth: the
    number of folders above the classes that are neither split nor class (`train/train/CLASS`).
    """

    kind: str
    root: PathInSet = "."
    depth: Annotated[int, Field(ge=0)] = 0
    file: ForEachSplit | None = None
    image: str | None = None
    label: str | None = None
    split: str | None = None
    classes: Annotated[list[str], Field(min_length=2)] | None = None
    images: ForEachSplit = "."
    where: dict[str, Label | list[Label]] = Field(default_factory=dict)
    missing: Literal["fail", "drop"] = "fail"

    @model_validator(mode="after")
    def _fields_belong_to_the_kind(self) -> Layout:
        columns = {"file": self.file, "image": self.image, "label": self.label}
        if self.kind == "label_csv" and None in columns.values():
            missing = ", ".join(name for name, value in columns.items() if value is None)
            raise ValueError(f"label_csv needs {missing}: the CSV file and its column names")
        of_a_csv = any(columns.values()) or self.split is not None or self.images != "."
        one_table = self.kind == "one_hot_csv" and self.file is not None and self.label is None
        if of_a_csv and not one_table and self.kind in ("one_hot_csv", *FOLDER_LAYOUTS):
            raise ValueError(f"file, image, label, split and images belong to label_csv, not to {self.kind}")
        if self.where and self.file is None:
            raise ValueError("where belongs to label_csv, or one_hot_csv with a file")
        if self.classes is not None and not one_table:
            raise ValueError("classes belongs to one_hot_csv with a file: its columns of 0 and 1")
        several = isinstance(self.file, dict)
        if several and (self.kind not in ("label_csv", "one_hot_csv") or self.split is not None):
            raise ValueError("a file for each split belongs to label_csv or one_hot_csv without a column split")
        splits = self.file.keys() if isinstance(self.file, dict) else None
        if isinstance(self.images, dict) and self.images.keys() != splits:
            raise ValueError("images of each split need a file for each of the same splits")
        if self.missing != "fail" and self.file is None and self.kind not in DEEP_LAYOUTS:
            raise ValueError("missing belongs to class_folders, split_folders, label_csv, or one_hot_csv with a file")
        if self.depth and self.kind in ("label_csv", "one_hot_csv", *FOLDER_LAYOUTS[2:]):
            raise ValueError(f"depth belongs to class_folders and split_folders, not to {self.kind}")
        return self

    @property
    def files(self) -> list[str]:
        """The tables or archives that the layout reads, relative to `root`."""
        return list(self.file.values()) if isinstance(self.file, dict) else [self.file] if self.file else []


OneOrMore = Annotated[
    Annotated[PathInSet, Tag(WORD)] | Annotated[list[PathInSet], Tag(OTHER)],
    Discriminator(word_or_other),
]
REST = "rest"
"""In place of a list: the images that no list names."""


class Split(Section):
    """Which rows train, validate and test.

    published: as the folders or a column of the set say; if it has no usable validation rows, a share `validation` of
    the training rows is carved, by group. random: stratified shares `test` and `validation`, by group. kfold: fold f
    tests, fold f + 1 validates, the others train. With published or random, `folds` above 1 rotates the validation rows
    and keeps the test rows. train_images: the number of training images to keep, by class and group; the others are
    left out of the set. column: a column of the layout's CSV or of `data.tables` that holds the published split.
    folder: the number of the folder in the path within the set that is the published split, as in `data.group`. values:
    the split that each value of the column, or name of the folder, means, if they are not train, val and test. lists:
    for each published split a file of the set, or several, that lists its images; `rest` stands for the images in none
    of the others.
    """

    method: Literal["published", "random", "kfold"]
    test: Fraction = 0.2
    validation: Fraction = 0.15
    folds: Count = 1
    train_images: Count | None = None
    column: str | None = None
    folder: int | None = None
    values: dict[Label, SplitName] | None = None
    lists: dict[SplitName, OneOrMore] | None = None

    @model_validator(mode="after")
    def _published_by_one(self) -> Split:
        given = [name for name in ("column", "folder", "lists") if getattr(self, name) is not None]
        if given and self.method != "published":
            raise ValueError(f"{given[0]} belongs to method: published, not to {self.method}")
        if len(given) > 1:
            raise ValueError(f"expected {given[0]} or {given[1]}, not both")
        if self.values is not None and self.column is None and self.folder is None:
            raise ValueError("values needs column or folder")
        if self.folder == 0:
            raise ValueError(FOLDER_0)
        names = [
            name for files in (self.lists or {}).values() for name in ([files] if isinstance(files, str) else files)
        ]
        if names.count(REST) > 1 or (self.lists is not None and len(names) - names.count(REST) < 1):
            raise ValueError("lists: expected at least one file, and rest at most once")
        return self

    @property
    def of_layout(self) -> bool:
        """Whether the split is the one that the layout finds."""
        return self.method == "published" and self.column is None and self.folder is None and self.lists is None

    @model_validator(mode="after")
    def _enough_folds(self) -> Split:
        if self.method == "kfold" and self.folds < 3:
            raise ValueError("kfold needs folds: 3 or more (one tests, one validates, the others train)")
        if self.method == "random" and self.test + self.validation >= 1:
            raise ValueError(f"test + validation must be below 1, but are {self.test + self.validation:g}")
        if self.train_images is not None and self.folds > 1:
            raise ValueError("train_images needs fixed training rows and excludes folds")
        return self


class ImageSet(Section):
    """A set of images: where its files are, and how they become images with labels or masks."""

    place: ClassVar[str] = "data"
    dataset: str | None = None
    source: str
    folder: str
    phantom: PhantomSource | None = None
    kaggle: KaggleSource | None = None
    layout: Annotated[Layout, KIND_ALONE]
    masks: Annotated[MaskFiles, AUTO_MASKS] | None = None
    files: Files = Files()
    unreadable: Literal["fail", "drop"] = "fail"
    labels: Labels = Labels()
    contradictions: Literal["report", "drop", "fail"] = "report"
    tables: list[JoinedTable] = Field(default_factory=list)

    @model_validator(mode="after")
    def _source_is_described(self) -> Self:
        if self.source in ("phantom", "kaggle") and getattr(self, self.source) is None:
            raise ValueError(f"source: {self.source} needs a section {self.place}.{self.source}")
        return self


class External(ImageSet):
    """A test set from elsewhere, on which trained variants are evaluated, and which nothing else uses.

    The fields are those of `data`; image size, resizing and treatment of leakage are the study's own. All of its images
    count as test images, whatever split the set has. Its labels have to be among those of the study: `labels` renames
    them or leaves them out. Images that the study trains or selects with are treated as `data.leakage` says; `regroup`
    leaves them out, too.
    """

    place: ClassVar[str] = "data.external.NAME"
    group: Groups | None = None


class Data(ImageSet):
    """Where the images come from, how they are laid out, and how they are split.

    dataset: the set of the catalogue that the files are; what it knows is compared with them and reported. settings:
    the section `data.SOURCE` of a source that an extension registers. unreadable: how to treat images, and masks with
    their images, that cannot be decoded. contradictions: how to treat copies of one image that have different labels;
    `drop` leaves all of them out, `report` adds a warning to every table. order: the classes from the lowest to the
    highest, if they have an order. unit: that of the numbers to predict, such as mm or months; empty if they have none.
    group: one key, or several that are joined. external: test sets from elsewhere, by name.
    """

    settings: Any = None
    unit: str | None = None
    order: Annotated[list[Label], Field(min_length=2), EACH_ONCE] | None = None
    group: Groups | None
    image_size: Annotated[int, Field(ge=16, le=2048)]
    resize: Literal["stretch", "crop", "pad"]
    split: Split
    leakage: Literal["fail", "regroup", "drop", "report"]
    external: dict[str, External] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _settings_of_other_sources(cls, values: Any) -> Any:
        source = values.get("source") if isinstance(values, dict) else None
        if not isinstance(source, str) or source in cls.model_fields or source not in values:
            return values
        return {**{key: value for key, value in values.items() if key != source}, "settings": values[source]}

    @model_validator(mode="after")
    def _order_is_clear(self) -> Data:
        if self.order is not None and self.labels.positive is not None:
            raise ValueError("order: of two classes the last is the positive one; omit labels.positive")
        return self

    def of_external(self, name: str) -> Data:
        """Return the section as it would be if an external set were the study's own."""
        own = self.external[name]
        taken = {field: getattr(own, field) for field in type(own).model_fields}
        others: dict[str, Any] = {"settings": None, "order": None, "split": Split(method="random"), "external": {}}
        return self.model_copy(update=taken | others)
