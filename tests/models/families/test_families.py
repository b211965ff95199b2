"""Every model that a study can name: built, given a new head, run forward and backward."""

from __future__ import annotations

import pytest
import torch
from builders import CLASSES, DESIGNS, MODELS, assembled, size_for, slow_unless, without_initialisation
from torch import nn

from medtransfer.models.families import ClassifierFamily, build_backbone
from medtransfer.models.families.small_cnns import PlainCNN
from medtransfer.models.torchvision_models import models
from medtransfer.study import Backbone

NAMES = slow_unless(DESIGNS, MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_trains_with_its_own_classifier_and_with_a_linear_head(name: str) -> None:
    size = size_for(name)
    assert not ClassifierFamily.backbone_problems(name, Backbone(weights="none"), size)
    pixels = torch.randint(0, 256, (2, 1, size, size), dtype=torch.uint8)
    for head in ("own", "linear"):
        with without_initialisation():
            network = assembled(name, head, size).train()
        logits, auxiliary = network.forward_with_auxiliary(pixels)
        assert logits.shape == (2, CLASSES)
        assert all(outputs.shape == (2, CLASSES) for outputs in auxiliary)
        (logits.sum() + sum(outputs.sum() for outputs in auxiliary)).backward()
        without = [key for key, parameter in network.named_parameters() if parameter.grad is None]
        assert not without
        network.eval()
        with torch.inference_mode():
            assert network(pixels).shape == (2, CLASSES)
            assert network.features(pixels).ndim == 2
        del network


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_train_with_all_layers_and_are_removed_from_frozen_bodies(name: str) -> None:
    size = 299
    pixels = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    with without_initialisation():
        whole, frozen = assembled(name, "own", size), assembled(name, "own", size, train="head")
    _, auxiliary = whole.train().forward_with_auxiliary(pixels)
    assert len(auxiliary) == (2 if name == "googlenet" else 1)
    assert whole.auxiliary_weight in (0.3, 0.4)
    assert frozen.train().forward_with_auxiliary(pixels)[1] == []
    assert not [key for key, _ in frozen.named_parameters() if "aux" in key.lower()]


def test_linear_heads_get_one_feature_per_channel_and_own_heads_those_of_the_classifier() -> None:
    with without_initialisation():
        widths = {
            (name, head): assembled(name, head, 224, train="head").features(
                torch.zeros(1, 1, 224, 224, dtype=torch.uint8)
            ).shape[1]
            for name in ("vgg11", "squeezenet1_1", "resnet18", "mobilenet_v3_small")
            for head in ("linear", "own")
        }  # fmt: skip
    assert widths == {
        ("vgg11", "linear"): 512,
        ("vgg11", "own"): 512 * 7 * 7,
        ("squeezenet1_1", "linear"): 512,
        ("squeezenet1_1", "own"): 512 * 13 * 13,
        ("resnet18", "linear"): 512,
        ("resnet18", "own"): 512,
        ("mobilenet_v3_small", "linear"): 576,
        ("mobilenet_v3_small", "own"): 576,
    }


@pytest.mark.parametrize(
    "name",
    slow_unless(
        ("resnet18", "mobilenet_v3_small"),
        ("resnet18", "mobilenet_v3_small", "squeezenet1_1", "convnext_tiny", "densenet121"),
    ),
)
def test_body_and_own_head_together_compute_the_whole_model(name: str) -> None:
    torch.manual_seed(0)
    whole = build_backbone(name, 64, CLASSES).eval()
    cut = assembled(name, "own", 64)
    last = [module for module in cut.head if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    source = [module for module in whole.modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    cut.body.load_state_dict({key: value for key, value in whole.state_dict().items() if key in cut.body.state_dict()})
    for module, origin in zip(
        [m for m in cut.head if isinstance(m, nn.Linear | nn.Conv2d)],
        [m for m in list(whole.children())[-1].modules() if isinstance(m, nn.Linear | nn.Conv2d)],
        strict=True,
    ):
        module.load_state_dict(origin.state_dict())
    assert last.weight.shape == source.weight.shape
    pixels = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        expected = whole(cut.normalise(pixels))
        torch.testing.assert_close(cut(pixels), expected, rtol=1e-4, atol=1e-5)


def test_the_small_cnns_have_the_documented_filters() -> None:
    small, large = (build_backbone(name, 64, CLASSES) for name in ("cnn_small", "cnn_large"))
    filters = [[m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)] for model in (small, large)]
    assert (min(filters[0]), max(filters[0])) == (32, 64)
    assert (min(filters[1]), max(filters[1])) == (64, 1024)
    assert len(filters[1]) == len(filters[0]) + 1
    assert isinstance(small, PlainCNN)


@pytest.mark.parametrize(
    ("name", "spec", "size", "expected"),
    [
        ("resnet99", Backbone(weights="none"), 64, "did you mean"),
        ("resnet18", Backbone(weights="IMAGENET1K_V9"), 64, "torchvision has IMAGENET1K_V1"),
        ("cnn_small", Backbone(weights="IMAGENET1K_V1"), 64, "use none"),
        ("inception_v3", Backbone(weights="none"), 64, "at least 75 pixels"),
        ("vit_b_16", Backbone(weights="none"), 100, "multiple of 16"),
    ],
)
def test_a_backbone_that_cannot_be_built_is_one_line(name: str, spec: Backbone, size: int, expected: str) -> None:
    problems = ClassifierFamily.backbone_problems(name, spec, size)
    assert len(problems) == 1
    assert expected in problems[0]


def test_a_study_can_name_every_classification_model_of_torchvision() -> None:
    assert set(models().list_models(module=models())) <= set(ClassifierFamily.all_names())
