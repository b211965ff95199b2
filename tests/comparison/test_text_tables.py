"""The comparison as text: cells, marks and the tables that apply; as Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from medtransfer.comparison.columns import in_millions, in_probability
from medtransfer.comparison.compare import compute_comparison
from medtransfer.comparison.pages import comparison_page, comparison_tables, escaped
from medtransfer.comparison.results import Comparison
from medtransfer.comparison.text_tables import text_tables
from medtransfer.study import Study
from medtransfer.util.places import Places
from medtransfer.util.text import with_interval

MakeStudy, Finish = Callable[..., Study], Callable[..., Places]
REFERENCE = {
    "source": "a report",
    "rows": {"strong": {"accuracy": 0.1, "precision_weighted": 0.92}, "unheard_of": {"accuracy": 0.99}},
}


@pytest.fixture
def found(study_with: MakeStudy, finished: Places) -> Comparison:
    return compute_comparison(study_with(reference=REFERENCE), finished)


@pytest.mark.parametrize(
    ("value", "text"),
    [(11_689_512, "11.69 M"), (26_000, "0.03 M"), (1_814_073_344, "1,814 M"), (None, "–"), (float("nan"), "–")],
)
def test_counts_are_millions(value: float | None, text: str) -> None:
    assert in_millions(value) == text


def test_a_value_is_followed_by_its_interval_if_it_has_one() -> None:
    full = {"accuracy": 0.8734, "accuracy_low": 0.81, "accuracy_high": 0.92}
    assert with_interval(full, "accuracy") == ".873 [.810, .920]"
    assert with_interval({"accuracy": 0.6187}, "accuracy") == ".619"
    assert with_interval(full, "f1_macro") == "–"


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< .001"), (0.0123, ".012"), (1.0, "1.000"), (float("nan"), "–")])
def test_p_values_have_three_digits(p: float, text: str) -> None:
    assert in_probability(p) == text


def test_the_main_table_marks_ties_and_baselines(found: Comparison) -> None:
    main = text_tables(found)[0]
    assert main.header[:6] == ["Variant", "Accuracy", "SD runs", "SE images", "p", "Validation"]
    assert dict(zip([row[0].text for row in main.rows], main.marks, strict=True)) == {
        "strong": "tied",
        "twin": "tied",
        "weak": "",
        "nearest_neighbour": "baseline",
        "constant": "baseline",
    }
    assert str(main.rows[0][4]) == "best"
    assert "30 groups (90 images), 300 resamples" in main.note


def test_only_tables_that_apply_are_there(found: Comparison, study_with: MakeStudy, finish: Finish) -> None:
    titles = [section.title for section in text_tables(found)]
    assert "Published values and ours" in titles
    assert "Operating points" not in titles
    binary = compute_comparison(study_with(), finish(classes=2))
    titles = [section.title for section in text_tables(binary)]
    assert "Operating points" in titles
    assert "Published values and ours" not in titles
    rules = next(section for section in text_tables(binary) if section.title == "Operating points")
    assert "probability of mass" in rules.note


def test_published_values_are_compared_with_ours_if_there_are_any(found: Comparison) -> None:
    section = text_tables(found)[-1]
    assert section.note == "Published: a report."
    cells = {(str(row[0]), str(row[1])): list(map(str, row[2:])) for row in section.rows}
    assert cells["strong", "Accuracy"][0] == ".100"
    assert cells["strong", "Accuracy"][2] == "yes"
    assert cells["strong", "Precision (weighted)"][2] == ""
    assert cells["unheard_of", "Accuracy"] == [".990", "–", ""]


def test_the_best_of_each_backbone_is_its_first_row(found: Comparison) -> None:
    best = text_tables(found)[1]
    assert [list(map(str, row[:2])) for row in best.rows] == [["resnet18", found.verdict.best], ["small", "weak"]]


def test_the_page_warns_above_its_first_table(found: Comparison) -> None:
    page = comparison_page(found)
    assert page.startswith("# A tiny study\n")
    above = page[: page.index("| Variant")]
    assert "> **Warning.** LEAKAGE: 2 groups stand in two splits" in above
    assert "| **strong** =" in page
    assert "| *constant*" in page
    assert "Warning" not in comparison_page(replace(found, warnings=()))


def test_latex_has_every_table_and_nothing_unescaped(found: Comparison) -> None:
    text = comparison_tables(found)
    assert text.count(r"\begin{tabular}") == len(text_tables(found))
    assert r"\textbf{strong} =" in text
    assert r"\emph{nearest\_neighbour}" in text
    assert r"95\% interval" in text
    assert "LEAKAGE" in text
    for table in text.split(r"\end{table}")[:-1]:
        columns = table[table.index(r"{tabular}{") + len("{tabular}{") :].split("}")[0]
        body = [line for line in table.split("\n") if line.endswith(r"\\")]
        assert body
        assert all(line.replace(r"\&", "").count("&") == len(columns) - 1 for line in body)


def test_special_characters_are_escaped_for_latex() -> None:
    assert escaped("a_b & 5% < {x}") == r"a\_b \& 5\% $<$ \{x\}"
    assert escaped("see `pairs_all.csv`.") == r"see \texttt{pairs\_all.csv}."
    assert escaped("\\") == r"\textbackslash{}"
