"""Small sets with one oddity each are read, or refused with remedies that work when they are pasted."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from medtransfer.data.images.packed import open_packed
from medtransfer.data.prepare import prepare, read_set
from medtransfer.data.prepared import MASKS
from medtransfer.data.targets import TARGETS
from medtransfer.study import Data
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

BASE: dict[str, Any] = {
    "source": "folder",
    "folder": "somewhere",
    "layout": "auto",
    "masks": None,
    "group": None,
    "image_size": 16,
    "resize": "pad",
    "split": {"method": "random"},
    "leakage": "report",
}
BY_HAND = {
    "mask_other_aspect": "save it with that shape",
    "mask_alpha_only": "save that channel as a grey image",
    "mask_all_empty": "all masks are empty; select other files",
    "multi_page_tiff": "save each as its own file",
}
"""What only other files can mend: the words of the error that say so."""
DECODED = ("truncated_and_html", "multi_page_tiff")
"""Sets of classes whose images cannot all be decoded."""
AT_LEAST = 50
"""The least number of sets that are read without a remedy."""


def changed(data: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return a copy of the section `data` with a value at a dotted key."""
    data = deepcopy(data)
    *path, last = key.split(".")
    section = data
    for name in path:
        section[name] = section[name] if isinstance(section.get(name), dict) else {}
        section = section[name]
    section[last] = value
    return data


def remedies_of(line: str) -> Iterator[list[tuple[str, Any]]]:
    """Yield what a line offers: `data.KEY: VALUE`, further values after `or`, and further keys after `and`."""
    value = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|drop\b|empty\b|class_folders|split_folders"
    for found in re.finditer(rf"data\.([a-z_.]+): ({value})((?: and data\.[a-z]+\.[a-z]+: \w+)*)", line):
        also = [(key, yaml.safe_load(text)) for key, text in re.findall(r"data\.([a-z.]+): (\w+)", found[3])]
        others = re.match(rf"(?:(?: \(classes [^)]*\))? or (?:{value})(?= \(classes|[ ;]|$))*", line[found.end() :])
        for text in (found[2], *re.findall(rf" or ({value})", others[0] if others else "")):
            yield [(found[1], yaml.safe_load(text)), *also]


def read(root: Path, data: dict[str, Any], labelled: bool, work: Path) -> None:
    """Read a set as `prepare` does; if its pixels matter, prepare it."""
    section = Data.model_validate(data)
    if labelled and root.name not in DECODED:
        read_set(root, section, TARGETS["classes"])
        return
    prepare(root, section, 0, Places(work), "any", "classes" if labelled else "masks")
    if not labelled:
        masks = open_packed(Places(work).prepared / MASKS)
        assert any(mask.any() for mask in masks)


@pytest.fixture(scope="module")
def oddities(shared: Path) -> ModuleType:
    if not (shared / "zoo/oddities.py").exists():
        pytest.skip("the sets are not here")
    sys.path.insert(0, str(shared / "zoo"))
    import oddities

    return oddities


def test_every_refused_set_is_read_with_each_of_its_remedies(
    oddities: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, failed = 0, []
    for name, make in oddities.CASES.items():
        root = tmp_path / name
        options = [option.partition("=") for option in make(oddities.Set(root, name)) if option.startswith("data.")]
        data = BASE
        for key, _, value in options:
            data = changed(data, key.removeprefix("data."), yaml.safe_load(value))
        labelled = data["masks"] is None
        try:
            read(root, data, labelled, tmp_path / "work")
            right += 1
            continue
        except UserError as error:
            problems = error.problems
        if name in BY_HAND:
            assert BY_HAND[name] in problems[0], name
            continue
        remedies = [remedy for line in problems for remedy in remedies_of(line)]
        failed += [] if remedies else [f"{name}: no remedy in {problems}"]
        for remedy in remedies:
            mended = data
            for key, value in remedy:
                mended = changed(mended, key, value)
            try:
                read(root, mended, labelled, tmp_path / "work")
            except UserError as error:
                failed.append(f"{name}: {remedy}: {error}")
    assert failed == []
    assert right >= AT_LEAST
