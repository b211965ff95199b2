"""A metric from outside: the share of images predicted wrong, better if lower."""

import numpy as np

from medtransfer.statistics.metrics import metric
from medtransfer.tasks.classes.metrics import ClassOutcomes


@metric("error_rate", "Error rate", "classification", lower_is_better=True, headline=True, in_summary=True)
def error_rate(run: ClassOutcomes) -> np.ndarray:
    return np.asarray(1 - run.counts.right.sum(axis=-1) / run.counts.images)
