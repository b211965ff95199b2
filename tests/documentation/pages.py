"""Commands of the documentation, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\S*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:dvc|medtransfer|make|mlflow|python benchmarks/)[^`]*)`")


def pages() -> list[Path]:
    """List the pages that people read: README, contribution guide, and the site."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")]
    folders = [ROOT / "docs"]
    found = [path for folder in folders for path in sorted(folder.rglob("*.md"))]
    return top + [path for path in found if not {"_build", "generated"} & set(path.parts)]


def blocks(path: Path) -> list[str]:
    """Return the fenced blocks of a page that have no language: those are shell commands."""
    return [code for language, code in BLOCK.findall(path.read_text(encoding="utf-8")) if not language]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of a block, without comments and redirections."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for number, word in enumerate(words):
            if word in (">", ">>", "|", "&&"):
                words = words[:number]
                break
        if words:
            yield words


def inline_commands(path: Path) -> Iterator[list[str]]:
    """Yield the commands in running text that are more than a name."""
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for found in INLINE.findall(text):
        words = shlex.split(found.replace("…", "X"))
        if len(words) > 1:
            yield words
