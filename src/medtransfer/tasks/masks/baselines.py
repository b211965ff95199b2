"""Baselines without a network: the majority of training masks at each pixel, and the mask of the nearest image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from medtransfer.data.images.packed import without_ignored
from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.baselines import thumbnail
from medtransfer.tasks.masks.predictions import mask_predictions_frame

CHUNK = 256


def predict_majority_mask(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict for every row the class that most training masks have at each pixel, fold by fold.

    For one class that is the mean training mask above one half. It knows where things usually are, and ignores
    the image.
    """
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        votes = np.zeros((len(prepared.mask_classes) + 1, *prepared.images.shape[1:3]), np.int64)
        for start in range(0, len(roles.train), CHUNK):
            masks = prepared.targets(roles.train[start : start + CHUNK])
            votes += np.stack([(masks == number).sum(axis=0) for number in range(len(votes))])
        most = votes.argmax(axis=0).astype(np.uint8)
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            yield mask_predictions_frame(prepared, rows, np.repeat(most[None], len(rows), axis=0), fold, 0, role)


def predict_nearest_mask(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict for every row the mask of the training image whose thumbnail of 32 pixels is nearest, fold by fold.

    Nothing is learned: a high score means that splits share near copies, or that masks hardly differ.
    """
    thumbnails = np.stack([thumbnail(image) for image in prepared.images])
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        index = NearestNeighbors(n_neighbors=1).fit(thumbnails[roles.train])
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            nearest = index.kneighbors(thumbnails[rows], return_distance=False)[:, 0]
            masks = without_ignored(prepared.targets(roles.train[nearest]))
            yield mask_predictions_frame(prepared, rows, masks, fold, 0, role)
