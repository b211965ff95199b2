"""The commands of the README, and of the pages of results, put their studies in force."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from medtransfer.study import load_study
from medtransfer.study.use import use_study

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/results").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_put_their_study_in_force(tmp_path: Path, page: Path) -> None:
    commands = re.findall(r"^medtransfer use (.+)$", page.read_text("utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        name, *options = shlex.split(command)
        changes = options[1::2]
        assert options[::2] == ["-S"] * len(changes)
        use_study(name, changes, ROOT / "studies", tmp_path / "params.yaml")
        load_study(tmp_path / "params.yaml")
