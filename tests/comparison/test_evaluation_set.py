"""The evaluation set: the groups of its classes, and its warnings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set


def set_of(groups: list[str], labels: list[int], classes: tuple[str, ...] = ("healthy", "ill")) -> EvaluationSet:
    images = pd.DataFrame({"path": [str(number) for number in range(len(groups))], "group": groups, "label": labels})
    return draw_evaluation_set(images, classes, 50, np.random.default_rng(0))


def test_a_class_counts_once_per_group() -> None:
    found = set_of(["a", "a", "b", "b", "c"], [0, 0, 0, 1, 1], ("healthy", "ill", "unseen"))
    assert found.groups_of_class.tolist() == [2, 2, 0]
    assert (found.groups, found.single) == (3, False)
    assert found.freedom_of_classes == 2


def test_few_groups_and_few_of_a_class_are_warned_of() -> None:
    few = set_of([str(number) for number in range(9)], [0] * 5 + [1] * 4).warnings
    assert len(few) == 2
    assert few[0].startswith("SMALL N: 9 groups of test images")
    assert "ill (4)" in few[1]
    assert "healthy" not in few[1]
    assert set_of([str(number) for number in range(10)], [0, 1] * 5).warnings == []
