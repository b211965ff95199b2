"""Labels that are suspected, reviewed in the table and corrected, through real commands: just these change."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from .conftest import Project


@pytest.mark.slow
def test_suspects_are_reviewed_and_just_their_labels_change(changed: Callable[..., set[str]], project: Project) -> None:
    table = project.folder / "data/prepared/table.parquet"
    before = pd.read_parquet(table).set_index("path")
    project.run("medtransfer", "suspects", "frozen", "-o", "suspects.csv", "--most", "6")
    review = pd.read_csv(project.folder / "suspects.csv", dtype=str)
    assert len(review) == 6
    review.loc[:2, "corrected"] = review.loc[:2, "suggested"]
    project.write("extensions/reviewed.csv", review.to_csv(index=False))
    ran = changed("+data.labels={corrections: extensions/reviewed.csv}")
    assert {"check", "prepare", "train@frozen", "compare"} <= ran
    after = pd.read_parquet(table).set_index("path")
    differing = before.index[before["label"] != after.loc[before.index, "label"]]
    assert sorted(differing) == sorted(review["path"][:3])
    assert after.loc[review["path"][:3], "label"].tolist() == review["suggested"][:3].tolist()
    assert (before["split"] == after.loc[before.index, "split"]).all()
    assert "6 labels were reviewed, 3 of them changed" in project.read("metrics/data.md")
    assert "download" not in changed()
    project.write("extensions/reviewed.csv", review.assign(corrected="").to_csv(index=False))
    changed()
    assert pd.read_parquet(table)["label"].tolist() == before["label"].tolist()
