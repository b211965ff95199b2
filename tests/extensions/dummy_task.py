"""A task from outside: the first class or any other, with a target and a metric of its own."""

import numpy as np
import pandas as pd

from medtransfer.data.targets import TARGETS, Encoded
from medtransfer.data.targets.classes import Classes
from medtransfer.statistics.metrics import metric
from medtransfer.study import Data
from medtransfer.tasks import TASKS
from medtransfer.tasks.classes.metrics import ClassOutcomes
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.classification import Classification


class FirstOrOther(Classes):
    def encode(self, labels: pd.Series, data: Data) -> Encoded:
        return super().encode(labels.where(labels == labels.min(), "other"), data)


class CountedPredictions(ClassPredictions):
    task = "counting"


class Counting(Classification):
    target = "first_or_other"

    def predictions(self, table: pd.DataFrame) -> CountedPredictions:
        return CountedPredictions(table)


TARGETS.register("first_or_other", FirstOrOther())
TASKS.register("counting", Counting())


@metric("accuracy_counted", "Counted accuracy", "counting", headline=True, in_summary=True, proportion=True)
def accuracy_counted(run: ClassOutcomes) -> np.ndarray:
    return np.asarray(run.counts.right.sum(axis=-1) / run.counts.images)
