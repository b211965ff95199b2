"""What a parameter file may say, and files that are none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medtransfer.study import check_study, load_study
from medtransfer.util.errors import UserError, near

Make = Callable[..., dict[str, Any]]


def test_a_study_loads_and_its_variants_have_their_parts(params_with: Make) -> None:
    study = check_study(params_with(), "params.yaml")
    assert list(study.variants) == ["from_scratch", "head_only"]
    variant = study.variant("head_only")
    assert (variant.backbone_name, variant.strategy_name, variant.augmentation_name) == (
        "resnet18",
        "frozen",
        "cutmix",
    )
    assert variant.model == "resnet18"
    assert variant.backbone.weights == "DEFAULT"
    assert variant.strategy.lr == 1e-4
    assert variant.strategy.schedule.kind == "cosine"
    assert variant.policy.mix is not None
    assert variant.policy.mix.method == "cutmix"


def test_a_section_of_one_kind_may_be_that_word_alone(params_with: Make) -> None:
    short = check_study(params_with({"strategies.frozen.loss": "binary_cross_entropy"}), "short")
    long = check_study(
        params_with(
            {"strategies.frozen.loss": {"kind": "binary_cross_entropy"}, "data.layout": {"kind": "class_folders"}}
        ),
        "long",
    )
    assert short.params == long.params


def test_a_variant_that_is_not_there_is_asked_for_by_a_near_name(params_with: Make) -> None:
    study = check_study(params_with(), "params.yaml")
    with pytest.raises(UserError, match=re.escape("no 'head_olny' in params.yaml; did you mean 'head_only'?")):
        study.variant("head_olny")


def test_near_names_are_offered_before_a_list() -> None:
    assert near("resnet5", ["vgg16", "resnet50"]) == "; did you mean 'resnet50'?"
    assert near("zzz", ["b", "a"]) == "; there are a, b"
    assert near("zzz", [f"n{number:02}" for number in range(20)]).endswith("n10, n11 …")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(UserError) as raised:
        load_study(path)
    assert raised.value.problems == [f"{path}: no such file; `medtransfer use NAME` puts a study in force"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"study: {name: a", "not valid YAML: "),
        (b"study: 1\nstudy: 2\n", "not valid YAML: "),
        (b"study: \xff\xfe\n", "expected UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_one_line(tmp_path: Path, content: bytes, line: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        load_study(path)
    (problem,) = raised.value.problems
    assert problem.startswith(f"{path}: {line}")
    assert "\n" not in problem


def test_a_file_on_disk_loads_as_its_values_do(tmp_path: Path, study_text: str, params_with: Make) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(study_text, encoding="utf-8")
    assert load_study(path).params == check_study(params_with(), "x").params
