"""Baselines without a network: the median of the training rows, and the nearest neighbours by pixels."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import KNeighborsRegressor

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.baselines import NEIGHBOURS, thumbnails
from medtransfer.tasks.task import Learn, Predict


def median_number(prepared: Prepared) -> Learn:
    """Predict every row by the median of the training rows: no constant has a smaller absolute error."""

    def learn(train: np.ndarray) -> Predict:
        median = np.median(prepared.values[train])
        return lambda rows: np.full((len(rows), 1), median)

    return learn


def nearest_numbers(prepared: Prepared) -> Learn:
    """Predict every row by the mean of its 5 nearest training thumbnails.

    Nothing is learned: a small error means that splits share near copies, or that brightness predicts the number.
    """
    small = thumbnails(prepared)

    def learn(train: np.ndarray) -> Predict:
        model = KNeighborsRegressor(min(NEIGHBOURS, len(train))).fit(small[train], prepared.values[train])
        return lambda rows: np.asarray(model.predict(small[rows]))

    return learn
