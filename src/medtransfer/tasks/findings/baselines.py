"""Baselines without a network: the frequency of each finding, and the nearest neighbours by pixels."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.baselines import NEIGHBOURS, thumbnails
from medtransfer.tasks.task import Learn, Predict


def frequency(prepared: Prepared) -> Learn:
    """Predict every row by the frequency of each finding in the training rows."""

    def learn(train: np.ndarray) -> Predict:
        rates = frequencies(prepared.values[train])
        return lambda rows: np.tile(rates, (len(rows), 1))

    return learn


def nearest_neighbours(prepared: Prepared) -> Learn:
    """Predict every row by the findings of its 5 nearest training thumbnails.

    Shares of neighbours are smoothed by one neighbour with the frequencies of the training rows, which also decide
    where no neighbour's finding is known.
    """
    small = thumbnails(prepared)

    def learn(train: np.ndarray) -> Predict:
        known = prepared.values[train]
        model = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train))).fit(small[train])
        rates = frequencies(known)

        def predict(rows: np.ndarray) -> np.ndarray:
            nearest = known[model.kneighbors(small[rows], return_distance=False)]
            return np.asarray((np.nansum(nearest, axis=1) + rates) / (np.isfinite(nearest).sum(axis=1) + 1))

        return predict

    return learn


def frequencies(values: np.ndarray) -> np.ndarray:
    """Return the share of known values [images, findings] that are present; 0 where none is known."""
    return np.asarray(np.nansum(values, axis=0) / np.maximum(np.isfinite(values).sum(axis=0), 1))
