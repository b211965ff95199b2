"""Which test images are looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medtransfer.deployment.explain.explain import Case, cases_of, choose_cases, choose_masked
from medtransfer.study import Explain
from medtransfer.tasks.classes.predictions import ClassPredictions, predictions_frame
from medtransfer.util.errors import UserError

CASES = [
    Case("a", 0, 0, 0.6),
    Case("b", 0, 0, 0.9),
    Case("c", 0, 1, 0.7),
    Case("d", 1, 0, 0.5),
    Case("e", 1, 0, 0.8),
    Case("f", 0, 0, 0.9),
]


def names(found: dict[str, list[Case]]) -> dict[str, list[str]]:
    return {title: [case.path for case in group] for title, group in found.items()}


def test_the_surest_right_and_wrong_of_each_class_ties_by_name() -> None:
    assert names(choose_cases(CASES, Explain())) == {"right": ["b"], "wrong": ["c", "e"]}
    assert names(choose_cases(CASES, Explain(of_each=2))) == {"right": ["b", "f"], "wrong": ["c", "e", "d"]}


def test_named_images_are_taken_in_their_order() -> None:
    assert names(choose_cases(CASES, Explain(images=["d", "a"]))) == {"chosen": ["d", "a"]}


def test_an_unknown_image_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match=r"explain\.images: no test image 'bb'; did you mean 'b'\?"):
        choose_cases(CASES, Explain(images=["a", "bb"]))


def test_a_case_has_the_most_probable_class() -> None:
    images = pd.DataFrame({"path": ["a", "b"], "group": ["a", "b"], "label_index": [2, 0]})
    scores = np.array([[0.1, 0.2, 0.7], [0.25, 0.5, 0.25]])
    test = ClassPredictions(predictions_frame(images, scores, ["x", "y", "z"], 0, 0, "test"))
    first, second = cases_of(test)
    assert (first.path, first.label, first.predicted, first.probability) == ("a", 2, 2, pytest.approx(0.7))
    assert (second.label, second.predicted) == (0, 1)


def test_rows_with_a_mask_are_drawn_and_no_more_than_asked_for() -> None:
    masks = np.zeros((10, 2, 2), np.uint8)
    masks[[1, 4, 5, 8], 0, 0] = 1
    rows = np.array([0, 1, 4, 5, 9])
    assert choose_masked(masks, rows, 9, np.random.default_rng(0)).tolist() == [1, 4, 5]
    some = choose_masked(masks, rows, 2, np.random.default_rng(0)).tolist()
    assert len(some) == 2
    assert set(some) < {1, 4, 5}
    assert choose_masked(masks, rows, 2, np.random.default_rng(0)).tolist() == some
    assert not len(choose_masked(masks, np.array([0]), 2, np.random.default_rng(0)))
