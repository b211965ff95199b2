"""Logistic regression, fitted to its optimum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from medtransfer.models.heads import HEADS, Head

ABSENT = -20.0
"""The bias of a class without examples: a probability of about 1e-9."""


def class_probabilities(features: np.ndarray, labels: np.ndarray, classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the head to features [n, width] and labels [n]; return the function from features to probabilities.

    With a single class among the labels, its probability is 1.
    """
    head = LogisticHead(features.shape[1], classes)
    if len(present := np.unique(labels)) < 2:
        return lambda others: np.tile(np.eye(classes)[present[0]], (len(others), 1))
    head.fit(torch.from_numpy(features), torch.from_numpy(labels))
    return lambda others: np.asarray(head(torch.from_numpy(others)).detach().softmax(dim=1).numpy())


@HEADS.entry("logistic")
class LogisticHead(Head):
    """scikit-learn's multinomial logistic regression (L2 penalty, C = 1) on standardised features.

    The standardisation is folded into the weights: the head is one dense layer.
    """

    fitted = True

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, classes)

    def fit(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Fit to features [n, width] and labels [n] of two or more classes."""
        from sklearn.linear_model import LogisticRegression  # takes a second to import
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from threadpoolctl import threadpool_limits

        scaler, regression = StandardScaler(), LogisticRegression(max_iter=2000)
        with threadpool_limits(1):  # the problem is small: more threads would wait for each other
            make_pipeline(scaler, regression).fit(features.double().numpy(), labels.numpy())
        weight = torch.from_numpy(regression.coef_ / scaler.scale_)
        bias = torch.from_numpy(regression.intercept_) - weight @ torch.from_numpy(scaler.mean_)
        if len(weight) == 1:  # of two classes, scikit-learn has the log-odds of the second one only
            weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
        with torch.no_grad():
            self.dense.weight.zero_()
            self.dense.bias.fill_(ABSENT)
            present = torch.from_numpy(regression.classes_)
            self.dense.weight[present] = weight.float()
            self.dense.bias[present] = bias.float()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits [n, classes]."""
        return self.dense(features)
