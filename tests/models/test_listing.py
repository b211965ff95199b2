"""The table of backbones."""

from __future__ import annotations

import pytest

from medtransfer.models.listing import backbones_table, families_table
from medtransfer.models.torchvision_models import models
from medtransfer.util.errors import UserError


def row_of(table: str, model: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"{model} ")]
    return line.split()


def test_sizes_are_those_that_torchvision_publishes() -> None:
    row = row_of(backbones_table("resnet18"), "resnet18")
    published = models.ResNet18_Weights.DEFAULT.meta
    assert row[1:6] == ["224", f"{published['num_params'] / 1e6:.1f}", "M", f"{published['_ops']:.2f}", "G"]
    assert row[-1] == "IMAGENET1K_V1"


def test_a_pattern_chooses_models_of_timm_with_their_tags_and_licence() -> None:
    table = backbones_table("timm/tf_efficientnet_lite[01]")
    assert len(table.splitlines()) == 3
    row = row_of(table, "timm/tf_efficientnet_lite0")
    assert row[1] == "224"
    assert "apache-2.0" in row
    assert row[-2:] == ["in1k,", "package"]


def test_many_models_are_listed_by_name_and_unknown_ones_get_the_nearest() -> None:
    lines = backbones_table("timm/vit_*").splitlines()
    assert "timm/vit_small_patch14_dinov2" in lines
    assert lines[-1].startswith(f"{len(lines) - 1} models")
    with pytest.raises(UserError, match="did you mean 'resnet18'"):
        backbones_table("resnt18")


def test_families_are_counted() -> None:
    families = {line.split()[0] for line in families_table().splitlines()[1:]}
    assert families == {"open_clip", "small_cnns", "timm", "torchvision"}
