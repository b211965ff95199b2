"""Predicted intervals hold new images as often as they say, by image and by group."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from medtransfer.tasks.numbers.predictions import conformal_quantile, with_intervals


@pytest.mark.parametrize("count", [19, 20, 99, 137])
def test_of_single_images_it_is_the_order_statistic_of_split_conformal_prediction(count: int) -> None:
    scores = np.random.default_rng(count).exponential(size=count)
    rank = math.ceil(round(0.95 * (count + 1), 9))
    assert conformal_quantile(scores, np.arange(count)) == np.sort(scores)[rank - 1]


def test_fewer_than_19_groups_say_nothing_about_one_of_twenty() -> None:
    assert conformal_quantile(np.arange(180.0), np.arange(180) // 10) == math.inf
    assert conformal_quantile(np.arange(190.0), np.arange(190) // 10) == 189.0


def test_a_group_counts_once_however_many_images_it_has() -> None:
    scores = np.r_[np.full(200, 9.0), np.arange(40.0) / 40]  # a single odd patient with most of the images
    groups = np.r_[np.zeros(200), np.arange(1, 41)]
    assert conformal_quantile(scores, groups) == scores[-1]
    assert conformal_quantile(scores, np.arange(240)) == 9.0


def test_an_image_of_a_new_group_is_within_in_95_percent() -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(400):
        sizes = rng.integers(1, 9, 40)
        groups = np.repeat(np.arange(40), sizes)
        patient = rng.exponential(size=40)  # images of a patient err alike
        scores = patient[groups] * rng.uniform(0.8, 1.2, len(groups))
        reach = conformal_quantile(scores, groups)
        held.append(rng.exponential() * rng.uniform(0.8, 1.2) <= reach)
    assert 0.93 < np.mean(held) < 0.98


def table(deviation: float | None = None) -> pd.DataFrame:
    rng, frames = np.random.default_rng(1), []
    for seed, noise in ((0, 1.0), (1, 10.0)):
        for role in ("validation", "test"):
            truth = rng.uniform(0, 100, 60)
            spread = np.where(np.arange(60) < 30, 1.0, 5.0)
            rows = pd.DataFrame({"path": [f"{role}{n}" for n in range(60)], "group": range(60), "truth": truth})
            rows["predicted"] = truth + rng.normal(0, noise, 60) * spread
            rows["deviation"] = np.nan if deviation is None else spread * deviation
            frames.append(rows.assign(fold=0, seed=seed, role=role))
    return pd.concat(frames, ignore_index=True)


def test_each_run_has_intervals_from_its_own_validation_rows() -> None:
    found = with_intervals(table())
    widths = (found["high"] - found["low"]).groupby(found["seed"]).unique()
    assert all(len(each) == 1 or np.ptp(each) < 1e-9 for each in widths)
    assert widths[1][0] > 5 * widths[0][0]
    changed = table()
    changed.loc[changed["role"] == "test", "truth"] += 1000.0
    assert np.allclose(with_intervals(changed)["low"], found["low"])  # test rows have no say


def test_a_predicted_deviation_makes_intervals_as_wide_as_the_error_of_the_image_is_uncertain() -> None:
    found = with_intervals(table(deviation=0.3))
    width = (found["high"] - found["low"]).to_numpy()
    assert np.allclose(width[30:60], 5 * width[:30])
    again = with_intervals(table(deviation=30.0))  # the scale of deviations is calibrated away
    assert np.allclose(again["low"], found["low"])


def test_too_few_groups_leave_the_ends_unknown() -> None:
    rows = table().query("group < 15")
    assert with_intervals(rows)[["low", "high"]].isna().all(axis=None)
