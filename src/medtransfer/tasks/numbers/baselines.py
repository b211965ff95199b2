"""Baselines without a network: the median of the training rows, and the nearest neighbours by pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsRegressor

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.baselines import NEIGHBOURS, thumbnail
from medtransfer.tasks.numbers.predictions import number_predictions_frame


def predict_median(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict every row by the median of the training rows, fold by fold: no constant has a smaller absolute error."""
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        median = np.median(prepared.values[roles.train])
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            yield number_predictions_frame(prepared, rows, np.full((len(rows), 1), median), fold, 0, role)


def predict_nearest_number(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict every row by the mean of its 5 nearest training thumbnails of 32 x 32 pixels, fold by fold.

    Nothing is learned: a small error means that splits share near copies, or that brightness tells the number.
    """
    thumbnails = np.stack([thumbnail(image) for image in prepared.images])
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        model = KNeighborsRegressor(min(NEIGHBOURS, len(roles.train)))
        model.fit(thumbnails[roles.train], prepared.values[roles.train])
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            yield number_predictions_frame(prepared, rows, model.predict(thumbnails[rows]), fold, 0, role)
