"""Markdown tables: every column aligned, also in plain text, and shares in three figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.util.text import in_figures, markdown_table

WORDS = st.text(st.characters(codec="latin-1", exclude_characters="|", exclude_categories=["Cc", "Cf"]), max_size=12)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5), st.integers(1, 2))
def test_every_bar_of_a_table_stands_under_the_one_above(rows: list[tuple[str, str, str]], left: int) -> None:
    header, *body = (list(row) for row in rows)
    lines = markdown_table(header, body, left).split("\n")
    bars = [[place for place, letter in enumerate(line) if letter == "|"] for line in lines]
    assert len(lines) == 1 + len(rows)
    assert all(found == bars[0] for found in bars)
    assert len(bars[0]) == 4
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[:1] + cells[2:] == [[cell.strip() for cell in row] for row in (header, *body)]


def test_a_table_worked_by_hand() -> None:
    assert markdown_table(["Variant", "ACC"], [["a", ".5"], ["longer name", ".75"]]).split("\n") == [
        "| Variant     | ACC |",
        "| ----------- | --: |",
        "| a           |  .5 |",
        "| longer name | .75 |",
    ]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_rule_of_a_narrow_column_is_still_markdown(width: int) -> None:
    rule = markdown_table(["V", "x" * width], [["a", "1"]]).split("\n")[1]
    marks = [cell.strip() for cell in rule.split("|")[1:-1]]
    assert set(marks[0]) == {"-"}
    assert marks[1].endswith("-:")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8734, ".873"), (1.0, "1.000"), (0.0, ".000"), (-0.05, "-.050"), (10.2, "10.200"), (float("nan"), "–"),
     (None, "–")],
)  # fmt: skip
def test_shares_are_three_figures_without_the_zero(value: float | None, text: str) -> None:
    assert in_figures(value) == text


def test_a_bar_within_a_cell_does_not_end_it() -> None:
    assert markdown_table(["Class"], [["a|b"]]).split("\n")[-1] == r"| a\|b  |"
