"""Every command on every page exists, with the arguments that the page gives it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from medtransfer.check import choice_problems, with_dataset
from medtransfer.cli import parser
from medtransfer.study import load_study
from medtransfer.study.use import use_study

from .pages import ROOT, blocks, commands, inline_commands, pages

OF_THE_SHELL = {"cd", "cat", "pip", "git", "export", ".", "python3", "ls", "pytest", "check", "└──", "└─"}
PAGES = pages()
KNOWN = {"--help", "--version", "COMMAND", *(name for commands in parser().groups.values() for name in commands)}


@pytest.fixture(scope="module")
def parse() -> dict[str, Callable[[list[str]], object]]:
    """Return, by the name of a program, the function that accepts its arguments or raises."""
    from dvc.cli.parser import get_main_parser
    from mlflow.cli import cli

    dvc = get_main_parser()

    def mlflow(words: list[str]) -> None:
        context = cli.make_context("mlflow", list(words), resilient_parsing=False)
        name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
        if hasattr(command, "commands"):
            name, command, rest = command.resolve_command(context, rest)
        assert command is not None
        command.make_context(name, rest, parent=context)

    def make(words: list[str]) -> None:
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(words) <= set(targets), words

    def python(words: list[str]) -> None:
        assert "NAME" in words[0] or (ROOT / words[0]).exists(), words

    return {
        "medtransfer": lambda words: parser().parse_args(words),
        "dvc": dvc.parse_args,
        "mlflow": mlflow,
        "make": make,
        "python": python,
    }


def without_settings(words: list[str]) -> list[str]:
    """Leave out settings of variables before a command."""
    return words[1:] if re.fullmatch(r"[A-Z_]+=\S*", words[0]) else words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_parses(page: Path, parse: dict[str, Callable[[list[str]], object]]) -> None:
    found = [words for block in blocks(page) for words in commands(block)]
    named = [words for words in inline_commands(page) if words[0] == "medtransfer" and len(words) == 2]
    assert [words[1] for words in named if words[1] not in KNOWN] == []
    written = [words for words in inline_commands(page) if words not in named]
    for words in map(without_settings, [*found, *written]):
        if words[0] in parse:
            try:
                parse[words[0]](words[1:])
            except SystemExit:
                pytest.fail(f"{page.name}: {' '.join(words)}")
        else:
            assert words[0] in OF_THE_SHELL, f"{page.name}: {' '.join(words)}"


def studies_of(page: Path) -> list[tuple[str, str | None, list[str]]]:
    """Return the studies that the commands of a page put in force, with their sets of the catalogue and changes."""
    found = []
    for words in [*(words for block in blocks(page) for words in commands(block)), *inline_commands(page)]:
        if words[:2] in (["medtransfer", "use"], ["medtransfer", "init"]):
            if len(words) == 2:  # its name in running text, or the list of studies
                continue
            options = parser().parse_args(words[1:])
            found.append((options.study if words[1] == "init" else options.name, options.dataset, options.set))
    return [each for each in found if each[0] not in (None, "NAME", "STUDY")]


@pytest.mark.parametrize("page", [page for page in PAGES if studies_of(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_put_studies_in_force(tmp_path: Path, page: Path) -> None:
    for name, dataset, given in studies_of(page):
        changes = with_dataset(dataset, given, ROOT / "studies" / f"{name}.yaml")
        use_study(name, changes, ROOT / "studies", tmp_path / "params.yaml", choice_problems)
        load_study(tmp_path / "params.yaml")


def test_commands_of_the_notebook_parse(parse: dict[str, Callable[[list[str]], object]]) -> None:
    notebook = nbformat.read(ROOT / "notebooks/study.ipynb", as_version=4)
    nbformat.validate(notebook)
    lines = [line for cell in notebook.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    found = [shlex.split(line[1:]) for line in lines if line.startswith("!")]
    assert {words[0] for words in found} == {"pip", "git", "medtransfer", "dvc"}
    for words in found:
        if words[0] in parse:
            parse[words[0]](words[1:])


def test_every_example_of_a_command_parses() -> None:
    for group in parser().groups.values():
        for name, command in group.items():
            examples = [words for words in commands(str(command.epilog).partition("\n")[2]) if words]
            assert examples, name
            for words in examples:
                assert words[:2] == ["medtransfer", name]
                parser().parse_args(words[1:])


def test_every_command_is_in_the_readme_or_a_page() -> None:
    used = {
        words[1]
        for page in PAGES
        for words in [*(words for block in blocks(page) for words in commands(block)), *inline_commands(page)]
        if words[0] == "medtransfer" and len(words) > 1
    }
    assert {name for group in parser().groups.values() for name in group} - used <= {"stage", "completion"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_links_of_the_readme_lead_to_files() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
