"""Divides rows into parts by group, so that each part has its share of every class."""

from __future__ import annotations

import numpy as np


def partition(groups: np.ndarray, labels: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Assign every row a part, never dividing a group.

    Groups are placed from the largest to the smallest (ties in random order), each into the part that is
    furthest below its share of the group's classes. Where every group bears one label, each class's count
    in each part stays within the size of that class's largest group of its exact share. With mixed groups no
    table is known where a class is farther from its share than the size of the largest group.

    groups, labels: [n], of any sortable kind. shares: [parts], positive, sum 1. Returns int64 [n].
    """
    _, group_index = np.unique(groups, return_inverse=True)
    _, label_index = np.unique(labels, return_inverse=True)
    counts = np.zeros((group_index.max() + 1, label_index.max() + 1))
    np.add.at(counts, (group_index, label_index), 1)
    totals = counts.sum(axis=0)
    missing = shares[:, None] * totals  # [parts, classes]: how far each part is below its share
    tie_break = rng.permutation(len(counts))
    order = np.lexsort((tie_break, -counts.sum(axis=1)))
    part_of = np.empty(len(counts), dtype=np.int64)
    for group in order:
        part = int(np.argmax((missing / totals) @ counts[group]))
        missing[part] -= counts[group]
        part_of[group] = part
    return part_of[group_index]
