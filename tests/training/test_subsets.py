"""Subsets of training rows: nested, by whole groups, with their share of every class, the same for all variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import COMPUTE, tiny_findings, tiny_prepared
from frozen import FLIPS, assert_same_results, inputs_of, train
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.tasks.predictions import split_fractions
from medtransfer.training.model_files import read_card
from medtransfer.training.subsets import nested_order, strata_of


@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_subsets_are_nested_groups_with_their_share_of_every_class(groups: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, groups)
    group = np.repeat(np.arange(groups), sizes)
    label = np.repeat(rng.integers(0, classes, groups), sizes)
    rank = nested_order(group, label, rng)
    assert ((rank >= 0) & (rank < 1)).all()
    before = np.zeros(len(rank), bool)
    for fraction in (0.05, 0.3, 0.7, 1.0):
        chosen = rank < fraction
        assert (before <= chosen).all()
        for number in range(groups):
            assert len(set(chosen[group == number])) == 1
        for number in np.unique(label):
            own, most = chosen[label == number], sizes.max()
            assert own.any()
            assert fraction * len(own) - 1e-9 <= own.sum() < fraction * len(own) + most
        before = chosen
    assert before.all()


def test_a_group_counts_for_the_class_of_most_of_its_images() -> None:
    group, label = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 1, 1, 0, 0, 0, 0])
    rank = nested_order(group, label, np.random.default_rng(0))
    assert rank[3] == 0  # the only group of class 1
    assert sorted(rank[[0, 6]]) == [0, 0.5]


def test_images_with_findings_are_stratified_by_their_rarest(tmp_path: Path) -> None:
    prepared = tiny_findings(tmp_path)
    strata, values = strata_of(prepared), prepared.values == 1
    rarest = int(values.sum(axis=0).argmin())
    assert set(strata[values[:, rarest]]) == {1}
    assert set(strata[~values.any(axis=1)]) == {0}


@pytest.mark.parametrize(
    "strategy",
    [{"epochs": 2}, pytest.param({"train": "all", "init": "random", "epochs": 1}, marks=pytest.mark.slow)],
    ids=str,
)
def test_each_fraction_is_trained_as_if_it_were_the_only_one(tmp_path: Path, strategy: dict[str, object]) -> None:
    prepared: Prepared = tiny_prepared(tmp_path / "set")
    curve = inputs_of(prepared, tmp_path, FLIPS, fraction=[0.25, 0.5, 1.0], **strategy)
    train(curve, tmp_path / "curve")
    train(inputs_of(prepared, tmp_path, FLIPS, **strategy), tmp_path / "whole")
    assert_same_results(curve, tmp_path / "curve", tmp_path / "whole")
    small = inputs_of(prepared, tmp_path, FLIPS, fraction=[0.25], **strategy)
    train(small, tmp_path / "small")
    frames = [*predict_variant(curve.variant, prepared, tmp_path / "curve/model", COMPUTE)]
    frames += predict_variant(curve.variant, prepared, tmp_path / "curve/model", COMPUTE, smaller=True)
    main, smaller = split_fractions(pd.concat(frames, ignore_index=True))
    assert sorted(smaller) == [0.25, 0.5]
    alone = pd.concat(predict_variant(small.variant, prepared, tmp_path / "small/model", COMPUTE), ignore_index=True)
    columns = [name for name in alone if name.startswith("p_")]
    found = smaller[0.25].reset_index(drop=True)
    pd.testing.assert_frame_equal(found[["path", "role", "seed"]], alone[["path", "role", "seed"]])
    np.testing.assert_allclose(found[columns], alone[columns], atol=1e-4)
    assert len(main) == len(alone)
    card = read_card(tmp_path / "curve/model")
    images = [run["images"] for run in card["smaller_runs"] if run["seed"] == 0]
    assert images[0] < images[1] < card["runs"][0]["images"] == len(prepared.roles(0).train)
