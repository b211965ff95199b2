"""The classification models of torchvision."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from medtransfer.models.families import FAMILIES, IMAGENET_CLASSES, ClassifierFamily, Release, State
from medtransfer.models.heads.own import with_outputs
from medtransfer.models.tokens import ForwardFeatures, Places
from medtransfer.models.torchvision_models import library, models
from medtransfer.util.errors import UserError

CLASSIFIER_LAYERS = (nn.Dropout, nn.Linear, nn.Conv2d)
"""The layers that a classifier may begin with; pooling, flattening and normalisation before it belong to the body."""

INCEPTION_AUXILIARY_SIZE = 299
"""Below this image size the auxiliary head of Inception v3 has too few pixels for its 5x5 convolution."""

AUXILIARY_WEIGHTS = {"googlenet": 0.3, "inception_v3": 0.4}
"""How much the loss of an auxiliary head counts: Szegedy et al. 2015 (0.3); torchvision's reference training (0.4)."""

POSITIONS = "encoder.pos_embedding"


AFTER_MAP = ("aux", "avgpool", "classifier", "dropout", "fc", "flatten", "head")
"""Prefixes of the names of layers after the last map."""


class EncoderTokens(ForwardFeatures):
    """A vision transformer without its head: its class token and its patch tokens after the last layer norm."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [n, 3, h, w] to tokens [n, 1 + patches, width]."""
        body = cast(Any, self.body)
        patches = body._process_input(images)
        found: torch.Tensor = body.encoder(torch.cat([body.class_token.expand(len(patches), -1, -1), patches], dim=1))
        return found


class Torchvision(ClassifierFamily):
    """Models by the names and weights by the enums of torchvision."""

    def names(self) -> list[str]:
        """List the classification models."""
        return list(models().list_models(module=models()))

    def build(self, model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
        """Build a model; it has auxiliary heads if its design has them and the images are large enough."""
        options: dict[str, Any] = {}
        if model in AUXILIARY_WEIGHTS:
            large_enough = model == "googlenet" or image_size >= INCEPTION_AUXILIARY_SIZE
            options = {"aux_logits": large_enough, "init_weights": False}
        elif model.startswith("vit_"):
            options = {"image_size": image_size}
        elif model.startswith("maxvit_"):
            options = {"input_size": (image_size, image_size)}
        built: nn.Module = models().get_model(model, weights=None, num_classes=outputs, **options)
        if model in AUXILIARY_WEIGHTS:
            built.auxiliary_weight = AUXILIARY_WEIGHTS[model]  # type: ignore[assignment]
        return built

    def remove_classifier(self, module: nn.Module, keep_spatial: bool) -> list[nn.Module]:
        """Remove the classifier, which is the last child of every model of torchvision.

        The dropout of GoogLeNet and Inception, a child of its own, is removed with it. VGG's classifier sees
        7 x 7 x 512 features, which become 512 without `keep_spatial`.
        """
        name, classifier = list(module.named_children())[-1]
        layers = list(classifier.children()) if isinstance(classifier, nn.Sequential) else [classifier]
        start = next(index for index, layer in enumerate(layers) if isinstance(layer, CLASSIFIER_LAYERS))
        kept, removed = layers[:start], layers[start:]
        if isinstance(getattr(module, "dropout", None), nn.Dropout):
            removed = [cast(nn.Module, module.dropout), *removed]
            module.dropout = nn.Identity()
        if not keep_spatial:
            if any(isinstance(layer, nn.Conv2d) for layer in removed):  # SqueezeNet
                kept.append(nn.AdaptiveAvgPool2d(1))
            if isinstance(getattr(module, "avgpool", None), nn.AdaptiveAvgPool2d):  # AlexNet, VGG: 6 x 6, 7 x 7
                module.avgpool = nn.AdaptiveAvgPool2d(1)
        setattr(module, name, nn.Sequential(*kept))
        return removed

    def with_tokens(self, module: nn.Module, model: str) -> nn.Module:
        """See `ClassifierFamily`: the outputs of the encoder, or the places of the last map."""
        if hasattr(module, "encoder"):
            return EncoderTokens(module)
        layers = {name: each for name, each in module.named_children() if not name.lower().startswith(AFTER_MAP)}
        if model.startswith("densenet"):
            layers["relu"] = nn.ReLU()
        return Places(layers, bool(getattr(module, "transform_input", False)))

    def image_sizes(self, model: str) -> tuple[int, int]:
        """Return multiples of the patch for ViTs and of 7 windows of 32 pixels for MaxViT; else torchvision's least."""
        if model.startswith("vit_"):
            patch = int(model.rsplit("_", 1)[-1])
            return patch, patch
        if model.startswith("maxvit_"):
            return 224, 224
        return max(models().get_model_weights(model).DEFAULT.meta["min_size"]), 1

    def default_size(self, model: str) -> int:
        """Return the size that positions of ViTs and MaxViT are published for, and else one for all auxiliary heads."""
        return 224 if model.startswith(("vit_", "maxvit_")) else INCEPTION_AUXILIARY_SIZE

    def trained_size(self, model: str) -> int:
        """Return the size of the crops of the weights' own transforms."""
        return int(models().get_model_weights(model).DEFAULT.transforms().crop_size[0])

    def weights_of(self, model: str) -> list[str]:
        """List the members of a weights enum, the default one first."""
        enum = models().get_model_weights(model)
        return sorted((member.name for member in enum), key=lambda name: name != enum.DEFAULT.name)

    def licence(self, model: str) -> str:
        """Return the licence that torchvision states for the default weights, or else its own."""
        return str(models().get_model_weights(model).DEFAULT.meta.get("license", "bsd-3-clause (torchvision's)"))

    def release(self, model: str, weights: str) -> Release:
        """Look a member of a weights enum up; its file name ends in the first 8 digits of its SHA-256."""
        enum = models().get_model_weights(model)
        if weights not in enum.__members__:
            raise UserError(f"no weights {weights!r} for {model}; torchvision has {', '.join(enum.__members__)}")
        member = enum[weights]
        file_name, transforms = member.url.rsplit("/", 1)[-1], member.transforms()
        digits = file_name.rsplit(".", 1)[0].rsplit("-", 1)[-1]
        mean, std = tuple(transforms.mean), tuple(transforms.std)
        return Release("torchvision", str(member), member.url, file_name, digits, mean, std)

    def fit_state(self, module: nn.Module, state: State) -> State:
        """Interpolate the position embedding of a ViT to the model's image size."""
        own = cast("torch.Tensor | None", module.state_dict().get(POSITIONS))
        if own is None or POSITIONS not in state or state[POSITIONS].shape == own.shape:
            return state
        transformers = library("torchvision.models.vision_transformer")
        fitted: State = transformers.interpolate_embeddings(module.image_size, module.patch_size, dict(state))
        return fitted

    def replace_auxiliary_heads(self, module: nn.Module, outputs: int | None) -> None:
        """Replace or remove those of GoogLeNet and Inception."""
        for name in ("aux1", "aux2", "AuxLogits"):
            auxiliary = getattr(module, name, None)
            if auxiliary is not None and outputs is not None:
                last = "fc2" if hasattr(auxiliary, "fc2") else "fc"
                setattr(auxiliary, last, with_outputs(getattr(auxiliary, last), outputs))
            elif auxiliary is not None:
                setattr(module, name, None)
        if outputs is None and hasattr(module, "aux_logits"):
            module.aux_logits = False  # type: ignore[assignment]


FAMILIES.register("torchvision", Torchvision())
