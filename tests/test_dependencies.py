"""Imports point one way, and DVC re-runs a stage for what its code does: see `medtransfer.util.digests`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "medtransfer"

LAYERS = [
    {"util"},
    {"study"},
    {"data"},
    {"augmentation"},
    {"models"},
    {"features"},
    {"training"},
    {"statistics"},
    {"tasks"},
    {"deployment"},
    {"tracking"},
    {"comparison"},
    {"report"},
    {"engine"},
    {"check"},
    {"command_line"},
    {"cli"},
]


def imported_modules(path: Path) -> set[str]:
    """List the modules of the package that a file imports, lazily or not, but not for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    return {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and id(node) not in for_types and node.module
        if node.module.startswith("medtransfer.")
    }


def stages() -> dict[str, dict[str, list[object]]]:
    described = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    return {name: stage.get("do", stage) for name, stage in described.items()}


@pytest.mark.parametrize("name", [name for name in stages() if name != "check"])
def test_a_stage_depends_on_the_digest_of_its_code_and_on_no_source_file(name: str) -> None:
    deps = [str(path) for path in stages()[name]["deps"]]
    assert f"data/code/{name}.txt" in deps
    assert not [path for path in deps if path.startswith(("src", "stages"))]
    assert f"stages/{name}.py" in str(stages()[name]["cmd"])


def test_imports_point_one_way() -> None:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {module}"
        for file in PACKAGE.rglob("*.py")
        for module in imported_modules(file)
        if level[module.split(".")[1]] > level[file.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(["medtransfer", *file.relative_to(PACKAGE).with_suffix("").parts]): file
        for file in PACKAGE.rglob("*.py")
    }
    graph = {name: imported_modules(file) & files.keys() for name, file in files.items()}
    while leaves := {name for name, targets in graph.items() if not targets & graph.keys()}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert sorted(graph) == []


def test_the_simulator_knows_nothing_of_the_project() -> None:
    files = (ROOT / "src" / "fetal_phantom").rglob("*.py")
    assert not [file.name for file in files if "medtransfer" in file.read_text(encoding="utf-8")]
