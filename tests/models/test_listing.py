"""The table of backbones."""

from __future__ import annotations

import pytest

from medtransfer.data.catalogue.page import catalogue_table
from medtransfer.models.families import ClassifierFamily
from medtransfer.models.listing import backbones_table, families_table
from medtransfer.models.torchvision_models import models
from medtransfer.util.errors import UserError


def row_of(table: str, model: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"{model} ")]
    return line.split()


def test_sizes_are_those_that_torchvision_publishes() -> None:
    row = row_of(backbones_table("resnet18"), "resnet18")
    published = models().ResNet18_Weights.DEFAULT.meta
    assert row[1:6] == ["224", f"{published['num_params'] / 1e6:.1f}", "M", f"{published['_ops']:.2f}", "G"]
    assert row[-1] == "IMAGENET1K_V1"


def test_a_pattern_chooses_models_of_timm_with_their_tags_and_licence() -> None:
    table = backbones_table("timm/tf_efficientnet_lite[01]")
    assert len(table.splitlines()) == 3
    row = row_of(table, "timm/tf_efficientnet_lite0")
    assert row[1] == "224"
    assert "apache-2.0" in row
    assert row[-2:] == ["in1k,", "package"]


def test_licences_are_those_that_libraries_state_or_where_they_are_stated() -> None:
    licences = {model: ClassifierFamily.of(model).licence(model) for model in ("resnet18", "vit_b_16", "vit_h_14")}
    assert licences["resnet18"] == licences["vit_b_16"] == "bsd-3-clause (torchvision's)"
    assert licences["vit_h_14"].endswith("SWAG/blob/main/LICENSE")
    clip = "open_clip/ViT-B-32.laion2b_s34b_b79k"
    assert ClassifierFamily.of(clip).licence(clip) == "see laion/CLIP-ViT-B-32-laion2B-s34B-b79K on the hub"


def test_models_with_a_learned_query_have_a_size() -> None:
    row = row_of(backbones_table("timm/vit_base_patch16_siglip_224"), "timm/vit_base_patch16_siglip_224")
    assert row[1:6] == ["224", "93.7", "M", "17.71", "G"]


def test_many_models_are_listed_by_name_and_unknown_ones_get_the_nearest() -> None:
    lines = backbones_table("timm/vit_*").splitlines()
    assert "timm/vit_small_patch14_dinov2" in lines
    assert lines[-1].startswith(f"{len(lines) - 1} models")
    with pytest.raises(UserError, match="did you mean 'resnet18'"):
        backbones_table("resnt18")


def test_families_are_counted_and_limits_named() -> None:
    families, _, limits = families_table().partition("\n\n")
    assert {line.split()[0] for line in families.splitlines()[1:]} == {"open_clip", "small_cnns", "timm", "torchvision"}
    assert "timm/fastvit_*" in limits
    assert "cannot be traced" in backbones_table("timm/test_vit2")
    assert "limit" not in backbones_table("timm/resnet10t")


@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("timm/vit_small_patch16_224.augreg_in21k_ft_in1k", "ImageNet-21k, ImageNet-1k"),
        ("timm/vit_small_patch14_dinov2.lvd142m", "LVD-142M"),
        ("open_clip/ViT-B-32.laion2b_s34b_b79k", "LAION-2B"),
        ("resnet18", "ImageNet-1k"),
        ("cnn_small", ""),
    ],
)
def test_the_data_of_the_default_weights_are_read_from_their_name(model: str, data: str) -> None:
    assert ClassifierFamily.of(model).pretraining_data(model) == data


def test_on_a_terminal_every_line_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medtransfer.util.text.terminal_width", lambda: 80)
    for table in (families_table(), backbones_table("timm/crossvit_1*"), catalogue_table()):
        assert max(map(len, table.splitlines())) <= 80
        assert "…" not in table
