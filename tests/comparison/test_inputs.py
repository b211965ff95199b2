"""Reading the outputs of stages, and the values of rotating folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scored import class_metrics

from medtransfer.comparison.inputs import read_folds, read_inputs
from medtransfer.data.prepared import Prepared
from medtransfer.study import Study
from medtransfer.util.places import Places


def test_values_of_folds_are_means_over_their_seeds(
    study_with: Callable[..., Study], finish: Callable[..., Places]
) -> None:
    places = finish(folds=3)
    inputs = read_inputs(study_with(), places)
    folds = read_folds(inputs.metrics, Prepared(places.prepared))
    assert folds is not None
    runs = inputs.predictions["weak"].tests.runs()
    for fold in range(3):
        values = [class_metrics(*runs[fold, seed])["roc_auc"] for seed in (0, 1)]
        assert folds.values["roc_auc"]["weak"][fold] == pytest.approx(np.mean(values))
    # of three folds one tests, one validates and one trains, thirty images each
    assert folds.test_to_train == pytest.approx(1.0)


def test_fixed_test_rows_have_no_folds(study_with: Callable[..., Study], finished: Places) -> None:
    inputs = read_inputs(study_with(), finished)
    assert read_folds(inputs.metrics, Prepared(finished.prepared)) is None
