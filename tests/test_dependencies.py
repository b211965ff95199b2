"""DVC's `deps` against what each stage's script really imports, and imports that point one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "medtransfer"

WITHOUT_INFLUENCE = {"errors.py", "files.py", "hardware.py", "overlap.py", "progress.py", "tracking"}
"""What shows, stores or reports, but does not change what a stage computes: no stage re-runs for it."""

LAYERS = [
    {"errors", "files", "hardware", "markdown", "overlap", "progress", "seeding", "plotting"},
    {"study"},
    {"sources", "layouts", "compute", "precision"},
    {"dataset"},
    {"augmentation", "backbones", "heads"},
    {"embeddings"},
    {"training"},
    {"evaluation", "tracking"},
    {"comparison", "checking", "repro"},
    {"explanation"},
    {"deployment", "planning", "report"},
    {"cli"},
]


def imports(path: Path) -> set[Path]:
    """List the package's files that a file imports, lazily or not, but not for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("medtransfer"):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("medtransfer")}
    return {file for name in names if (file := _file_of(name)) is not None}


def _file_of(name: str) -> Path | None:
    path = ROOT / "src" / Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def closure(path: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        new = imports(waiting.pop()) - found
        found |= new
        waiting += new
    return found


def stages() -> dict[str, dict[str, object]]:
    described = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    return {name: stage.get("do", stage) for name, stage in described.items()}


@pytest.mark.parametrize("name", stages())
def test_deps_cover_all_code_that_a_stage_imports(name: str) -> None:
    deps = [ROOT / str(path) for path in stages()[name]["deps"]]  # type: ignore[attr-defined]
    script = ROOT / "stages" / f"{name}.py"
    assert script in deps
    needed = {
        file
        for file in closure(script)
        if file.relative_to(PACKAGE).parts[0] not in WITHOUT_INFLUENCE and file != PACKAGE / "__init__.py"
    }
    missing = {file for file in needed if not any(file == dep or dep in file.parents for dep in deps)}
    assert sorted(str(file.relative_to(ROOT)) for file in missing) == []


@pytest.mark.parametrize("name", stages())
def test_deps_name_no_code_that_a_stage_does_not_import(name: str) -> None:
    used = closure(ROOT / "stages" / f"{name}.py")
    code = [ROOT / str(dep) for dep in stages()[name]["deps"] if str(dep).startswith("src/")]  # type: ignore[attr-defined]
    surplus = [dep for dep in code if not any(file == dep or dep in file.parents for file in used)]
    assert surplus == []


def test_imports_point_one_way() -> None:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {target.relative_to(PACKAGE)}"
        for file in PACKAGE.rglob("*.py")
        for target in imports(file)
        if target != PACKAGE / "__init__.py" and level[_room(target)] > level[_room(file)]
    ]
    assert wrong == []


def _room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")
