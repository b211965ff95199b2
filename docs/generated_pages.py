"""The parts of the reference that are made from the code: parameters, commands, dependencies."""

from __future__ import annotations

import os
import re
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).parents[1]
DEPENDENCY = re.compile(r'\s+"([^"]+)",(?:\s+# (.+))?')
COLUMNS = "100"
"""Width of the help texts."""


def write_pages(folder: Path) -> None:
    """Write the generated parts of pages to a folder."""
    folder.mkdir(exist_ok=True)
    for name, text in (("params", params_page()), ("commands", commands_page()), ("dependencies", dependencies_page())):
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def params_page() -> str:
    """Describe every section of `params.yaml`: its text, and a table of its keys."""
    from medtransfer.study.schema import Params

    return "\n".join([*_section("", Params, set()), *_choices()])


def _choices() -> Iterator[str]:
    """List the names that are registered for keys whose type is text."""
    from medtransfer.augmentation.mixing import MIXES
    from medtransfer.data.layouts import LAYOUTS
    from medtransfer.data.sources import SOURCES
    from medtransfer.deployment.explain.methods import METHODS
    from medtransfer.models.heads import HEADS
    from medtransfer.statistics.metrics import ranking_metrics
    from medtransfer.tasks import TASKS
    from medtransfer.training.optimizers import OPTIMIZERS
    from medtransfer.training.schedules import SCHEDULES

    yield "## Choices\n\nNames that are registered, to which extensions may add.\n\n| Key | Choices |\n|---|---|"
    known = {
        "study.task": TASKS,
        "data.source": SOURCES,
        "data.layout": LAYOUTS,
        "augmentation.NAME.mix.method": MIXES,
        "strategies.NAME.head": HEADS,
        "strategies.NAME.optimizer": OPTIMIZERS,
        "strategies.NAME.schedule": SCHEDULES,
        "explain.methods": METHODS,
        **{f"strategies.NAME.loss, {name}": task.losses for name, task in TASKS.items()},
        **{f"comparison.metric, {name}": ranking_metrics(name) for name in TASKS},
    }
    for key, names in known.items():
        yield f"| {key} | {', '.join(f'`{name}`' for name in names)} |"
    yield ""


def _section(place: str, model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    seen.add(model)
    if place:
        yield f"## `{place}`\n"
    yield f"{_paragraphs(model)}\n"
    yield "| Key | Type | Default |\n|---|---|---|"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {_cell(field)} | {_default(field)} |"
    yield ""
    for name, field in model.model_fields.items():
        for inner, many in _models(field.annotation):
            if inner not in seen:
                path = f"{place}.{name}".lstrip(".") + (".NAME" if many else "")
                yield from _section(path, inner, seen)


def _paragraphs(model: type[BaseModel]) -> str:
    """Return a docstring, with its descriptions of keys, `key: text`, as a list."""
    text = "\n".join(line.strip() for line in str(model.__doc__).splitlines())
    key = "|".join(map(re.escape, model.model_fields))
    return re.sub(rf"(?:^|(?<=[.)] )|(?<=\n))((?:{key})(?:, (?:{key}))*): ", r"\n- **\1**: ", text)


def _cell(field: FieldInfo) -> str:
    text = _type(field.annotation)
    limits = [f"{word} {getattr(rule, key)}" for rule in _rules(field) for key, word in LIMITS if hasattr(rule, key)]
    return ", ".join([text, *limits]).replace("|", "\\|")


LIMITS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"), ("min_length", "at least"))


def _rules(field: FieldInfo) -> Iterator[Any]:
    yield from field.metadata


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in arguments))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is tuple:
        return "list of " + ", ".join(_type(each) for each in arguments if each is not ...)
    if origin is dict:
        return f"{_type(arguments[1])} by name"
    if annotation is type(None):
        return "`null`"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    names = {str: "text", bool: "true or false", int: "whole number", float: "number", Any: "any"}
    return names.get(annotation, str(getattr(annotation, "__name__", annotation)))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    return f"`{'null' if value is None else value}`"


def _models(annotation: Any, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """Yield the sections that an annotation mentions, and whether there are many of each, by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for argument in get_args(annotation):
        yield from _models(argument, many or get_origin(annotation) is dict)


def commands_page() -> str:
    """Show the help of every command."""
    from medtransfer.cli import parser

    os.environ["COLUMNS"] = COLUMNS
    parts = []
    for group, commands in parser().groups.items():
        parts.append(f"## {group}\n")
        parts += [f"### `medtransfer {name}`\n\n```text\n{each.format_help()}```\n" for name, each in commands.items()]
    return "\n".join(parts)


def dependencies_page() -> str:
    """List the dependencies of `pyproject.toml` with the comments that say what for."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = text.partition("\ndependencies = [")[2].partition("\n]")[0].splitlines()
    rows = [match.groups() for line in lines if (match := DEPENDENCY.fullmatch(line))]
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    table = "\n".join(f"| `{name}` | {purpose or ''} |" for name, purpose in rows)
    optional = "\n".join(f"| `medtransfer[{name}]` | {', '.join(found)} |" for name, found in extras.items())
    return f"| Package | For |\n|---|---|\n{table}\n\n| Extra | Packages |\n|---|---|\n{optional}\n"
