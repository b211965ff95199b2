"""The sections `strategies`: how a backbone becomes a classifier."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from medtransfer.study.section import (
    OTHER,
    WORD,
    Count,
    Fraction,
    NotNegative,
    Positive,
    Section,
    Share,
    kind_alone,
    word_or_other,
)

FITTED_HEADS = ("prototypes", "knn", "logistic")


class Schedule(Section):
    """How the learning rate moves from epoch to epoch, after `warmup` epochs of a linear rise."""

    kind: Literal["constant", "step", "exponential", "plateau", "cosine"] = "constant"
    warmup: Annotated[int, Field(ge=0)] = 0
    every: Count = 2
    factor: Fraction = 0.8
    patience: Count = 2


class Loss(Section):
    """The training loss; binary cross-entropy treats each class of the one-hot target by itself.

    The others are for masks: dice and dice_cross_entropy, its sum with cross-entropy; tversky, which weighs false
    positives by `alpha` and false negatives by `beta`; focal, which discounts what is easy by the power `gamma`.
    """

    kind: Literal["cross_entropy", "binary_cross_entropy", "dice", "dice_cross_entropy", "focal", "tversky"] = (
        "cross_entropy"
    )
    label_smoothing: Share = 0.0
    class_weights: Literal["balanced"] | None = None
    alpha: Positive = 0.3
    beta: Positive = 0.7
    gamma: NotNegative = 2.0

    @model_validator(mode="after")
    def _fields_belong_to_the_kind(self) -> Loss:
        for field, of_kind in {"alpha": "tversky", "beta": "tversky", "gamma": "focal"}.items():
            if getattr(self, field) != type(self).model_fields[field].default and self.kind != of_kind:
                raise ValueError(f"{field} belongs to {of_kind}, not to {self.kind}")
        if self.label_smoothing and self.kind not in ("cross_entropy", "binary_cross_entropy"):
            raise ValueError(f"label_smoothing belongs to the cross-entropies, not to {self.kind}")
        if self.class_weights and not self.kind.endswith("cross_entropy"):
            raise ValueError(f"class_weights belongs to the cross-entropies, not to {self.kind}")
        return self


class LastModules(Section):
    """Unfreeze the last N modules that own parameters, counted from the backbone's output back."""

    last: Count


class Strategy(Section):
    """How a backbone becomes a classifier: from what start, which part trains, with which head, and how.

    lr is the head's, backbone_lr the backbone's where it has another; from first_layer_lr, where given, the
    rates rise geometrically to it, layer by layer. Training stops once the validation loss has not fallen for
    `patience` epochs; with `resume_patience` it then goes on from the best epoch, once, with that patience.

    With `lr_search`, a head on frozen features is trained at each of these rates instead of `lr`, all of them at once,
    and every run keeps the head whose validation loss is lowest.

    With `gradient_checkpointing` a network that trains whole keeps little of what its blocks computed and computes it
    again in the backward pass: the same results with less memory, in up to 1.3 times the time.
    """

    init: Literal["pretrained", "random"] = "pretrained"
    train: Annotated[
        Annotated[Literal["none", "head", "all"], Tag(WORD)] | Annotated[LastModules, Tag(OTHER)],
        Discriminator(word_or_other),
    ] = "head"
    shots: Count | None = None
    head: Literal["linear", "mlp", "own", "prototypes", "knn", "logistic"] = "linear"
    hidden: Count = 256
    head_batch_norm: bool = False
    neighbours: Count = 5
    dropout: Share | None = None
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: Positive = 1e-3
    lr_search: Annotated[list[Positive], Field(min_length=2)] | None = None
    backbone_lr: Positive | None = None
    first_layer_lr: Positive | None = None
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 0.0
    schedule: Annotated[Schedule, BeforeValidator(kind_alone)] = Schedule()
    loss: Annotated[Loss, BeforeValidator(kind_alone)] = Loss()
    batch_size: Count = 32
    epochs: Count = 20
    patience: Count | None = None
    resume_patience: Count | None = None
    gradient_checkpointing: bool = False

    @property
    def trains_backbone(self) -> bool:
        """Whether any of the backbone's own modules is trained."""
        return self.train == "all" or isinstance(self.train, LastModules)

    @property
    def fits_head(self) -> bool:
        """Whether the head is computed from features in one step, rather than trained over epochs."""
        return self.head in FITTED_HEADS

    @property
    def rates(self) -> list[float]:
        """The learning rates that each run is trained at."""
        return self.lr_search or [self.lr]

    def at_rate(self, rate: float) -> Strategy:
        """Give the same strategy at one of its rates."""
        return self.model_copy(update={"lr": rate, "lr_search": None})

    def views_used(self, distinct: int | None) -> int:
        """Count the views of an image that training asks for, of so many that there are; None: one an epoch."""
        if self.train == "none":
            return 1
        views = distinct or self.epochs
        return views if self.fits_head else min(views, self.epochs)

    @model_validator(mode="after")
    def _parts_go_together(self) -> Strategy:
        if self.fits_head and self.train != "head":
            raise ValueError(f"head: {self.head} is fitted on frozen features: it goes with train: head alone")
        if self.init == "random" and isinstance(self.train, LastModules):
            raise ValueError("init: random with train: {last: N} would freeze layers that never learned")
        if self.lr_search is not None and (self.train != "head" or self.fits_head):
            raise ValueError("lr_search is for a head that trains on frozen features: it goes with train: head alone")
        if self.lr_search is not None and len(set(self.lr_search)) < len(self.lr_search):
            raise ValueError(f"lr_search: rates must differ, but are {self.lr_search}")
        if self.backbone_lr is not None and not self.trains_backbone:
            raise ValueError("backbone_lr needs train: all or {last: N}; nothing of the backbone trains here")
        if self.first_layer_lr is not None and not self.trains_backbone:
            raise ValueError("first_layer_lr needs train: all or {last: N}; nothing of the backbone trains here")
        if self.gradient_checkpointing and self.train != "all":
            raise ValueError(
                "gradient_checkpointing goes with train: all; of frozen layers nothing is kept in any case"
            )
        if self.resume_patience is not None and self.patience is None:
            raise ValueError("resume_patience needs a patience that runs out first")
        if self.schedule.warmup > self.epochs:
            raise ValueError(
                f"schedule.warmup: {self.schedule.warmup} epochs never reach lr, for epochs is {self.epochs}"
            )
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ValueError("nesterov belongs to optimizer: sgd with a momentum above 0")
        return self
