"""Baselines without a network: what is usual in the training rows, and what the nearest of them show.

Nothing is learned from neighbours: a high score means that splits share near copies, or that brightness predicts the
target.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medtransfer.data.images.packed import without_ignored
from medtransfer.data.prepared import Prepared

Predict = Callable[[np.ndarray], np.ndarray]
"""From rows to their answers, [rows, ...]."""
Baseline = Callable[[Prepared], Callable[[np.ndarray], Predict]]
"""From a set to a function of its training rows, which returns the prediction of others."""

THUMBNAIL, NEIGHBOURS, CHUNK = 32, 5, 256


def constant(answer_of: Callable[[Prepared, np.ndarray], np.ndarray]) -> Baseline:
    """Predict every row by one answer, a function of the set and its training rows."""

    def learn(prepared: Prepared, train: np.ndarray) -> Predict:
        answer = answer_of(prepared, train)
        return lambda rows: np.repeat(answer[None], len(rows), axis=0)

    return lambda prepared: lambda train: learn(prepared, train)


def nearest(
    answers_of: Callable[[Prepared, np.ndarray, np.ndarray], np.ndarray], neighbours: int = NEIGHBOURS
) -> Baseline:
    """Predict rows by the training images whose thumbnails, of 32 x 32 pixels, are nearest.

    answers_of: a function of the set, its training rows and those of them that are nearest to each row, int [rows,
    neighbours].
    """

    def baseline(prepared: Prepared) -> Callable[[np.ndarray], Predict]:
        import cv2
        from sklearn.neighbors import NearestNeighbors

        side = (THUMBNAIL, THUMBNAIL)
        small = [cv2.resize(image, side, interpolation=cv2.INTER_AREA).ravel() for image in prepared.images]
        thumbnails = np.stack(small).astype(np.float32)

        def learn(train: np.ndarray) -> Predict:
            index = NearestNeighbors(n_neighbors=min(neighbours, len(train))).fit(thumbnails[train])
            return lambda rows: answers_of(
                prepared, train, train[index.kneighbors(thumbnails[rows], return_distance=False)]
            )

        return learn

    return baseline


def class_shares(prepared: Prepared, train: np.ndarray) -> np.ndarray:
    """Return the share of each class in the training rows, [classes]."""
    return np.bincount(prepared.table["label_index"].to_numpy()[train], minlength=len(prepared.classes)) / len(train)


def median_grade(prepared: Prepared, train: np.ndarray) -> np.ndarray:
    """Return probabilities of grades, [grades], of which the median of the training rows has half.

    It is thus the most probable grade; the other half is divided by the shares of the training rows.
    """
    grades, shares = np.sort(prepared.table["label_index"].to_numpy()[train]), class_shares(prepared, train) / 2
    shares[grades[(len(grades) - 1) // 2]] += 1 / 2
    return shares


def votes(prepared: Prepared, train: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Return the shares of neighbours' votes for each class, smoothed as in `NearestNeighbourHead`."""
    count = len(prepared.classes)
    given = prepared.table["label_index"].to_numpy()[neighbours][..., None] == np.arange(count)
    return np.asarray((given.sum(axis=1) + 1 / count) / (neighbours.shape[1] + 1))


def frequencies(prepared: Prepared, train: np.ndarray) -> np.ndarray:
    """Return the share of known training rows that have each finding, [findings]; 0 where none is known."""
    values = prepared.values[train]
    return np.asarray(np.nansum(values, axis=0) / np.maximum(np.isfinite(values).sum(axis=0), 1))


def shares_of_neighbours(prepared: Prepared, train: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Return the share of known neighbours with each finding, smoothed by one neighbour with their frequencies."""
    values = prepared.values[neighbours]
    known = np.isfinite(values).sum(axis=1)
    return np.asarray((np.nansum(values, axis=1) + frequencies(prepared, train)) / (known + 1))


def median_number(prepared: Prepared, train: np.ndarray) -> np.ndarray:
    """Return the median of the training rows, [1]: no constant has a smaller absolute error."""
    return np.array([np.median(prepared.values[train])])


def mean_number(prepared: Prepared, train: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Return the mean of neighbours' numbers, [rows, 1]."""
    return np.asarray(prepared.values[neighbours].mean(axis=1))


def majority_mask(prepared: Prepared, train: np.ndarray) -> np.ndarray:
    """Return the class that most training masks have at each pixel: it knows where things usually are.

    For one class that is the mean training mask above one half.
    """
    votes = np.zeros((len(prepared.mask_classes) + 1, *prepared.images.shape[1:3]), np.int64)
    for start in range(0, len(train), CHUNK):
        masks = prepared.targets(train[start : start + CHUNK])
        votes += np.stack([(masks == number).sum(axis=0) for number in range(len(votes))])
    return votes.argmax(axis=0).astype(np.uint8)


def nearest_mask(prepared: Prepared, train: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Return the mask of the nearest image."""
    return without_ignored(prepared.targets(neighbours[:, 0]))
