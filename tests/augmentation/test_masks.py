"""Masks move with their images: a mask that is drawn into its image matches it in every view."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations
import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

from medtransfer.augmentation.contact_sheet import write_contact_sheet
from medtransfer.augmentation.policy import policy_problems
from medtransfer.augmentation.store import open_views, view_pixels, write_views
from medtransfer.augmentation.views import ViewMaker
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.study.use import read_study

Build = Callable[..., Prepared]
SIZE = 48
LEVELS = np.array([20, 130, 235], np.uint8)
STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
POLICIES = {
    f"{path.stem}: {name}": policy
    for path in STUDIES
    for name, policy in read_study(path).params.augmentation.items()
    if policy.mix is None or policy.mix.method == "cutmix"
}
HIDING = ("CoarseDropout", "ConstrainedCoarseDropout", "Erasing", "GridDropout", "PixelDropout", "XYMasking")
"""Transforms that hide parts of the image and move nothing."""


def policy_of(name: str, **arguments: Any) -> Policy:
    return Policy.model_validate({"transforms": [{name: arguments | {"p": 1.0}}]})


def kinds(base: type) -> list[str]:
    """Return the transforms of a kind that accept a mask with their defaults and keep its size."""
    found = [name for name, kind in vars(albumentations).items() if inspect.isclass(kind) and issubclass(kind, base)]
    return sorted(name for name in found if not policy_problems(policy_of(name), SIZE, 1, masked=True))


MOVING = [name for name in kinds(albumentations.DualTransform) if name not in HIDING]
IN_PLACE = [*kinds(albumentations.ImageOnlyTransform), *HIDING]


def shapes(count: int) -> np.ndarray:
    """Draw masks of two classes, an ellipse and a bar, all different."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    masks = np.zeros((count, SIZE, SIZE), np.uint8)
    for number, mask in enumerate(masks):
        mask[((rows - 16 - number) / 12) ** 2 + ((columns - 26) / 17) ** 2 < 1] = 1
        mask[34:44, 6 : 24 + 2 * number] = 2
    return masks


@pytest.fixture
def drawn(build_prepared: Build) -> Prepared:
    """Prepare six masks, each drawn into its image with one grey level per class."""
    masks = shapes(6)
    images = LEVELS[masks][..., None]
    return build_prepared(images=images, masks=masks, label_index=[0] * 6, split=["train"] * 6)


