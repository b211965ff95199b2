"""Kept and fresh views, and their contact sheet."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medtransfer.augmentation import store
from medtransfer.augmentation.contact_sheet import write_contact_sheet
from medtransfer.augmentation.store import open_views, view_pixels, write_views
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.disk_cache import LIMIT_VARIABLE
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


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder; return its folder of caches."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".medtransfer/features"


def keep(monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    """Let all views be kept, or none without mixing."""
    monkeypatch.setattr(store, "WORTH", 0.0 if kept else float("inf"))


@pytest.mark.parametrize("mix", [None, "cutmix", "mixup"])
def test_kept_and_drawn_views_of_one_number_are_equal(
    prepared: Prepared, tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch, mix: str | None
) -> None:
    """Whether views are kept changes neither what training depends on nor any hash."""
    policies = policy_of(3, mix=mix), policy_of("fresh", mix=mix)
    drawn, fresh = (open_views(prepared, policy, 5) for policy in policies)
    rows = np.array([7, 0, 3])
    expected = [(view_pixels(views, rows, 1), views.labels(rows, 1)) for views in (drawn, fresh)]
    keep(monkeypatch, True)
    write_views(prepared, policies[0], 5, tmp_path / "kept")
    monkeypatch.setattr("medtransfer.augmentation.views.ViewMaker.draw", None)  # from now on they are read
    kept = open_views(prepared, policies[0], 5)
    for pixels, labels in expected:
        np.testing.assert_array_equal(view_pixels(kept, rows, 1), pixels)
        np.testing.assert_array_equal(kept.labels(rows, 1), labels)
    assert {views.source(1).sha256 for views in (kept, drawn, fresh)} == {kept.source(1).sha256}
    assert kept.source(0).sha256 != kept.source(1).sha256
    assert [kept.view_of(epoch) for epoch in range(5)] == [0, 1, 2, 0, 1]
    assert [fresh.view_of(epoch) for epoch in range(5)] == [0, 1, 2, 3, 4]
    assert (kept.count, fresh.count) == (3, None)
    assert np.load(next(caches.glob("*/views.npy"))).shape == (3, len(LEARNABLE), 16, 16, 1)


@pytest.mark.parametrize("limit", ["10", "0"])
def test_views_are_kept_within_the_limit_and_where_reading_them_is_faster(
    prepared: Prepared, tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, limit)
    outs = []
    for number, (kept, mix) in enumerate([(False, None), (False, "cutmix"), (True, None)]):
        keep(monkeypatch, kept)
        write_views(prepared, policy_of(3, mix=mix), 5, tmp_path / f"{number}")
        outs.append(sha256_of_folder(tmp_path / f"{number}"))
        assert len(list(caches.glob("*/views.npy"))) == (number if limit == "10" else 0)
    assert outs[0] == outs[2]


def test_deleted_views_are_drawn_again(
    prepared: Prepared, tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(monkeypatch, True)
    write_views(prepared, policy_of(3), 5, tmp_path / "views")
    before = view_pixels(open_views(prepared, policy_of(3), 5), np.array([6, 1]), 2)
    shutil.rmtree(caches)
    np.testing.assert_array_equal(view_pixels(open_views(prepared, policy_of(3), 5), np.array([6, 1]), 2), before)


def test_fresh_views_of_later_epochs_are_new(prepared: Prepared) -> None:
    fresh = open_views(prepared, policy_of("fresh"), 5)
    seen = {view_pixels(fresh, np.array([1]), fresh.view_of(epoch)).tobytes() for epoch in range(12)}
    assert len(seen) == 12


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_mixed_labels_are_soft_and_sum_to_one(prepared: Prepared, tmp_path: Path, mix: str) -> None:
    policy = policy_of(4, mix=mix)
    write_views(prepared, policy, 5, tmp_path / "views")
    views = open_views(prepared, policy, 5)
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
    opened = open_views(prepared, policy, 5)
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
    before = sha256_of_folder(tmp_path / "views")
    with pytest.raises(UserError):
        write_views(prepared, policy_of(2, transforms=[{"ChannelDropout": {}}]), 5, tmp_path / "views")
    assert sha256_of_folder(tmp_path / "views") == before


def test_a_contact_sheet_has_one_column_per_view_and_reproducible_bytes(prepared: Prepared, tmp_path: Path) -> None:
    widths, pages = {}, []
    for number, policy in enumerate((policy_of(3, mix="cutmix"), policy_of("fresh"), policy_of(3, mix="cutmix"))):
        folder, sheet = tmp_path / f"views{number}", tmp_path / f"{number}.png"
        write_views(prepared, policy, 5, folder)
        write_contact_sheet(prepared, open_views(prepared, policy, 5), "tiny", sheet)
        pages.append(sheet.read_bytes())
        with Image.open(sheet) as image:
            widths[policy.views] = image.width
    assert widths["fresh"] / widths[3] == pytest.approx(8 / 4, rel=0.1)  # the original and 7 views, or 3
    assert pages[0] == pages[2] != pages[1]
