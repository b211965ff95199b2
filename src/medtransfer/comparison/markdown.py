"""The comparison as Markdown."""

from __future__ import annotations

from medtransfer.comparison.results import Comparison
from medtransfer.comparison.sections import Mark, Section, sections
from medtransfer.markdown import markdown_table


def comparison_page(found: Comparison) -> str:
    """Write the whole page: warnings, then every table that applies, each with what must be said about it."""
    main, *others = sections(found)
    parts = [f"# {found.study.params.study.title}"]
    parts += [f"> **Warning.** {warning}" for warning in found.warnings]
    parts += [_table(main), main.note]
    for section in others:
        parts += [f"## {section.title}", _table(section), section.note]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(section: Section) -> str:
    rows = [[_marked(name, mark), *cells] for (name, *cells), mark in zip(section.rows, section.marks, strict=True)]
    return markdown_table(section.header, rows, section.left)


def _marked(name: str, mark: Mark) -> str:
    return {"": name, "tied": f"**{name}** =", "baseline": f"*{name}*"}[mark]
