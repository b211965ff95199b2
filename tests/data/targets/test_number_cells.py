"""Decimal commas, separators of thousands and units: read where the cells show what they mean, else asked about."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from medtransfer.data.targets import TARGETS
from medtransfer.data.targets.number_cells import as_numbers, rough_numbers, units_of, with_points
from medtransfer.study import Labels
from medtransfer.util.errors import UserError

from ..sets import data_of


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["12,5", "13"], [12.5, 13]),
        (["1.234,5", "2.000"], [1234.5, 2000]),
        (["1,234.5", "2,000"], [1234.5, 2000]),
        (["1,234,567", "2,000"], [1234567, 2000]),
        (["0,125", "-1,250"], [0.125, -1.25]),
        (["12.5 mm", "13 mm"], [12.5, 13]),
        (["12,5mm", "13mm"], [12.5, 13]),
        (["054Y", "007Y"], [54, 7]),
        (["50 %", "1,5 %"], [50, 1.5]),
        (["1e3", "2.5"], [1000, 2.5]),
        (["1.234", "0.500", "2"], [1.234, 0.5, 2]),
        (["1.234", "12.500"], [1.234, 12.5]),
        (["1.234.567", "2.000", "3"], [1234567, 2000, 3]),
    ],
)
def test_cells_that_show_what_they_mean_are_numbers(cells: list[str], numbers: list[float]) -> None:
    written, unclear = with_points(pd.Series(cells))
    assert unclear is None
    assert list(as_numbers(written)) == numbers


def test_one_comma_before_three_digits_is_open() -> None:
    cells = pd.Series(["1,234", "2"])
    assert with_points(cells)[1] == "1,234"
    assert list(with_points(cells, ",")[0]) == ["1.234", "2"]
    assert list(with_points(cells, ".")[0]) == ["1234", "2"]


def test_one_point_before_three_digits_is_open_beside_whole_numbers() -> None:
    cells = pd.Series(["1.234", "987"])
    assert with_points(cells)[1] == "1.234"
    assert list(with_points(cells, ".")[0]) == ["1.234", "987"]
    assert list(with_points(cells, ",")[0]) == ["1234", "987"]


def test_a_stated_sign_does_not_overrule_cells_that_show_another() -> None:
    assert list(with_points(pd.Series(["0.25", "12,5"]), ",")[0]) == ["0.25", "12,5"]
    assert list(with_points(pd.Series(["0.25", "1"]), ",")[0]) == ["0.25", "1"]


def test_any_writing_is_recognised_as_numbers() -> None:
    cells = pd.Series(["12,5", "12.25", "1,234.5", "1,234", "7"])
    assert list(rough_numbers(cells)) == [12.5, 12.25, 1234.5, 1.234, 7]
    assert rough_numbers(pd.Series(["a,b", "12,5"])).isna().tolist() == [True, False]


def test_cells_that_disagree_and_words_stay_as_they_are() -> None:
    assert list(with_points(pd.Series(["12,5", "12.25"]))[0]) == ["12,5", "12.25"]
    assert list(with_points(pd.Series(["a,b", "12,5"]))[0]) == ["a,b", "12.5"]
    assert units_of(pd.Series(["1 mm", "2 cm", "3", "NA", "7_right.jpg", "8.png"])) == ["", "cm", "mm"]


def test_a_column_that_leaves_it_open_is_asked_about_and_read_as_said() -> None:
    table = pd.DataFrame({"path": ["a", "b"], "label": ["1,234", "2"], "split": None})
    (problem,) = TARGETS["numbers"].renamed(table, Labels())[2]
    assert problem.endswith('say which: data.labels: {decimal: "."} or data.labels: {decimal: ","}')
    assert list(TARGETS["numbers"].renamed(table, Labels(decimal=","))[0]["label"]) == ["1.234", "2"]


def test_units_have_to_be_those_of_the_study_and_the_same() -> None:
    numbers, layout = TARGETS["numbers"], {"kind": "label_csv", "file": "t.csv", "image": "i", "label": "size"}
    labels = pd.Series(["12.5 mm", "13 mm"])
    with pytest.raises(UserError, match=r"data.unit: the numbers have the unit mm, as in '12.5 mm'; set data.unit: mm"):
        numbers.encode(labels, data_of(layout=layout, unit="cm"))
    assert numbers.encode(labels, data_of(layout=layout, unit="mm")).values.tolist() == [[12.5], [13]]
    mixed = pd.DataFrame({"path": ["a", "b"], "label": ["1 mm", "2 cm"], "split": None})
    assert numbers.problems(mixed, Labels()) == ["numbers in several units (cm, mm); write them in one"]


def test_numbers_with_commas_or_units_are_no_classes_in_silence(tmp_path: Path) -> None:
    from ..layouts.detection import refusal

    for unit in (",5", " mm"):
        rows = "".join(f"{number}.png;{number % 15}{unit}\n" for number in range(45))
        root = tmp_path / unit.strip(", ")
        root.mkdir()
        for number in range(45):
            (root / f"{number}.png").write_bytes(b"")
        (root / "t.csv").write_text(f"image;volume\n{rows}", encoding="utf-8")
        assert "the labels are 15 different numbers from 0" in refusal(root)
