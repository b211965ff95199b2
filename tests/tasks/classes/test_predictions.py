"""Predictions on disk and in memory: the same rows, runs and replicates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scored import class_metrics, predictions_frame

from medtransfer.statistics.metrics import metrics_of
from medtransfer.tasks import TASKS
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.predictions import write_rows

CLASSES = ["p_normal", "cyst, left", "größer"]


def images_of(*numbers: int) -> pd.DataFrame:
    """Make rows of a prepared table, in this order."""
    return pd.DataFrame(
        {
            "path": [f"image{number}.png" for number in numbers],
            "group": [f"patient{number // 2}" for number in numbers],
            "label_index": [number % 3 for number in numbers],
            "further": 0,
        },
        index=list(numbers),
    )


def scores_of(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(3), count)


def frame(numbers: list[int], fold: int = 0, seed: int = 0, role: str = "test") -> pd.DataFrame:
    scores = scores_of(len(numbers), 100 * fold + seed)
    return predictions_frame(images_of(*numbers), scores, CLASSES, fold, seed, role)


def test_predictions_survive_a_round_trip(tmp_path: Path) -> None:
    frames = [frame([4, 2, 0]), frame([4, 2, 0], seed=1), frame([1, 3], role="validation")]
    written = write_rows(tmp_path / "deep" / "variant.parquet", frames)
    read = TASKS["classification"].predictions(pd.read_parquet(tmp_path / "deep" / "variant.parquet"))
    pd.testing.assert_frame_equal(read.table, written)
    assert read.classes == CLASSES
    assert len(read.table) == 8
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["variant.parquet"]


def test_the_same_predictions_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_rows(tmp_path / name, [frame([0, 1, 2])])
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_each_run_has_its_labels_and_probabilities_in_the_order_of_its_rows() -> None:
    predictions = ClassPredictions(pd.concat([frame([4, 2, 0], 1, 7), frame([1, 5], 0, 3)], ignore_index=True))
    runs = predictions.runs()
    assert list(runs) == [(0, 3), (1, 7)]
    labels, scores = runs[1, 7]
    assert labels.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(scores, scores_of(3, 107).astype(np.float32))


def test_roles_are_kept_apart() -> None:
    both = ClassPredictions(pd.concat([frame([0, 1]), frame([2, 3, 4], role="validation")], ignore_index=True))
    assert both.of_role("test").images["path"].tolist() == ["image0.png", "image1.png"]
    assert len(both.of_role("validation").table) == 3


def test_with_fixed_test_rows_every_run_is_a_replicate() -> None:
    numbers = [4, 0, 2]
    keys = [(fold, seed) for fold in (0, 1) for seed in (0, 1)]
    predictions = ClassPredictions(pd.concat([frame(numbers, *key) for key in keys], ignore_index=True))
    assert predictions.images["path"].tolist() == ["image0.png", "image2.png", "image4.png"]
    assert predictions.images["label"].tolist() == [0, 2, 1]
    assert predictions.images["group"].tolist() == ["patient0", "patient1", "patient2"]
    for replicate, (fold, seed) in zip(predictions.replicates, keys, strict=True):
        by_path = scores_of(3, 100 * fold + seed).astype(np.float32)[[1, 2, 0]]
        np.testing.assert_array_equal(replicate, by_path)


def test_with_rotating_folds_a_replicate_is_a_seed_over_all_folds() -> None:
    parts = {0: [5, 0], 1: [2, 1], 2: [3, 4]}
    frames = [frame(numbers, fold, seed) for fold, numbers in parts.items() for seed in (8, 9)]
    predictions = ClassPredictions(pd.concat(frames, ignore_index=True))
    assert predictions.replicates.shape == (2, 6, 3)
    for replicate, seed in zip(predictions.replicates, (8, 9), strict=True):
        for fold, numbers in parts.items():
            np.testing.assert_array_equal(replicate[numbers], scores_of(2, 100 * fold + seed).astype(np.float32))


LETTERS = ["a", "b", "c"]


def sure_frame(labels: list[int], predicted: list[int], seed: int = 0, role: str = "test") -> pd.DataFrame:
    images = pd.DataFrame({"path": [f"{role}{number}" for number in range(len(labels))], "label_index": labels})
    images["group"] = images["path"]
    scores = np.full((len(labels), 3), 0.2)
    scores[np.arange(len(labels)), predicted] = 0.6
    return predictions_frame(images, scores, LETTERS, 0, seed, role)


LABELS = [0, 0, 1, 1, 2]
FRAMES = [
    sure_frame(LABELS, [0, 0, 1, 2, 2], seed=0),
    sure_frame(LABELS, [0, 1, 1, 2, 0], seed=1),
    sure_frame([0, 1, 2], [2, 0, 1], seed=0, role="validation"),
]


def summary_of(frames: list[pd.DataFrame]) -> dict[str, Any]:
    return ClassPredictions(pd.concat(frames, ignore_index=True)).tests.summary()


@pytest.fixture
def found() -> dict[str, Any]:
    return summary_of(FRAMES)


def test_mean_and_deviation_over_runs_worked_by_hand(found: dict[str, Any]) -> None:
    assert [run["accuracy"] for run in found["runs"].values()] == [0.8, 0.4]
    assert list(found["runs"]) == ["fold0_seed0", "fold0_seed1"]
    assert found["mean"]["accuracy"] == pytest.approx(0.6)
    assert found["sd"]["accuracy"] == pytest.approx(0.4 / 2**0.5)
    assert found["test_images"] == 5


def test_the_confusion_matrix_counts_all_runs_label_by_prediction(found: dict[str, Any]) -> None:
    assert found["confusion"] == [[3, 1, 0], [0, 2, 2], [1, 0, 1]]
    assert found["classes"]["b"]["recall"] == pytest.approx(2 / 4)
    assert found["classes"]["b"]["precision"] == pytest.approx(2 / 3)


def test_each_run_has_every_metric_of_its_own_predictions(found: dict[str, Any]) -> None:
    scores = FRAMES[1][["p_a", "p_b", "p_c"]].to_numpy()
    expected = class_metrics(np.array(LABELS), scores)
    assert found["runs"]["fold0_seed1"] == pytest.approx(expected)


def test_validation_rows_are_ignored(found: dict[str, Any]) -> None:
    assert summary_of(FRAMES[:2]) == found


@pytest.mark.filterwarnings("ignore")
def test_undefined_values_are_null_in_json() -> None:
    found = ClassPredictions(sure_frame([0, 0], [0, 0])).summary()
    assert found["mean"]["roc_auc"] is None
    assert set(found["sd"].values()) == {None}  # one run has no deviation
    json.loads(json.dumps(found, allow_nan=False))
    assert set(found["mean"]) == set(metrics_of("classification", 3))
