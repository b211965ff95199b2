"""The catalogue of published sets: one small YAML file each, in this folder, named after its reference."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import ValidationError

from medtransfer.data.catalogue.entry import Entry
from medtransfer.study.loading import error_lines, parse_yaml
from medtransfer.util.errors import UserError, near

SUFFIX = ".yaml"
SLASH = "+"
"""What stands for the slash of a reference in the name of its file."""


@cache
def references() -> tuple[str, ...]:
    """List the references of all sets, sorted."""
    names = (path.name for path in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX).replace(SLASH, "/") for name in names if name.endswith(SUFFIX)))


def reference_problem(reference: str) -> str | None:
    """Return the end of an error line if the catalogue has no such set: what it is, and the nearest reference."""
    return (
        None if reference in references() else f"no set {reference!r} in the catalogue{near(reference, references())}"
    )


@cache
def find_entry(reference: str) -> Entry:
    """Return the entry of a set. Raises `UserError` if there is none."""
    if problem := reference_problem(reference):
        raise UserError(f"{problem}; `medtransfer datasets` lists them")
    name = f"{reference.replace('/', SLASH)}{SUFFIX}"
    return read_entry((files(__name__) / name).read_text(encoding="utf-8"), name)


def read_entry(text: str, where: str) -> Entry:
    """Read and check the text of an entry; error lines call it `where`."""
    try:
        return Entry.model_validate(parse_yaml(text, where))
    except ValidationError as error:
        raise UserError(error_lines(error, where, Entry)) from None
