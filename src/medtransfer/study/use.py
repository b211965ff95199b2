"""Write a ready-made study to `params.yaml`, with changes, and its `grid` written out as lines of `variants`."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from medtransfer.study.loading import Study, check_study, import_extensions, parse_yaml, read_yaml
from medtransfer.util.errors import UserError, near
from medtransfer.util.files import write_text

LONGEST_LINE = 160
COMMAND = ("medtransfer", "use")
PLAIN_WITH_SIGN = re.compile(r"\s*([^\s\[{'\"&*!|>%@`].*)?#.*")


def list_studies(folder: Path) -> dict[str, str]:
    """Return the title of every study in a folder, by name."""
    return {path.stem: read_study(path).params.study.title for path in sorted(folder.glob("*.yaml"))}


def read_study(path: Path) -> Study:
    """Read and check a file of `studies/`, with its grid written out."""
    raw = read_yaml(path)
    write_out(raw, str(path))
    return check_study(raw, str(path))


def use_study(
    name: str,
    changes: Sequence[str],
    folder: Path,
    target: Path,
    problems_of: Callable[[Study], list[str]] = lambda _: [],
) -> None:
    """Write the study `name`, with changes and its grid written out, to `target`; comments are kept.

    A change is `key.path=value`, with the value in YAML; changes of the grid come first, and the others may change its
    lines. If anything changed, the first line is a comment with the command. problems_of: further checks of the result.
    Raises `UserError` if there is no such study or key, or the result is not valid; `target` then stays as it was.
    """
    text = _text(name, changes, folder)
    where = f"{name} with -S" if changes else str(folder / f"{name}.yaml")

    def further(study: Study) -> list[str]:
        import_extensions(study.params.extensions, target.parent, where)
        problems = problems_of(study)
        return problems and (_of_another_task(name, study.params.study.task, folder) or problems)

    check_study(parse_yaml(text, where), where, further)
    write_text(target, text)


def _of_another_task(name: str, task: str, folder: Path) -> list[str]:
    """Return a line on the template to start from, if a change has made a study one of another task."""
    own = read_yaml(folder / f"{name}.yaml").get("study", {}).get("task", "classification")
    templates = {
        path.stem: read_yaml(path).get("study", {}).get("task", "classification")
        for path in sorted(folder.glob("own_*.yaml"))
    }
    others = [other for other, of in templates.items() if of == task]
    if own == task or not others:
        return []
    return [
        f"study.task={task}: {name} is a study of {own}; start from {' or '.join(others)} instead: `medtransfer init "
        f"FOLDER --study {others[0]}` or `medtransfer use {others[0]}`"
    ]


def command_of(folder: Path, target: Path) -> str:
    """Return the command that makes `target`: its first line, or that of the study which it is a copy of.

    Raises `UserError` if no such command makes exactly these parameters.
    """
    parsed = read_yaml(target)
    text = target.read_text(encoding="utf-8")
    words = shlex.split(text.partition("\n")[0].removeprefix("#")) if text.startswith("#") else []
    if tuple(words[:2]) != COMMAND:
        name = parsed["study"]["name"]
        words = [*COMMAND, str(name)]
    name, changes = words[2], [word for word in words[3:] if word != "-S"]
    if parse_yaml(_text(name, changes, folder), name) != parsed:
        raise UserError(
            f"{target} differs from the result of `{shlex.join(words)}`; make your changes with -S, or as a study in "
            f"{folder}/"
        )
    return shlex.join(words)


def grid_lines(grid: Any, where: str) -> dict[str, dict[str, Any]]:
    """Return the lines of a grid by name, in the order of its axes.

    Raises `UserError` if it is not a mapping of axes to levels to fields, or two axes set the same field.
    """
    if not isinstance(grid, dict) or not grid:
        raise UserError(
            f"{where}: grid: expected axes, such as backbone: {{vgg19: {{backbone: vgg19}}}}, but got {grid!r}"
        )
    problems: list[str] = []
    owner: dict[str, str] = {}
    for axis, levels in grid.items():
        if not isinstance(levels, dict) or not levels or not all(isinstance(f, dict) for f in levels.values()):
            problems.append(f"{where}: grid.{axis}: expected levels, each with its fields, but got {levels!r}")
            continue
        for key in {key for fields in levels.values() for key in fields}:
            if owner.setdefault(key, axis) != axis:
                problems.append(f"{where}: grid.{axis}: {key} is also set by the axis {owner[key]}")
    if problems:
        raise UserError(sorted(problems))
    return {
        "_".join(name for name, _ in chosen): {key: value for _, fields in chosen for key, value in fields.items()}
        for chosen in product(*(levels.items() for levels in grid.values()))
    }


def write_out(document: Any, where: str) -> None:
    """Replace the section `grid` of a study, in place, by its lines at the end of `variants`.

    Raises `UserError` if one of its lines already exists.
    """
    if not isinstance(document, dict) or "grid" not in document:
        return
    lines = grid_lines(document.pop("grid"), where)
    variants = document.setdefault("variants", {})
    if not isinstance(variants, dict):
        raise UserError(f"{where}: variants: expected a section of lines, but got {variants!r}")
    if twice := sorted(lines.keys() & variants.keys()):
        raise UserError(f"{where}: grid: {', '.join(twice)}: variants already has these lines")
    variants.update(lines)


def _text(name: str, changes: Sequence[str], folder: Path) -> str:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"no study {name!r}{near(name, (file.stem for file in folder.glob('*.yaml')))}")
    raw = read_yaml(path)
    text = path.read_text(encoding="utf-8")
    if not changes and not (isinstance(raw, dict) and "grid" in raw):
        return text
    options = [word for change in changes for word in ("-S", change)]
    return f"# {shlex.join([*COMMAND, name, *options])}\n" + _changed(text, changes, str(path))


def _changed(text: str, changes: Sequence[str], where: str) -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = LONGEST_LINE
    document = yaml.load(text)
    of_the_grid = [change for change in changes if change.startswith(("grid.", "grid="))]
    for change in of_the_grid:
        _change(document, change)
    if isinstance(document, dict) and "grid" in document:
        write_out(document, where)
        variants: dict[str, Any] = document["variants"]
        for name, line in variants.items():
            if type(line) is dict:  # made by the grid: written in braces, on one line
                variants[name] = CommentedMap(line)
                variants[name].fa.set_flow_style()
    for change in changes:
        if change not in of_the_grid:
            _change(document, change)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _change(document: Any, change: str) -> None:
    key, found, value = change.partition("=")
    if not found or "\n" in change:
        raise UserError(f"-S {' '.join(change.split())}: expected KEY=VALUE, on one line, such as data.source=folder")
    *path, last = key.split(".")
    section = document
    for part in path:
        known = section if isinstance(section, dict) else {}
        if part not in known:
            raise UserError(f"-S {change}: the study has no {part!r} in {key}{near(part, known)}")
        section = section[part]
    if not isinstance(section, dict):
        whole = f"{'.'.join(path)}={{{last}: …}}"
        raise UserError(f"-S {change}: {'.'.join(path)} is a value, not a section; set it as a whole: -S '{whole}'")
    try:
        # without quotes or brackets, `#` is part of a text such as the name of a folder: no comment is meant
        parsed = value.strip() if PLAIN_WITH_SIGN.fullmatch(value) else YAML(typ="safe", pure=True).load(value)
    except YAMLError as error:
        reason = getattr(error, "problem", None) or "it cannot be read"
        quotes = "; use single quotes, in which a backslash is literal" if "\\" in value and '"' in value else ""
        raise UserError(f"-S {change}: the value is not valid YAML: {reason}{quotes}") from None
    if type(parsed) is dict:  # written in braces, on one line
        parsed = CommentedMap(parsed)
        parsed.fa.set_flow_style()
    if last in section or type(section) is dict:
        section[last] = parsed
    else:  # before the last key, which the comment on the next section belongs to
        ordered: Any = section
        ordered.insert(max(len(section) - 1, 0), last, parsed)
