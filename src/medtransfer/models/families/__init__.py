"""Families of backbones: the models of one library or design, one file per family, found by the name of a model."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from medtransfer.models.tokens import BlockFeatures
from medtransfer.models.weights_card import IMAGENET_MEAN, IMAGENET_STD
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError, near
from medtransfer.util.registry import Registry

IMAGENET_CLASSES = 1000

DATA = {
    "in1k": "ImageNet-1k", "in12k": "ImageNet-12k", "in21k": "ImageNet-21k", "in22k": "ImageNet-21k",
    "lvd142m": "LVD-142M", "lvd1689m": "LVD-1689M", "sat493m": "SAT-493M", "openai": "WIT-400M", "webli": "WebLI",
    "laion2b": "LAION-2B", "laion400m": "LAION-400M", "datacompxl": "DataComp-1B", "dfn2b": "DFN-2B",
    "dfn5b": "DFN-5B", "metaclip": "MetaCLIP", "yfcc15m": "YFCC-15M", "cc12m": "CC-12M", "swag": "IG-3.6B",
    "ig1b": "IG-1B", "yfcc100m": "YFCC-100M", "m38m": "Merged-38M", "inat21": "iNaturalist 2021",
}  # fmt: skip
"""Data sets by their names in the names of published weights."""

Statistics = tuple[float, float, float]
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Release:
    """Published weights.

    reference: their full name. url: where they are downloaded from, or the path of a file that is installed. file_name:
    the name of their file in caches and mirrors. sha256: the SHA-256 of that file or the first digits of it; empty if
    unknown. mean, std: of the channels of the images they were trained on. hub: their Hugging Face repository, which is
    preferred to the url; empty if they are in none.
    """

    source: str
    reference: str
    url: str
    file_name: str
    sha256: str
    mean: Statistics
    std: Statistics
    hub: str = ""


@dataclass(frozen=True)
class TextEmbeddings:
    """Embeddings of texts, of length 1 [n, width], and the scale and bias that make cosine similarities logits."""

    rows: torch.Tensor
    scale: float
    bias: float


class Family(ABC):
    """Models by name. kind: what error lines call them."""

    kind: ClassVar[str]

    @abstractmethod
    def names(self) -> Sequence[str]:
        """List the models."""

    def has(self, model: str) -> bool:
        """Return whether `model` is one of `names`; families that are slow to list should recognise a prefix."""
        return model in self.names()

    @abstractmethod
    def problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """List why a backbone of the params that names this model cannot be built; empty if it can."""

    @classmethod
    def all_names(cls) -> list[str]:
        """List the models of all families of this class."""
        return [name for family in FAMILIES.values() if isinstance(family, cls) for name in family.names()]

    @classmethod
    def find(cls, model: str) -> Self | None:
        """Return the family of this class that has a model; None if there is none."""
        families = (family for family in FAMILIES.values() if isinstance(family, cls))
        return next((family for family in families if family.has(model)), None)

    @classmethod
    def of(cls, model: str) -> Self:
        """Return the family that has a model. Raises `UserError` that names the nearest model if there is none."""
        family = cls.find(model)
        if family is not None:
            return family
        raise UserError(f"no {cls.kind} {model!r}{near(model, cls.all_names())}")

    @classmethod
    def backbone_problems(cls, name: str, spec: Backbone, image_size: int) -> list[str]:
        """List why the backbone `name` of the params cannot be built; empty if it can."""
        model = spec.model or name
        try:
            return cls.of(model).problems(model, spec, image_size)
        except UserError as error:
            hint = "" if spec.model else " (or set model: if the name of the backbone is not its model)"
            return [f"{problem}{hint}" for problem in error.problems]


class ClassifierFamily(Family):
    """Models that map images [n, 3, h, w] to one row of logits per image.

    hub_files: the names of weights in a Hugging Face repository, or a folder of the same layout, the preferred one
    first; hub_config: that of their configuration.
    """

    kind = "model"
    hub_files: ClassVar[Sequence[str]] = ("model.safetensors", "pytorch_model.bin")
    hub_config: ClassVar[str] = "config.json"

    @abstractmethod
    def build(self, model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
        """Build a model with random weights, drawn from torch's default generator, for square images."""

    @abstractmethod
    def remove_classifier(self, module: nn.Module, keep_spatial: bool) -> list[nn.Module]:
        """Remove a model's classifier in place, so that it returns features [n, width]; return the layers removed.

        With `keep_spatial` the features are those that the classifier saw; otherwise, one per channel, averaged over
        space.
        """

    def image_sizes(self, model: str) -> tuple[int, int]:
        """Return the smallest image size in pixels, and the number that sizes must be a multiple of.

        1, 1 where a library does not say which sizes fit: `problems` then tries each.
        """
        return 1, 1

    def default_size(self, model: str) -> int:
        """Return an image size at which a model has every layer that its published weights have."""
        return self.image_sizes(model)[0]

    def trained_size(self, model: str) -> int:
        """Return the image size in pixels that a model's default weights were trained or tested at."""
        return self.default_size(model)

    def weights_of(self, model: str) -> list[str]:
        """List the names of a model's published weights."""
        return []

    def licence(self, model: str) -> str:
        """Return the licence of a model's default weights, as its library states it; empty if it does not."""
        return ""

    def pretraining_data(self, model: str) -> str:
        """Return the data that default weights were trained on, in order; empty if their name does not say."""
        name = next(iter(self.weights_of(model)), "").lower()
        parts = re.findall(r"[a-z]+[0-9]*[a-z]*", name.replace("imagenet1k", "in1k"))
        return ", ".join(dict.fromkeys(DATA[part] for part in parts if part in DATA))

    def limits(self) -> dict[str, str]:
        """Return the limitations of models, by a shell pattern of their names."""
        return {}

    def release(self, model: str, weights: str) -> Release:
        """Look published weights up by name. Raises `UserError` that lists the names if there are none."""
        raise UserError(f"no weights {weights!r} for {model}, which has no published weights; use none")

    def input_statistics(self, model: str) -> tuple[Statistics, Statistics]:
        """Return the mean and standard deviation of channels that weights from a file are taken to expect."""
        return IMAGENET_MEAN, IMAGENET_STD

    def config_problem(self, model: str, config: dict[str, Any]) -> str | None:
        """Return why weights with this configuration, from a repository or a folder, are of another model."""
        return None

    def text_problem(self, model: str) -> str | None:
        """Return why `embed_texts` cannot run for a model; None if it can."""
        return f"{model} embeds no texts; use a model of open_clip"

    def embed_texts(self, model: str, state: State, texts: Sequence[str]) -> TextEmbeddings:
        """Embed texts where the model, with stored weights `state`, embeds images. Raises `UserError` if it cannot."""
        raise UserError(self.text_problem(model) or "")

    def rename(self, module: nn.Module, state: State) -> State:
        """Return weights from a file under the names of the model; they are stored so."""
        return state

    def fit_state(self, module: nn.Module, state: State) -> State:
        """Return stored weights as the model's image size needs them."""
        return state

    def classifier_parameters(self, module: nn.Module) -> set[str]:
        """Name the parameters that a new head replaces: those of the last dense or convolution layer."""
        layers = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        last = [name for name in layers if not name.lower().startswith("aux")][-1]
        return {f"{last}.weight", f"{last}.bias"}

    def with_pooling(self, module: nn.Module, model: str, pooling: str) -> nn.Module:
        """Return a model without classifier whose features are pooled as `Backbone.pooling` says."""
        return module

    def with_tokens(self, module: nn.Module, model: str) -> nn.Module:
        """Return a model without classifier that maps images to tokens [n, tokens, width]."""
        raise UserError(f"{model} returns no tokens; use another head")

    def with_blocks(self, module: nn.Module, model: str, blocks: int) -> BlockFeatures:
        """Return a model without classifier that maps images to features of its last blocks."""
        raise UserError(f"features: {model} is not a transformer of timm or open_clip")

    def replace_auxiliary_heads(self, module: nn.Module, outputs: int | None) -> None:
        """Replace the auxiliary heads of a model by new ones, or remove them if `outputs` is None, in place.

        A module with such heads returns a tuple of features and their logits in training, and says as its
        `auxiliary_weight` how much each of their losses counts.
        """

    def problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """See `Family`."""
        pooling = (
            [] if spec.pooling == "default" else [f"pooling: {spec.pooling} needs tokens, which {model} does not have"]
        )
        least, multiple = self.image_sizes(model)
        sizes = []
        if image_size < least:
            sizes.append(f"{model} needs images of at least {least} pixels, but data.image_size is {image_size}")
        elif image_size % multiple:
            sizes.append(f"{model} needs a multiple of {multiple} pixels, but data.image_size is {image_size}")
        return pooling + self.weights_problems(model, spec) + sizes

    def weights_problems(self, model: str, spec: Backbone) -> list[str]:
        """List what is wrong with the weights of a backbone."""
        if spec.weights != "none" and not is_path(spec.weights):
            try:
                self.release(model, spec.weights)
            except UserError as error:
                return [f"weights: {problem}" for problem in error.problems]
        return []

    def trial_problems(self, model: str, spec: Backbone, image_size: int) -> list[str]:
        """Build the model for the image size and pool as asked, on one image without values; list what fails."""
        try:
            with torch.device("meta"):
                module = self.build(model, image_size, outputs=1).eval()
                patch = _patch_size(module)
                if image_size % patch:
                    return [f"{model} needs a multiple of {patch} pixels, but data.image_size is {image_size}"]
                self.remove_classifier(module, keep_spatial=False)
                self.with_pooling(module, model, spec.pooling)(torch.zeros(1, 3, image_size, image_size))
        except UserError as error:
            return error.problems
        except Exception as error:  # noqa: BLE001 - each architecture refuses a size in its own way
            reason = " ".join(str(error).split())[:160]
            return [f"{model} does not take images of data.image_size {image_size}: {reason}"]
        return []


