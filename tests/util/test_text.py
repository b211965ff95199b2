"""Markdown tables that are aligned as plain text, and numbers in three figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.util.text import (
    counted,
    duration,
    in_figures,
    listed,
    markdown_table,
    shortened,
    typeset,
    without_html,
)

WORDS = st.text(st.characters(codec="latin-1", exclude_characters="|", exclude_categories=["Cc", "Cf"]), max_size=12)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5), st.integers(1, 2))
def test_the_bars_of_a_table_are_aligned(rows: list[tuple[str, str, str]], left: int) -> None:
    header, *body = (list(row) for row in rows)
    lines = markdown_table(header, body, left).split("\n")
    bars = [[place for place, letter in enumerate(line) if letter == "|"] for line in lines]
    assert len(lines) == 1 + len(rows)
    assert all(found == bars[0] for found in bars)
    assert len(bars[0]) == 4
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[:1] + cells[2:] == [[cell.strip() for cell in row] for row in (header, *body)]


def test_a_table_worked_out_by_hand() -> None:
    assert markdown_table(["Variant", "ACC"], [["a", ".5"], ["longer name", ".75"]]).split("\n") == [
        "| Variant     | ACC |",
        "| ----------- | --: |",
        "| a           |  .5 |",
        "| longer name | .75 |",
    ]


def test_tags_are_escaped_and_signs_are_not() -> None:
    page = "| </script><b>x</b> | p < .001 | a<b | <!-- x --> |"
    assert without_html(page) == "| &lt;/script>&lt;b>x&lt;/b> | p < .001 | a&lt;b | &lt;!-- x --> |"


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_rule_of_a_narrow_column_is_valid_markdown(width: int) -> None:
    rule = markdown_table(["V", "x" * width], [["a", "1"]]).split("\n")[1]
    marks = [cell.strip() for cell in rule.split("|")[1:-1]]
    assert set(marks[0]) == {"-"}
    assert marks[1].endswith("-:")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8734, ".873"), (1.0, "1.000"), (0.0, ".000"), (-0.05, "-.050"), (10.2, "10.200"), (float("nan"), "–"),
     (None, "–")],
)  # fmt: skip
def test_proportions_have_three_figures_and_no_leading_zero(value: float | None, text: str) -> None:
    assert in_figures(value) == text


def test_a_bar_in_a_cell_is_escaped() -> None:
    assert markdown_table(["Class"], [["a|b"]]).split("\n")[-1] == r"| a\|b  |"


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0512, "−.051"), (12.345, "12.3"), (-10.0, "−10.0"), (9.876, "9.876"), (None, "–")]
)
def test_typeset_numbers_have_a_true_minus_and_long_lengths_one_decimal(value: float | None, text: str) -> None:
    assert typeset(value) == text


def test_names_counts_and_times_as_text() -> None:
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert [counted(number, "image") for number in (0, 1, 2000)] == ["no images", "1 image", "2,000 images"]
    assert [shortened("abcdef", most) for most in (6, 5)] == ["abcdef", "abcd…"]
    assert [duration(seconds) for seconds in (245.4, 3845)] == ["4:05", "1:04:05"]
