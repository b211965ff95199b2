"""Test-time augmentation through real DVC: it is added, changed and removed without training again."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from .conftest import Project

EXPLAINED = {"explain@frozen", "explain@few_shot"}


@pytest.mark.slow
def test_views_are_added_and_removed_by_one_line(changed: Callable[..., set[str]], project: Project) -> None:
    ran = changed("+comparison.tta={scratch: {views: 3}}")
    assert ran == {"check", "tta@scratch", "compare"} | EXPLAINED
    rows = pd.read_csv(project.folder / "metrics/tables/ensembles.csv").set_index("ensemble")
    table = pd.read_csv(project.folder / "metrics/comparison.csv").set_index("variant")
    assert rows.loc["scratch, 3 views", "multiply_adds"] == pytest.approx(
        3 * table.loc["scratch", "multiply_adds"], rel=1e-4
    )
    assert "scratch, 3 views" in project.read("report/index.html")
    assert changed("~comparison.tta") == {"check", "compare"} | EXPLAINED
    assert "scratch, 3 views" not in project.read("report/index.html")
