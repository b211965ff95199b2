"""The sections of `params.yaml`, typed. An unknown key, a wrong type or a value out of range is an error."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]

SCHEMA_VERSION = 1
FITTED_HEADS = ("prototypes", "knn", "logistic")


class Section(BaseModel):
    """A part of `params.yaml`: closed to unknown keys and never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StudySection(Section):
    """What the study is called, and the seed of its splits, views and simulated pretraining."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    task: Literal["classification"] = "classification"
    seed: Seed = 0


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


def _kind_alone(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


WORD, OTHER = "<word>", "<other>"
"""The branches of a value that is a word or something else; an error line leaves them out."""


def _word_or_other(value: Any) -> str:
    return WORD if isinstance(value, str) else OTHER


LayoutKind = Literal["auto", "one_hot_csv", "class_folders", "split_folders", "class_split_folders", "label_csv"]


class Layout(Section):
    """How the set's files say which image has which label.

    auto: recognised from the files, and refused where they can be read in more than one way. one_hot_csv: split
    folders, each with a one-hot `_classes.csv`; with `file`, one such CSV for the whole set, whose columns
    `classes` (or all but `image`, the first, and `split`) are 0 or 1. class_folders: CLASS/image.
    split_folders: SPLIT/CLASS/image. class_split_folders: CLASS/SPLIT/image. label_csv: the CSV `file`, with
    columns `image` (path or bare name, with or without extension), `label`, and perhaps `split`. `images` is
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
    rotates the validation rows and leaves the test rows as they are.
    """

    method: Literal["published", "random", "kfold"]
    test: Fraction = 0.2
    validation: Fraction = 0.15
    folds: Count = 1

    @model_validator(mode="after")
    def _enough_folds(self) -> Split:
        if self.method == "kfold" and self.folds < 3:
            raise ValueError("kfold needs folds: 3 or more (one tests, one validates, the others train)")
        if self.method == "random" and self.test + self.validation >= 1:
            raise ValueError(f"test + validation must stay below 1, but are {self.test + self.validation:g}")
        return self


class Data(Section):
    """Where the images come from, how they are laid out, and how they are split."""

    source: Literal["phantom", "folder", "kaggle"]
    folder: str
    phantom: PhantomSource | None = None
    kaggle: KaggleSource | None = None
    layout: Annotated[Layout, BeforeValidator(_kind_alone)]
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


class Mix(Section):
    """Views made of two images of the same split and fold, with a soft label; lambda ~ Beta(alpha, alpha)."""

    method: Literal["cutmix", "mixup"]
    alpha: Positive = 1.0
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


class Policy(Section):
    """An augmentation: Albumentations transforms by name, then mixing; `views` a training image, or `fresh`.

    Epoch e trains on view e mod views. `fresh` draws a new view every epoch and keeps none.
    """

    transforms: list[dict[str, dict[str, Any]]]
    views: Annotated[
        Annotated[Literal["fresh"], Tag(WORD)] | Annotated[Count, Tag(OTHER)], Discriminator(_word_or_other)
    ] = 8
    mix: Mix | None = None

    @model_validator(mode="after")
    def _one_name_an_item(self) -> Policy:
        for number, item in enumerate(self.transforms):
            if len(item) != 1:
                raise ValueError(f"transforms[{number}]: expected one transform, but got {sorted(item)}")
        return self


class Pretraining(Section):
    """The short pretraining of `weights: simulated`: how many images of how many pixels, how long."""

    images: Annotated[int, Field(ge=64)] = 4000
    size: Annotated[int, Field(ge=32, le=256)] = 64
    epochs: Count = 2
    batch_size: Count = 16
    lr: Positive = 1e-3


class Backbone(Section):
    """A model by its torchvision name (or `cnn_small`, `cnn_large`), its weights and its normalisation.

    weights: a member of torchvision's enum (`IMAGENET1K_V1`, `DEFAULT`), the path of a state dict (`.pth`,
    `.safetensors`), `simulated`, or `none`. normalise: by the mean and standard deviation that the weights
    were trained with, or by the training rows' own.
    """

    model: str | None = None
    weights: str
    normalise: Literal["weights", "train"] = "weights"
    pretraining: Pretraining = Pretraining()

    @model_validator(mode="after")
    def _pretraining_is_simulated(self) -> Backbone:
        if "pretraining" in self.model_fields_set and self.weights != "simulated":
            raise ValueError(f"pretraining belongs to weights: simulated, not to weights: {self.weights}")
        return self


class Schedule(Section):
    """How the learning rate moves from epoch to epoch, after `warmup` epochs of a linear rise."""

    kind: Literal["constant", "step", "exponential", "plateau", "cosine"] = "constant"
    warmup: Annotated[int, Field(ge=0)] = 0
    every: Count = 2
    factor: Fraction = 0.8
    patience: Count = 2


class Loss(Section):
    """The training loss; binary cross-entropy treats each class of the one-hot target by itself."""

    kind: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    label_smoothing: Share = 0.0
    class_weights: Literal["balanced"] | None = None


class LastModules(Section):
    """Unfreeze the last N modules that own parameters, counted from the backbone's output back."""

    last: Count


