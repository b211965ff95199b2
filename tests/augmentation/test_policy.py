"""Policies as Albumentations pipelines: those of the studies work, and a wrong one is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtransfer.augmentation.policy import build_transform, policy_problems
from medtransfer.study import Policy
from medtransfer.study.use import read_study
from medtransfer.util.errors import UserError

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
POLICIES = {
    f"{path.stem}-{name}": policy
    for path in STUDIES
    for name, policy in read_study(path).params.augmentation.items()
}  # fmt: skip
SIZE = 40


def policy_of(*transforms: dict[str, dict[str, Any]]) -> Policy:
    return Policy(transforms=list(transforms))


def problems_of(*transforms: dict[str, dict[str, Any]], channels: int = 1) -> list[str]:
    return policy_problems(policy_of(*transforms), SIZE, channels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_the_policies_of_all_studies_return_images_of_the_same_kind(policy: Policy, channels: int) -> None:
    assert policy_problems(policy, SIZE, channels) == []
    transform = build_transform(policy, SIZE)
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, channels), np.uint8)
    before = image.copy()
    for seed in range(20):
        transform.set_random_seed(seed)
        view = transform(image=image)["image"]
        assert view.shape == image.shape
        assert view.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


def test_a_transform_that_needs_a_size_gets_that_of_the_study() -> None:
    crop = {"RandomResizedCrop": {"scale": [0.5, 1.0]}}
    assert problems_of(crop) == []
    view = build_transform(policy_of(crop), 24)(image=np.zeros((SIZE, SIZE, 1), np.uint8))["image"]
    assert view.shape == (24, 24, 1)


def test_a_given_size_is_kept() -> None:
    found = problems_of({"RandomResizedCrop": {"size": [16, 16]}})
    assert found == [f"transforms: expected images ({SIZE}, {SIZE}, 1) at the end, but got (16, 16, 1)"]


def test_an_unknown_transform_suggests_a_near_name() -> None:
    found = problems_of({"HorizontalFlp": {}})
    assert found == ["transforms[0]: no Albumentations transform 'HorizontalFlp'; did you mean 'HorizontalFlip'?"]


@pytest.mark.parametrize("name", ["Compose", "OneOf", "BasicTransform", "__doc__"])
def test_other_names_of_albumentations_are_not_transforms(name: str) -> None:
    (found,) = problems_of({name: {}})
    assert found.startswith(f"transforms[0]: no Albumentations transform {name!r}")


def test_an_unknown_argument_suggests_a_near_name() -> None:
    assert problems_of({"Rotate": {"limits": 10}}) == [
        "transforms[0]: Rotate has no argument 'limits'; did you mean 'limit'?"
    ]
    assert problems_of({"HorizontalFlip": {"often": 1}}) == [
        "transforms[0]: HorizontalFlip has no argument 'often'; choose from p"
    ]


def test_a_wrong_value_is_one_line_with_the_transform_and_the_argument() -> None:
    (found,) = problems_of({"Rotate": {"limit": "far"}})
    assert found.startswith("transforms[0]: Rotate: limit")
    assert "pydantic" not in found
    assert "\n" not in found


def test_all_wrong_transforms_are_listed_with_their_positions() -> None:
    found = problems_of({"Rotat": {}}, {"HorizontalFlip": {"p": 0.5}}, {"Rotate": {"limits": 1, "probability": 1}})
    assert [problem.split(": ")[0] for problem in found] == ["transforms[0]", "transforms[2]", "transforms[2]"]


def test_building_a_wrong_policy_raises_the_listed_problems() -> None:
    wrong = ({"Rotat": {}}, {"Rotate": {"limits": 1}})
    with pytest.raises(UserError) as raised:
        build_transform(policy_of(*wrong), SIZE)
    assert raised.value.problems == problems_of(*wrong)


def test_pixels_other_than_bytes_are_an_error_even_if_rare() -> None:
    found = problems_of({"HorizontalFlip": {}}, {"Normalize": {"p": 0.01}})
    assert found == ["transforms[1]: expected uint8 pixels, but Normalize returns float32"]


def test_another_size_is_an_error_only_at_the_end() -> None:
    smaller, back = {"Resize": {"height": 20, "width": 30}}, {"Resize": {"height": SIZE, "width": SIZE}}
    assert problems_of(smaller) == [f"transforms: expected images ({SIZE}, {SIZE}, 1) at the end, but got (20, 30, 1)"]
    assert problems_of(smaller, back) == []


@pytest.mark.parametrize("name", ["RandomCrop", "CenterCrop"])
def test_a_crop_larger_than_the_image_is_one_line(name: str) -> None:
    (found,) = problems_of({name: {"height": 100, "width": 100}})
    assert found.startswith(f"transforms[0]: {name} fails on an image of 1 channels: Crop size")


def test_a_transform_that_needs_more_than_an_image_is_an_error() -> None:
    (found,) = problems_of({"HistogramMatching": {}})
    assert found.startswith("transforms[0]: HistogramMatching fails on an image of 1 channels: ")


def test_a_transform_of_colours_fails_on_grey_images() -> None:
    colours = {"ChannelDropout": {}}
    assert problems_of(colours, channels=3) == []
    (found,) = problems_of(colours, channels=1)
    assert found.startswith("transforms[0]: ChannelDropout fails on an image of 1 channels: ")
