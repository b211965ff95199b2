"""Layouts are registered: one that is added from outside is detected, read and described like the others."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pytest

from medtransfer.data.layouts import LAYOUTS, LayoutFormat, Reading
from medtransfer.data.layouts.describe import describe_set
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import as_yaml, read_layout
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

from .detection import AUTO, CLASSES

PREFIXES = Layout(kind="prefixes")


def read(root: Path, layout: Layout, images: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    rows = [{"path": path.name, "label": path.name.partition("_")[0], "split": None} for path in images]
    return pd.DataFrame(rows), []


def detect(root: Path, files: list[PurePosixPath]) -> list[Reading]:
    named = files and all("_" in file.name and file.parent == PurePosixPath() for file in files)
    return [Reading(PREFIXES, "named", ("cyst", "normal"))] if named else []


@pytest.fixture(autouse=True)
def prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "one_hot_csv" in LAYOUTS
    monkeypatch.setattr(LAYOUTS, "_items", dict(LAYOUTS))
    LAYOUTS.register("prefixes", LayoutFormat(read, detect))  # type: ignore[arg-type]


def test_a_layout_is_added_from_outside_by_registering_it(write_set: Any) -> None:
    root = write_set("cyst_1.png cyst_2.png normal_1.png")
    layout = resolve_layout(root, AUTO)
    table = read_layout(root, layout)
    assert as_yaml(layout) == "prefixes"
    assert list(table["label"]) == ["cyst", "cyst", "normal"]
    assert "ignored  nothing" in describe_set(root, layout, table)


def test_the_other_layouts_are_detected_as_before(write_set: Any) -> None:
    assert as_yaml(resolve_layout(write_set(CLASSES), AUTO)) == "class_folders"


def test_an_unknown_layout_is_an_error_that_names_the_nearest(write_set: Any) -> None:
    with pytest.raises(UserError, match="no layout 'clas_folders'; did you mean 'class_folders'"):
        read_layout(write_set(CLASSES), Layout(kind="clas_folders"))
