"""What a study asks for and only the libraries know to be impossible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medtransfer.check import study_problems
from medtransfer.study import check_study

Make = Callable[..., dict[str, Any]]


def problems(params: dict[str, Any]) -> list[str]:
    found = study_problems(check_study(params, "params.yaml"))
    return [problem for problem in found if "data.folder" not in problem]


def test_only_a_network_with_blocks_can_compute_them_again(params_with: Make) -> None:
    forgetful = {"strategies.scratch.gradient_checkpointing": True}
    assert problems(params_with(forgetful)) == [
        "params.yaml: variants.from_scratch: gradient_checkpointing: cnn_small is a plain row of layers and has no "
        "blocks to compute again"
    ]
    assert problems(params_with(forgetful | {"variants.from_scratch.backbone": "resnet18"})) == []


def test_blocks_of_a_network_whose_widths_are_computed_are_known_by_name(params_with: Make) -> None:
    regnet = {"backbones.regnet_y_400mf": {"weights": "none"}, "data.image_size": 64}
    wrong = {"explain": {"variants": [], "blocks": {"regnet_y_400mf": "trunk_output.block9"}}}
    assert problems(params_with(regnet | wrong)) == [
        "params.yaml: explain.blocks.regnet_y_400mf: regnet_y_400mf has no block 'trunk_output.block9'; "
        "did you mean 'trunk_output.block4'?"
    ]
    wrong["explain"]["blocks"]["regnet_y_400mf"] = "trunk_output.block4"
    assert problems(params_with(regnet | wrong)) == []
