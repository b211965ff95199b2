"""The catalogue for people: a table of its sets, one entry in full, and the options of `medtransfer use` for a set."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from medtransfer.data.catalogue import find_entry, references
from medtransfer.data.catalogue.entry import UNCHECKED, Entry
from medtransfer.util.errors import UserError
from medtransfer.util.text import MISSING, aligned

HEADER = ["reference", "shows", "task", "images", "classes", "licence"]
RIGHT = {"images", "classes"}
WIDTH, LABEL = 80, 11


def catalogue_table(pattern: str = "") -> str:
    """Return the sets whose entry contains a text, in any case, as an aligned table; * marks unchecked facts.

    Raises `UserError` if there are none.
    """
    entries = [find_entry(reference) for reference in references()]
    found = [entry for entry in entries if pattern.casefold() in _searched(entry)]
    if not found:
        raise UserError(
            f"no set of the catalogue contains {pattern!r}; `medtransfer datasets` lists all {len(entries)}"
        )
    rows = [_row(entry) for entry in found]
    marked = any("*" in cell for row in rows for cell in row)
    return aligned(HEADER, rows, RIGHT) + ("* unchecked: no source confirms it\n" if marked else "")


def entry_page(entry: Entry) -> str:
    """Return all that the catalogue knows of a set, with the source of each fact."""
    lines = [entry.title, entry.page, ""]
    for label, text, source in _facts(entry):
        lines.append(_paragraph(label, text))
        lines += [] if source is None else [_paragraph("", f"[{source}]")]
    if entry.flaws:
        lines += ["", "What is known to be wrong with it:"]
        lines += [
            fill(f"- {flaw.says} [{flaw.source}]", WIDTH, subsequent_indent="  ", **WHOLE) for flaw in entry.flaws
        ]
    if entry.reading is None:
        lines += ["", "This version cannot read it."]
    else:
        lines += [
            "",
            "# STUDY: such as own_images, own_masks, own_findings or own_numbers",
            f"medtransfer use STUDY --dataset {entry.reference}",
        ]
    return "\n".join(lines) + "\n"


def changes_for(entry: Entry) -> list[str]:
    """Return the changes of a study, `data.key=value` each, that download and read the set."""
    return [f"data.{key}={_flow(value)}" for key, value in entry.settings().items()]


WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def _facts(entry: Entry) -> Iterator[tuple[str, str, str | None]]:
    sources = {
        name: "unchecked: no source confirms it" if of == UNCHECKED else of for name, of in entry.sources.items()
    }
    yield "shows", entry.shows, None
    yield "task", entry.task, None
    if entry.version is not None:
        yield "version", str(entry.version), sources["version"]
    if entry.images is not None:
        yield "images", f"{entry.images:,}", sources["images"]
    classes = (name if count is None else f"{name} ({count:,})" for name, count in entry.classes.items())
    yield "classes", ", ".join(classes), sources["classes"]
    for number, (key, value) in enumerate((entry.reading or {}).items(), 1):
        last = number == len(entry.reading or {})
        yield "read by" if number == 1 else "", f"data.{key}={_flow(value)}", sources["reading"] if last else None
    yield "licence", entry.licence or "not known", sources.get("licence")
    if entry.citation is not None:
        yield "citation", entry.citation, sources["citation"]


def _paragraph(label: str, text: str) -> str:
    indent = " " * LABEL
    return fill(text, WIDTH, initial_indent=label.ljust(LABEL), subsequent_indent=indent, **WHOLE)


def _searched(entry: Entry) -> str:
    return " ".join((entry.reference, entry.title, entry.shows, entry.task, *entry.classes)).casefold()


def _row(entry: Entry) -> list[str]:
    def marked(text: str, fact: str) -> str:
        return f"{text}*" if fact in entry.unchecked else text

    images = MISSING if entry.images is None else marked(f"{entry.images:,}", "images")
    licence = MISSING if entry.licence is None else marked(entry.licence, "licence")
    return [entry.reference, entry.shows, entry.task, images, marked(str(len(entry.classes)), "classes"), licence]


def _flow(value: Any) -> str:
    """Write a value as YAML on one line."""
    yaml = YAML()
    yaml.default_flow_style = True
    yaml.width = 10_000
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().strip().removesuffix("\n...").strip()
