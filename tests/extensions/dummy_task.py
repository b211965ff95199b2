"""A task from outside: classes again, under another name and with a metric of its own."""

import numpy as np
import pandas as pd

from medtransfer.statistics.metrics import metric
from medtransfer.tasks import TASKS
from medtransfer.tasks.classes.metrics import ClassOutcomes
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.classification import Classification


class CountedPredictions(ClassPredictions):
    task = "counting"


class Counting(Classification):
    def predictions(self, table: pd.DataFrame) -> CountedPredictions:
        return CountedPredictions(table)


TASKS.register("counting", Counting())


@metric("accuracy_counted", "Counted accuracy", "counting", headline=True, in_summary=True, proportion=True)
def accuracy_counted(run: ClassOutcomes) -> np.ndarray:
    return np.asarray(run.counts.right.sum(axis=-1) / run.counts.images)
