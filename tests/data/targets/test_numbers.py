"""Numbers as targets: what is read, asked, refused, and how splits are stratified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.data.targets import TARGETS
from medtransfer.data.targets.numbers import bin_ranges
from medtransfer.study import Labels
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

from ..sets import data_of, write_images

LAYOUT = {"kind": "label_csv", "file": "sizes.csv", "image": "name", "label": "hc"}
NAMES = [f"patient{number // 2:02}_{number % 2}.png" for number in range(60)]
SIZES = {name: 100.5 + 3 * number for number, name in enumerate(NAMES)}


def a_set(folder: Path, sizes: dict[str, Any] | None = None) -> Path:
    raw = write_images(folder / "raw", *NAMES)
    table = pd.DataFrame({"name": NAMES, "hc": [(sizes or SIZES)[name] for name in NAMES], "age": range(60)})
    table.assign(sex=["m", "f"] * 30).to_csv(raw / "sizes.csv", index=False)
    return raw


def prepared_from(raw: Path, **fields: Any) -> Prepared:
    split = {"method": "random", "test": 0.25, "validation": 0.25}
    data = data_of(**({"layout": LAYOUT, "unit": "mm", "split": split} | fields))
    prepare(raw, data, 1, Places(raw.parent), "regression", "numbers")
    return Prepared(Places(raw.parent).prepared)


def test_numbers_are_kept_as_values_and_displayed_as_ranges_with_the_unit(tmp_path: Path) -> None:
    prepared = prepared_from(a_set(tmp_path))
    assert prepared.outputs == ["hc"]
    assert prepared.classes == []
    assert prepared.unit == "mm"
    expected = np.array([[SIZES[path]] for path in prepared.table["path"]], np.float32)
    assert np.array_equal(prepared.values, expected)
    assert prepared.table["label"].nunique() == 5
    assert "100 to 134 mm" in set(prepared.table["label"])
    spread = prepared.table.groupby("split")["label"].nunique()
    assert (spread == 5).all()  # every part has numbers of every range


def test_what_was_understood_is_shown_with_the_numbers_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared_from(a_set(tmp_path))
    told = capsys.readouterr().out
    assert "ranges" in told
    assert "100.5" in told


def test_auto_never_chooses_a_column_but_asks(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        prepared_from(a_set(tmp_path), layout={"kind": "auto"})
    (line,) = error.value.problems
    assert "the numbers are not detected; name one: data.layout: " in line
    assert "label: hc} (numbers from 100.5 to 277.5)" in line
    assert "label: age} (numbers from 0 to 59)" in line
    assert "sex" not in line


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("NA", "1 image without a number (NA), such as patient01_1.png; to leave them out: data.labels: {drop: [NA]}"),
        ("", '(no label), such as patient01_1.png; to leave them out: data.labels: {drop: [""]}'),
        ("12,5", "1 label with a comma, such as '12,5' of patient01_1.png; write decimals with a point"),
        ("inf", "1 image without a number (inf)"),
    ],
)
def test_what_is_no_number_is_refused_with_a_remedy(tmp_path: Path, value: str, problem: str) -> None:
    raw = a_set(tmp_path, SIZES | {"patient01_1.png": value})
    with pytest.raises(UserError) as error:
        prepared_from(raw)
    assert problem in error.value.problems[0]
    assert len(error.value.problems) == 1


def test_the_remedy_works(tmp_path: Path) -> None:
    prepared = prepared_from(a_set(tmp_path, SIZES | {"patient01_1.png": "NA"}), labels={"drop": ["NA"]})
    assert "patient01_1.png" not in set(prepared.table["path"])
    assert len(prepared.table) == 59


def test_numbers_that_are_all_the_same_cannot_be_learned() -> None:
    table = pd.DataFrame({"path": ["a", "b"], "label": ["3", "3.0"], "split": None})
    assert TARGETS["numbers"].problems(table, Labels()) == ["expected numbers that differ, but all 2 are 3"]


def test_copies_contradict_each_other_by_value_and_not_by_spelling(tmp_path: Path) -> None:
    raw = a_set(tmp_path, SIZES | {"patient00_0.png": "100", "patient00_1.png": "100.0", "patient03_1.png": "7"})
    for first, second in (("patient00_0.png", "patient00_1.png"), ("patient03_0.png", "patient03_1.png")):
        (raw / second).write_bytes((raw / first).read_bytes())
    prepared = prepared_from(raw)
    (warning,) = [line for line in prepared.about["warnings"] if line.startswith("CONTRADICTORY")]
    assert "1 image with several numbers, in 2 of 60 files" in warning


def test_bins_hold_equal_values_together_and_their_names_differ() -> None:
    values = np.array([0.0] * 70 + [1.0] * 10 + [1.0001] * 10 + [5.0] * 10)
    names = bin_ranges(values, "")
    assert len({(value, name) for value, name in zip(values, names, strict=True)}) == len(set(values))
    assert set(names) == {"0 to 0", "1 to 1", "1 to 5"}
    assert set(bin_ranges(values, "mm")) == {"0 to 0 mm", "1 to 1 mm", "1 to 5 mm"}
