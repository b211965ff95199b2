"""The tutorial, command by command, with images of one's own, as a new user who has the wheel would type it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from medtransfer.study.use import read_study

from ..documentation.pages import blocks
from ..pipeline.shrunk import pictures
from .conftest import Installed

OF_THE_ENVIRONMENT = ("python3 -m venv", ". .venv", "pip install")
"""Commands in whose place this test has an environment with the wheel."""
MOST_COMMANDS = 10


def commands(root: Path) -> list[str]:
    return [line for block in blocks(root / "docs/tutorial.md") for line in block.splitlines()]


def test_the_table_takes_at_most_ten_commands(root: Path) -> None:
    lines = commands(root)
    assert lines[2] == "pip install medtransfer"
    assert 1 + lines.index("cat metrics/comparison.md") <= MOST_COMMANDS


@pytest.mark.slow
def test_the_tutorial_runs_from_images_to_predictions(installed: Installed, root: Path, tmp_path: Path) -> None:
    for file, label, patient, _ in pictures(tmp_path / "simulated"):
        target = tmp_path / "photos" / ("abnormal" if label > 1 else "normal") / f"{patient}_{file.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    params = read_study(root / "studies/own_images.yaml").params  # two epochs are enough to see a table
    changes = [f"strategies.{name}.epochs=2" for name in ("frozen", "fine_tune", "scratch")]
    options = " ".join(f"-S '{change}'" for change in changes)
    lines = [
        f"{line} {options}" if line.startswith("medtransfer init") else line
        for line in commands(root)
        if not line.startswith(OF_THE_ENVIRONMENT)
    ]
    output = installed.run(tmp_path, "bash", "-euc", "\n".join(lines))
    assert "Balanced accuracy" in output
    study = tmp_path / "my-study"
    assert set(json.loads((study / "metrics/summary.json").read_text())) >= set(params.variants)
    assert (study / "report/index.html").is_file()
    predictions = pd.read_csv(study / "predictions.csv")
    assert len(predictions) == 120
    assert installed.run(study, "git", "log", "--format=%s").splitlines() == [
        "Ten images per class",
        "First results",
        "Create the study own_images",
    ]
