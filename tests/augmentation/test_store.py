"""Kept and fresh views, and their contact sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medtransfer.augmentation.contact_sheet import write_contact_sheet
from medtransfer.augmentation.store import open_views, view_pixels, write_views
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_folder

Build = Callable[..., Prepared]
MOVED = [{"HorizontalFlip": {"p": 0.5}}, {"Rotate": {"limit": 20, "p": 1.0}}]
LEARNABLE = [0, 1, 2, 3, 6, 7]


def policy_of(views: int | str = 3, transforms: list[dict[str, Any]] | None = None, mix: str | None = None) -> Policy:
    mixing = None if mix is None else {"method": mix}
    chosen = MOVED if transforms is None else transforms
    return Policy.model_validate({"views": views, "transforms": chosen, "mix": mixing})


@pytest.fixture
def prepared(build_prepared: Build) -> Prepared:
    """Prepare 8 textured images of 2 classes; rows 4 (validation) and 5 (test) never train."""
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), np.uint8)
    splits = ["train"] * 4 + ["val", "test"] + ["train"] * 2
    return build_prepared(images=images, label_index=[0, 1] * 4, split=splits)


@pytest.mark.parametrize("mix", [None, "cutmix", "mixup"])
def test_kept_and_fresh_views_of_one_number_are_equal(prepared: Prepared, tmp_path: Path, mix: str | None) -> None:
    kept_policy, fresh_policy = policy_of(3, mix=mix), policy_of("fresh", mix=mix)
    write_views(prepared, kept_policy, 5, tmp_path / "kept")
    write_views(prepared, fresh_policy, 5, tmp_path / "fresh")
    kept = open_views(prepared, tmp_path / "kept", kept_policy, 5)
    fresh = open_views(prepared, tmp_path / "fresh", fresh_policy, 5)
    rows = np.array([7, 0, 3])
    for view in range(3):
        np.testing.assert_array_equal(view_pixels(kept, rows, view), view_pixels(fresh, rows, view))
        np.testing.assert_array_equal(kept.labels(rows, view), fresh.labels(rows, view))
    assert [kept.view_of(epoch) for epoch in range(5)] == [0, 1, 2, 0, 1]
    assert [fresh.view_of(epoch) for epoch in range(5)] == [0, 1, 2, 3, 4]
    assert (kept.count, fresh.count) == (3, None)
    assert not list((tmp_path / "fresh").glob("*.npy"))


def test_fresh_views_of_later_epochs_are_new(prepared: Prepared, tmp_path: Path) -> None:
    policy = policy_of("fresh")
    fresh = open_views(prepared, tmp_path, policy, 5)
    seen = {view_pixels(fresh, np.array([1]), fresh.view_of(epoch)).tobytes() for epoch in range(12)}
    assert len(seen) == 12


def test_exactly_the_rows_that_train_have_views(prepared: Prepared, tmp_path: Path) -> None:
    write_views(prepared, policy_of(3), 5, tmp_path / "views")
    assert np.load(tmp_path / "views" / "views.npy").shape == (3, len(LEARNABLE), 16, 16, 1)


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_kept_labels_are_soft_and_sum_to_one(prepared: Prepared, tmp_path: Path, mix: str) -> None:
    policy = policy_of(4, mix=mix)
    write_views(prepared, policy, 5, tmp_path / "views")
    views = open_views(prepared, tmp_path / "views", policy, 5)
    labels = np.concatenate([views.labels(np.array(LEARNABLE), view) for view in range(4)])
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)
    assert ((labels > 0.01) & (labels < 0.99)).any()


@pytest.mark.parametrize("views", [1, 4, "fresh"])
def test_a_policy_that_changes_nothing_keeps_no_views_and_returns_the_images(
    prepared: Prepared, tmp_path: Path, views: int | str
) -> None:
    policy = policy_of(views, transforms=[])
    write_views(prepared, policy, 5, tmp_path / "views")
    assert [path.name for path in (tmp_path / "views").iterdir()] == ["views.json"]
    opened = open_views(prepared, tmp_path / "views", policy, 5)
    rows = np.array([2, 7, 1])
    np.testing.assert_array_equal(view_pixels(opened, rows, 0), prepared.images[rows])
    np.testing.assert_array_equal(opened.labels(rows, 0), [[1, 0], [0, 1], [0, 1]])


def test_different_policies_and_seeds_have_different_hashes(prepared: Prepared, tmp_path: Path) -> None:
    records = [
        write_views(prepared, policy, seed, tmp_path / "views")
        for policy, seed in ((policy_of(3), 5), (policy_of(3), 6), (policy_of(3, mix="cutmix"), 5))
    ]
    assert len({record["sha256"] for record in records}) == 3
    assert [record["views"] for record in records] == [3, 3, 3]


def test_a_wrong_policy_leaves_the_old_views(prepared: Prepared, tmp_path: Path) -> None:
    write_views(prepared, policy_of(2), 5, tmp_path / "views")
    before = sha256_of_folder(tmp_path)
    with pytest.raises(UserError):
        write_views(prepared, policy_of(2, transforms=[{"ChannelDropout": {}}]), 5, tmp_path / "views")
    assert sha256_of_folder(tmp_path) == before


def test_a_contact_sheet_has_one_column_per_view_and_reproducible_bytes(prepared: Prepared, tmp_path: Path) -> None:
    widths, pages = {}, []
    for number, policy in enumerate((policy_of(3, mix="cutmix"), policy_of("fresh"), policy_of(3, mix="cutmix"))):
        folder, sheet = tmp_path / f"views{number}", tmp_path / f"{number}.png"
        write_views(prepared, policy, 5, folder)
        write_contact_sheet(prepared, open_views(prepared, folder, policy, 5), "tiny", sheet)
        pages.append(sheet.read_bytes())
        with Image.open(sheet) as image:
            widths[policy.views] = image.width
    assert widths["fresh"] / widths[3] == pytest.approx(8 / 4, rel=0.1)  # the original and 7 views, or 3
    assert pages[0] == pages[2] != pages[1]
