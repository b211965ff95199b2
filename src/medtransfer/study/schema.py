"""`params.yaml` as a whole, with types. An unknown key, a wrong type or a value out of range is an error.

Names of registered choices are strings here: `medtransfer.check` looks them up, so that reading the parameters imports
no library.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from medtransfer.study.data import Data
from medtransfer.study.section import (
    EACH_ONCE,
    OTHER,
    WORD,
    Count,
    Fraction,
    NotNegative,
    OpenSection,
    Positive,
    Section,
    Seed,
    word_as,
    word_or_other,
)
from medtransfer.study.selection import Label
from medtransfer.study.strategy import Strategy

SCHEMA_VERSION = 1
COST_METRIC = "cost_weighted_accuracy"


class StudySection(Section):
    """The name of the study, its task, and the seed of its splits and views."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    task: str = "classification"
    seed: Seed = 0


class Mix(OpenSection):
    """Views made of two images of the same split and fold, with a soft label; lambda ~ Beta(alpha, alpha)."""

    method: str
    alpha: Positive = 1.0
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


class Policy(Section):
    """An augmentation: Albumentations transforms by name, then mixing.

    views: the number of views per training image; epoch e trains on view e mod views. `fresh` draws a new view every
    epoch and keeps none. Few views cost accuracy if a head is large and learns fast, and nothing otherwise: with 16,
    the classifier of a MobileNetV3-small loses .014 of the accuracy that 50 give it, with 8 .026
    (`benchmarks/results/views.md`).
    """

    transforms: list[dict[str, dict[str, Any]]]
    views: Annotated[
        Annotated[Literal["fresh"], Tag(WORD)] | Annotated[Count, Tag(OTHER)], Discriminator(word_or_other)
    ] = 16
    mix: Mix | None = None

    @property
    def original(self) -> bool:
        """Whether images stay as they are."""
        return not self.transforms and self.mix is None

    @property
    def distinct(self) -> int | None:
        """The number of distinct views per image; None if every epoch's is new."""
        if self.original:
            return 1
        return None if self.views == "fresh" else int(self.views)

    @model_validator(mode="after")
    def _one_name_per_item(self) -> Policy:
        for number, item in enumerate(self.transforms):
            if len(item) != 1:
                raise ValueError(f"transforms[{number}]: expected one transform, but got {sorted(item)}")
        return self


class UNet(Section):
    """The U-Net's channels at full resolution, which double with each halving of the image.

    depth, batch_norm: the number of halvings and the normalisation of the plain U-Net; a U-Net on a classification
    model takes only `base`, for its decoder.
    """

    base: Count = 16
    depth: Annotated[int, Field(ge=1, le=6)] = 4
    batch_norm: bool = False


