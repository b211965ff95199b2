"""A family and a head from outside the package, through training on kept activations and prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from builders import pretrained, tiny_inputs, tiny_prepared
from frozen import CUTMIX, FLIPS, assert_same_results, predictions, train
from torch import nn

from medtransfer.data.prepared import Prepared
from medtransfer.models.families import FAMILIES, IMAGENET_CLASSES, ClassifierFamily
from medtransfer.models.heads import HEADS, Head
from medtransfer.study import Backbone, Strategy
from medtransfer.training import runs
from medtransfer.util.errors import UserError


class Patches(nn.Module):
    """Patches of 8 pixels, a residual block over their channels, and a classifier that is not the last child."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(48, outputs)
        self.patch = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 48, 8, stride=8))
        self.norm = nn.LayerNorm(48)
        self.block = nn.Sequential(nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 48))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.patch(images).flatten(2).transpose(1, 2)
        return self.classifier((tokens + self.block(self.norm(tokens))).mean(dim=1))


class PatchFamily(ClassifierFamily):
    def names(self) -> list[str]:
        return ["outside/patches"]

    def build(self, model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
        return Patches(outputs)

    def remove_classifier(self, module: nn.Module, keep_spatial: bool) -> list[nn.Module]:
        removed, module.classifier = module.classifier, nn.Identity()
        return [removed]

    def image_sizes(self, model: str) -> tuple[int, int]:
        return 8, 8


class CosineHead(Head):
    """Trained over epochs, but no row of dense layers: its runs are trained one by one."""

    def __init__(self, width: int, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout, self.weight = nn.Dropout(dropout), nn.Parameter(torch.randn(classes, width))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        unit = nn.functional.normalize
        return 10 * self.dropout(unit(features, dim=1)) @ unit(self.weight, dim=1).T


class MeanHead(Head):
    """Fitted in one step."""

    fitted = True
    means: torch.Tensor

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(classes, width))

    def fit(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        self.means = torch.stack([features[labels == label].mean(dim=0) for label in range(len(self.means))])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return -torch.cdist(features, self.means)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"))


@pytest.fixture(autouse=True)
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for registry, items in ((FAMILIES, {"outside": PatchFamily()}), (HEADS, {"cosine": CosineHead, "mean": MeanHead})):
        monkeypatch.setattr(registry, "_items", dict(registry))
        for name, item in items.items():
            registry.register(name, item)
    named = Strategy.model_validate
    monkeypatch.setattr(Strategy, "model_validate", lambda fields: _strategy(named, dict(fields)))


def _strategy(validate: Any, fields: dict[str, Any]) -> Strategy:
    """Let a strategy name a head that the schema does not list."""
    head = fields.pop("head", "linear")
    return validate(fields).model_copy(update={"head": head})


@pytest.mark.parametrize(
    "strategy",
    [{}, {"head": "own"}, {"head": "cosine", "dropout": 0.2}, {"head": "mean"}, {"train": {"last": 2}, "lr": 1e-4}],
    ids=["linear", "own", "cosine", "mean", "last layers"],
)
def test_kept_activations_of_an_outside_model_train_as_the_whole_network(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any]
) -> None:
    fitted = strategy.get("head") == "mean"
    fields = {"init": "pretrained", "train": "head"} | strategy
    inputs = tiny_inputs(prepared, FLIPS if fitted else CUTMIX, **fields)
    inputs = pretrained(inputs, tmp_path / "weights", "outside/patches")
    train(inputs, tmp_path / "kept")
    assert list((tmp_path / ".medtransfer" / "features").glob("*/rows.bin"))
    if fitted:
        assert predictions(inputs, tmp_path / "kept").shape[1] == len(prepared.classes)
        return
    monkeypatch.setattr(runs, "embedder_of", lambda *_: None)
    train(inputs, tmp_path / "plain")
    assert_same_results(inputs, tmp_path / "kept", tmp_path / "plain")


def test_an_outside_model_is_checked_like_any_other() -> None:
    backbone = Backbone(weights="none")
    assert ClassifierFamily.backbone_problems("outside/patches", backbone, 64) == []
    assert ClassifierFamily.backbone_problems("outside/patches", backbone, 63) == [
        "outside/patches needs a multiple of 8 pixels, but data.image_size is 63"
    ]
    (problem,) = ClassifierFamily.backbone_problems("outside/patches", Backbone(weights="IMAGENET1K_V1"), 64)
    assert "no published weights" in problem
    with pytest.raises(UserError, match="did you mean 'outside/patches'"):
        ClassifierFamily.of("outside/patch")