class Strategy(Section):
    """How a backbone becomes a classifier: from what start, which part trains, with which head, and how."""

    init: Literal["pretrained", "random"] = "pretrained"
    train: Annotated[
        Annotated[Literal["none", "head", "all"], Tag(WORD)] | Annotated[LastModules, Tag(OTHER)],
        Discriminator(_word_or_other),
    ] = "head"
    shots: Count | None = None
    head: Literal["linear", "mlp", "own", "prototypes", "knn", "logistic"] = "linear"
    hidden: Count = 256
    head_batch_norm: bool = False
    neighbours: Count = 5
    dropout: Share | None = None
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: Positive = 1e-3
    backbone_lr: Positive | None = None
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 0.0
    schedule: Annotated[Schedule, BeforeValidator(_kind_alone)] = Schedule()
    loss: Annotated[Loss, BeforeValidator(_kind_alone)] = Loss()
    batch_size: Count = 32
    epochs: Count = 20
    patience: Count | None = None

    @property
    def trains_backbone(self) -> bool:
        """Whether any of the backbone's own modules is trained."""
        return self.train == "all" or isinstance(self.train, LastModules)

    @property
    def fits_head(self) -> bool:
        """Whether the head is computed from features in one step, rather than trained over epochs."""
        return self.head in FITTED_HEADS

    @model_validator(mode="after")
    def _parts_go_together(self) -> Strategy:
        if self.fits_head and self.train != "head":
            raise ValueError(f"head: {self.head} is fitted on frozen features: it goes with train: head alone")
        if self.init == "random" and isinstance(self.train, LastModules):
            raise ValueError("init: random with train: {last: N} would freeze layers that never learned")
        if self.backbone_lr is not None and not self.trains_backbone:
            raise ValueError("backbone_lr needs train: all or {last: N}; nothing of the backbone trains here")
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ValueError("nesterov belongs to optimizer: sgd with a momentum above 0")
        return self


class VariantLine(Section):
    """One line of the comparison: the names of its parts; any field of a strategy may be overridden here."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    backbone: str
    strategy: str
    augmentation: str


class Training(Section):
    """What all variants share: the seeds of their runs, the device and the precision."""

    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _seeds_differ(self) -> Training:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, but are {self.seeds}")
        return self


class Reference(Section):
    """Published figures that stand beside ours: for each variant, metrics by their names in the table.

    A row whose name is no variant of the study stands alone.
    """

    source: str
    rows: dict[str, dict[str, float]]


class Comparison(Section):
    """What the table is ordered by, and how its intervals are drawn."""

    metric: Literal["accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "roc_auc"] = "accuracy"
    resamples: Annotated[int, Field(ge=200)] = 2000
    confidence: Fraction = 0.95
    reference: Reference | None = None


class Params(Section):
    """The whole of `params.yaml`."""

    study: StudySection
    data: Data
    augmentation: dict[str, Policy] = Field(min_length=1)
    weights_mirror: str | None = None
    backbones: dict[str, Backbone] = Field(min_length=1)
    strategies: dict[str, Strategy] = Field(min_length=1)
    training: Training
    variants: dict[str, VariantLine] = Field(min_length=1)
    comparison: Comparison
