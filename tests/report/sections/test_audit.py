"""The section of the data shows the audit that `prepare` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from builders import tiny_prepared

from medtransfer.comparison.compare import Places
from medtransfer.report.material import Material
from medtransfer.report.page import write_report
from medtransfer.report.sections import audit as section

from ..comparison import make_comparison
from ..study import CLASSES


def test_the_audit_that_prepare_writes_is_shown(places: Places, tmp_path: Path) -> None:
    prepared = tiny_prepared(tmp_path / "real")
    audit = json.loads((tmp_path / "real/metrics/data.json").read_text(encoding="utf-8"))
    found = make_comparison(audit=audit)
    content = section.content(Material(found, places))
    counted = pd.DataFrame([row["counts"] for row in content["classes"]]).map(lambda cell: cell[0])
    for number, split in enumerate(content["splits"]):
        expected = prepared.table[prepared.table["split"] == split]["label"].value_counts()
        assert dict(zip(prepared.classes, counted[number], strict=True)) == expected.to_dict()
    write_report(found, places)


def test_sentences_and_facts(material: Material) -> None:
    content = section.content(material)
    assert content["facts"] == {
        "Images": "60 in 30 groups",
        "Excluded": "2 images: 2 unreadable",
        "Classes without images": f"{CLASSES[1]} in validation",
        "Distinct image sizes": "3",
    }
    assert content["duplicates"] == [
        "1 set of exact duplicates, 1 with contradictory labels.",
        "3 pairs of near duplicates, 2 of them across published splits, 1 with contradictory labels.",
        "As published, 2 groups are in more than one split: 3 of 24 test images have a copy or an image of their "
        "group in training or validation, and 1 of 12 validation images have one in training.",
    ]
    assert content["classes"][0]["looks"] == ["L 18, RGB 2", "png", "320 (300–640)", "240", "80.5 (60–99)"]


def test_shortcuts_and_masks(places: Places) -> None:
    audit = make_comparison().audit | {"masks": {"empty": 1, "classes": {"head": {"images": 9, "mean_share": 0.25}}}}
    content = section.content(Material(make_comparison(audit=audit), places))
    (row,) = content["shortcuts"]
    assert row["target"] == "the class"
    cells = [cell and (cell["point"], cell["left"], cell["width"], cell["zero"]) for cell in row["cells"]]
    assert cells == [(60.0, 50.0, 20.0, 33.3), None, None, None, (60.0, 50.0, 20.0, 33.3)]
    assert content["masks"] == {"empty": 1, "rows": [("head", 9, "25.00%")]}
