"""Names that other programs would obey: HTML, Markdown, LaTeX, shells, spreadsheets, terminals."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st
from markdown_it import MarkdownIt

ATTACKS = (
    "<script>window.ran = 1</script>", "</script><script>window.ran = 1</script>",
    "<img src=x onerror=window.ran=1>", '" onmouseover="window.ran=1', "' onload='window.ran=1",
    "<svg/onload=window.ran=1>", "<!--", "]]>", "&lt;b&gt;", "{{ 7 * 7 }}", "${7*7}", "{% raw %}",
    "javascript:window.ran=1", "</title>", "</style><style>*{display:none}", "[text](javascript:window.ran=1)",
    "![picture](http://localhost/x.png)", "a|b", "a\\|b", "\\", "`", "```", "**", "~~~", "<http://localhost>",
    "# title", "[x]: http://localhost", "| - |", "---", "\\input{/etc/passwd}", "\\write18{touch ran}", "$x_1$",
    "100 %", "{", "}", "^^5c", "[2in]", "*", "&", "\\end{table}", "$(touch ran)", "`touch ran`", "; touch ran #",
    "'; touch ran; '", "%s%n", "!!python/object/apply:os.system [ls]", "=1+1", "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://localhost")', "@SUM(1+1)*cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0", "＝cmd|' /C calc'!A0", "\u202egpj.exe", "\u2066a\u2069", "a\u2028b", "a\nb", "a\r\nb",
    "a\tb", "\x1b[2J", "\x00", "\x9b1m", "\x7f", "\ufeffa", "a\u200bb", "é", "x" * 255, "é" * 127, "肺" * 85, "😀",
    "", " ", ".", "..", "NaN", "None", "true", "0",
)  # fmt: skip
"""One of each kind, and the longest names."""


def names() -> st.SearchStrategy[str]:
    """Draw an attack as it is, several joined, one within a name, or any text of at most 255 bytes."""
    attacks = st.sampled_from(ATTACKS)
    parts = attacks | st.text(max_size=20)
    drawn = attacks | st.builds("{}{}".format, attacks, attacks) | st.builds("{}{}{}".format, parts, attacks, parts)
    return (drawn | st.text(max_size=60)).filter(lambda name: len(name.encode(errors="replace")) <= 255)


READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shape(page: str) -> list[tuple[str, int]]:
    """Return the structure of a Markdown page as a reader sees it: headings, tables, rows and cells."""
    return [
        (token.type, token.nesting)
        for token in READER.parse(page)
        if token.type.partition("_")[0] in ("heading", "table", "tr", "td", "th", "fence", "html", "bullet", "list")
    ]


def inline(page: str) -> set[str]:
    """Return the kinds of what is within the lines of a Markdown page."""
    return {child.type for token in READER.parse(page) for child in token.children or ()}


def drawn(count: int) -> list[str]:
    """Return all attacks, and then pairs of them, always the same."""
    found, random = [name for name in ATTACKS if name.strip()], Random(0)
    return list(dict.fromkeys([*found, *("".join(random.sample(found, 2)) for _ in range(2 * count))]))[:count]
