"""The README's own commands that put a study in force do so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from medtransfer.study import load_study
from medtransfer.study.use import use_study

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(
    r"^medtransfer use (.+)$", (ROOT / "README.md").read_text("utf-8").replace("\\\n", ""), re.MULTILINE
)


def test_there_are_some() -> None:
    assert len(COMMANDS) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_puts_its_study_in_force(tmp_path: Path, command: str) -> None:
    name, *options = shlex.split(command)
    changes = options[1::2]
    assert options[::2] == ["-S"] * len(changes)
    use_study(name, changes, ROOT / "studies", tmp_path / "params.yaml")
    assert load_study(tmp_path / "params.yaml").params.study.name == name
