"""The comparison of two variants: confusions, differences, and the images they differ on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medtransfer.report.material import Material
from medtransfer.report.sections.pairs import (
    class_choice,
    confusion_rows,
    content,
    frequent_confusions,
    mask_choice,
)
from medtransfer.report.thumbnails import outline_of

from ..comparison import make_comparison
from ..masks import SHIFTS, opaque, true_masks
from ..study import VARIANTS

CONFUSION = pd.DataFrame(
    [("a", "a", 6, 0.75), ("a", "b", 2, 0.25), ("b", "a", 3, 0.003), ("b", "b", 997, 0.997)],
    columns=["label", "predicted", "count", "share"],
)


def test_confusions_are_shares_of_the_label_written_as_percent() -> None:
    rows = confusion_rows(CONFUSION, ("a", "b", "c"))
    assert rows == [
        ("a", [(0.75, "75"), (0.25, "25"), (0.0, "")]),
        ("b", [(0.003, ""), (0.997, "100"), (0.0, "")]),
        ("c", [(0.0, ""), (0.0, ""), (0.0, "")]),
    ]


def test_the_most_frequent_confusions_come_first() -> None:
    assert frequent_confusions(CONFUSION) == [("b", "a", "< 1"), ("a", "b", "25")]


def test_for_many_classes_the_most_frequent_confusions_replace_the_matrix(material: Material) -> None:
    classes = tuple(f"class {number:02}" for number in range(31))
    mistakes = [(name, classes[number], 2 if number else 9, 0.5) for name in VARIANTS for number in range(3)]
    confusion = pd.DataFrame(
        [(name, classes[30], said, count, share) for name, said, count, share in mistakes],
        columns=["variant", "label", "predicted", "count", "share"],
    )
    found = make_comparison(classes=classes, confusion=confusion, images=material.found.images.iloc[:0])
    details = content(Material(found, material.places))["details"][0]
    assert details["confusion"] == []
    assert details["confusions"][0] == (classes[30], classes[0], "50")


@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_is_found_in_either_order(material: Material, turned: bool) -> None:
    pairs = material.found.pairs
    if turned:
        ends = {"a": "b", "b": "a", "low": "high", "high": "low"}
        pairs = pairs.rename(columns=ends).assign(
            difference=-pairs["difference"], low=-pairs["high"], high=-pairs["low"]
        )
    turned_material = Material(make_comparison(pairs=pairs), material.places)
    content(turned_material)
    assert turned_material.script["compared"] == list(VARIANTS)
    assert turned_material.script["values"][0] == [0.9, 0.95]
    assert turned_material.script["pairs"]["0 2"][1] is None  # the table of pairs says nothing of ROC-AUC
    assert len(turned_material.script["pairs"]) == 6
    assert turned_material.script["pairs"]["0 2"][0] == [0.3, 0.2, 0.4, 0.012, True, [["McNemar's test", 0.02]]]


def test_the_script_gets_class_numbers_that_match_its_names(material: Material) -> None:
    choice = class_choice(material, list(VARIANTS[:2]))
    table = material.found.images.set_index(["variant", "path"])
    for image in choice["images"]:
        for name, number in zip(VARIANTS, image["predicted"], strict=False):
            assert choice["classes"][number] == table.loc[(name, image["path"]), "predicted"]
        assert choice["classes"][image["label"]] == table.loc[(VARIANTS[0], image["path"]), "label"]


def test_the_script_gets_counts_of_all_masks_and_outlines_of_some(mask_material: Material) -> None:
    choice = mask_choice(mask_material, list(SHIFTS))
    better = np.array(choice["betterMask"])
    assert (better[0, 1:] == (true_masks().sum(axis=(1, 2)) > 0).sum()).all()
    assert (np.diag(better) == 0).all()
    for image in choice["masks"]:
        assert image["dice"] == sorted(image["dice"], reverse=True)
        shifted = np.roll(true_masks()[int(image["path"][5:8])], SHIFTS["small_frozen"], axis=1)
        np.testing.assert_array_equal(opaque(image["outlines"][2]), opaque(outline_of(shifted)))


def test_a_task_without_classes_or_masks_has_no_such_images(material: Material) -> None:
    without_classes = Material(make_comparison(classes=()), material.places)
    assert class_choice(without_classes, list(VARIANTS)) == {"images": []}
    assert mask_choice(material, list(SHIFTS)) == {"masks": []}
