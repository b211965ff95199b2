"""Any number of findings per image: any backbone with one output for each finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.data.targets.findings import displayed
from medtransfer.statistics.label_errors import LabelDoubts, finding_doubts
from medtransfer.study import Loss
from medtransfer.tasks import TASKS
from medtransfer.tasks.baselines import constant, frequencies, nearest, shares_of_neighbours
from medtransfer.tasks.findings.predictions import PREFIX, FindingPredictions, finding_columns
from medtransfer.tasks.task import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from medtransfer.study.schema import Params
    from medtransfer.training.losses import LossFunction
    from medtransfer.util.registry import Registry


class Multilabel(Task):
    """See `Task`; answers are the probability of each finding, [n, findings].

    The score of an image is the share of its known findings that are on the right side of one half.
    """

    target = "findings"
    score = "label_accuracy"
    tables = "multilabel"
    baselines: ClassVar = {"constant": constant(frequencies), "nearest_neighbour": nearest(shares_of_neighbours)}

    @property
    def losses(self) -> Registry[LossFunction]:
        """Return the losses of findings."""
        from medtransfer.tasks.findings.losses import FINDING_LOSSES

        return FINDING_LOSSES

    def problems(self, params: Params) -> list[str]:
        """Refuse layouts that give an image one class, and an order of classes."""
        problems, data = super().problems(params), params.data
        if data.layout.kind not in ("auto", "label_csv", "one_hot_csv"):
            problems.append(f"data.layout: {data.layout.kind} gives one class; findings need label_csv or one_hot_csv")
        if data.order is not None or data.labels.positive is not None:
            problems.append("data: order and labels.positive belong to exclusive classes, not to findings; omit them")
        return problems

    def purpose(self, outputs: list[str]) -> str:
        """Return the number of findings."""
        return f"detect {len(outputs)} findings in images"

    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss; findings are weighted by their frequency among `rows`."""
        from medtransfer.tasks.findings.losses import FindingLoss

        return FindingLoss(loss, prepared.values[rows])

    def scores(
        self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return for each image the share of its known findings that are right; 1 if none is known."""
        known = targets.isfinite()
        wrong = known & ((logits > 0) != (targets > 0.5))
        return 1 - wrong.sum(dim=1) / known.sum(dim=1).clamp_min(1)

    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Return the probabilities of findings [n, findings]."""
        return logits.float().sigmoid()

    def columns(self, outputs: Sequence[str]) -> list[str]:
        """Return the column of the probability of each finding."""
        return [f"{PREFIX}{name}" for name in outputs]

    def stored(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> pd.DataFrame:
        """Return the columns of `FindingPredictions`."""
        return finding_columns(prepared.values[rows], answers, prepared.outputs)

    def predictions(self, table: pd.DataFrame) -> FindingPredictions:
        """Return rows of predictions as an object."""
        return FindingPredictions(table)

    def fit_features(self, features: np.ndarray, prepared: Prepared, rows: np.ndarray) -> Callable[[np.ndarray], Any]:
        """Fit a logistic regression of each finding to the images of which it is known; see `Task`."""
        from medtransfer.models.heads.logistic import class_probabilities

        fitted = []
        for values in prepared.values[rows].T:
            known = np.isfinite(values)
            fitted.append(class_probabilities(features[known], values[known].astype(int), 2))
        return lambda others: np.stack([each(others)[:, 1] for each in fitted], axis=1)

    def doubts(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> LabelDoubts:
        """Judge each finding by confident learning."""
        return finding_doubts(prepared.values[rows], answers)

    def suggestions(self, prepared: Prepared, rows: np.ndarray, doubts: LabelDoubts) -> np.ndarray:
        """Return the findings of each image, the one in doubt added or removed."""
        values, each = prepared.values[rows], np.arange(len(rows))
        values[each, doubts.suggested] = 1 - values[each, doubts.suggested]
        return np.array([displayed(prepared.outputs, row) for row in values])

    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw learning curves, areas by finding, and ROC curves."""
        from medtransfer.tasks.classes.figures import write_finding_figure

        write_finding_figure(name, history, self.predictions(table).tests, found, path)


TASKS.register("multilabel", Multilabel())
