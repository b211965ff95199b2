"""Variants on external test sets: their drops, rankings and tables, against the same work done the plain way."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from medtransfer.comparison.compare import compare, compute_comparison
from medtransfer.comparison.pages import comparison_page
from medtransfer.statistics.intervals import difference_interval, wilson_interval
from medtransfer.statistics.ranks import pairwise_tau, tau_interval
from medtransfer.study import External, Study
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.predictions import write_rows
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_json
from medtransfer.util.places import Places

from .conftest import CLASSES, drawn_predictions

THERE = {"strong": 1.0, "twin": 2.5, "weak": 0.2}


def add_external(study: Study, places: Places, classes: int = 3) -> None:
    """Add the set `b` to a finished study, on which the skills of the variants are others."""
    section = External(source="folder", folder="there", layout="class_folders")
    study.params.data.external["b"] = section
    for number, (name, skill) in enumerate(THERE.items()):
        own = pd.read_parquet(places.predictions(name))
        other = drawn_predictions(skill, 50 + number, 2).tests.table
        other = other[other["label"] < classes].assign(role="external/b")
        write_rows(places.predictions(name), [own, other.assign(path="b/" + other["path"])])
    places.external("b").mkdir(parents=True)
    write_json(places.external("b") / "dataset.json", {"warnings": ["NO GROUP KEY: none"]})


def test_newcombes_example_of_a_difference_of_proportions() -> None:
    first, second = ((right / n, *wilson_interval(right, n, 0.95)) for right, n in ((56, 70), (48, 80)))
    low, high = difference_interval(first, second)
    assert (low, high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


def test_tau_is_that_of_scipy() -> None:
    first, second = np.random.default_rng(0).random((2, 20, 6))
    expected = [kendalltau(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose([pairwise_tau(a, b) for a, b in zip(first, second, strict=True)], expected)
    assert np.isnan(pairwise_tau(first[0, :1], second[0, :1]))


def test_an_interval_of_tau_spans_the_rankings_that_tests_do_not_exclude() -> None:
    first, second = np.array([0.3, 0.2, -0.1]), np.array([0.2, -0.3, -0.2])
    sure, unsure = np.full(3, 1e-4), np.ones(3)
    assert tau_interval([first, second], [sure, sure], 0.95) == pytest.approx((1 / 3, 1 / 3))
    assert tau_interval([first, second], [unsure, sure], 0.95) == (-1, 1)
    one = np.array([0.008, 1e-4, 1.0])  # Holm compares the fifth of six p values with .05 / 2: known, the sixth not
    assert tau_interval([first, second], [one, sure], 0.95) == pytest.approx((-1 / 3, 1 / 3))
    assert tau_interval([first, second], [np.array([0.026, 1e-4, 1.0]), sure], 0.95) == pytest.approx((-1, 1 / 3))
    assert np.isnan(tau_interval([first[:0], first[:0]], [first[:0], first[:0]], 0.95)).all()


def test_values_drops_and_rankings(study_with: Callable[..., Study], finished: Places) -> None:
    study = study_with()
    add_external(study, finished)
    found = compute_comparison(study, finished)
    rows = found.external[found.external["metric"] == "accuracy"].set_index("variant")
    home = found.table.set_index("variant")
    for name in THERE:
        tests = ClassPredictions(pd.read_parquet(finished.predictions(name))).of_external("b").tests
        right = tests.replicates.argmax(axis=2) == tests.images["label"].to_numpy()
        assert rows.loc[name, "value"] == pytest.approx(right.mean())
        assert rows.loc[name, "home"] == pytest.approx(home.loc[name, "accuracy"])
        assert rows.loc[name, "drop"] == pytest.approx(home.loc[name, "accuracy"] - right.mean())
        assert rows.loc[name, "drop_low"] < rows.loc[name, "drop"] < rows.loc[name, "drop_high"]
    assert rows.loc["strong", "drop_low"] > 0
    assert rows.loc["twin", "drop_low"] < 0 < rows.loc["twin", "drop_high"]
    ranking = found.rankings.set_index("metric").loc["accuracy"]
    assert ranking["tau"] == pytest.approx(kendalltau(rows["home"], rows["value"]).statistic)
    assert ranking["tau_low"] <= ranking["tau"] <= ranking["tau_high"]
    assert ranking["best_there"] == "twin"
    losses = found.external.groupby(["variant", "metric"])["drop"].first()
    assert losses["strong", "f1_macro"] > 0
    assert any("EXTERNAL TEST SET: b: NO GROUP KEY" in warning for warning in found.warnings)
    assert "Test sets from elsewhere" in comparison_page(found)
    assert set(found.external_tables["calibration"]["set"]) == {"b"}


def test_classes_without_images_there_are_left_out_at_home(study_with: Callable[..., Study], finished: Places) -> None:
    study = study_with()
    add_external(study, finished, classes=2)
    found = compute_comparison(study, finished)
    row = found.external[found.external["metric"] == "balanced_accuracy"].set_index("variant").loc["strong"]
    tests = ClassPredictions(pd.read_parquet(finished.predictions("strong"))).tests
    labels, right = (
        tests.images["label"].to_numpy(),
        tests.replicates.argmax(axis=2) == tests.images["label"].to_numpy(),
    )
    assert row["home"] == pytest.approx(np.mean([right[:, labels == number].mean() for number in range(2)]))
    assert len(CLASSES) == 3


def test_files_and_missing_predictions(study_with: Callable[..., Study], finished: Places) -> None:
    study = study_with()
    study.params.data.external["b"] = External(source="folder", folder="there", layout="class_folders")
    with pytest.raises(UserError, match=r"does not cover the external set b; `dvc repro evaluate@weak`"):
        compare(study, finished)
    add_external(study, finished)
    compare(study, finished)
    assert json.loads((finished.results / "summary.json").read_text())["twin"].keys() >= {"accuracy", "accuracy_b"}
    assert set(pd.read_csv(finished.results / "tables" / "external.csv")["set"]) == {"b"}
    assert (finished.results / "tables" / "external_calibration.csv").is_file()
