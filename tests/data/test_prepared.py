"""Who trains, selects and tests in each fold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from medtransfer.data.prepared import Prepared

Build = Callable[..., Prepared]
TABLES = {
    "fixed": (["train"] * 5 + ["val"] * 3 + ["test"] * 4, [-1] * 12),
    "rotating": (["rotating"] * 12, [0, 1, 2, 3] * 3),
    "fixed test": (["train"] * 6 + ["val"] * 2 + ["test"] * 4, [0, 1, 2, 0, 1, 2, 0, 1] + [-1] * 4),
}  # fmt: skip


@pytest.fixture(params=TABLES.values(), ids=TABLES)
def prepared(request: pytest.FixtureRequest, build_prepared: Build) -> Prepared:
    splits, folds = request.param
    return build_prepared(label_index=[0, 1] * 6, split=splits, fold=folds)


def test_every_row_has_one_role_in_every_fold(prepared: Prepared) -> None:
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        together = np.concatenate([roles.train, roles.validation, roles.test])
        assert sorted(together) == list(range(12))
        assert min(map(len, (roles.train, roles.validation, roles.test))) > 0


def test_rows_of_a_cell_always_have_the_same_role(prepared: Prepared) -> None:
    cells = prepared.cells()
    for fold in range(prepared.folds):
        roles = prepared.roles(fold)
        for rows in (roles.train, roles.validation, roles.test):
            others = np.setdiff1d(np.arange(12), rows)
            assert not set(cells[rows]) & set(cells[others])


def test_the_learnable_rows_are_those_that_train_in_some_fold(prepared: Prepared) -> None:
    trained = {int(row) for fold in range(prepared.folds) for row in prepared.roles(fold).train}
    assert prepared.learnable_rows.tolist() == sorted(trained)


def test_a_fixed_split_is_its_roles(build_prepared: Build) -> None:
    prepared = build_prepared(label_index=[0, 1, 0, 1], split=["test", "train", "val", "train"])
    roles = prepared.roles(0)
    assert (roles.train.tolist(), roles.validation.tolist(), roles.test.tolist()) == ([1, 3], [2], [0])


def test_rotating_rows_test_once_and_select_once(build_prepared: Build) -> None:
    prepared = build_prepared(label_index=[0, 1] * 4, split=["rotating"] * 8, fold=[0, 1, 2, 3] * 2)
    roles = [prepared.roles(fold) for fold in range(4)]
    assert [role.test.tolist() for role in roles] == [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert [role.validation.tolist() for role in roles] == [[1, 5], [2, 6], [3, 7], [0, 4]]


def test_with_a_fixed_test_set_its_rows_test_in_every_fold_and_the_others_select_in_turn(build_prepared: Build) -> None:
    prepared = build_prepared(
        label_index=[0, 1, 0, 1, 0], split=["train", "val", "train", "train", "test"], fold=[0, 1, 1, 0, -1]
    )
    roles = [prepared.roles(fold) for fold in range(2)]
    assert [role.test.tolist() for role in roles] == [[4], [4]]
    assert [role.validation.tolist() for role in roles] == [[0, 3], [1, 2]]
    assert [role.train.tolist() for role in roles] == [[1, 2], [0, 3]]
