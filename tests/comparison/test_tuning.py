"""Unequal budgets are told, and trials are read from the variants' folders."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_study import LINE, params_with

from medtransfer.comparison.cost import trials_table
from medtransfer.comparison.results import TRIALS
from medtransfer.comparison.warnings import budget_warnings
from medtransfer.study import Study, check_study
from medtransfer.util.places import Places

SEARCH = {"space": {"lr": {"log": [1e-4, 1e-2]}}, "trials": 2}


def study_with(scratch: object = None, frozen: object = None) -> Study:
    changes = {"variants.few": LINE | {"strategy": "prototypes"}}
    changes |= {"strategies.scratch.search": scratch, "strategies.frozen.search": frozen}
    return check_study(params_with(changes), "params.yaml")


@pytest.mark.parametrize(
    ("searches", "told"),
    [
        ((None, None), None),
        ((SEARCH, SEARCH), None),
        ((None, SEARCH), "trainings per run: 2 for head_only; 1 for from_scratch;"),
    ],
)
def test_variants_that_train_must_have_one_budget(searches: tuple[object, object], told: str | None) -> None:
    warnings = budget_warnings(study_with(*searches))
    assert len(warnings) == (told is not None)
    assert told is None or told in warnings[0]


def test_trials_of_all_variants_are_one_table(tmp_path: Path) -> None:
    places = Places(tmp_path)
    row = dict.fromkeys(TRIALS[1:], 0)
    for name, values in (("from_scratch", {"lr": 0.1}), ("head_only", {"dropout": 0.5})):
        places.model(name).mkdir(parents=True)
        pd.DataFrame([row | values]).to_csv(places.model(name) / "trials.csv", index=False)
    found = trials_table(study_with(SEARCH, SEARCH), places)
    assert found["variant"].tolist() == ["from_scratch", "head_only"]
    assert list(found.columns) == [*TRIALS, "lr", "dropout"]
    assert trials_table(study_with(), places).empty
