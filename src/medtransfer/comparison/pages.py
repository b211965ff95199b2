r"""The comparison as Markdown, and as LaTeX tables to \input into a paper that uses the package booktabs."""

from __future__ import annotations

from medtransfer.comparison.columns import TextTable
from medtransfer.comparison.results import Comparison
from medtransfer.comparison.text_tables import text_tables
from medtransfer.util.text import markdown_table, without_html


def comparison_page(found: Comparison) -> str:
    """Format the whole page: warnings, then every table that applies with its note."""
    main, *others = text_tables(found)
    parts = [f"# {found.study.params.study.title}"]
    parts += [f"> **Warning.** {warning}" for warning in found.warnings]
    parts += [_markdown_table(main), _markdown_note(main.note)]
    for section in others:
        parts += [f"## {section.title}", _markdown_table(section), _markdown_note(section.note)]
    return without_html("\n\n".join(part for part in parts if part) + "\n")


def _markdown_table(section: TextTable) -> str:
    rows = [
        [{"": f"{name}", "tied": f"**{name}** =", "baseline": f"*{name}*"}[mark], *map(str, cells)]
        for (name, *cells), mark in zip(section.rows, section.marks, strict=True)
    ]
    return markdown_table(section.header, rows, section.left)


def _markdown_note(note: str) -> str:
    """Return a note as it is, or its parts as a list."""
    lines = note.split("\n")
    return note if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)


SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "–": "--",
    "±": r"$\pm$",
    "−": "$-$",
}


def comparison_tables(found: Comparison) -> str:
    """Format every table that applies as a `table`; the first caption contains the warnings."""
    main, *others = text_tables(found)
    parts = [_latex_table(main, f"{found.study.params.study.title}.", *found.warnings, main.note)]
    parts += [_latex_table(section, f"{section.title}.", section.note) for section in others]
    return "\n".join(parts)


def escaped(text: str) -> str:
    """Escape text for LaTeX; text in backquotes is set as code.

    pandas' `to_latex` escapes neither these nor `<`, `±` and `−`, and would escape the marks of names, too.
    """
    pieces = ["".join(SPECIAL.get(letter, letter) for letter in piece) for piece in text.split("`")]
    return "".join(rf"\texttt{{{piece}}}" if number % 2 else piece for number, piece in enumerate(pieces))


def _latex_table(section: TextTable, *caption: str) -> str:
    columns = "l" * section.left + "r" * (len(section.header) - section.left)
    marks = {"": "{}", "tied": r"\textbf{{{}}} =", "baseline": r"\emph{{{}}}"}
    rows = [[escaped(str(cell)) for cell in row] for row in section.rows]
    rows = [[marks[mark].format(name), *cells] for (name, *cells), mark in zip(rows, section.marks, strict=True)]
    lines = [_line([escaped(name) for name in section.header]), r"\midrule", *map(_line, rows)]
    body = "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *lines, r"\bottomrule", r"\end{tabular}"])
    told = " ".join(escaped(part) for part in caption if part)
    return f"\\begin{{table}}\n\\centering\n\\caption{{{told}}}\n{body}\n\\end{{table}}\n"


def _line(cells: list[str]) -> str:
    """Join cells to a row; the end of the row above would read a star or a bracket as its own option."""
    if cells[0].startswith(("*", "[")):
        cells = [f"{{}}{cells[0]}", *cells[1:]]
    return " & ".join(cells) + r" \\"
