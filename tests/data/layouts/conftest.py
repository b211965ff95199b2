"""Sets of empty image files and small CSVs: a layout reads names, never pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from medtransfer.data.layouts.read import read_layout
from medtransfer.study import Layout
from medtransfer.util.errors import UserError


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes files by their paths: images without content, other files with theirs."""

    def write(images: str, files: Mapping[str, str] | None = None) -> Path:
        root = tmp_path / "raw"
        for name, content in (dict.fromkeys(images.split(), "") | dict(files or {})).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content, encoding="utf-8")
        return root

    return write


@pytest.fixture
def rows_of() -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that reads a set and returns its rows as (path, label, split)."""

    def read(root: Path, /, **layout: Any) -> list[tuple[Any, ...]]:
        table = read_layout(root, Layout(**layout))
        return [tuple(row) for row in table[["path", "label", "split"]].itertuples(index=False)]

    return read


@pytest.fixture
def problems_of() -> Callable[..., list[str]]:
    """Return a function that reads a set in vain and returns the error lines."""

    def read(root: Path, /, **layout: Any) -> list[str]:
        with pytest.raises(UserError) as raised:
            read_layout(root, Layout(**layout))
        return [problem.replace(str(root), "RAW") for problem in raised.value.problems]

    return read
