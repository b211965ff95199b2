"""Helpers that write small sets and detect their layouts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import as_yaml, read_layout
from medtransfer.study import Layout
from medtransfer.util.errors import UserError

AUTO = Layout(kind="auto")
CLASSES = "cyst/a.png cyst/b.png normal/c.png"
SPLITS = "train/cyst/a.png train/normal/b.png test/cyst/c.png"


def below(folder: str, names: str) -> str:
    return " ".join(f"{folder}/{name}" for name in names.split())


def detected(root: Path) -> str:
    return as_yaml(resolve_layout(root, AUTO))


def refusal(root: Path, layout: Layout = AUTO) -> str:
    with pytest.raises(UserError) as raised:
        resolve_layout(root, layout)
    (line,) = raised.value.problems
    return line.replace(str(root), "RAW")


def understood(root: Path) -> list[tuple[Any, ...]]:
    table = read_layout(root, resolve_layout(root, AUTO))
    return [tuple(row) for row in table[["path", "label", "split"]].itertuples(index=False)]


def choices_of(line: str) -> list[Layout]:
    """Return the layouts that an error offers."""
    offered = line.partition("name one: data.layout: ")[2]
    texts = re.findall(
        r"(\{kind: (?:[^{}]|\{[^{}]*\})*\}|class_folders|split_folders|class_split_folders)(?= \(classes)", offered
    )
    values = [yaml.safe_load(text) for text in texts]
    return [Layout.model_validate({"kind": value} if isinstance(value, str) else value) for value in values]
