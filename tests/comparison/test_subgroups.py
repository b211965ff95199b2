"""Subgroups: their levels from a column, gaps that are planted and gaps that are not, and what is too small."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scored import predictions_frame

from medtransfer.comparison.compare import compute_comparison
from medtransfer.comparison.pages import comparison_page
from medtransfer.comparison.results import GAPS
from medtransfer.comparison.subgroups import HOME, compare_subgroups, corrected, levels_of, require_columns
from medtransfer.study import Study
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

from .conftest import CLASSES

MakeStudy = Callable[..., Study]
SUBGROUPS = {"sex": "sex", "age": {"column": "Patient Age", "bins": [0, 18, 65, 120]}}


def columns_of(paths: list[str]) -> pd.DataFrame:
    number = np.arange(len(paths))
    sex = np.where(number // 3 % 2 == 0, "F", "M").astype(object)
    sex[-3:] = ""
    return pd.DataFrame({"path": paths, "sex": sex, "Patient Age": [f"{10 + each // 3 % 3 * 30}Y" for each in number]})


def test_levels_are_values_or_ranges_and_the_unknown(study_with: MakeStudy) -> None:
    paths = [f"{number:02}.png" for number in range(30)]
    found = levels_of(study_with(subgroups=SUBGROUPS), columns_of(paths), pd.Series(paths))
    assert list(found) == [
        ("sex", "F"), ("sex", "M"), ("sex", "unknown"), ("age", "0 to 18"), ("age", "18 to 65"), ("age", "65 to 120"),
    ]  # fmt: skip
    assert list(found["sex", "F"][:4]) == ["00.png", "01.png", "02.png", "06.png"]
    assert list(found["sex", "unknown"]) == paths[-3:]
    assert sum(map(len, found.values())) == 60


def test_a_decimal_comma_is_one_in_the_columns_of_subgroups(study_with: MakeStudy) -> None:
    paths = [f"{number:02}.png" for number in range(30)]
    columns = columns_of(paths).assign(days=["0,4", "0,9", "1,5"] * 10)
    study = study_with(subgroups={"days": {"column": "days", "bins": [0, 0.5, 1, 2]}})
    assert [len(of) for of in levels_of(study, columns, pd.Series(paths)).values()] == [10, 10, 10]


def test_a_comma_before_three_digits_is_asked_about_in_the_columns_of_subgroups(study_with: MakeStudy) -> None:
    paths = pd.Series([f"{number}.png" for number in range(30)])
    study = study_with(subgroups={"dose": {"column": "dose", "bins": [0, 500, 5000]}})
    found = levels_of(study, columns_of(paths).assign(dose=["1.234,5", "600", "20"] * 10), paths)
    assert {level: len(images) for (_, level), images in found.items()} == {"0 to 500": 10, "500 to 5000": 20}
    with pytest.raises(UserError, match="'1,234' may have decimals after its comma"):
        levels_of(study, columns_of(paths).assign(dose=["1,234", "600", "20"] * 10), paths)


@pytest.mark.parametrize(
    ("subgroups", "message"),
    [
        ({"sex": "Sex"}, "no table of the set has a column 'Sex'"),
        ({"sex": {"column": "sex", "bins": [0, 1]}}, "bins need numbers"),
        ({"image": "name"}, "has 30 values on test images"),
    ],
)
def test_columns_that_make_no_subgroups(study_with: MakeStudy, subgroups: dict[str, object], message: str) -> None:
    paths = [f"{number:02}.png" for number in range(30)]
    columns = columns_of(paths).assign(name=paths)
    study = study_with(subgroups=subgroups)
    with pytest.raises(UserError, match=message):
        require_columns(study, {HOME: columns, "elsewhere": columns})
        levels_of(study, columns, pd.Series(paths))


def test_a_column_of_an_external_set_alone_makes_subgroups_there(study_with: MakeStudy) -> None:
    paths = [f"{number:02}.png" for number in range(30)]
    study, home = study_with(subgroups={"sex": "sex"}), pd.DataFrame({"path": paths})
    require_columns(study, {HOME: home, "elsewhere": columns_of(paths)})
    assert levels_of(study, home, pd.Series(paths)) == {}
    assert len(levels_of(study, columns_of(paths), pd.Series(paths))) == 3


def drawn(rng: np.random.Generator, skills: np.ndarray) -> ClassPredictions:
    """Draw the predictions of one run; skills: of each image, which is its own group."""
    labels = np.arange(len(skills)) // 2 % 3
    paths = [f"{number:04}" for number in range(len(skills))]
    logits = rng.normal(size=(len(skills), 3)) + skills[:, None] * np.eye(3)[labels]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    images = pd.DataFrame({"path": paths, "label_index": labels, "group": paths})
    return ClassPredictions(predictions_frame(images, scores, CLASSES, 0, 0, "test"))


def gaps_of(study: Study, places: Places, skills: np.ndarray, level: np.ndarray, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    predictions = {name: drawn(rng, skills) for name in study.variants}
    places.columns.parent.mkdir(parents=True, exist_ok=True)
    paths = [f"{number:04}" for number in range(len(skills))]
    pd.DataFrame({"path": paths, "site": level.astype(str)}).to_parquet(places.columns)
    return compare_subgroups(study, dict(predictions), ("accuracy",), places)[1]


def test_a_planted_gap_is_found_with_its_size(study_with: MakeStudy, finished: Places) -> None:
    level = np.arange(600) // 2 % 2
    gaps = gaps_of(study_with(subgroups={"site": "site"}), finished, np.where(level == 0, 3.0, 0.7), level, 0)
    assert len(gaps) == 3
    assert (gaps["p_corrected"] < 0.01).all()
    assert (gaps["higher"] == "0").all()
    assert (gaps["gap_low"] > 0.1).all()


def test_the_largest_gap_has_its_own_p_value() -> None:
    """And not that of a smaller one between larger levels."""
    of_all = {"set": "home", "subgroup": "site", "variant": "a", "metric": "accuracy", "pairs": 2}
    gaps = pd.DataFrame([{**of_all, "gap": 0.3, "p": 0.2}, {**of_all, "gap": 0.1, "p": 0.001}], columns=list(GAPS))
    found = corrected(gaps)
    assert list(found["gap"]) == [0.3]
    assert list(found["p_corrected"]) == [0.2]


@pytest.mark.slow
def test_equal_subgroups_differ_in_few_studies(study_with: MakeStudy, finished: Places) -> None:
    study, level = study_with(subgroups={"site": "site"}), np.arange(300) // 2 % 6
    skills = np.full(300, 1.5)
    found = sum((gaps_of(study, finished, skills, level, seed)["p_corrected"] < 0.05).any() for seed in range(200))
    assert found <= 200 * 0.05 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_the_tables_of_a_study_show_small_subgroups_and_say_so(study_with: MakeStudy, finished: Places) -> None:
    paths = [f"image{number:03}.png" for number in range(90)]
    table = columns_of(paths)
    finished.columns.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(finished.columns)
    found = compute_comparison(study_with(subgroups=SUBGROUPS), finished)
    rows = found.subgroups[(found.subgroups["metric"] == "accuracy") & (found.subgroups["variant"] == "strong")]
    sizes = rows.set_index("level")[["images", "groups", "few"]]
    assert sizes.loc["F"].tolist() == [45, 15, False]
    assert sizes.loc["unknown"].tolist() == [3, 1, True]
    tests = ClassPredictions(pd.read_parquet(finished.predictions("strong"))).tests
    right = (tests.replicates.argmax(axis=2) == tests.images["label"].to_numpy()).mean(axis=0)
    assert rows.set_index("level").loc["F", "value"] == pytest.approx(right[(table["sex"] == "F").to_numpy()].mean())
    page = comparison_page(found)
    assert "## Subgroups" in page
    assert "unknown (few)" in page or "sex unknown (1)" in page
