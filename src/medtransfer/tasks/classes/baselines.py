"""Baselines without a network: the most frequent class or median grade, and the nearest neighbours by pixels."""

from __future__ import annotations

import cv2
import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.task import Learn, Predict

THUMBNAIL, NEIGHBOURS = 32, 5


def majority(prepared: Prepared) -> Learn:
    """Predict every row by the class shares of the training rows."""
    labels = prepared.table["label_index"].to_numpy()

    def learn(train: np.ndarray) -> Predict:
        shares = np.bincount(labels[train], minlength=len(prepared.classes)) / len(train)
        return lambda rows: np.tile(shares, (len(rows), 1))

    return learn


def median_grade(prepared: Prepared) -> Learn:
    """Predict every row by the median grade of the training rows.

    The median has half of the probability, so that it is the most probable grade; the other half is divided by the
    shares of the training rows.
    """
    labels = prepared.table["label_index"].to_numpy()

    def learn(train: np.ndarray) -> Predict:
        learned = np.sort(labels[train])
        shares = np.bincount(learned, minlength=len(prepared.classes)) / len(learned) / 2
        shares[learned[(len(learned) - 1) // 2]] += 1 / 2
        return lambda rows: np.tile(shares, (len(rows), 1))

    return learn


def nearest_neighbours(prepared: Prepared) -> Learn:
    """Predict every row by the votes of its 5 nearest training thumbnails.

    Nothing is learned: a high score means that splits share near copies, or that classes differ in brightness. Votes
    are smoothed as in `NearestNeighbourHead`.
    """
    labels, small, count = prepared.table["label_index"].to_numpy(), thumbnails(prepared), len(prepared.classes)

    def learn(train: np.ndarray) -> Predict:
        neighbours = min(NEIGHBOURS, len(train))
        model = KNeighborsClassifier(neighbours).fit(small[train], labels[train])

        def predict(rows: np.ndarray) -> np.ndarray:
            votes = np.zeros((len(rows), count))
            votes[:, model.classes_] = model.predict_proba(small[rows]) * neighbours
            return (votes + 1 / count) / (neighbours + 1)

        return predict

    return learn


def thumbnails(prepared: Prepared) -> np.ndarray:
    """Shrink all images to 32 x 32 pixels, float32, each flat."""
    side = (THUMBNAIL, THUMBNAIL)
    small = [cv2.resize(image, side, interpolation=cv2.INTER_AREA).ravel() for image in prepared.images]
    return np.stack(small).astype(np.float32)
