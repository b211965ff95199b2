"""Baselines without a network: the frequency of each finding, and the nearest neighbours by pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.baselines import NEIGHBOURS, thumbnail
from medtransfer.tasks.findings.predictions import predictions_frame


def predict_frequencies(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict every row by the frequency of each finding in the training rows, fold by fold."""
    for fold in range(prepared.folds):
        rates = frequencies(prepared.values[prepared.roles(fold).train])
        yield from _frames(prepared, fold, lambda rows, rates=rates: np.tile(rates, (len(rows), 1)))


def predict_nearest_neighbours(prepared: Prepared) -> Iterator[pd.DataFrame]:
    """Predict every row by the findings of its 5 nearest training thumbnails of 32 x 32 pixels, fold by fold.

    Shares of neighbours are smoothed by one neighbour with the frequencies of the training rows, which also decide
    where no neighbour's finding is known.
    """
    thumbnails = np.stack([thumbnail(image) for image in prepared.images])
    for fold in range(prepared.folds):
        train = prepared.roles(fold).train
        known = prepared.values[train]
        model = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train))).fit(thumbnails[train])
        rates = frequencies(known)

        def votes(rows: np.ndarray, model=model, known=known, rates=rates) -> np.ndarray:  # type: ignore[no-untyped-def]
            nearest = known[model.kneighbors(thumbnails[rows], return_distance=False)]
            return np.asarray((np.nansum(nearest, axis=1) + rates) / (np.isfinite(nearest).sum(axis=1) + 1))

        yield from _frames(prepared, fold, votes)


def frequencies(values: np.ndarray) -> np.ndarray:
    """Return the share of known values [images, findings] that are present; 0 where none is known."""
    return np.asarray(np.nansum(values, axis=0) / np.maximum(np.isfinite(values).sum(axis=0), 1))


def _frames(prepared: Prepared, fold: int, scores) -> Iterator[pd.DataFrame]:  # type: ignore[no-untyped-def]
    roles = prepared.roles(fold)
    for role, rows in (("validation", roles.validation), ("test", roles.test)):
        found = scores(rows) if len(rows) else np.zeros((0, len(prepared.outputs)))
        yield predictions_frame(
            prepared.table.iloc[rows], prepared.values[rows], found, prepared.outputs, fold, 0, role
        )
