"""Splits and folds: rows are divided by group, so that each part has its share of every class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medtransfer.data.targets.target import STRATA
from medtransfer.study import Split
from medtransfer.util.errors import UserError
from medtransfer.util.seeds import generator
from medtransfer.util.text import counted

NOT_FOLDED = -1
LEAST_PARTS = 3
"""Train, validation and test."""
MOST_SHOWN = 3
LEAST_VALIDATION = 30
"""With fewer validation rows the standard error of an accuracy of .5 is above 9 points."""


def partition(groups: np.ndarray, strata: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Assign every row to a part without dividing a group.

    Groups are placed from the largest to the smallest (ties in random order), each into the part that still lacks
    the largest fraction of its own share of the group's classes. Because that fraction counts, not images, groups of
    every size are spread over all parts: patients with many images are tested too, and so are classes of few groups.
    Of equal parts the largest comes first. If every group has one label, a class exceeds its share of
    a part by less than the size g of its largest group, and falls short by at most share x (parts - 1) x g.
    Rows of several strata count for each of them, after Sechidis et al. 2011, "On the stratification of multi-label
    data", but group by group.

    groups: [n], of any sortable kind. strata: the class of each row, [n], of any sortable kind; or whether it belongs
    to each stratum, bool [n, strata]. shares: [parts], positive, sum 1. Returns int64 [n].
    """
    _, group_index = np.unique(groups, return_inverse=True)
    members = strata
    if strata.ndim == 1:
        members = np.eye(len(np.unique(strata)))[np.unique(strata, return_inverse=True)[1]]
    counts = np.zeros((group_index.max() + 1, members.shape[1]))
    np.add.at(counts, group_index, members)
    exact = shares[:, None] * counts.sum(axis=0)
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


def assign_splits(table: pd.DataFrame, split: Split, seed: int) -> tuple[pd.DataFrame, list[str]]:
    """Fill the columns `split` and `fold`; see `Roles` for their meaning.

    The table needs path, strata, group and the published split (or missing values). Returns the new table,
    without the rows that `train_images` leaves out, and the decisions, as sentences. Raises `UserError`
    if the set cannot be split so.
    """
    table = table.assign(fold=NOT_FOLDED)
    notes: list[str] = []
    if split.method == "published":
        table, notes = _published(table, split, seed)
    else:
        _require_enough(table, split.folds if split.method == "kfold" else LEAST_PARTS)
        if split.method == "random":
            shares = np.array([1 - split.test - split.validation, split.validation, split.test])
            table["split"] = np.array(["train", "val", "test"])[_parts(table, shares, seed, "random")]
        else:
            table["split"] = "rotating"
            notes += _few_groups(table, split.folds)
    if split.folds > 1:
        table["fold"] = _folds(table, split.folds, seed)
    if split.train_images is not None:
        table, note = _fewer_training_rows(table, split.train_images, seed)
        notes.append(note)
    return table, notes


def require_published(table: pd.DataFrame) -> None:
    """Raise `UserError` if the published split leaves a row out, or has no train or no test rows."""
    unknown = table["split"].isna()
    if unknown.all():
        raise UserError("data.split.method: published, but this layout publishes no split; use random or kfold")
    if unknown.any():
        some = list(table["path"][unknown])
        shown = f"{', '.join(some[:MOST_SHOWN])}{', …' if len(some) > MOST_SHOWN else ''}"
        raise UserError(
            f"data.split.method: published, but {len(some)} of {len(table)} images are not in a published split: "
            f"{shown}; data.split.lists and data.files say where they belong"
        )
    for name in ("train", "test"):
        if not (table["split"] == name).any():
            raise UserError(f"data.split.method: published, but the set has no {name} images; use random or kfold")


def usable_validation(table: pd.DataFrame, split: Split) -> bool:
    """Return whether the published validation rows are enough for selection, or as many as would be carved."""
    pool = int((table["split"] != "test").sum())
    return int((table["split"] == "val").sum()) >= min(LEAST_VALIDATION, split.validation * pool)


def draws_validation(table: pd.DataFrame, split: Split) -> bool:
    """Return whether train and validation rows of a published split get new roles, by group: carved or folded."""
    return split.folds > 1 or not usable_validation(table, split)


def _published(table: pd.DataFrame, split: Split, seed: int) -> tuple[pd.DataFrame, list[str]]:
    require_published(table)
    if split.folds > 1 or usable_validation(table, split):
        return table, []
    validation = int((table["split"] == "val").sum())
    pool = (table["split"] != "test").to_numpy()
    parts = _parts(table[pool], np.array([1 - split.validation, split.validation]), seed, "validation")
    table.loc[pool, "split"] = np.array(["train", "val"])[parts]
    return table, [
        f"the published split has {validation} validation images, too few for selection: "
        f"{int((parts == 1).sum())} were carved, by group, from train and val together"
    ]


def _folds(table: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    pool = (table["split"] != "test").to_numpy()
    _require_enough(table[pool], folds)
    fold = np.full(len(table), NOT_FOLDED)
    fold[pool] = _parts(table[pool], np.full(folds, 1 / folds), seed, "folds")
    return fold


def _fewer_training_rows(table: pd.DataFrame, wanted: int, seed: int) -> tuple[pd.DataFrame, str]:
    train = (table["split"] == "train").to_numpy()
    count = int(train.sum())
    if count < wanted:
        raise UserError(f"data.split.train_images: {wanted}, but there are only {count} training images")
    kept = np.ones(len(table), dtype=bool)
    if count > wanted:
        share = wanted / count
        kept[train] = _parts(table[train], np.array([share, 1 - share]), seed, "train_images") == 0
    note = f"data.split.train_images keeps {int(kept[train].sum())} of {count} training images, by class and group"
    return table[kept].reset_index(drop=True), note


def _parts(table: pd.DataFrame, shares: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    rng = generator("split", purpose, seed)
    parts = partition(table["group"].to_numpy(), _members(table), shares, rng)
    if len(np.unique(parts)) < len(shares):
        sizes = table["group"].value_counts()
        groups = counted(len(sizes), "group")
        raise UserError(
            f"data.split: the {len(table)} images are in {groups}, the largest of {sizes.iloc[0]}, "
            f"which cannot fill {len(shares)} parts; check data.group"
        )
    return parts


def _members(table: pd.DataFrame) -> np.ndarray:
    """Return whether each row belongs to each stratum, bool [rows, strata]."""
    names = sorted(set(table[STRATA].explode()))
    return np.array([[name in own for name in names] for own in table[STRATA]])


def _require_enough(table: pd.DataFrame, parts: int) -> None:
    counts = table[STRATA].explode().value_counts().sort_index()
    fewer = ", or use fewer folds" if parts > LEAST_PARTS else ""
    problems = [
        f"data.split: {label!r} has {counted(int(count), 'image')}, too few for {parts} parts; "
        f"add images of it, or leave it out by data.labels: {{drop: [{label}]}}{fewer}"
        for label, count in counts.items()
        if count < parts
    ]
    if problems:
        raise UserError(problems)


def _few_groups(table: pd.DataFrame, folds: int) -> list[str]:
    counts = table.explode(STRATA).groupby(STRATA)["group"].nunique()
    few = [f"{label} ({count})" for label, count in counts.items() if count < folds]
    if not few:
        return []
    return [
        f"FEW GROUPS: fewer than {folds} groups, one for each fold, contain {', '.join(few)}; "
        "some folds test these classes without having trained on them"
    ]
