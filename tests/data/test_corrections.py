"""Labels that somebody corrected: applied by path, counted, and refused if they belong to other labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medtransfer.data.corrections import correct_labels
from medtransfer.data.targets import TARGETS
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

from .sets import SPLIT_SET, data_of, prepared_from, write_images

TABLE = pd.DataFrame({"path": ["a.png", "b.png", "c.png", "d.png"], "label": ["cyst", "mass", "mass", "cyst"]})


def corrected(
    folder: Path, text: str, kind: str = "classes", table: pd.DataFrame = TABLE
) -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    (folder / "fixed.csv").write_text(text, encoding="utf-8")
    return correct_labels(table, folder / "fixed.csv", TARGETS[kind], ["without.png"])


def test_labels_are_changed_kept_or_left_out(tmp_path: Path) -> None:
    lines = ["path,label,corrected,suggested", "a.png,cyst,mass,mass", "b.png,mass,,cyst", "c.png,mass,-,cyst"]
    text = "\n".join([*lines, "without.png,x,mass,", ""])
    table, out, about = corrected(tmp_path, text)
    assert table["label"].tolist() == ["mass", "mass", "cyst"]
    assert out == ["c.png"]
    assert about == {"file": "fixed.csv", "reviewed": 4, "changed": 1, "labels": [["a.png", "cyst", "mass"]]}


def test_findings_are_corrected_as_they_are_displayed(tmp_path: Path) -> None:
    table = pd.DataFrame({"path": ["a.png", "b.png"], "label": ["cyst|mass", "no finding"]})
    found, _, _ = corrected(tmp_path, "path,corrected\na.png,cyst\nb.png,mass|cyst\n", "findings", table)
    assert found["label"].tolist() == ["cyst", "cyst|mass"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,label\na.png,cyst\n", "no column 'corrected'"),
        ("path,corrected\nz.png,mass\n", "z.png: is not an image of the set"),
        ("path,corrected\na.png,mas\n", "a.png: no label 'mas'"),
        ("path,label,corrected\na.png,mass,normal\n", "was corrected from 'mass', but its label is 'cyst'"),
        ("path,corrected\na.png,mass\na.png,cyst\n", "a.png: has several lines"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        corrected(tmp_path, text)


def test_the_prepared_set_has_the_corrected_labels_and_its_page_counts_them(tmp_path: Path) -> None:
    raw = write_images(tmp_path / "raw", *SPLIT_SET)
    before, _ = prepared_from(raw, data_of())
    image = before.table.iloc[0]
    other = next(name for name in before.classes if name != image["label"])
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions/fixed.csv").write_text(f"path,corrected\n{image['path']},{other}\n", encoding="utf-8")
    after, audit = prepared_from(raw, data_of(labels={"corrections": "extensions/fixed.csv"}))
    assert after.table.set_index("path").loc[image["path"], "label"] == other
    assert audit["corrections"]["changed"] == 1
    assert "1 labels were reviewed, 1 of them changed" in Places(raw.parent).audit_page.read_text(encoding="utf-8")
