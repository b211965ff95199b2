"""Classes described in words."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from medtransfer.models.assemble import Weights
from medtransfer.models.families import ClassifierFamily, TextEmbeddings
from medtransfer.models.heads import HEADS, Head
from medtransfer.study import Prompts, Variant
from medtransfer.util.digests import module_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_file, sha256_of_json
from medtransfer.util.places import cache_folder


@HEADS.entry("prompts")
class PromptHead(Head):
    """Classify by the cosine similarity of an image's embedding to that of texts about each class.

    Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision": the texts of a class,
    each of its words in each template, are embedded at length 1, averaged, and scaled to length 1 again. With
    `train: none` this is zero-shot classification; a head or network that trains starts from it.
    """

    def __init__(self, width: int, classes: int, *, prompts: Prompts | None = None) -> None:
        super().__init__()
        self.texts = nn.Parameter(torch.zeros(classes, width))
        self.scale, self.bias = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    @classmethod
    def variant_problems(cls, variant: Variant) -> list[str]:
        """Require texts, and a pretrained model that embeds them."""
        if variant.strategy.prompts is None:
            return [": head: prompts needs prompts: {templates: [...], classes: {NAME: [words, ...]}}"]
        if "none" in variant.backbone.weights or variant.strategy.init == "random":
            return [": head: prompts needs pretrained weights; random features are not related to words"]
        family = ClassifierFamily.find(variant.model)
        problem = None if family is None else family.text_problem(variant.model)
        return [f": head: prompts: {problem}"] if problem else []

    def begin(self, variant: Variant, weights: Weights, outputs: Sequence[str]) -> None:
        """Embed the texts; raises `UserError` if they are not about the classes of the set."""
        prompts = variant.strategy.prompts
        if prompts is None or weights.state is None:
            raise TypeError("the check lets no such variant pass")
        if problems := prompts.problems(outputs):
            raise UserError([f"{variant.name}: {problem}" for problem in problems])
        if len(outputs) != len(self.texts):
            raise UserError(f"{variant.name}: head: prompts needs a loss with one output per class")
        texts = [prompts.texts(name) for name in outputs]
        found = _embedded(variant.model, weights, [text for each in texts for text in each])
        means = [part.mean(dim=0) for part in found.rows.split([len(each) for each in texts])]
        if means[0].shape != self.texts[0].shape:
            raise UserError(f"{variant.name}: {variant.model} embeds texts in another space than its features")
        with torch.no_grad():
            self.texts.copy_(functional.normalize(torch.stack(means), dim=1))
            self.scale.fill_(found.scale)
            self.bias.fill_(found.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return scaled cosine similarities [n, classes]."""
        return self.scale * (functional.normalize(features, dim=1) @ self.texts.T) + self.bias


def _embedded(model: str, weights: Weights, texts: list[str]) -> TextEmbeddings:
    """Embed texts, or read them from the user's cache if they were embedded before."""
    about = {"model": model, "weights": weights.sha256, "texts": texts, "open_clip": version("open_clip_torch")}
    about["code"] = module_digest("medtransfer.models.families.open_clip")
    path = cache_folder() / "texts" / f"{sha256_of_json(about)[:32]}.safetensors"
    if not path.is_file():
        found = ClassifierFamily.of(model).embed_texts(model, weights.state or {}, texts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            save_file({"rows": found.rows, "scale_and_bias": torch.tensor([found.scale, found.bias])}, temporary)
    stored = load_file(path)
    return TextEmbeddings(stored["rows"], *stored["scale_and_bias"].tolist())
