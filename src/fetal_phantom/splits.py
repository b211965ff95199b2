"""Dividing simulated patients, or their frames, among training, validation and test."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np

SPLITS: tuple[str, ...] = ("train", "valid", "test")
SPLIT_SHARES: tuple[float, ...] = (0.6, 0.2, 0.2)

Unit = TypeVar("Unit", bound=Hashable)


def stratified_splits(labels: Mapping[Unit, str], rng: np.random.Generator) -> dict[Unit, str]:
    """The split of each unit, about 60/20/20 within each class.

    Args:
        labels: class of each unit (a patient, or a frame).
        rng: what shuffles the units of a class.

    A class with three units or more stands in each split; a smaller one fills the splits in their order.
    """
    splits: dict[Unit, str] = {}
    for label in sorted(set(labels.values())):
        units = [unit for unit, its_label in labels.items() if its_label == label]
        counts = _split_counts(len(units))
        names = [name for name, count in zip(SPLITS, counts, strict=True) for _ in range(count)]
        splits.update((units[place], name) for place, name in zip(rng.permutation(len(units)), names, strict=True))
    return splits


def _split_counts(total: int) -> list[int]:
    """How many of `total` units each split takes: one each as far as they go, then by what is missing."""
    counts = [int(position < total) for position in range(len(SPLITS))]
    for _ in range(total - sum(counts)):
        missing = [share * total - count for share, count in zip(SPLIT_SHARES, counts, strict=True)]
        counts[int(np.argmax(missing))] += 1
    return counts
