"""What predictions say on the test rows: by run, on average, by class."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from medtransfer.tasks.classes.metrics import classification_metrics, evaluate_predictions
from medtransfer.tasks.classes.predictions import Predictions, predictions_frame
from medtransfer.tasks.names import CLASS_METRICS

CLASSES = ["a", "b", "c"]


def frame(labels: list[int], predicted: list[int], seed: int = 0, role: str = "test") -> pd.DataFrame:
    images = pd.DataFrame({"path": [f"{role}{number}" for number in range(len(labels))], "label_index": labels})
    images["group"] = images["path"]
    scores = np.full((len(labels), 3), 0.2)
    scores[np.arange(len(labels)), predicted] = 0.6
    return predictions_frame(images, scores, CLASSES, 0, seed, role)


LABELS = [0, 0, 1, 1, 2]
FRAMES = [
    frame(LABELS, [0, 0, 1, 2, 2], seed=0),
    frame(LABELS, [0, 1, 1, 2, 0], seed=1),
    frame([0, 1, 2], [2, 0, 1], seed=0, role="validation"),
]


@pytest.fixture
def found() -> dict[str, object]:
    return evaluate_predictions(Predictions(pd.concat(FRAMES, ignore_index=True)))


def test_mean_and_deviation_over_runs_worked_by_hand(found: dict) -> None:
    assert [run["accuracy"] for run in found["runs"].values()] == [0.8, 0.4]
    assert list(found["runs"]) == ["fold0_seed0", "fold0_seed1"]
    assert found["mean"]["accuracy"] == pytest.approx(0.6)
    assert found["sd"]["accuracy"] == pytest.approx(0.4 / 2**0.5)
    assert found["test_images"] == 5


def test_the_confusion_matrix_counts_all_runs_label_by_prediction(found: dict) -> None:
    assert found["confusion"] == [[3, 1, 0], [0, 2, 2], [1, 0, 1]]
    assert found["classes"]["b"]["recall"] == pytest.approx(2 / 4)
    assert found["classes"]["b"]["precision"] == pytest.approx(2 / 3)


def test_each_run_has_every_metric_of_its_own_predictions(found: dict) -> None:
    scores = FRAMES[1][["p_a", "p_b", "p_c"]].to_numpy()
    expected = classification_metrics(np.array(LABELS), scores)
    assert found["runs"]["fold0_seed1"] == pytest.approx(expected)


def test_validation_rows_count_for_nothing(found: dict) -> None:
    assert evaluate_predictions(Predictions(pd.concat(FRAMES[:2], ignore_index=True))) == found


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_defined_is_null_in_json() -> None:
    found = evaluate_predictions(Predictions(frame([0, 0], [0, 0])))
    assert found["mean"]["roc_auc"] is None
    assert set(found["sd"].values()) == {None}  # one run has no deviation
    json.loads(json.dumps(found, allow_nan=False))
    assert set(found["mean"]) == set(CLASS_METRICS)
