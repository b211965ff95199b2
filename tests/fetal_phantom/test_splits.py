"""How the simulated patients are split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fetal_phantom import CLASSES, write_phantom
from fetal_phantom.splits import SPLITS, stratified_splits

from .samples import SETTINGS, seeds


def test_patients_stay_in_one_split(anatomy: pd.DataFrame) -> None:
    assert (anatomy.groupby("patient")["split"].nunique() == 1).all()


def test_splitting_by_image_leaks_patients(tmp_path: Path) -> None:
    write_phantom(tmp_path, **(SETTINGS | {"size": 32}), split_by="image")
    table = pd.read_csv(tmp_path / "anatomy.csv")
    assert (table.groupby("patient")["split"].nunique() > 1).mean() > 0.3


def test_each_class_stands_in_each_split(anatomy: pd.DataFrame) -> None:
    counts = anatomy.groupby(["class", "split"])["patient"].nunique().unstack(fill_value=0)
    assert set(counts.index) == set(CLASSES)
    assert (counts[list(SPLITS)] >= 1).all(axis=None)


@given(st.lists(st.sampled_from(CLASSES), max_size=120), seeds)
def test_splits_are_stratified(labels: list[str], seed: int) -> None:
    units = dict(enumerate(labels))
    splits = stratified_splits(units, np.random.default_rng(seed))
    assert splits.keys() == units.keys()
    for label in set(labels):
        chosen = [splits[unit] for unit, its_label in units.items() if its_label == label]
        if len(chosen) >= 3:
            assert set(chosen) == set(SPLITS)
        for split, share in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
            assert abs(chosen.count(split) - share * len(chosen)) <= 1.0
