"""Divides rows into parts by group, so that each part has its share of every class."""

from __future__ import annotations

import numpy as np


def partition(groups: np.ndarray, labels: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Assign every row a part, never dividing a group.

    Groups are placed from the largest to the smallest (ties in random order), each into the part that still lacks
    the largest fraction of its own share of the group's classes. Measured by that fraction, not by images, groups of
    every size are spread over all parts: patients with many images are tested too, and so are classes of few groups.
    The largest part comes first where parts are even. Where every group bears one label, a class exceeds its share of
    a part by less than the size g of its largest group, and falls short by at most share x (parts - 1) x g.

    groups, labels: [n], of any sortable kind. shares: [parts], positive, sum 1. Returns int64 [n].
    """
    _, group_index = np.unique(groups, return_inverse=True)
    _, label_index = np.unique(labels, return_inverse=True)
    counts = np.zeros((group_index.max() + 1, label_index.max() + 1))
    np.add.at(counts, (group_index, label_index), 1)
    totals = counts.sum(axis=0)
    exact = shares[:, None] * totals
    missing = exact.copy()  # [parts, classes]: how far each part is below its share
    tie_break = rng.permutation(len(counts))
    order = np.lexsort((tie_break, -counts.sum(axis=1)))
    part_of = np.empty(len(counts), dtype=np.int64)
    parts = np.argsort(-shares, kind="stable")
    for group in order:
        part = parts[np.argmax(((missing / exact) @ counts[group])[parts])]
        missing[part] -= counts[group]
        part_of[group] = part
    return part_of[group_index]
