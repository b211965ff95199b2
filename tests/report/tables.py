"""The tables of a made-up comparison; see `comparison`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.results import (
    CALIBRATION,
    CONFUSION,
    CURVES,
    EFFECTS,
    IMAGES,
    MAPS,
    MARGINS,
    OPERATING,
    PAIRS,
    PER_CLASS,
    PUBLISHED,
    RELIABILITY,
)

from .study import ACCURACY, CLASSES, EXPLAINED, SOURCE, VARIANTS, image_paths


def frame(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a table of exactly these columns."""
    return pd.DataFrame(rows, columns=columns)


def margins() -> pd.DataFrame:
    """Return one row per variant: the second is equivalent to the best, and recommended."""
    outcomes = ("best", "equivalent", "worse", "worse")
    rows = [
        {"variant": name, "margin": 0.05, "difference": value - 0.9, "se": 0.01, "detectable": 0.04, "outcome": outcome}
        | {"p_not_inferior": 0.01, "p_equivalent": 0.02, "not_inferior": number < 2, "equivalent": number == 1}
        for number, ((name, value), outcome) in enumerate(zip(ACCURACY.items(), outcomes, strict=True))
    ]
    return frame(MARGINS, rows)


def table() -> pd.DataFrame:
    """Return one row per variant, one of a baseline and two of published results."""
    rows = []
    for number, (name, value) in enumerate(ACCURACY.items()):
        backbone, strategy = name.split("_")
        row = {
            "variant": name,
            "kind": "variant",
            "backbone": backbone,
            "strategy": strategy,
            "augmentation": "none",
            "runs": 2,
        }
        for metric, own in (("accuracy", value), ("roc_auc", value + 0.05)):
            row |= {
                metric: own,
                f"{metric}_sd": 0.01,
                f"{metric}_se": 0.02,
                f"{metric}_validation": 0.875,
                f"{metric}_low": own - 0.05,
                f"{metric}_high": own + 0.05,
            }
        row |= {"parameters": 10 ** (7 - number // 2), "trainable_parameters": 1000, "multiply_adds": 10**8}
        row |= {"difference_to_best": value - 0.9, "difference_low": value - 0.95, "difference_high": value - 0.85}
        rows.append(row | {"p_corrected": (1.0, 0.4, 0.012, 1e-5)[number], "tied_with_best": number < 2})
    baseline = {
        "accuracy": 0.4,
        "accuracy_low": 0.3,
        "accuracy_high": 0.5,
        "roc_auc": 0.5,
        "roc_auc_low": 0.5,
        "roc_auc_high": 0.5,
    }
    rows.append({"variant": "constant", "kind": "baseline", **baseline})
    rows.append({"variant": "their_own", "kind": "published", "accuracy": 0.97, "source": SOURCE})
    rows.append({"variant": "small_frozen", "kind": "published", "accuracy": 0.7, "source": SOURCE})
    return pd.DataFrame(rows)


def pairs() -> pd.DataFrame:
    """Every pair of variants, by accuracy."""
    rows = []
    for number, a in enumerate(VARIANTS):
        for b in VARIANTS[number + 1 :]:
            gap = ACCURACY[a] - ACCURACY[b]
            row = {"metric": "accuracy", "a": a, "b": b, "difference": gap, "low": gap - 0.1, "high": gap + 0.1}
            rows.append(
                row
                | {"p": 0.01, "mcnemar_p": 0.02, "p_corrected": 0.4 if gap < 0.1 else 0.012, "different": gap >= 0.1}
            )
    return frame(PAIRS, rows)


def effects() -> pd.DataFrame:
    """The one factor that differs."""
    row = {"metric": "accuracy", "factor": "backbone", "a": "resnet", "b": "small", "contexts": 2, "difference": 0.3}
    return frame(
        EFFECTS, [row | {"low": 0.2, "high": 0.4, "p": 0.001, "p_corrected": 0.002, "smallest": 0.25, "largest": 0.35}]
    )


def calibration() -> pd.DataFrame:
    """Every variant alike."""
    values = dict.fromkeys(CALIBRATION[1:], 0.25)
    return frame(CALIBRATION, [{"variant": name} | values for name in VARIANTS])


def reliability() -> pd.DataFrame:
    """Two bins of every variant, as predicted and scaled."""
    return frame(RELIABILITY, [
        {"variant": name, "scaled": scaled, "bin": number, "from": low, "to": low + 0.5, "images": 10,
         "confidence": low + 0.25, "accuracy": low + 0.2, "accuracy_low": low, "accuracy_high": low + 0.4}
        for name in VARIANTS for scaled in (False, True) for number, low in enumerate((0.0, 0.5))
    ])  # fmt: skip


def operating() -> pd.DataFrame:
    """One rule of every variant."""
    values = dict.fromkeys(OPERATING[3:], 0.8)
    return frame(OPERATING, [{"variant": name, "positive": CLASSES[0], "rule": "Youden"} | values for name in VARIANTS])


def curves() -> pd.DataFrame:
    """Three points of every curve."""
    kinds = ("roc", "precision_recall", "net_benefit")
    lines = [(name, kind) for kind in kinds for name in VARIANTS] + [("treat all", "net_benefit")]
    return frame(
        CURVES, [{"variant": name, "curve": kind, "x": x, "y": x**0.5} for name, kind in lines for x in (0.0, 0.5, 1.0)]
    )


def per_class() -> pd.DataFrame:
    """Every class of every variant alike."""
    values = dict.fromkeys(PER_CLASS[4:], 0.5)
    return frame(PER_CLASS, [{"variant": name, "class": label, "images": 8, "groups": 4} | values
                             for name in (*VARIANTS, "constant") for label in CLASSES])  # fmt: skip


def confusion() -> pd.DataFrame:
    """Three quarters of every class right."""
    return frame(CONFUSION, [
        {"variant": name, "label": label, "predicted": said, "count": 6 if label == said else 1,
         "share": 0.75 if label == said else 0.125}
        for name in VARIANTS for label in CLASSES for said in CLASSES
    ])  # fmt: skip


def costs() -> pd.DataFrame:
    """Later variants cost more."""
    return pd.DataFrame([
        {"variant": name, "runs": 2, "frozen_seconds": 1.0, "train_seconds": 10.0 * number,
         "stage_seconds": 12.0 * number, "seconds_an_image": 0.001 * (number + 1), "peak_memory_mb": 500.0,
         "device": "cpu", "threads": 2, "precision": "float32"}
        for number, name in enumerate(VARIANTS)
    ])  # fmt: skip


def images() -> pd.DataFrame:
    """Image i is right for the first i % 5 variants: a fifth of the images for none, another for all."""
    rows = []
    for number, name in enumerate(VARIANTS):
        for place, path in enumerate(image_paths()):
            label, right = CLASSES[place % 3], number < place % 5
            said = label if right else CLASSES[(place + 1) % 3]
            rows.append({"variant": name, "path": path, "group": str(place // 2), "label": label, "predicted": said,
                         "right": float(right), "probability": 0.8 if right else 0.1})  # fmt: skip
    return frame(IMAGES, rows)


def maps() -> pd.DataFrame:
    """Two methods of the variants that are explained."""
    row = dict.fromkeys(MAPS[4:], 0.5) | {"run": "fold0_seed0", "block": "layer4", "images": 12, "groups": 6}
    return frame(
        MAPS,
        [{"variant": name, "method": method} | row for name in EXPLAINED for method in ("grad_cam", "occlusion")],
    )


def published() -> pd.DataFrame:
    """A published figure of ours, which differs, and one of theirs."""
    theirs = {"metric": "accuracy", "published": 0.97, "ours": np.nan, "low": np.nan, "high": np.nan, "differs": False}
    ours = {"metric": "accuracy", "published": 0.7, "ours": 0.6, "low": 0.55, "high": 0.65, "differs": True}
    return frame(
        PUBLISHED,
        [{"variant": "their_own", "source": SOURCE} | theirs, {"variant": "small_frozen", "source": SOURCE} | ours],
    )


def audit() -> dict[str, Any]:
    """What `prepare` would say of sixty images."""
    counts = dict.fromkeys(CLASSES, 8)
    ranges = {"width": [300.0, 320.0, 640.0], "height": [240.0, 240.0, 240.0], "brightness": [60.0, 80.5, 99.0]}
    looks = {"images": 20, **ranges, "modes": {"L": 18, "RGB": 2}, "file_types": {"png": 20}}
    score = {"balanced_accuracy": 0.6, "low": 0.5, "high": 0.7}
    return {
        "images": 60,
        "left_out": 2,
        "dropped": {"unreadable": {"images": 2, "paths": ["a.png", "b.png"]}},
        "groups": 30,
        "folds": 1,
        "layout": "class_folders",
        "modes": {"L": 60},
        "image_sizes": 3,
        "class_counts": dict.fromkeys(CLASSES, 20),
        "class_counts_by_split": {"test": counts, "train": counts, "val": counts},
        "classes_missing": {"val": [CLASSES[1]]},
        "appearance": {"class": dict.fromkeys(CLASSES, looks), "split": dict.fromkeys(("train", "val", "test"), looks)},
        "shortcuts": {"class": {"groups": 30, "chance": 1 / 3, "scores": {"all": score, "brightness": score}}},
        "exact_duplicates": {"sets": 1, "contradictory_sets": 1},
        "near_duplicates": {"pairs": 3, "pairs_across_splits": 2, "contradictory_pairs": 1},
        "masks": None,
        "crossing": {"groups": 2, "test": 3, "test_total": 24, "validation": 1, "validation_total": 12},
    }
