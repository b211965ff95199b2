"""The leakage gate: its error line and its figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medtransfer.data.audit.leakage import pass_gate
from medtransfer.data.audit.pairs import sibling_pairs
from medtransfer.study import Data
from medtransfer.util.errors import UserError

from ..sets import data_of

IMAGES = np.zeros((9, 8, 8, 1), np.uint8)
# by key: p1 trains and tests; by pixels: rows 2 and 6 are equal, 3 and 7 nearly; p5 trains and validates
TABLE = pd.DataFrame(
    {
        "path": [f"{row}.png" for row in range(9)],
        "label": ["cyst", "mass"] * 4 + ["cyst"],
        "split": ["train"] * 5 + ["test"] * 3 + ["val"],
        "key": ["p1", "p2", "p3", "p4", "p5", "p1", "p6", "p7", "p5"],
        "sha256": ["a", "b", "c", "d", "e", "f", "c", "g", "h"],
        "group": ["p1", "p2", "p3", "p4", "p5", "p1", "p3", "p4", "p5"],
    }
)
NEAR = pd.DataFrame({"first": [3], "second": [7], "mirrored": [False], "inliers": [50]})


def rule(leakage: str, **split: Any) -> Data:
    return data_of(group=None, leakage=leakage, split={"method": "published", "validation": 0.01} | split)


def through(data: Data, picture: Path) -> str | None:
    try:
        pass_gate(TABLE, sibling_pairs(TABLE, NEAR), IMAGES, data, picture)
    except UserError as error:
        (line,) = error.problems
        return line
    return None


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ({}, "2 group keys, 1 sets of exact duplicates, 1 pairs of near duplicates"),
        ({"folds": 2}, "1 group keys, 1 sets of exact duplicates, 1 pairs of near duplicates"),
    ],
    ids=["validation as published", "validation drawn again"],
)
def test_leaks_are_counted_by_kind_and_drawn(tmp_path: Path, split: dict[str, Any], counts: str) -> None:
    picture = tmp_path / "state" / "leaks.png"
    line = through(rule("fail", **split), picture)
    assert line is not None
    assert f"({counts}; side by side in {picture})" in line
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in picture.parent.iterdir()] == ["leaks.png"]


def test_a_path_below_the_current_folder_is_shown_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = through(rule("fail"), tmp_path / "state" / "leaks.png")
    assert line is not None
    assert "side by side in state/leaks.png" in line


@pytest.mark.parametrize("leakage", ["report", "drop", "regroup"])
def test_other_settings_pass_and_remove_an_old_figure(tmp_path: Path, leakage: str) -> None:
    (tmp_path / "leaks.png").write_bytes(b"of an earlier run")
    assert through(rule(leakage), tmp_path / "leaks.png") is None
    assert list(tmp_path.iterdir()) == []
