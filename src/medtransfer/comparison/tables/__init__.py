"""Tables of a comparison that not every task has, one file per set of tables; a task names its own."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.study import Study
from medtransfer.tasks import TASKS
from medtransfer.util.registry import Registry

Tables = dict[str, pd.DataFrame]


class TaskTables:
    """The tables of a task, by their names in `Comparison`; this base class has none."""

    def of_variant(self, name: str, predictions: Any, test: EvaluationSet, study: Study) -> Tables:
        """Return a variant's rows of each table."""
        return {}

    def of_baseline(self, name: str, predictions: Any, test: EvaluationSet, study: Study) -> Tables:
        """Return a baseline's rows of each table."""
        return {}

    def of_no_model(self, test: EvaluationSet, study: Study) -> Tables:
        """Return the rows that belong to neither."""
        return {}

    def legend(self, about: dict[str, Any]) -> str:
        """Explain the task's metrics below the main table; about: see `Comparison`."""
        return ""


TABLES: Registry[TaskTables] = Registry("set of tables", package="medtransfer.comparison.tables")


def tables_of(task: str) -> TaskTables:
    """Return the tables of a task."""
    name = TASKS[task].tables
    return TaskTables() if name is None else TABLES[name]
