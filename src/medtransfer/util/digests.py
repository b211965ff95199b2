"""Digests of code by what it does: syntax trees without comments and docstrings, of all modules that a file imports."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from medtransfer.util.files import write_json
from medtransfer.util.places import state_folder

Facts = tuple[list[str], list[str], str]
"""Of a file: the modules that it imports, the packages of its registries, and the digest of its syntax tree."""
OWN_PACKAGES = ("medtransfer", "fetal_phantom")
"""Packages whose code is an input of the stages. All others are pinned by the lock file."""

EXTENSIONS: list[Path] = []
"""The files that the study in force has imported as extensions; they count in every digest."""


def script_digest(script: Path) -> str:
    """Return the SHA-256 of a script and of every module of our packages that it reaches by import.

    Imports within functions count, as do the modules of a `Registry(..., package=...)` and the `EXTENSIONS`; imports
    under `TYPE_CHECKING` do not. Comments, docstrings and formatting leave the digest as it is. Of a package that is
    reached, files other than Python (templates, style sheets) count by their bytes.
    """
    return _digest({"__main__": script, **_closure(script)})


def module_digest(*names: str) -> str:
    """Return the SHA-256 of modules, named as in an import, and of all that they reach; see `script_digest`.

    Each file counts as it was when it was first read.
    """
    return _module_digest(names, tuple(EXTENSIONS))


@cache
def _module_digest(names: tuple[str, ...], extensions: tuple[Path, ...]) -> str:
    files = {name: _file_of(name) for name in names}
    missing = [name for name, file in files.items() if file is None]
    if missing:
        raise ModuleNotFoundError(f"no module {', '.join(missing)}")
    reached: dict[str, Path] = {}
    for name, file in files.items():
        if file is not None:
            reached |= {name: file, **_closure(file)}
    return _digest(reached)


def _closure(script: Path) -> dict[str, Path]:
    """Find the modules that a file reaches, directly or not, by their names."""
    reached: dict[str, Path] = {}
    waiting = [script]
    while waiting:
        for name in _imported(waiting.pop()):
            file = None if name in reached else _file_of(name)
            if file is not None:
                reached[name] = file
                waiting.append(file)
    return reached


def _digest(files: dict[str, Path]) -> str:
    for extension in EXTENSIONS:
        files = {**files, f"extension {extension.name}": extension, **_closure(extension)}
    total = hashlib.sha256()
    for name, file in sorted(files.items()):
        total.update(f"{name} {_facts(file)[2]}\n".encode())
        for line in _data_digests(file.parent) if file.name == "__init__.py" else ():
            total.update(f"{name} {line}\n".encode())
    return total.hexdigest()


@cache
def _data_digests(package: Path) -> list[str]:
    """List name and hash of a package's files that are not code: next to its modules, and in folders without any."""
    folders = [package, *(path for path in package.iterdir() if path.is_dir() and not list(path.glob("*.py")))]
    files = (path for folder in folders if folder.name != "__pycache__" for path in folder.iterdir() if path.is_file())
    data = sorted(path for path in files if path.suffix not in (".py", ".pyc", ".typed"))
    return [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in data]


@cache
def _imported(file: Path) -> list[str]:
    imports, packages, _ = _facts(file)
    return sorted({*imports, *(module for package in packages for module in _modules_of(package))})


@cache
def _facts(file: Path) -> Facts:
    content = file.read_bytes()
    known, key = _known(), hashlib.sha256(content).hexdigest()
    if key not in known:
        known[key] = _Reading(ast.parse(content)).facts
    return known[key]


@cache
def _known() -> dict[str, Facts]:
    """Return stored results of `remember` by the hash of a file's bytes; parsing all files takes most of a second."""
    path = _memory()
    found: dict[str, Facts] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def remember() -> None:
    """Store the results for files that this process parsed, for later processes of the study."""
    write_json(_memory(), _known())


def _memory() -> Path:
    """Return the file of `remember`, of this code alone."""
    return state_folder() / "syntax" / f"{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]}.json"


def _modules_of(package: str) -> Iterator[str]:
    """Yield the modules of a package."""
    file = _file_of(package)
    for path in sorted(file.parent.iterdir()) if file is not None else ():
        if path.suffix == ".py" or (path / "__init__.py").is_file():
            yield from _with_packages(f"{package}.{path.stem}")


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    if parts[0] in OWN_PACKAGES:
        yield from (".".join(parts[: number + 1]) for number in range(len(parts)))


@cache
def _file_of(name: str) -> Path | None:
    """Return the file of a module; None if the name is not a module but, for example, a function."""
    package, _, last = name.rpartition(".")
    if not package:
        spec = find_spec(name)
        return Path(spec.origin) if spec is not None and spec.origin else None
    parent = _file_of(package)
    if parent is None or parent.name != "__init__.py":
        return None
    for candidate in (parent.parent / f"{last}.py", parent.parent / last / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


class _Reading:
    """What a syntax tree says, found in one walk: its imports, its registries, and the tree itself as lines.

    Lines are types, names and values, without docstrings, positions and empty fields, which differ between versions of
    Python.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._names: set[str] = set()
        self._packages: set[str] = set()
        self._lines: list[str] = []
        self._read(tree)

    @property
    def facts(self) -> Facts:
        shape = hashlib.sha256("\n".join(self._lines).encode()).hexdigest()
        return sorted(self._names), sorted(self._packages), shape

    def _read(self, node: ast.AST, runs: bool = True) -> None:
        """Read a node; only code that `runs` imports anything."""
        self._lines.append(type(node).__name__)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            self._note(node, runs)
        runs = runs and not (isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING")
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        )
        for name, value in ast.iter_fields(node):
            items = value if isinstance(value, list) else [value]
            for item in items[1:] if documented and name == "body" else items:
                if isinstance(item, ast.AST):
                    self._lines.append(f"{name}:")
                    self._read(item, runs)
                elif item is not None:
                    self._lines.append(f"{name}={item!r}")
        self._lines.append(".")

    def _note(self, node: ast.Import | ast.ImportFrom | ast.Call, runs: bool) -> None:
        """Note the modules of our packages that an import names, and the package that a `Registry` imports from."""
        if isinstance(node, ast.Call):
            if getattr(node.func, "id", None) == "Registry":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                if isinstance(package := given.get("package"), ast.Constant):
                    self._packages.add(str(package.value))
        elif runs:
            start = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                self._names.update(_with_packages(start + alias.name))