class SegmenterFamily(Family):
    """Models that map images to logits for every pixel."""

    kind = "segmentation model"

    @abstractmethod
    def build(self, model: str, spec: Backbone, outputs: int, dropout: float) -> tuple[nn.Module, nn.Module]:
        """Build an encoder and a decoder with random weights.

        The encoder maps images [n, 3, h, w] to a list of feature maps, the decoder these to logits [n, outputs, h, w].
        """


FAMILIES: Registry[Family] = Registry("family", package="medtransfer.models.families")


def build_backbone(model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
    """Build a model with random weights, its classifier included; see `ClassifierFamily.build`."""
    return ClassifierFamily.of(model).build(model, image_size, outputs)


class _Uninitialised(TorchFunctionMode):
    """Skips the random initialisation of tensors, for which torch imports its compiler on the device `meta`."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        drawn = function in (torch.Tensor.normal_, torch.Tensor.uniform_)
        return args[0] if drawn else function(*args, **(kwargs or {}))


def build_on_meta(model: str, image_size: int) -> nn.Module:
    """Build a model for its structure only: without memory for its weights, if its code allows that."""
    try:
        with torch.device("meta"), _Uninitialised():
            return build_backbone(model, image_size)
    except NotImplementedError:  # RegNets compute their widths with tensors
        return build_backbone(model, image_size)


def _patch_size(module: nn.Module) -> int:
    """Return the side of a transformer's patches, 1 if it has none: the pixels of an incomplete one are left out."""
    module = getattr(module, "trunk", module)
    found = getattr(getattr(module, "patch_embed", module), "patch_size", 1)
    return int(found[0] if isinstance(found, tuple) else found)


def is_path(weights: str) -> bool:
    """Return whether `weights` is the path of a file rather than the name of published weights."""
    return ("/" in weights and not weights.startswith("hf-hub:")) or weights.endswith(
        (".pth", ".pt", ".bin", ".safetensors")
    )
