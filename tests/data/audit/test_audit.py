"""The audit: counts in sets of known contents, and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fetal_phantom import write_phantom
from medtransfer.data.audit.shortcuts import ALL
from medtransfer.data.prepare import prepare
from medtransfer.study import Data
from medtransfer.util.places import Places

from ..sets import data_of


def found_data(**fields: Any) -> Data:
    return data_of(**({"layout": "auto", "group": None, "leakage": "report"} | fields))


def audited(folder: Path, data: Data) -> tuple[dict[str, Any], list[str]]:
    """Prepare the set in folder/raw; return its audit and the lines of its page, without the spaces of tables."""
    audit = prepare(folder / "raw", data, 1, Places(folder))
    lines = (folder / "metrics/data.md").read_text(encoding="utf-8").splitlines()
    return audit, [" ".join(line.split()) for line in lines]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[str]]:
    """Return the audit of 240 images: class `small` is smaller, `rare` is not in test, one image has two labels."""
    folder, rng = tmp_path_factory.mktemp("planted"), np.random.default_rng(0)
    for split, count in (("train", 80), ("test", 40)):
        for label, side in (("large", 40), ("small", 24)):
            (folder / "raw" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (side, side + number % 2), np.uint8)
                Image.fromarray(pixels).save(folder / "raw" / split / label / f"{number}.png")
    (folder / "raw/train/rare").mkdir()
    for number in range(3):
        pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"raw/train/rare/{number}.jpg")
    copied = (folder / "raw/train/large/0.png").read_bytes()
    (folder / "raw/test/small/copy.png").write_bytes(copied)
    return audited(folder, found_data(labels={"aliases": {"rare": "rare"}}))


def test_classes_missing_from_a_split_are_reported(planted: tuple[dict[str, Any], list[str]]) -> None:
    audit, page = planted
    assert audit["classes_missing"]["test"] == ["rare"]
    assert "**No images in test**: rare." in page
    train, val, test = (audit["class_counts_by_split"][split]["large"] for split in ("train", "val", "test"))
    assert f"| large | {train} | {val} | {test} | 120 |" in page
    assert (train + val, test) == (80, 40)


def test_one_image_with_two_labels_is_reported(planted: tuple[dict[str, Any], list[str]]) -> None:
    audit, page = planted
    pair = ["test/small/copy.png", "train/large/0.png"]
    assert audit["exact_duplicates"]["contradictory"] == [pair]
    assert audit["exact_duplicates"]["sets_across_splits"] == 1
    assert "| Exact duplicates, sets | 1 | 1 | 1 |" in page
    assert "- `test/small/copy.png`, `train/large/0.png`" in page
    assert any(line.startswith("As published, 1 group is in more than one split: 1 of 81 test") for line in page)


def test_appearance_is_reported_by_class_and_by_split(planted: tuple[dict[str, Any], list[str]]) -> None:
    audit, page = planted
    rare = audit["appearance"]["class"]["rare"]
    assert (rare["images"], rare["width"], rare["modes"], rare["file_types"]) == (
        3,
        [32, 32, 32],
        {"RGB": 3},
        {"jpg": 3},
    )
    assert set(audit["appearance"]["split"]) == {"train", "val", "test"}
    least, median, greatest = audit["appearance"]["class"]["small"]["brightness"]
    assert f"| small | L | png | 25 (24–40) | 24 (24–40) | {median:g} ({least:g}–{greatest:g}) | 121 |" in page


def test_a_shortcut_is_on_the_page_and_in_the_warnings(planted: tuple[dict[str, Any], list[str]]) -> None:
    audit, page = planted
    assert audit["shortcuts"]["class"]["strong"]
    assert audit["shortcuts"]["class"]["scores"]["size"]["balanced_accuracy"] > 0.97
    assert not audit["shortcuts"]["test"]["strong"]
    (warning,) = (line for line in audit["warnings"] if line.startswith("SHORTCUT"))
    assert f"> **Warning.** {warning}" in page
    assert any(line.startswith("| the class |") for line in page)
    assert any(line.startswith("| test images from the others |") for line in page)


def test_different_test_images_are_reported_unless_the_split_is_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split, high in (("train", 256), ("test", 128)):
        for label in "ab":
            (tmp_path / "raw" / split / label).mkdir(parents=True)
            for number in range(40):
                pixels = rng.integers(0, high, (20, 20), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "raw" / split / label / f"{number}.png")
    audit, _ = audited(tmp_path, found_data())
    assert [line.split(":")[0] for line in audit["warnings"]][:2] == ["NO GROUP KEY", "SHIFT"]
    assert audit["shortcuts"]["test"]["scores"][ALL]["balanced_accuracy"] > 0.97
    audit, _ = audited(tmp_path, found_data(split={"method": "random"}))
    assert set(audit["shortcuts"]) == {"class"}


def test_the_audit_agrees_with_the_simulation(tmp_path: Path) -> None:
    write_phantom(tmp_path / "raw", patients=40, frames=2, size=40, difficulty=0.0, split_by="patient", seed=1)
    data = found_data(source="phantom", phantom={}, layout="one_hot_csv", group={"pattern": r"^(patient\d+)_"})
    audit, page = audited(tmp_path, data)
    truth = pd.read_csv(tmp_path / "raw/anatomy.csv")
    assert (audit["images"], audit["left_out"], audit["channels"]) == (len(truth), 0, 1)
    assert audit["groups"] == audit["group_keys"] == truth["patient"].nunique()
    assert audit["class_counts"] == truth["class"].value_counts().to_dict()
    assert audit["modes"] == {"L": len(truth)}
    assert audit["exact_duplicates"]["sets"] == audit["near_duplicates"]["pairs"] == audit["crossing"]["groups"] == 0
    assert f"| Images | {len(truth)} |" in page
    assert audit["warnings"][0].startswith("SIMULATION")
    assert not any(line.startswith("SHORTCUT") for line in audit["warnings"])


def test_long_lists_are_shortened_with_their_length(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in "ab":
            (tmp_path / "raw" / split / label).mkdir(parents=True)
    for number in range(60):
        image = Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8))
        for folder in ("train/a", "test/b"):
            image.save(tmp_path / "raw" / folder / f"{number:02}.png")
    for folder in ("train/b", "test/a"):
        for number in range(60):
            image = Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8))
            image.save(tmp_path / "raw" / folder / f"{number:02}.png")
    audit, page = audited(tmp_path, found_data())
    exact = audit["exact_duplicates"]
    assert (exact["contradictory_sets"], len(exact["contradictory"]), len(exact["paths"])) == (60, 50, 50)
    assert "Exact duplicates with different labels, 10 of 60:" in page
    assert sum(line.startswith("- `") for line in page) == 10