class Backbone(Section):
    """A model, its weights and its normalisation.

    model: the model's name; if omitted, that of the backbone. For segmentation, a classification model becomes the
    encoder of a U-Net; `unet` is the plain one. weights: published weights by their name (`IMAGENET1K_V1`, `DEFAULT`,
    a tag, `hf-hub:owner/name`), those in an installed Python `package`, the path of a state dict (`.pth`,
    `.safetensors`) or of a folder with `model.safetensors` and `config.json`, or `none`. normalise: by the mean and
    standard deviation that the weights were trained with, or by those of the training rows. pooling: how a
    transformer's tokens become features: as its authors pool them, the class token, the mean of the patch tokens, both
    concatenated, or by the model's own pretrained attention.
    """

    model: str | None = None
    weights: str = "DEFAULT"
    pooling: Literal["default", "token", "avg", "token_avg", "attention"] = "default"
    normalise: Literal["weights", "train"] = "weights"
    unet: UNet = UNet()

    @model_validator(mode="before")
    @classmethod
    def _simulated_was_removed(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("weights") == "simulated":
            raise ValueError(
                "weights: simulated no longer exists; remove pretraining and name published weights, or those of an "
                "installed package: {model: timm/tf_efficientnet_lite0, weights: package}"
            )
        return values


class VariantLine(OpenSection):
    """One line of the comparison: the names of its parts, and any field of the strategy that it overrides."""

    backbone: str
    strategy: str
    augmentation: str


class Training(Section):
    """What all variants share: the seeds of their runs, the device and the precision."""

    seeds: Annotated[list[Seed], EACH_ONCE] = Field(default_factory=lambda: [0], min_length=1)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["float32", "bfloat16", "auto"] = "float32"


class Reference(Section):
    """Published results to show next to ours: for each variant, values of metrics by their names in the table.

    A row whose name is not a variant of the study is shown by itself.
    """

    source: str
    rows: dict[str, dict[str, float]]


class Subgroup(Section):
    """Subgroups of test images by a column of the set's tables: one for each value, or for each range of numbers.

    bins: the ends of the ranges, ascending; each range contains its lower end.
    """

    column: str
    bins: Annotated[list[float], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _bins_ascend(self) -> Subgroup:
        if self.bins is not None and sorted(set(self.bins)) != self.bins:
            raise ValueError(f"bins: expected ascending numbers, but got {self.bins}")
        return self


class TestTime(Section):
    """Test-time augmentation of a variant: the mean of its predictions for so many views of each image.

    The first view is the image, the others are draws of the variant's augmentation, without mixing.
    """

    __test__ = False  # the name is not that of a test

    views: Annotated[int, Field(ge=2)] = 8


class Comparison(Section):
    """The metric that orders the table, and how intervals are computed.

    costs: what it costs to predict a class for an image of another, by label and then by prediction, 0 if right. With
    them, cost-weighted accuracy is in the table. margin: a difference in the metric that does not matter. With it, the
    table tells which variants are not inferior to any other, and recommends the cheapest. tta: variants that are also
    evaluated with test-time augmentation, next to the ensembles.
    """

    metric: str = "accuracy"
    costs: dict[Label, dict[Label, NotNegative]] | None = None
    resamples: Annotated[int, Field(ge=200)] = 2000
    confidence: Fraction = 0.95
    margin: Positive | None = None
    reference: Reference | None = None
    subgroups: dict[str, Annotated[Subgroup, word_as("column")]] = Field(default_factory=dict)
    tta: dict[str, TestTime] = Field(default_factory=dict)

    @property
    def requested(self) -> tuple[str, ...]:
        """The metrics that exist because the study asks for them, where a task has them on request alone."""
        return tuple(dict.fromkeys((self.metric, *(() if self.costs is None else (COST_METRIC,)))))

    @model_validator(mode="after")
    def _costs_are_a_matrix(self) -> Comparison:
        if self.costs is None:
            if self.metric == COST_METRIC:
                raise ValueError(f"metric: {COST_METRIC} needs comparison.costs: {{LABEL: {{PREDICTION: cost}}}}")
            return self
        for label, of_label in self.costs.items():
            missing = sorted(self.costs.keys() - of_label.keys() - {label})
            unknown = sorted(of_label.keys() - self.costs.keys())
            if missing or unknown:
                what = f"no cost of predicting {missing[0]!r}" if missing else f"no line for the class {unknown[0]!r}"
                raise ValueError(f"costs: {label!r}: {what}; expected a cost for each pair of different classes")
            if of_label.get(label):
                raise ValueError(f"costs: {label!r}: a right prediction costs 0, but got {of_label[label]:g}")
        if not any(max(of_label.values(), default=0) for of_label in self.costs.values()):
            raise ValueError("costs: at least one must be above 0")
        return self


class Explain(Section):
    """Maps of the evidence for a class in test images, for some variants of a classification.

    blocks: the block whose activations are mapped, by its dotted name in the model, for backbones by their names; if
    omitted, the last one whose activations correspond to places of the image. images: the test images on the contact
    sheet, by their paths; if omitted, for each class the `of_each` most confident right and wrong predictions.
    scored: the most test images with a mask that maps are compared with.
    """

    variants: Annotated[list[str], EACH_ONCE] = Field(default_factory=list)
    methods: Annotated[list[str], EACH_ONCE] = Field(default=["grad_cam", "occlusion"], min_length=1)
    blocks: dict[str, str] = Field(default_factory=dict)
    images: Annotated[list[str], EACH_ONCE] = Field(default_factory=list)
    of_each: Count = 1
    scored: Count = 40


class Params(Section):
    """The whole of `params.yaml`.

    extensions: Python files, relative to `params.yaml`, that register losses, heads, models, metrics and other choices.
    They are in the folder `extensions`, on which the stage `check` depends.
    weights_mirror: a folder with the files of published weights.
    """

    study: StudySection
    extensions: list[Annotated[str, Field(pattern=r"^extensions/.+\.py$")]] = Field(default_factory=list)
    data: Data
    augmentation: dict[str, Policy] = Field(min_length=1)
    weights_mirror: str | None = None
    backbones: dict[str, Backbone] = Field(min_length=1)
    strategies: dict[str, Strategy] = Field(min_length=1)
    training: Training
    variants: dict[str, VariantLine] = Field(min_length=1)
    comparison: Comparison
    explain: Explain = Explain()
