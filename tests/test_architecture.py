"""The size of the house: short functions, no module that is only a drawer of another, no test of a task's name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
FILES = sorted([*(SOURCE / "medtransfer").rglob("*.py"), *(ROOT / "stages").glob("*.py")])
LONGEST_FUNCTION, SHORTEST_MODULE = 60, 30


def lines_of(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def registers_something(tree: ast.Module) -> bool:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return any(call.func.attr in ("register", "entry") for call in calls if isinstance(call.func, ast.Attribute))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_functions_fit_on_a_screen(file: Path) -> None:
    functions = [
        node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    ]
    too_long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION]
    assert too_long == []


def test_a_short_module_has_more_than_one_importer() -> None:
    importers: dict[str, set[Path]] = defaultdict(set)
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    importers[name].add(file)
    drawers = []
    for file in FILES:
        if file.name == "__init__.py" or SOURCE not in file.parents:
            continue
        name = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
        short = lines_of(file) < SHORTEST_MODULE and len(importers[name]) <= 1
        if short and not registers_something(ast.parse(file.read_text(encoding="utf-8"))):
            drawers.append(name)
    assert drawers == []


def test_only_tasks_ask_which_task_it_is() -> None:
    names = {"classification", "segmentation"}
    asking = []
    for file in FILES:
        if "tasks" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            compared = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            if any(isinstance(side, ast.Constant) and side.value in names for side in compared):
                asking.append(f"{file.relative_to(ROOT)}:{node.lineno}")  # type: ignore[attr-defined]
    assert asking == []
