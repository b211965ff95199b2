"""Baselines without a network: the majority of training masks at each pixel, and the mask of the nearest image."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from medtransfer.data.images.packed import without_ignored
from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.baselines import thumbnails
from medtransfer.tasks.task import Learn, Predict

CHUNK = 256


def majority_mask(prepared: Prepared) -> Learn:
    """Predict for every row the class that most training masks have at each pixel.

    For one class that is the mean training mask above one half. It knows where things usually are, and ignores
    the image.
    """

    def learn(train: np.ndarray) -> Predict:
        votes = np.zeros((len(prepared.mask_classes) + 1, *prepared.images.shape[1:3]), np.int64)
        for start in range(0, len(train), CHUNK):
            masks = prepared.targets(train[start : start + CHUNK])
            votes += np.stack([(masks == number).sum(axis=0) for number in range(len(votes))])
        most = votes.argmax(axis=0).astype(np.uint8)
        return lambda rows: np.repeat(most[None], len(rows), axis=0)

    return learn


def nearest_mask(prepared: Prepared) -> Learn:
    """Predict for every row the mask of the training image whose thumbnail is nearest.

    Nothing is learned: a high score means that splits share near copies, or that masks hardly differ.
    """
    small = thumbnails(prepared)

    def learn(train: np.ndarray) -> Predict:
        index = NearestNeighbors(n_neighbors=1).fit(small[train])

        def predict(rows: np.ndarray) -> np.ndarray:
            nearest = index.kneighbors(small[rows], return_distance=False)[:, 0]
            return without_ignored(prepared.targets(train[nearest]))

        return predict

    return learn
