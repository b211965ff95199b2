"""The audit of a prepared set, as `metrics/data.json` holds it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.audit.leakage import Crossing
from medtransfer.data.audit.shortcuts import Shortcut, appearance_by
from medtransfer.data.groups import duplicate_groups, keys_across_classes
from medtransfer.data.images.packed import IGNORED
from medtransfer.data.prepared import Prepared
from medtransfer.data.selection import Dropped, summary_of
from medtransfer.data.targets.target import COUNTED, counts_of

MOST_LISTED = 50


def audit_of(
    prepared: Prepared,
    found: pd.DataFrame,
    near: pd.DataFrame,
    crossing: Crossing | None,
    shortcuts: list[Shortcut],
    dropped: Dropped,
) -> dict[str, Any]:
    """Summarise a prepared set.

    `found` has all rows as published (path, label, split, key, sha256), `near` the near duplicates among them
    (first, second: row numbers, mirrored, inliers), `dropped` the images left out, by reason. Lists of paths are cut at
    50; counts are of all.
    """
    table, classes = prepared.table, prepared.classes
    if COUNTED in found:
        names = found.set_index("path")[COUNTED]
        table, classes = (
            table.assign(**{COUNTED: names.reindex(table["path"]).to_numpy()}),
            sorted(set(names.explode())),
        )
    by_split = {split: counts_of(rows).to_dict() for split, rows in table.groupby("split")}
    of_names = table.explode(COUNTED) if COUNTED in table else table
    missing = {split: sorted(set(classes) - set(counts)) for split, counts in by_split.items()}
    return {
        "images": len(table),
        "left_out": sum(map(len, dropped.values())),
        "dropped": summary_of(dropped),
        "group_keys": int(found["key"].nunique()),
        "group_keys_across_classes": len(keys_across_classes(found)),
        "groups": int(table["group"].nunique()),
        "classes": classes,
        "class_counts": counts_of(table).to_dict(),
        "class_counts_by_split": by_split,
        "classes_missing": {split: names for split, names in missing.items() if names},
        "appearance": {
            "class": appearance_by(of_names, COUNTED if COUNTED in table else "label"),
            "split": appearance_by(table, "split"),
        },
        "shortcuts": {shortcut.target: shortcut.as_json() for shortcut in shortcuts},
        "folds": prepared.folds,
        "channels": int(prepared.images.shape[-1]),
        "image_sizes": int((table["width"].astype(str) + "x" + table["height"].astype(str)).nunique()),
        "modes": table["mode"].value_counts().sort_index().to_dict(),
        "exact_duplicates": _exact(found),
        "near_duplicates": _near(found, near),
        "masks": _masks(prepared),
        "crossing": None if crossing is None else vars(crossing),
        "warnings": prepared.about["warnings"],
    }


def _exact(found: pd.DataFrame) -> dict[str, Any]:
    sets = duplicate_groups(found["sha256"])
    contradictory = [rows for rows in sets if found["label"].iloc[rows].nunique() > 1]
    return {
        "sets": len(sets),
        "sets_across_splits": sum(found["split"].iloc[rows].nunique() > 1 for rows in sets),
        "contradictory_sets": len(contradictory),
        "files_too_many": sum(len(rows) - 1 for rows in sets),
        "contradictory": [_paths(found, rows) for rows in contradictory[:MOST_LISTED]],
        "paths": [_paths(found, rows) for rows in sets[:MOST_LISTED]],
    }


def _near(found: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, Any]:
    first, second = (pairs[name].to_numpy(int) for name in ("first", "second"))
    labels, splits = found["label"].to_numpy(), found["split"].fillna("").to_numpy()
    across, differing = splits[first] != splits[second], labels[first] != labels[second]

    def listed(chosen: np.ndarray) -> list[list[str]]:
        return [_paths(found, list(rows)) for rows in zip(first[chosen], second[chosen], strict=True)][:MOST_LISTED]

    return {
        "pairs": len(pairs),
        "images": len(set(first) | set(second)),
        "mirrored_pairs": int(pairs["mirrored"].sum()),
        "pairs_across_splits": int(across.sum()),
        "contradictory_pairs": int(differing.sum()),
        "contradictory_classes": _class_pairs(labels[first[differing]], labels[second[differing]]),
        "contradictory": listed(differing),
        "across_splits": listed(across),
        "within_splits": listed(~across),
    }


def _class_pairs(first: np.ndarray, second: np.ndarray) -> dict[str, int]:
    """Count the pairs of classes, the most frequent first."""
    counts = Counter(" / ".join(sorted(pair)) for pair in zip(first, second, strict=True))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _masks(prepared: Prepared) -> dict[str, Any] | None:
    """Count the empty masks and, for each class, the images that show it; and its mean share of those."""
    if prepared.masks is None:
        return None
    counts = np.array([np.bincount(mask.ravel(), minlength=256) for mask in prepared.masks])
    shares = counts[:, 1 : len(prepared.mask_classes) + 1] / counts.sum(axis=1, keepdims=True)
    return {
        "ignored": round(float(counts[:, IGNORED].sum() / counts.sum()), 4),
        "empty": int((shares.sum(axis=1) == 0).sum()),
        "classes": {
            name: {"images": int((share > 0).sum()), "mean_share": round(float(share[share > 0].mean()), 4)}
            for name, share in zip(prepared.mask_classes, shares.T, strict=True)
        },
        "unit": prepared.about["masks"]["unit"],
    }


def _paths(found: pd.DataFrame, rows: list[int]) -> list[str]:
    return [str(found["path"].iloc[row]) for row in rows]
