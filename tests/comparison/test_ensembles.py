"""Means of predictions: against numpy, their members chosen without test images, and their test against the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medtransfer.comparison.compare import compute_comparison
from medtransfer.comparison.ensembles import ALL, TIED, tied_on_validation
from medtransfer.comparison.pages import comparison_page
from medtransfer.study import Study
from medtransfer.tasks.numbers.predictions import NumberPredictions, with_intervals
from medtransfer.tasks.predictions import average, write_rows
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

from .conftest import drawn_predictions

MakeStudy = Callable[..., Study]


def test_the_mean_is_that_of_the_same_run_and_image_whatever_the_order_of_rows() -> None:
    a, b = drawn_predictions(2.0, 1, 2), drawn_predictions(1.0, 2, 2)
    shuffled = replace(b, table=b.table.sample(frac=1, random_state=0))
    mean = average([a, shuffled])
    assert mean is not None
    assert np.allclose(mean.tests.replicates, (a.tests.replicates + b.tests.replicates) / 2, atol=1e-7)  # type: ignore[attr-defined]


def test_variants_of_other_runs_have_no_mean() -> None:
    assert average([drawn_predictions(2.0, 1, 2), drawn_predictions(2.0, 1, 1)]) is None


def test_a_mean_of_numbers_has_intervals_of_its_own() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    rows = pd.DataFrame({"path": [f"{n:02}" for n in range(60)], "fold": 0, "seed": 0, "truth": truth})
    rows["group"], rows["role"], rows["deviation"] = rows["path"], ["validation"] * 40 + ["test"] * 20, np.nan
    several = [NumberPredictions(with_intervals(rows.assign(predicted=truth + rng.normal(size=60)))) for _ in range(4)]
    mean = average(several)
    assert mean is not None
    width = [float((each.table["high"] - each.table["low"]).mean()) for each in (*several, mean)]
    assert width[-1] < min(width[:-1])


def test_members_are_chosen_on_validation_rows_alone(study_with: MakeStudy) -> None:
    good, same, poor = (drawn_predictions(skill, key, 2) for skill, key in ((2.5, 0), (2.5, 1), (0.2, 2)))
    chosen = tied_on_validation(study_with(), {"weak": poor, "strong": good, "twin": same})
    assert chosen == ["strong", "twin"]
    swapped = {}
    for name, of, other in (("weak", poor, good), ("strong", good, poor), ("twin", same, same)):
        test, validation = other.table[other.table["role"] == "test"], of.table[of.table["role"] == "validation"]
        swapped[name] = replace(of, table=pd.concat([test, validation]))
    assert tied_on_validation(study_with(), swapped) == ["strong", "twin"]


@pytest.mark.parametrize("folds", [1, 3])
def test_ensembles_are_compared_with_the_best_single_variant(
    study_with: MakeStudy, finish: Callable[..., Places], folds: int
) -> None:
    found = compute_comparison(study_with(), finish(folds=folds))
    table = found.ensembles.set_index("ensemble")
    assert list(table.index) == [ALL, TIED]
    assert table.loc[TIED, "variants"] == "strong, twin"
    assert table.loc[ALL, "parameters"] == found.table["parameters"].sum()
    values = found.table.set_index("variant")["accuracy"]
    assert table.loc[TIED, "accuracy"] - values[found.verdict.best] == pytest.approx(table.loc[TIED, "difference"])
    assert "## Ensembles" in comparison_page(found)


def test_views_are_compared_with_the_same_variant_without_them(study_with: MakeStudy, finished: Places) -> None:
    views = drawn_predictions(1.2, 77, 2)
    write_rows(finished.tta("weak"), [views.table])
    found = compute_comparison(study_with(tta={"weak": {"views": 4}}), finished)
    row, table = found.ensembles.iloc[-1], found.table.set_index("variant")
    assert (row["ensemble"], row["reference"], row["views"], row["members"]) == ("weak, 4 views", "weak", 4, 1)
    assert row["accuracy"] == pytest.approx(views.tests.mean_over_runs("accuracy"))
    assert row["difference"] == pytest.approx(row["accuracy"] - table.loc["weak", "accuracy"])
    assert (row["parameters"], row["multiply_adds"]) == tuple(
        table.loc["weak", ["parameters", "multiply_adds"]] * [1, 4]
    )
    assert "weak, 4 views" in comparison_page(found)
    finished.tta("weak").unlink()
    with pytest.raises(UserError, match=r"predictions/tta/weak.parquet is missing; `dvc repro tta@weak`"):
        compute_comparison(study_with(tta={"weak": {"views": 4}}), finished)
