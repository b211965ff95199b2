"""A view depends only on its policy, the seed, its number and its image."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtransfer import augmentation
from medtransfer.augmentation.views import ViewMaker
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy, load_study
from medtransfer.util.errors import UserError

Build = Callable[..., Prepared]
PHANTOM = load_study(Path(__file__).parents[2] / "studies" / "phantom.yaml").params.augmentation
SIZE = 24


def mixing(method: str, **mix: Any) -> Policy:
    return Policy.model_validate({"transforms": [], "mix": {"method": method} | mix})


def textured(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, SIZE, SIZE, 1), np.uint8)


@pytest.fixture
def prepared(build_prepared: Build) -> Prepared:
    """Prepare 12 textured images of 3 classes: 6 for training, 3 for validation, 3 for testing."""
    splits = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    return build_prepared(images=textured(12), label_index=[0, 1, 2] * 4, split=splits)


@pytest.mark.parametrize("policy", PHANTOM.values(), ids=PHANTOM)
def test_views_do_not_depend_on_their_order_or_on_threads(prepared: Prepared, policy: Policy) -> None:
    jobs = [(row, view) for row in range(6) for view in range(4)]
    maker = ViewMaker(prepared, policy, 7)
    in_order = {job: maker.draw(*job) for job in jobs}
    shuffled = [jobs[number] for number in np.random.default_rng(0).permutation(len(jobs))]
    other = ViewMaker(prepared, policy, 7)
    with ThreadPoolExecutor(4) as pool:
        in_threads = dict(zip(shuffled, pool.map(lambda job: other.draw(*job), shuffled), strict=True))
    for job in jobs:
        np.testing.assert_array_equal(in_order[job][0], in_threads[job][0])
        np.testing.assert_array_equal(in_order[job][1], in_threads[job][1])


@pytest.mark.parametrize("policy", PHANTOM.values(), ids=PHANTOM)
def test_views_do_not_depend_on_images_of_other_splits(
    prepared: Prepared, policy: Policy, build_prepared: Build
) -> None:
    train = prepared.table.iloc[:6]
    columns = {name: list(train[name]) for name in ("label_index", "split", "path")}
    alone = ViewMaker(build_prepared(images=prepared.images[:6], **columns), policy, 7)
    among_others = ViewMaker(prepared, policy, 7)
    for row in range(6):
        for expected, found in zip(among_others.draw(row, 1), alone.draw(row, 1), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_an_unmixed_view_depends_on_no_other_image(prepared: Prepared, build_prepared: Build) -> None:
    path = prepared.table["path"].iloc[4]
    single = build_prepared(images=prepared.images[4:5], label_index=[0], split=["train"], path=[path])
    expected, _ = ViewMaker(prepared, PHANTOM["strong"], 7).draw(4, 2)
    found, _ = ViewMaker(single, PHANTOM["strong"], 7).draw(0, 2)
    np.testing.assert_array_equal(found, expected)


def test_each_seed_number_and_image_has_its_own_view(build_prepared: Build) -> None:
    twins = build_prepared(images=np.repeat(textured(1), 2, axis=0), label_index=[0, 1], split=["train"] * 2)
    keys = [(seed, view, row) for seed in (0, 1) for view in (0, 1) for row in (0, 1)]
    views = {ViewMaker(twins, PHANTOM["strong"], seed).draw(row, view)[0].tobytes() for seed, view, row in keys}
    assert len(views) == len(keys)


@pytest.mark.parametrize("method", ["cutmix", "mixup"])
def test_the_partner_comes_from_the_same_split_and_fold(build_prepared: Build, method: str) -> None:
    splits = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    folds = [0, 1] * 6 + [-1] * 4
    every_its_own_class = list(range(16))
    prepared = build_prepared(label_index=every_its_own_class, split=splits, fold=folds)
    maker = ViewMaker(prepared, mixing(method), 0)
    cells = list(zip(splits, folds, strict=True))
    for row in range(16):
        partners = {int(other) for view in range(40) for other in np.flatnonzero(maker.draw(row, view)[1])} - {row}
        assert partners == {other for other in range(16) if cells[other] == cells[row]} - {row}


def test_the_label_of_a_cutmix_is_its_share_of_pixels(build_prepared: Build) -> None:
    pixels = np.zeros((6, 16, 16, 1), np.uint8) + np.arange(6, dtype=np.uint8)[:, None, None, None]
    prepared = build_prepared(images=pixels, label_index=list(range(6)), split=["train"] * 6)
    maker = ViewMaker(prepared, mixing("cutmix"), 0)
    mixed = 0
    for row in range(6):
        for view in range(10):
            image, label = maker.draw(row, view)
            np.testing.assert_allclose(label, np.bincount(image.ravel(), minlength=6) / image.size, atol=1e-6)
            mixed += np.count_nonzero(label) == 2
    assert mixed > 30


def test_the_label_of_a_mixup_is_its_share_of_brightness(build_prepared: Build) -> None:
    images = np.zeros((2, 4, 4, 1), np.uint8)
    images[1] = 200
    prepared = build_prepared(images=images, label_index=[0, 1], split=["train"] * 2)
    maker = ViewMaker(prepared, mixing("mixup"), 0)
    drawn = [maker.draw(row, view) for row in range(2) for view in range(20)]
    for image, label in drawn:
        assert np.unique(image).size == 1
        assert abs(float(image[0, 0, 0]) - 200 * float(label[1])) <= 0.5 + 1e-3
    assert len({float(label[1]) for _, label in drawn}) == len(drawn)


def test_the_partner_is_augmented_too(build_prepared: Build) -> None:
    images = np.zeros((2, 4, 4, 1), np.uint8)
    images[1] = 200
    prepared = build_prepared(images=images, label_index=[0, 1], split=["train"] * 2)
    inverted = Policy.model_validate({"transforms": [{"InvertImg": {"p": 1.0}}], "mix": {"method": "mixup"}})
    for view in range(10):
        image, label = ViewMaker(prepared, inverted, 0).draw(0, view)
        assert abs(float(image[0, 0, 0]) - (255 * float(label[0]) + 55 * float(label[1]))) <= 0.5 + 1e-3


@pytest.mark.parametrize("method", ["cutmix", "mixup"])
def test_labels_sum_to_one_and_partners_of_the_same_class_add_up(build_prepared: Build, method: str) -> None:
    prepared = build_prepared(label_index=[0, 0, 0, 1], split=["train"] * 4)
    maker = ViewMaker(prepared, mixing(method), 0)
    labels = np.stack([maker.draw(row, view)[1] for row in range(4) for view in range(20)])
    assert labels.dtype == np.float32
    assert labels.min() >= 0
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)
    assert (labels[:60, 0] > 1 - 1e-6).any()


def test_an_image_alone_in_its_cell_is_not_mixed(build_prepared: Build) -> None:
    prepared = build_prepared(label_index=[0, 1, 0], split=["train", "train", "val"])
    image, label = ViewMaker(prepared, mixing("cutmix"), 0).draw(2, 0)
    np.testing.assert_array_equal(image, prepared.images[2])
    assert label.tolist() == [1.0, 0.0]


def test_views_are_mixed_with_the_given_probability(build_prepared: Build) -> None:
    prepared = build_prepared(label_index=[0, 1], split=["train"] * 2)
    maker = ViewMaker(prepared, mixing("mixup", probability=0.25), 0)
    mixed = [maker.draw(row, view)[1].max() < 1 for row in range(2) for view in range(200)]
    assert abs(np.mean(mixed) - 0.25) < 0.09  # four standard errors


def test_a_policy_that_does_not_fit_the_images_is_an_error_before_drawing(prepared: Prepared) -> None:
    with pytest.raises(UserError, match=r"^augmentation: transforms\[0\]: ChannelDropout fails on an image of 1 chan"):
        ViewMaker(prepared, Policy(transforms=[{"ChannelDropout": {}}]), 0)


def test_drawing_in_threads_does_not_change_the_warning_filters(prepared: Prepared) -> None:
    before = list(warnings.filters)
    for _ in range(5):
        maker = ViewMaker(prepared, PHANTOM["strong"], 7)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(maker.draw, [0, 1, 2, 3, 4, 5] * 4, [0] * 24))
    assert list(warnings.filters) == before


def test_no_module_searches_the_network_for_a_newer_albumentations() -> None:
    """Albumentations is imported by one module, here the first import of a process that any request ends."""
    package = Path(augmentation.__file__).parent
    for_types = "if TYPE_CHECKING:\n    import albumentations"
    texts = {path.stem: path.read_text("utf-8").replace(for_types, "") for path in package.glob("*.py")}
    importers = [name for name, text in texts.items() if "import albumentations" in text]
    assert importers == ["policy"]
    code = "import os, urllib.request as r; r.OpenerDirector.open = lambda *_, **__: os._exit(7); "
    code += "import medtransfer.augmentation.policy"
    environment = os.environ | {"NO_ALBUMENTATIONS_UPDATE": "", "PYTHONPATH": str(package.parents[1])}
    del environment["NO_ALBUMENTATIONS_UPDATE"]
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
