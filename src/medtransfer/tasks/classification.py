"""One class per image: any backbone with a new head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.statistics.label_errors import LabelDoubts, label_doubts
from medtransfer.study import Loss
from medtransfer.tasks import TASKS
from medtransfer.tasks.baselines import class_shares, constant, nearest, votes
from medtransfer.tasks.classes.predictions import PREFIX, ClassPredictions, class_columns
from medtransfer.tasks.task import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from medtransfer.study.schema import Params
    from medtransfer.training.losses import LossFunction
    from medtransfer.util.registry import Registry


class Classification(Task):
    """See `Task`; answers are probabilities [n, classes].

    The score of an image is whether its class was found: the class with the largest share, for a mixed view.
    """

    target = "classes"
    score = "accuracy"
    one_class = True
    tables: str | None = "classification"
    baselines: ClassVar = {"constant": constant(class_shares), "nearest_neighbour": nearest(votes)}

    @property
    def losses(self) -> Registry[LossFunction]:
        """Return the losses of class scores."""
        from medtransfer.training.losses import CLASS_LOSSES

        return CLASS_LOSSES

    def problems(self, params: Params) -> list[str]:
        """Refuse a layout without labels, and a metric of ordered classes where no order is given."""
        problems = []
        if params.data.layout.kind == "images":
            problems.append("data.layout: images has no labels; classification needs a layout with classes")
        if params.comparison.metric == "kappa_quadratic" and params.data.order is None:
            problems.append("comparison.metric: kappa_quadratic needs data.order: [LOWEST, ..., HIGHEST]")
        return problems

    def purpose(self, outputs: list[str]) -> str:
        """Return the number of classes that the network distinguishes."""
        return f"distinguish {len(outputs)} classes of images"

    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss against label shares; classes are weighted by their counts among `rows`."""
        from medtransfer.training.losses import ClassLoss

        labels = prepared.table["label_index"].to_numpy()[rows]
        counts = np.bincount(labels, minlength=len(prepared.classes))
        return ClassLoss(loss, counts, self.losses, self.width(len(counts), loss))

    def scores(
        self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return for each image, as 0 or 1, whether its most probable class is its label."""
        found, expected = (values.max(dim=1).indices for values in (logits, targets))  # 8 times as fast as argmax
        return (found == expected).float()

    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Return class probabilities [n, classes]; see `losses.probabilities`."""
        from medtransfer.training.losses import probabilities

        return probabilities(logits, loss)

    def columns(self, outputs: Sequence[str]) -> list[str]:
        """Return the predicted class and the probability of each class."""
        return ["predicted", *(f"{PREFIX}{name}" for name in outputs)]

    def cells(self, outputs: Sequence[str], answer: np.ndarray) -> list[str]:
        """Return the predicted class and the probabilities."""
        return [outputs[int(answer.argmax())], *super().cells(outputs, answer)]

    def stored(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> pd.DataFrame:
        """Return the columns of `ClassPredictions`."""
        return class_columns(prepared.table["label_index"].to_numpy()[rows], answers, prepared.classes)

    def predictions(self, table: pd.DataFrame) -> ClassPredictions:
        """Return rows of predictions as an object."""
        return ClassPredictions(table)

    def fit_features(self, features: np.ndarray, prepared: Prepared, rows: np.ndarray) -> Callable[[np.ndarray], Any]:
        """Fit a logistic regression; see `Task`."""
        from medtransfer.models.heads.logistic import class_probabilities

        return class_probabilities(features, prepared.table["label_index"].to_numpy()[rows], len(prepared.classes))

    def doubts(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> LabelDoubts:
        """Judge classes by confident learning."""
        return label_doubts(prepared.table["label_index"].to_numpy()[rows], answers)

    def suggestions(self, prepared: Prepared, rows: np.ndarray, doubts: LabelDoubts) -> np.ndarray:
        """Return the names of classes."""
        return np.array(prepared.classes)[doubts.suggested]

    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw learning curves, the confusion matrix and ROC curves."""
        from medtransfer.tasks.classes.figures import write_variant_figure

        write_variant_figure(name, history, self.predictions(table), found, path)


TASKS.register("classification", Classification())
