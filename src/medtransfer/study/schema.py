"""The section `explain`: of which variants maps are made that show where they look, and how; `params.yaml` as a whole, typed. An unknown key, a wrong type or a value out of range is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from medtransfer.study.data import Data
from medtransfer.study.section import OTHER, WORD, Count, Fraction, Positive, Section, Seed, word_or_other
from medtransfer.study.strategy import Strategy

Method = Literal["grad_cam", "ablation_cam", "occlusion"]
METHODS: dict[str, str] = {"grad_cam": "Grad-CAM", "ablation_cam": "Ablation-CAM", "occlusion": "Occlusion"}
WITH_GRADIENTS: tuple[Method, ...] = ("grad_cam",)


class Explain(Section):
    """Maps of what speaks for a class in test images, for some variants of a classification.

    methods: see `explanation.maps`. blocks: for a backbone, by its name, the block whose activations are mapped, by
    its dotted name in the model; without, the last one whose activations lie at places of the image. images: the
    test images on the contact sheet, by their paths; without, for each class the `of_each` that are right with the
    highest probability, and as many that are wrong. scored: how many test images with a mask, at most, the maps
    are held against.
    """

    variants: list[str] = Field(default_factory=list)
    methods: list[Method] = Field(default=["grad_cam", "occlusion"], min_length=1)
    blocks: dict[str, str] = Field(default_factory=dict)
    images: list[str] = Field(default_factory=list)
    of_each: Count = 1
    scored: Count = 40

    @model_validator(mode="after")
    def _each_once(self) -> Explain:
        for name, values in (("variants", self.variants), ("methods", self.methods), ("images", self.images)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: expected each once, but got {values}")
        return self


SCHEMA_VERSION = 1


class StudySection(Section):
    """What the study is called, and the seed of its splits, views and simulated pretraining."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    task: Literal["classification", "segmentation"] = "classification"
    seed: Seed = 0


class Mix(Section):
    """Views made of two images of the same split and fold, with a soft label; lambda ~ Beta(alpha, alpha)."""

    method: Literal["cutmix", "mixup"]
    alpha: Positive = 1.0
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


class Policy(Section):
    """An augmentation: Albumentations transforms by name, then mixing; `views` a training image, or `fresh`.

    Epoch e trains on view e mod views. `fresh` draws a new view every epoch and keeps none. Few views cost accuracy
    where a head is large and learns fast, and nothing elsewhere: with 16, the classifier of a MobileNetV3-small loses
    .014 of the accuracy that 50 give it, with 8 .026 (`benchmarks/results/views.md`).
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
        """How many distinct views an image has; None where every epoch's is new."""
        if self.original:
            return 1
        return None if self.views == "fresh" else int(self.views)

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


class UNet(Section):
    """Channels at full resolution, twice as many at each halving; of the plain U-Net also its halvings and batch norm.

    Of a U-Net on a classification model the base is that of its decoder.
    """

    base: Count = 16
    depth: Annotated[int, Field(ge=1, le=6)] = 4
    batch_norm: bool = False


class Backbone(Section):
    """A model by its torchvision name (or `cnn_small`, `cnn_large`, `unet`), its weights and its normalisation.

    For segmentation, torchvision's models become encoders of U-Nets; `unet` is the plain one.

    weights: a member of torchvision's enum (`IMAGENET1K_V1`, `DEFAULT`), the path of a state dict (`.pth`,
    `.safetensors`), `simulated`, or `none`. normalise: by the mean and standard deviation that the weights
    were trained with, or by the training rows' own.
    """

    model: str | None = None
    weights: str
    normalise: Literal["weights", "train"] = "weights"
    pretraining: Pretraining = Pretraining()
    unet: UNet = UNet()

    @model_validator(mode="after")
    def _pretraining_is_simulated(self) -> Backbone:
        if "pretraining" in self.model_fields_set and self.weights != "simulated":
            raise ValueError(f"pretraining belongs to weights: simulated, not to weights: {self.weights}")
        return self


class VariantLine(Section):
    """One line of the comparison: the names of its parts; any field of a strategy may be overridden here."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    backbone: str
    strategy: str
    augmentation: str


class Training(Section):
    """What all variants share: the seeds of their runs, the device and the precision."""

    seeds: list[Seed] = Field(default_factory=lambda: [0], min_length=1)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["float32", "bfloat16", "auto"] = "float32"

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

    metric: Literal[
        "accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "roc_auc",
        "dice", "iou", "precision", "recall", "hd95", "assd",
    ] = "accuracy"  # fmt: skip
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
    explain: Explain = Explain()
