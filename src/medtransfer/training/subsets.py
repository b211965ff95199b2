"""Subsets of the training rows: a few of each class, or a fraction of the groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtransfer.data.prepared import Prepared
from medtransfer.study import Strategy
from medtransfer.util.places import run_name
from medtransfer.util.seeds import generator

STRATA = 5
"""The number of ranges by which numbers are stratified."""


@dataclass(frozen=True)
class Run:
    """A training of a variant in one fold with one seed, on the largest fraction of its training images or less."""

    fold: int
    seed: int
    fraction: float = 1.0
    is_largest: bool = True

    @property
    def name(self) -> str:
        """The name of the run in files."""
        return run_name(self.fold, self.seed, None if self.is_largest else self.fraction)


def runs_of(strategy: Strategy, folds: int, seeds: list[int]) -> list[Run]:
    """List the runs of a variant, those of the table first."""
    *smaller, largest = strategy.fractions
    places = [(fold, seed) for fold in range(folds) for seed in seeds]
    return [
        *(Run(*place, largest) for place in places),
        *(Run(*place, fraction, is_largest=False) for fraction in smaller for place in places),
    ]


def training_rows(prepared: Prepared, rows: np.ndarray, strategy: Strategy, seed: int, fold: int) -> np.ndarray:
    """Return those of the rows that a strategy trains on: its `shots`, or the largest of its `fraction`."""
    if strategy.fractions[-1] == 1:
        return few_shots(prepared, rows, strategy.shots, seed, fold)
    groups = prepared.table["group"].to_numpy()[rows]
    rank = nested_order(groups, strata_of(prepared)[rows], generator("fraction", seed, fold))
    return rows[rank < strategy.fractions[-1]]


def few_shots(prepared: Prepared, rows: np.ndarray, shots: int | None, seed: int, fold: int) -> np.ndarray:
    """Draw `shots` rows of each class, or all of a smaller class; None keeps every row."""
    if shots is None:
        return rows
    labels = prepared.table["label_index"].to_numpy()[rows]
    drawn = []
    for label in range(len(prepared.classes)):
        candidates = rows[labels == label]
        drawn.append(generator("shots", seed, fold, label).permutation(candidates)[:shots])
    return np.sort(np.concatenate(drawn))


def nested_order(groups: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a rank in [0, 1) of each row; the rows with a rank below f are a subset of about the fraction f.

    Subsets of smaller fractions are within those of larger ones. No group is divided, and each has its share of every
    stratum, but at least one group: a group counts for the stratum of most of its rows, or the rarer of two. In each
    stratum, groups are in random order, and a group's rank is the share of the stratum's rows that come before it.

    groups: [n], of any sortable kind. strata: int [n], from 0.
    """
    _, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((group.max() + 1, strata.max() + 1))
    np.add.at(counts, (group, strata), 1)
    own = np.argmax(counts - np.bincount(strata) / len(strata) / 2, axis=1)
    sizes, ranks = counts.sum(axis=1), np.zeros(len(counts))
    for stratum in np.unique(own):
        members = rng.permutation(np.flatnonzero(own == stratum))
        before = np.cumsum(sizes[members]) - sizes[members]
        ranks[members] = before / sizes[members].sum()
    return np.asarray(ranks[group])


def strata_of(prepared: Prepared) -> np.ndarray:
    """Return a stratum of each image, int [images]: its class, its rarest finding, or the range of its number."""
    if prepared.classes:
        return np.asarray(prepared.table["label_index"].to_numpy(), dtype=np.int64)
    if not prepared.outputs:
        return np.zeros(len(prepared.table), dtype=np.int64)
    values = prepared.values
    if np.isin(values[~np.isnan(values)], (0, 1)).all():
        present = values == 1
        rarest = np.argsort(present.sum(axis=0), kind="stable")
        return np.where(present.any(axis=1), present[:, rarest].argmax(axis=1) + 1, 0)
    edges = np.nanquantile(values[:, 0], np.linspace(0, 1, STRATA + 1)[1:-1])
    return np.searchsorted(edges, np.nan_to_num(values[:, 0]))
