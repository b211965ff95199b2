"""Baselines without a network: the most frequent class or median grade, and the nearest neighbours by pixels."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.predictions import predictions_frame

THUMBNAIL, NEIGHBOURS = 32, 5


def predict_majority(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict every row by the class shares of the training rows, fold by fold."""
    labels = prepared.table["label_index"].to_numpy()
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        shares = np.bincount(labels[roles.train], minlength=len(prepared.classes)) / len(roles.train)
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            scores = np.tile(shares, (len(rows), 1))
            yield predictions_frame(prepared.table.iloc[rows], scores, prepared.classes, fold, 0, role)


def predict_median(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict every row by the median grade of the training rows, fold by fold.

    The median has half of the probability, so that it is the most probable grade; the other half is divided by the
    shares of the training rows.
    """
    labels = prepared.table["label_index"].to_numpy()
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        learned = np.sort(labels[roles.train])
        shares = np.bincount(learned, minlength=len(prepared.classes)) / len(learned) / 2
        shares[learned[(len(learned) - 1) // 2]] += 1 / 2
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            scores = np.tile(shares, (len(rows), 1))
            yield predictions_frame(prepared.table.iloc[rows], scores, prepared.classes, fold, 0, role)


def predict_nearest_neighbour(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict every row by the votes of its 5 nearest training thumbnails of 32 x 32 pixels, fold by fold.

    Nothing is learned: a high score means that splits share near copies, or that classes differ in brightness. Votes
    are smoothed as in `NearestNeighbourHead`.
    """
    labels = prepared.table["label_index"].to_numpy()
    thumbnails = np.stack([thumbnail(image) for image in prepared.images])
    count = len(prepared.classes)
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        neighbours = min(NEIGHBOURS, len(roles.train))
        model = KNeighborsClassifier(neighbours).fit(thumbnails[roles.train], labels[roles.train])
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            votes = np.zeros((len(rows), count))
            votes[:, model.classes_] = model.predict_proba(thumbnails[rows]) * neighbours
            scores = (votes + 1 / count) / (neighbours + 1)
            yield predictions_frame(prepared.table.iloc[rows], scores, prepared.classes, fold, 0, role)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrink an image to 32 x 32 pixels, float32, flat."""
    small = cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32).ravel()
