"""The comparison as text: tables align, numbers are short, and what must be said is said."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from medtransfer.comparison.markdown import comparison_page, in_millions, with_interval

NOTES = {"images": 90, "groups": 30, "resamples": 300, "warnings": []}


@pytest.mark.parametrize(
    ("value", "text"),
    [(11_689_512, "11.69 M"), (26_000, "0.03 M"), (1_814_073_344, "1,814 M"), (None, "–"), (float("nan"), "–")],
)
def test_counts_are_millions(value: float | None, text: str) -> None:
    assert in_millions(value) == text


def test_a_value_stands_with_its_interval_and_its_deviation_where_it_has_them() -> None:
    full = {"accuracy": 0.8734, "accuracy_low": 0.81, "accuracy_high": 0.92, "accuracy_sd": 0.0123}
    assert with_interval(pd.Series(full), "accuracy") == ".873 [.810, .920] ± .012"
    assert with_interval(pd.Series(full | {"accuracy_sd": None}), "accuracy") == ".873 [.810, .920]"
    assert with_interval(pd.Series({"accuracy": 0.6187}), "accuracy") == ".619"
    assert with_interval(pd.Series(full), "f1_macro") == "–"


def row(name: str, kind: str, accuracy: float, **more: Any) -> dict[str, Any]:
    return {"variant": name, "kind": kind, "accuracy": accuracy} | more


def a_table(*published: dict[str, Any]) -> pd.DataFrame:
    sizes = {"parameters": 11e6, "trainable_parameters": 5e3, "multiply_adds": 2e9}
    rows = [
        row("best", "variant", 0.9, backbone="resnet18", tied_with_best=True, **sizes),
        row("near", "variant", 0.89, backbone="cnn", tied_with_best=True, **sizes),
        row("far", "variant", 0.5, backbone="cnn", tied_with_best=False, **sizes),
        row("majority", "baseline", 0.4),
    ]
    return pd.DataFrame(rows + list(published))


def page_of(table: pd.DataFrame, **notes: Any) -> str:
    return comparison_page("A study", table, "accuracy", 0.95, NOTES | notes)


def test_ties_are_bold_baselines_italic_and_others_plain() -> None:
    names = [line.split("|")[1].strip() for line in page_of(a_table()).split("\n") if line.startswith("| ")]
    assert names[2:6] == ["**best** =", "**near** =", "far", "*majority*"]


def test_every_warning_stands_above_the_table() -> None:
    page = page_of(a_table(), warnings=["LEAKAGE: two groups", "NO GROUP KEY: images"])
    above = page[: page.index("| Variant")]
    assert "> **Warning.** LEAKAGE: two groups" in above
    assert "> **Warning.** NO GROUP KEY: images" in above
    assert "Warning" not in page_of(a_table())


def test_the_legend_says_how_the_intervals_were_drawn() -> None:
    page = page_of(a_table())
    assert "95% interval" in page
    assert "30 groups (90 images), 300 resamples" in page


def test_the_metric_of_the_study_is_the_first_column() -> None:
    table = a_table().assign(roc_auc=0.5)
    page = comparison_page("A study", table, "roc_auc", 0.9, NOTES)
    header = next(line for line in page.split("\n") if line.startswith("| Variant"))
    assert [cell.strip() for cell in header.split("|")[1:4]] == ["Variant", "ROC-AUC", "Accuracy"]
    assert "90% interval" in page


def test_published_figures_stand_beside_ours_or_alone() -> None:
    figures = [
        row("best", "published", 0.8417, f1_weighted=0.842, source="a report"),
        row("unheard of", "published", 0.7, source="a report"),
    ]
    page = page_of(a_table(*figures))
    section = page[page.index("## Published figures") :]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.split("\n") if line.startswith("| ")]
    assert cells[0] == ["Variant", "Accuracy: published", "ours", "F1 (weighted): published", "ours"]
    assert cells[2] == ["best", ".842", ".900", ".842", "–"]
    assert cells[3] == ["unheard of", ".700", "–", "–", "–"]
    assert section.endswith("Published: a report.\n")
    assert "unheard of" not in page[: page.index("## Published figures")]
    assert "## Published" not in page_of(a_table())


def test_the_best_of_each_backbone_is_its_first_row() -> None:
    page = page_of(a_table())
    section = page[page.index("## The best variant of each backbone") :]
    assert [line.split("|")[2].strip() for line in section.split("\n") if line.startswith("| ")][2:] == ["best", "near"]
