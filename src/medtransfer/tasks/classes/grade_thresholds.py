"""Where one grade ends and the next begins on a predicted mean grade, fitted on validation images."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from medtransfer.training.losses import mean_grade

MOST_ROUNDS = 100
LEAST_GAP = 1e-3
"""The least distance of two thresholds, in grades: between equal ones, a grade is never predicted."""
LEAST_GAIN = 1e-12
LEAST_SHARE = 1e-7
"""The probability of grades that are not next to the mean, whose logarithm is finite."""


class GradeThresholds(nn.Module):
    """Replace the logits of `squared_error` by those whose mean rounds to the grade between fitted thresholds.

    thresholds: [grades - 1], ascending, on the mean grade of the softmax; by default .5, 1.5 and so on, which change
    nothing. The mean is mapped linearly between them, so that each becomes the middle of two grades.
    """

    thresholds: torch.Tensor

    def __init__(self, grades: int) -> None:
        super().__init__()
        self.register_buffer("thresholds", torch.arange(grades - 1) + 0.5)

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the shares of the two grades next to the new mean: [n, grades]."""
        last = logits.shape[1] - 1
        ends = torch.zeros_like(self.thresholds[:1])
        knots = torch.cat([ends, self.thresholds, ends + last])
        steps = torch.cat([ends + 0.5, torch.ones_like(self.thresholds[1:]), ends + 0.5])
        mean = mean_grade(logits.float().softmax(dim=1)).unsqueeze(1)
        passed = ((mean - knots[:-1]) / (knots[1:] - knots[:-1])).clamp(0, 1)
        middle = (passed * steps).sum(dim=1, keepdim=True)
        grades = torch.arange(last + 1, device=logits.device)
        return (1 - (grades - middle).abs()).clamp_min(LEAST_SHARE).log()


def fit_thresholds(means: np.ndarray, labels: np.ndarray, grades: int) -> np.ndarray:
    """Return the thresholds [grades - 1] on predicted means [n] with the largest quadratic kappa against labels [n].

    From .5, 1.5 and so on, each threshold in turn moves to its best place, until none improves. Places are halfway
    between neighbouring means; the first of equally good ones is taken, and the old one is kept if none is better.
    """
    order = np.argsort(means, kind="stable")
    means, labels = means[order].astype(np.float64), labels[order]
    cost = (np.arange(grades)[:, None] - np.arange(grades)) ** 2.0
    # what the images up to each place cost if graded so, and what they would by chance: [2, grades, places]
    by_chance = np.outer(cost @ np.bincount(labels, minlength=grades) / len(labels), np.arange(len(means) + 1))
    costs = np.stack([np.pad(np.cumsum(cost[:, labels], axis=1), ((0, 0), (1, 0))), by_chance])
    cuts = np.flatnonzero(np.diff(means)) + 1
    found = np.arange(grades - 1) + 0.5
    places = np.array([0, *np.searchsorted(means, found, side="right"), len(means)])

    def kappas(lower: int, between: np.ndarray) -> np.ndarray:
        """Return the kappa for each place of the threshold above a grade, the others being where they are."""
        grade = np.arange(grades)
        each = costs[:, grade, places[1:]] - costs[:, grade, places[:-1]]
        others = each.sum(axis=1) - each[:, lower] - each[:, lower + 1]
        below = costs[:, lower, between] - costs[:, lower, places[lower], None]
        above = costs[:, lower + 1, places[lower + 2], None] - costs[:, lower + 1, between]
        observed, expected = others[:, None] + below + above
        return np.where(expected > 0, 1 - observed / np.where(expected > 0, expected, 1), 0.0)

    best = kappas(0, places[1:2])[0]
    for _ in range(MOST_ROUNDS):
        before = best
        for lower in range(grades - 1):
            between = cuts[(cuts >= places[lower]) & (cuts <= places[lower + 2])]
            values = kappas(lower, between)
            if len(between) and values.max() > best + LEAST_GAIN:
                best, place = values.max(), between[values.argmax()]
                places[lower + 1], found[lower] = place, (means[place - 1] + means[place]) / 2
        if best == before:
            break
    return _apart(found, grades - 1)


def _apart(thresholds: np.ndarray, last: int) -> np.ndarray:
    """Return ascending thresholds that differ by LEAST_GAP at least, strictly between 0 and the last grade."""
    steps = LEAST_GAP * np.arange(1, len(thresholds) + 1)
    raised = np.maximum.accumulate(np.maximum(thresholds - steps, 0)) + steps
    from_above = last - steps[::-1]
    return np.minimum(raised, from_above)
