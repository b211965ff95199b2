"""What is shown of two variants: confusions against counts made by hand, differences against the table of pairs."""

from __future__ import annotations

import pandas as pd
import pytest

from medtransfer.report.pairs import confusion_rows, frequent_confusions, pairs_section
from medtransfer.report.section import Material

from .comparison import make_comparison
from .study import VARIANTS

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


def test_many_classes_have_their_commonest_mistakes_in_place_of_the_matrix(material: Material) -> None:
    classes = tuple(f"class {number:02}" for number in range(31))
    mistakes = [(name, classes[number], 2 if number else 9, 0.5) for name in VARIANTS for number in range(3)]
    confusion = pd.DataFrame(
        [(name, classes[30], said, count, share) for name, said, count, share in mistakes],
        columns=["variant", "label", "predicted", "count", "share"],
    )
    found = make_comparison(classes=classes, confusion=confusion, images=material.found.images.iloc[:0])
    section = pairs_section(Material(found, material.places))
    assert section is not None
    details = section.content["details"][0]
    assert details["confusion"] == []
    assert details["confusions"][0] == (classes[30], classes[0], "50")


@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_is_found_whichever_way_the_table_has_it(material: Material, turned: bool) -> None:
    pairs = material.found.pairs
    if turned:
        ends = {"a": "b", "b": "a", "low": "high", "high": "low"}
        pairs = pairs.rename(columns=ends).assign(
            difference=-pairs["difference"], low=-pairs["high"], high=-pairs["low"]
        )
    turned_material = Material(make_comparison(pairs=pairs), material.places)
    pairs_section(turned_material)
    assert turned_material.script["compared"] == list(VARIANTS)
    assert turned_material.script["values"][0] == [0.9, 0.95]
    assert turned_material.script["pairs"]["0 2"][1] is None  # the table of pairs says nothing of ROC-AUC
    assert len(turned_material.script["pairs"]) == 6
    assert turned_material.script["pairs"]["0 2"][0] == [0.3, 0.2, 0.4, 0.012, True, [["McNemar's test", 0.02]]]
