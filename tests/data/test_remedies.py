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
from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import MASKS
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
NOTHING_TO_CHOOSE = {"box_columns_y": "name images and labels in a CSV"}
"""What only a table can say that the set does not have."""
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


VALUE = re.compile(
    r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|(?:drop|empty|auto|random|(?:class_|split_|class_split_)folders)\b(?!:)"
)
KEY = re.compile(r"data\.([a-z_.]+): ")


def remedies_of(line: str) -> Iterator[list[tuple[str, Any]]]:
    """Yield what a line offers: `data.KEY: VALUE`, further values after `or`, and further keys after `and`."""
    for start in KEY.finditer(line):
        at, key = start.end(), start[1]
        if line[: start.start()].endswith(" and "):
            continue
        while value := VALUE.match(line, at):
            found = [(key, yaml.safe_load(value[0]))]
            at = value.end()
            while (more := re.compile(r" and data\.([a-z_.]+): ").match(line, at)) and (
                value := VALUE.match(line, more.end()) or re.compile(r"\w+").match(line, more.end())
            ):
                found.append((more[1], yaml.safe_load(value[0])))
                at = value.end()
            yield found
            if (beyond := re.compile(r"(?: \(classes [^)]*\))? or ").match(line, at)) is None:
                break
            at = beyond.end()


def read(root: Path, data: dict[str, Any], labelled: bool, work: Path) -> None:
    """Prepare a set."""
    section = Data.model_validate(data)
    prepare(root, section, 0, Places(work), "any", "classes" if labelled else "masks")
    if not labelled:
        masks = open_packed(Places(work).prepared / MASKS)
        assert any(mask.any() for mask in masks)


def unsolved(root: Path, data: dict[str, Any], problems: list[str], labelled: bool, work: Path) -> list[str]:
    """Return the remedies of problems after which a set is still refused, but for another question with its own."""
    remedies = [remedy for line in problems for remedy in remedies_of(line)]
    failed = [] if remedies else [f"no remedy in {problems}"]
    for remedy in remedies:
        mended = data
        for key, value in remedy:
            mended = changed(mended, key, value)
        try:
            read(root, mended, labelled, work)
        except UserError as error:
            if set(error.problems) & set(problems) or mended == data:
                failed.append(f"{remedy}: {error}")
            else:
                failed += unsolved(root, mended, error.problems, labelled, work)
    return failed


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
        if name in BY_HAND | NOTHING_TO_CHOOSE:
            assert (BY_HAND | NOTHING_TO_CHOOSE)[name] in problems[0], name
            continue
        failed += [f"{name}: {line}" for line in unsolved(root, data, problems, labelled, tmp_path / "work")]
    assert failed == []
    assert right >= AT_LEAST
