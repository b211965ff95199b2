"""A test set from elsewhere through real DVC: it is added, changed and removed without training again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fetal_phantom import write_phantom

from .conftest import Project

EVALUATED = {f"evaluate@{name}" for name in ("scratch", "frozen", "few_shot")}
EXPLAINED = {"explain@frozen", "explain@few_shot"}


@pytest.mark.slow
def test_external_sets_are_evaluated_and_nothing_is_trained(
    changed: Callable[..., set[str]], project: Project, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    write_phantom(there, patients=30, frames=2, size=48, difficulty=0.5, split_by="patient", seed=123)
    line = f"{{source: folder, folder: {there}, layout: one_hot_csv, group: {{pattern: '^(patient[0-9]+)_'}}}}"
    ran = changed(f"+data.external={{hospital: {line}}}")
    assert ran == {"check", "prepare", "external@hospital", "compare"} | EVALUATED | EXPLAINED
    table = pd.read_csv(project.folder / "metrics/tables/external.csv")
    assert set(table["set"]) == {"hospital"}
    assert set(table["variant"]) == {"scratch", "frozen", "few_shot"}
    assert 'id="external"' in project.read("report/index.html")
    assert "accuracy_hospital" in project.read("metrics/summary.json")
    assert not any(stage.startswith("train") for stage in changed("~data.external"))
    assert 'id="external"' not in project.read("report/index.html")