def share_in_step(pixels: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of pixels, without edges, whose grey level is nearest to that of their class."""
    inner = maximum_filter(mask, 5) == minimum_filter(mask, 5)
    present = np.unique(mask[inner])
    levels = np.array([np.median(pixels[..., 0][inner & (mask == number)]) for number in present])
    assert len(np.unique(levels)) == len(levels)
    nearest = present[np.abs(pixels[..., :1].astype(float) - levels).argmin(axis=-1)]
    return float((nearest == mask)[inner].mean())


@pytest.mark.parametrize("name", MOVING)
def test_spatial_transforms_move_the_mask_with_the_image(drawn: Prepared, name: str) -> None:
    maker = ViewMaker(drawn, policy_of(name), 3)
    shares = [share_in_step(*maker.draw(row, view)) for row in range(6) for view in range(4)]
    assert min(shares) > 0.985


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", IN_PLACE)
def test_transforms_of_intensities_leave_the_mask_unchanged(drawn: Prepared, name: str) -> None:
    maker = ViewMaker(drawn, policy_of(name), 3)
    for row in range(3):
        np.testing.assert_array_equal(maker.draw(row, 0)[1], drawn.targets(np.array([row]))[0])


def test_there_are_many_transforms_of_both_kinds() -> None:
    assert {"Affine", "ElasticTransform", "HorizontalFlip", "Perspective", "RandomResizedCrop", "Rotate"} <= set(MOVING)
    assert {"CLAHE", "GaussianBlur", "MultiplicativeNoise", "RandomGamma"} <= set(IN_PLACE)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_the_policies_of_all_studies_keep_masks_in_step(drawn: Prepared, policy: Policy) -> None:
    maker = ViewMaker(drawn, policy, 3)
    shares = [share_in_step(*maker.draw(row, view)) for row in range(6) for view in range(4)]
    assert np.mean(shares) > 0.97
    assert min(shares) > 0.8  # holes of a dropout, and the noise of speckle


def test_a_pasted_box_includes_its_mask(build_prepared: Build) -> None:
    """Each image is one class throughout, so that every pixel shows the class of its mask."""
    masks = np.zeros((3, 16, 16), np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None]
    prepared = build_prepared(images=LEVELS[masks][..., None], masks=masks, label_index=[0] * 3, split=["train"] * 3)
    maker = ViewMaker(prepared, Policy.model_validate({"transforms": [], "mix": {"method": "cutmix"}}), 0)
    mixed = 0
    for row in range(3):
        for view in range(10):
            pixels, mask = maker.draw(row, view)
            np.testing.assert_array_equal(pixels[..., 0], LEVELS[mask])
            mixed += len(np.unique(mask)) == 2
    assert mixed > 20


@pytest.mark.parametrize(
    ("transform", "problem"),
    [
        ({"Affine": {"rotate": [10, 20], "mask_interpolation": 1}}, "Affine blends the classes of a mask; leave its"),
        ({"CropNonEmptyMaskIfExists": {"height": 24, "width": 24}}, "expected images (48, 48, 1) at the end, but got"),
    ],
)
def test_a_transform_that_spoils_masks_is_a_problem(transform: dict[str, Any], problem: str) -> None:
    found = policy_problems(Policy.model_validate({"transforms": [transform]}), SIZE, 1, masked=True)
    assert problem in found[0]


@pytest.mark.parametrize(
    ("method", "problems"),
    [("cutmix", []), ("mixup", ["mix: mixup blends the classes of a mask; use a mix that pastes, such as cutmix"])],
)
def test_a_mix_that_blends_masks_is_a_problem(method: str, problems: list[str]) -> None:
    policy = Policy.model_validate({"transforms": [], "mix": {"method": method}})
    assert policy_problems(policy, SIZE, 1, masked=True) == problems
    assert policy_problems(policy, SIZE, 1) == []


@pytest.mark.parametrize(("views", "worth"), [(3, 0.0), (3, float("inf")), ("fresh", 0.0)])
def test_kept_and_drawn_views_equal_those_of_the_maker(
    drawn: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: int | str, worth: float
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("medtransfer.augmentation.store.WORTH", worth)
    policy = Policy.model_validate({"transforms": [{"HorizontalFlip": {"p": 0.5}}], "views": views})
    about = write_views(drawn, policy, 5, tmp_path / "views")
    opened = open_views(drawn, policy, 5)
    maker, rows = ViewMaker(drawn, policy, 5), np.array([4, 0, 3])
    for view in range(3):
        pixels = view_pixels(opened, rows, view)
        masks = opened.labels(rows, view)
        assert masks.dtype == np.uint8
        for place, row in enumerate(rows):
            expected = maker.draw(int(row), view)
            np.testing.assert_array_equal(pixels[place], expected[0])
            np.testing.assert_array_equal(masks[place], expected[1])
    assert len(list(tmp_path.glob(".medtransfer/features/*/learned.npy"))) == (views == 3 and not worth)
    if views == 3:
        other = write_views(drawn, policy, 6, tmp_path / "other")
        assert about["sha256"] != other["sha256"]


def test_views_without_transforms_are_the_images_and_masks(drawn: Prepared, tmp_path: Path) -> None:
    policy = Policy(transforms=[])
    write_views(drawn, policy, 5, tmp_path / "views")
    views, rows = open_views(drawn, policy, 5), np.array([2, 1])
    np.testing.assert_array_equal(view_pixels(views, rows, 0), drawn.images[rows])
    np.testing.assert_array_equal(views.labels(rows, 0), drawn.targets(rows))


def test_the_contact_sheet_shows_the_masks(drawn: Prepared, tmp_path: Path) -> None:
    policy = Policy.model_validate({"transforms": [{"Rotate": {"limit": 40, "p": 1.0}}], "views": 3})
    write_views(drawn, policy, 5, tmp_path / "views")
    write_contact_sheet(drawn, open_views(drawn, policy, 5), "turned", tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 5000
