"""Numbers, names and tables as text."""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from collections.abc import Collection, Sequence
from itertools import zip_longest
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

MISSING = "–"
LEAST = 8
"""The narrowest column of a table that is wrapped."""
UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, marks that reverse the direction of what follows, and bytes that are not UTF-8."""
FORMULA = re.compile(r"[=\uff1d].|[+\-@\uff0b\uff0d\uff20].*[(|!]")
"""The start of a text that a spreadsheet runs: a formula that calls something; `-1` and `+ve` are not."""
OTHER_THAN_TEXT = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null"))
"""Words that some version of YAML reads as a truth value or as nothing."""


def visible(text: str) -> str:
    """Show what a terminal or a page would not show, but obey, by its number: a line break as `\\u000a`."""
    return UNSHOWN.sub(lambda found: _escaped(found[0]), text)


def without_credentials(text: str) -> str:
    """Remove the user and the password from every address, as in `http://user:password@host`."""
    return re.sub(r"(?<=://)[^/\s@]*(?:@[^/\s@]*)*@", "", text)


def without_html(page: str) -> str:
    """Escape characters that Markdown may take for a tag of HTML or a link, as in a class named `<b>`."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", page).replace("](", r"]\(")


def code(text: str) -> str:
    """Format a name as code in Markdown, whatever is in it."""
    return f"`{visible(text).replace('`', '′')}`"


def markdown_table(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """Format a Markdown table with padded cells; all but the first `left` columns are right-aligned."""
    header, *rows = [[_in_cell(cell) for cell in row] for row in [header, *rows]]
    # three characters, for the rule that gives the alignment
    widths = [max(3, *(len(row[column]) for row in [header, *rows])) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rules = ["-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([line(header), line(rules), *(line(row) for row in rows)])


def _in_cell(text: str) -> str:
    """Escape characters that would end a cell; a backslash before them would be read in two ways."""
    text = re.sub(r"(?<=\\)\|", "&#124;", visible(text))
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def terminal_width() -> int | None:
    """Return the number of columns of the terminal that standard output is; None if it is a file or a pipe."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()) -> str:
    """Return a table in columns as wide as their cells; those named in `right` are aligned right.

    On a terminal that is too narrow, texts are wrapped, and long names in the first column have lines of their own, so
    that they can be copied. For files and pipes each row is one line.
    """
    table, terminal = [header, *rows], terminal_width()
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    texts = [column for column, name in enumerate(header) if name not in right and column > 0]
    first = 0
    if terminal is not None and sum(widths) + 2 * len(widths) - 2 > terminal:
        first = int(widths[0] > terminal // 3)
        while sum(widths[first:]) + 2 * len(widths) - 2 > terminal:
            widest = max(texts, key=widths.__getitem__, default=0)
            if widest == 0 or widths[widest] <= LEAST:
                break
            widths[widest] -= 1
    signs = [">" if name in right else "<" for name in header]
    lines: list[str] = []
    for row in table:
        lines += [row[0]] * first
        cells = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)][first:]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (
                f"{part:{sign}{width}}" for part, sign, width in zip(parts, signs[first:], widths[first:], strict=True)
            )
            lines.append(("  " * first + "  ".join(padded)).rstrip())
    return "\n".join(lines) + "\n"


def is_missing(value: Any) -> bool:
    """Return True for None and NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def in_figures(value: Any, digits: int = 3) -> str:
    """Format a proportion without its leading zero, such as `.873`, or as `–` if it is missing."""
    if is_missing(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def with_interval(row: Any, value: str, ends: str = "{}_{}") -> str:
    """Format a value of a row of a table with its interval; ends: the pattern of the columns of its ends."""
    if is_missing(row.get(value)):
        return MISSING
    low, high = (row.get(ends.format(value, end)) for end in ("low", "high"))
    return in_figures(row[value]) + ("" if is_missing(low) else f" [{in_figures(low)}, {in_figures(high)}]")


def typeset(value: Any, digits: int = 3) -> str:
    """Format like `in_figures`, for pages: with a true minus sign, and one decimal for lengths of 10 and more."""
    text = in_figures(value, 1 if not is_missing(value) and abs(value) >= 10 else digits)
    return text.replace("-", "\N{MINUS SIGN}")


def listed(names: Sequence[str]) -> str:
    """Join names as `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Format a number of things, such as `no images`, `1 image`, `2,000 images`."""
    return f"{f'{number:,}' if number else 'no'} {noun if number == 1 else plural or f'{noun}s'}"


def yaml_word(text: str) -> str:
    """Write a text as YAML, in quotes if it would otherwise be read as a number, a truth value, a date or syntax."""
    word = re.fullmatch(r"[^\W\d]([\w./ -]*[\w./-])?", text)
    if word and text.lower() not in OTHER_THAN_TEXT and unicodedata.is_normalized("NFC", text):
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(sign: str) -> str:
    """Return a character as in a YAML text in double quotes; what would not be seen, or not alone, by its number."""
    if sign in '"\\':
        return f"\\{sign}"
    if sign.isprintable() and not unicodedata.combining(sign) and unicodedata.is_normalized("NFC", sign):
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 1 << 16 else f"\\U{ord(sign):08x}"


def quoted(text: str) -> str:
    """Write a text as YAML in single quotes, in which a backslash is literal."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def shortened(name: str, most: int) -> str:
    """Cut a name to at most `most` characters, the last of them an ellipsis."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def duration(seconds: float) -> str:
    """Format a time as minutes and seconds, `4:05`, or with hours, `1:04:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
