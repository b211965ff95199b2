"""The parts of the reference that are made from the code are complete."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from medtransfer.study.schema import Params

from .pages import ROOT

sys.path.insert(0, str(ROOT / "docs"))

from generated_pages import commands_page, dependencies_page, params_page


def sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from sections(field.annotation)
    for argument in get_args(annotation):
        yield from sections(argument)


def test_every_key_of_every_section_is_on_the_page_of_parameters() -> None:
    page = params_page()
    for section in set(sections(Params)):
        text = page.partition(str(section.__doc__).strip().splitlines()[0])[2].partition("\n## ")[0]
        assert [name for name in section.model_fields if f"\n| `{name}` |" not in text] == [], section


@pytest.mark.parametrize(
    "row",
    [
        "| `epochs` | whole number, ≥ 1 |",
        "| `study` | section | required |",
        "| `resize` | `stretch`, `crop`, `pad` |",
    ],
)
def test_types_limits_and_defaults_are_words(row: str) -> None:
    assert row in params_page()


def test_choices_are_those_of_the_registries() -> None:
    from medtransfer.models.heads import HEADS

    page = params_page()
    assert f"| strategies.NAME.head | {', '.join(f'`{name}`' for name in HEADS)} |" in page
    assert "| comparison.metric, segmentation | `dice`" in page


def test_every_command_is_on_the_page_of_commands() -> None:
    from medtransfer.cli import parser

    page = commands_page()
    for commands in parser().groups.values():
        for name in commands:
            assert f"### `medtransfer {name}`" in page


def test_every_dependency_says_what_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = dependencies_page()
    for name in project["dependencies"]:
        assert len(page.partition(f"| `{name}` | ")[2].partition(" |")[0]) > 3, name
    for extra in set(project["optional-dependencies"]) - {"dev"}:
        assert f"| `medtransfer[{extra}]` | " in page
