"""The sections `strategies`: how a backbone becomes a classifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationError, model_validator

from medtransfer.study.search import Search
from medtransfer.study.section import (
    EACH_ONCE,
    KIND_ALONE,
    OTHER,
    WORD,
    Count,
    NotNegative,
    OpenSection,
    Positive,
    Section,
    Share,
    word_or_other,
)
from medtransfer.study.selection import Label


class Schedule(OpenSection):
    """How the learning rate changes after `warmup` epochs of linear rise: the kind, and its options."""

    kind: str = "constant"
    warmup: Annotated[int, Field(ge=0)] = 0


class Loss(OpenSection):
    """The training loss: the kind, and its options.

    class_weights: `balanced` weights classes inversely to their frequency in the training rows.
    """

    kind: str = "cross_entropy"
    label_smoothing: Share = 0.0
    class_weights: Literal["balanced"] | None = None


def _with_a_place(template: str) -> str:
    if "{}" not in template:
        raise ValueError(f"expected {{}} in place of the word, but got {template!r}")
    return template


class Prompts(Section):
    """Texts about each class, for `head: prompts`: each of the words of a class in each template, in place of `{}`."""

    templates: Annotated[list[Annotated[str, AfterValidator(_with_a_place)]], Field(min_length=1)]
    classes: Annotated[dict[Label, Annotated[list[str], Field(min_length=1)]], Field(min_length=2)]

    def problems(self, names: Collection[str]) -> list[str]:
        """List what is wrong if the set has the classes `names`."""
        missing, unknown = sorted(set(names) - self.classes.keys()), sorted(self.classes.keys() - set(names))
        return [
            *([f"prompts.classes: no words for {', '.join(missing)}; add them"] if missing else []),
            *([f"prompts.classes: the set has no class {', '.join(unknown)}; omit it"] if unknown else []),
        ]

    def texts(self, name: str) -> list[str]:
        """List the texts about a class."""
        return [template.replace("{}", word) for word in self.classes[name] for template in self.templates]


NOT_SEARCHED = {
    "init", "train", "shots", "fraction", "head", "features", "feature_search", "lr_search", "search", "prompts",
    "optimizer", "schedule", "loss", "sampler", "epochs", "monitor", "patience", "resume_patience", "neighbours",
    "gradient_checkpointing",
}  # fmt: skip
SEARCHED = "numbers of the optimizer and the head can, such as lr, weight_decay, dropout, hidden, batch_size"

Pooling = Literal["token", "avg", "token_avg"]


class Features(Section):
    """Which outputs of a transformer are its features, as in the linear probes of DINOv2 (Oquab et al. 2023).

    pooling: the class tokens of the last `blocks` blocks, concatenated; the means of their patch tokens; or those class
    tokens and the mean of the last block's patch tokens.
    """

    blocks: Count = 1
    pooling: Pooling = "token_avg"


class FeatureSearch(Section):
    """Every combination of these `Features` is tried."""

    blocks: Annotated[list[Count], Field(min_length=1), EACH_ONCE]
    poolings: Annotated[list[Pooling], Field(min_length=1), EACH_ONCE]


class Lora(Section):
    """Low-rank adapters: W + alpha / rank * B A for the weights W of layers, which stay frozen (Hu et al. 2022).

    targets: `attention` adapts the dense layers of attention, `all` every dense and convolution layer that is larger
    than its adapter. last_blocks: adapt only the last N blocks and what follows them; layers before are cached.
    """

    rank: Count = 8
    alpha: Positive = 16.0
    targets: Literal["attention", "all"] = "attention"
    last_blocks: Count | None = None


class TrainedPart(Section):
    """The part of a backbone that trains.

    last: the last N modules that own parameters. last_blocks: the last N blocks (residual blocks, layers of a
    transformer) and what follows them. lora: adapters of its layers, merged into them after training.
    """

    last: Count | None = None
    last_blocks: Count | None = None
    lora: Lora | None = None

    @model_validator(mode="after")
    def _one_part(self) -> TrainedPart:
        if sum(value is not None for value in (self.last, self.last_blocks, self.lora)) != 1:
            raise ValueError("expected one of last, last_blocks, lora")
        return self


class Strategy(OpenSection):
    """How a backbone becomes a classifier: its initial weights, which part trains, with which head, and how.

    train: `none`, the `head` alone, the head with the backbone's `norms` (Frankle et al. 2021) or `biases` (Ben Zaken
    et al. 2022), or with a part of it, or `all`.
    shots: train on so many images of each class. fraction: train on each of these fractions of the training images,
    nested subsets of groups that have their share of every class; the last is the row of the table, and all of them are
    the curve of the score against the number of images.
    lr is the rate of the head, and of the backbone unless `backbone_lr` is set; with `first_layer_lr`, the rates of the
    backbone's layers rise geometrically from it. monitor: what is compared between epochs and rates on validation
    images, their mean loss or the task's score, such as accuracy or Dice. Training stops when it has not improved for
    `patience` epochs; with `resume_patience` it then resumes once from the best epoch, with that patience. search: try
    several numbers instead of one, such as rates, and keep the best training of each run. `lr_search`, a list of rates,
    is short for `search: {space: {lr: LIST}, sampler: grid}`; with `feature_search`, heads on frozen features are
    trained on each of these features, too. With `gradient_checkpointing`, a
    network that trains as a whole keeps little of what its blocks computed and computes it again in the backward pass:
    the same results with less memory, in up to 1.3 times the time. sampler: which training rows an epoch takes: `all`,
    or as many that are drawn so that classes are equally frequent (`balanced`), which repeats those of rare classes.
    Further keys are options of the head or the optimizer.
    """

    init: Literal["pretrained", "random"] = "pretrained"
    train: Annotated[
        Annotated[Literal["none", "head", "norms", "biases", "all"], Tag(WORD)] | Annotated[TrainedPart, Tag(OTHER)],
        Discriminator(word_or_other),
    ] = "head"
    shots: Count | None = None
    fraction: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] | None = None
    head: str = "linear"
    hidden: Count = 256
    head_batch_norm: bool = False
    neighbours: Count = 5
    prompts: Prompts | None = None
    dropout: Share | None = None
    optimizer: str = "adam"
    lr: Positive = 1e-3
    search: Search | None = None
    lr_search: Annotated[list[Positive], Field(min_length=2), EACH_ONCE] | None = None
    features: Features | None = None
    feature_search: FeatureSearch | None = None
    backbone_lr: Positive | None = None
    first_layer_lr: Positive | None = None
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 0.0
    schedule: Annotated[Schedule, KIND_ALONE] = Schedule()
    loss: Annotated[Loss, KIND_ALONE] = Loss()
    sampler: Literal["all", "balanced"] = "all"
    batch_size: Count = 32
    epochs: Count = 20
    monitor: Literal["loss", "score"] = "loss"
    patience: Count | None = None
    resume_patience: Count | None = None
    gradient_checkpointing: bool = False

    @property
    def trains_backbone(self) -> bool:
        """Whether any of the backbone's own modules is trained."""
        return self.train not in ("none", "head")

    @property
    def choices(self) -> list[Features | None]:
        """The features that each run is trained on; None for those of the backbone."""
        search = self.feature_search
        if search is None:
            return [self.features]
        return [Features(blocks=blocks, pooling=pooling) for blocks in search.blocks for pooling in search.poolings]

    @property
    def blocks(self) -> int | None:
        """The number of last blocks that any of the choices needs."""
        return max((each.blocks for each in self.choices if each is not None), default=None)

    @property
    def fractions(self) -> list[float]:
        """The fractions of the training images that runs are trained on, in ascending order."""
        return self.fraction or [1.0]

    @property
    def grid(self) -> list[dict[str, Any]]:
        """The values of each training that is known in advance; empty if a sampler proposes them."""
        if self.search is None:
            rates = [{"lr": rate} for rate in self.lr_search] if self.lr_search else [{}]
        else:
            rates = list(self.search.grid) if self.search.sampler == "grid" else []
        if self.feature_search is None:
            return rates
        return [
            values | {"features": features.model_dump()}
            for values in rates
            for features in self.choices
            if features is not None
        ]

    @property
    def trials(self) -> int:
        """The number of trainings of each run."""
        return len(self.grid) or (self.search.budget if self.search else 1)

    def at(self, values: Mapping[str, Any]) -> Strategy:
        """Return the strategy without its search, at some values; `features` may be plain values."""
        if isinstance(values.get("features"), dict):
            values = {**values, "features": Features.model_validate(values["features"])}
        return self.model_copy(update={**values, "search": None, "lr_search": None})

    @model_validator(mode="after")
    def _parts_go_together(self) -> Strategy:
        if self.init == "random" and self.trains_backbone and self.train != "all":
            raise ValueError("init: random with a part of the backbone would freeze layers that never learned")
        if self.feature_search is not None and (self.train != "head" or self.features is not None):
            raise ValueError("feature_search is for a head on frozen features; it needs train: head, without features")
        for field in ("backbone_lr", "first_layer_lr"):
            if getattr(self, field) is not None and not self.trains_backbone:
                raise ValueError(f"{field} needs a part of the backbone that trains, but train is {self.train}")
        if self.gradient_checkpointing and self.train != "all":
            raise ValueError("gradient_checkpointing needs train: all; frozen layers store no activations anyway")
        if self.resume_patience is not None and self.patience is None:
            raise ValueError("resume_patience needs patience")
        if self.schedule.warmup > self.epochs:
            raise ValueError(
                f"schedule.warmup: {self.schedule.warmup} epochs never reach lr, because epochs is {self.epochs}"
            )
        if self.sampler == "balanced" and self.loss.class_weights == "balanced":
            raise ValueError("sampler: balanced and loss.class_weights: balanced both correct frequencies; use one")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    @model_validator(mode="after")
    def _fractions_rise(self) -> Strategy:
        if self.fraction is not None and self.fraction != sorted(set(self.fraction)):
            raise ValueError(f"fraction: fractions must rise, but are {self.fraction}")
        if self.fraction is not None and (self.shots is not None or self.train == "none"):
            raise ValueError("fraction cannot be combined with shots or train: none")
        return self

    @model_validator(mode="after")
    def _something_is_searched(self) -> Strategy:
        key = "lr_search" if self.search is None else "search"
        if getattr(self, key) is None:
            return self
        if self.train == "none":
            raise ValueError(f"{key} needs something that trains, but train is none")
        if self.search is not None and self.lr_search is not None:
            raise ValueError("search and lr_search exclude each other; name the rates in search.space.lr")
        if self.search is not None:
            self._check_values(self.search)
        return self

    def _check_values(self, search: Search) -> None:
        """Raise `ValueError` if a value of the search cannot be that of the strategy."""
        if self.feature_search is not None and search.sampler != "grid":
            raise ValueError("search with feature_search needs sampler: grid")
        if excluded := NOT_SEARCHED & search.space.keys():
            raise ValueError(f"search.space.{min(excluded)}: it cannot be searched; {SEARCHED}")
        given = self.model_dump(exclude_unset=True, exclude={"search"})
        for values in search.corners:
            try:
                type(self).model_validate(given | values)
            except ValidationError as error:
                first = error.errors()[0]
                place = "".join(f".{part}" for part in first["loc"])
                message = first["msg"].removeprefix("Value error, ")
                at = ", ".join(f"{name} {value}" for name, value in values.items())
                raise ValueError(f"search.space{place}: {message}, at {at}") from None
