"""Baselines, compared with scikit-learn's dummy classifier and a loop over distances."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from medtransfer.data.prepared import Prepared
from medtransfer.study import BASELINES as NAMES
from medtransfer.tasks import TASKS

Build = Callable[..., Prepared]
CLASSES = 3
TASK = TASKS["classification"]


@pytest.fixture(params=["fixed", "rotating"])
def prepared(request: pytest.FixtureRequest, build_prepared: Build) -> Prepared:
    """Return 60 textured images of three classes, some brighter than others, with a fixed split or three folds."""
    rng = np.random.default_rng(0)
    labels = rng.choice(CLASSES, 60, p=[0.5, 0.3, 0.2])
    images = rng.integers(0, 120, (60, 40, 40, 1)) + (20 * labels)[:, None, None, None]
    if request.param == "rotating":
        columns = {"split": ["rotating"] * 60, "fold": np.arange(60) % 3}
    else:
        columns = {"split": rng.permutation(["train"] * 35 + ["val"] * 10 + ["test"] * 15), "fold": -1}
    return build_prepared(images=images.astype(np.uint8), label_index=labels, **columns)


def scores_of(frame: pd.DataFrame) -> np.ndarray:
    return frame[[f"p_class{number}" for number in range(CLASSES)]].to_numpy()


def folds_and_roles(
    prepared: Prepared, frames: list[pd.DataFrame]
) -> list[tuple[pd.DataFrame, np.ndarray, np.ndarray]]:
    """Pair each frame with the rows that it trains on and those that it predicts."""
    found = []
    assert len(frames) == 2 * prepared.folds
    for frame in frames:
        ((fold, role),) = {(int(fold), role) for fold, role in zip(frame["fold"], frame["role"], strict=True)}
        roles = prepared.roles(fold)
        rows = roles.test if role == "test" else roles.validation
        assert frame["path"].tolist() == prepared.table["path"].iloc[rows].tolist()
        assert frame["label"].tolist() == prepared.table["label_index"].iloc[rows].tolist()
        found.append((frame, roles.train, rows))
    return found


def test_the_majority_row_is_scikit_learns_prior(prepared: Prepared) -> None:
    labels = prepared.table["label_index"].to_numpy()
    for frame, train, rows in folds_and_roles(prepared, list(TASK.baseline_frames("constant", prepared))):
        dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), labels[train])
        np.testing.assert_allclose(scores_of(frame), dummy.predict_proba(np.zeros((len(rows), 1))), rtol=1e-6)


def test_the_nearest_neighbour_row_is_the_vote_of_the_five_nearest_thumbnails(prepared: Prepared) -> None:
    labels = prepared.table["label_index"].to_numpy()
    flat = np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in prepared.images])
    thumbnails = flat.reshape(60, -1).astype(float)
    for frame, train, rows in folds_and_roles(prepared, list(TASK.baseline_frames("nearest_neighbour", prepared))):
        for scores, row in zip(scores_of(frame), rows, strict=True):
            distances = ((thumbnails[train] - thumbnails[row]) ** 2).sum(axis=1)
            votes = np.bincount(labels[train[np.argsort(distances)[:5]]], minlength=CLASSES)
            np.testing.assert_allclose(scores, (votes + 1 / 3) / 6, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_never_sees_the_labels_it_is_asked_for(build_prepared: Build, name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8)
    splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    predicted = []
    for others in ([0, 1, 0, 1], [1, 0, 1, 0]):
        prepared = build_prepared(images=images, label_index=[0, 1] * 4 + others, split=splits)
        predicted.append(pd.concat(TASK.baseline_frames(name, prepared)).drop(columns="label"))
    pd.testing.assert_frame_equal(*predicted)


def test_every_class_has_a_share_even_with_few_images_or_a_class_missing(
    build_prepared: Build,
) -> None:
    splits = ["train"] * 3 + ["val", "test"]
    prepared = build_prepared(label_index=[0, 2, 2, 1, 0], split=splits)
    for frame in TASK.baseline_frames("nearest_neighbour", prepared):
        np.testing.assert_allclose(scores_of(frame), [[(1 + 1 / 3) / 4, (1 / 3) / 4, (2 + 1 / 3) / 4]], rtol=1e-6)


def test_copies_across_splits_are_predicted_perfectly(build_prepared: Build) -> None:
    originals = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), np.uint8)
    images = np.concatenate([np.repeat(originals, 5, axis=0), originals])
    labels = list(np.repeat(np.arange(8) % 2, 5)) + [0, 1] * 4
    prepared = build_prepared(images=images, label_index=labels, split=["train"] * 40 + ["val"] * 4 + ["test"] * 4)
    for frame in TASK.baseline_frames("nearest_neighbour", prepared):
        scores = frame[["p_class0", "p_class1"]].to_numpy()
        np.testing.assert_array_equal(scores.argmax(axis=1), frame["label"])


def test_baselines_have_the_names_that_variants_may_not() -> None:
    assert {tuple(scoring.baselines) for scoring in TASKS.values()} == {NAMES}
