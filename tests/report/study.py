"""A comparison made by hand, every table of it filled, with names that would break a page that does not escape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from medtransfer.comparison.places import Places
from medtransfer.comparison.results import (
    CALIBRATION,
    CONFUSION,
    CURVES,
    EFFECTS,
    IMAGES,
    LEARNING,
    MAPS,
    MASKS,
    OPERATING,
    PAIRS,
    PER_CLASS,
    PUBLISHED,
    RELIABILITY,
    Comparison,
    Verdict,
    frame,
)
from medtransfer.dataset.prepared import ABOUT, TABLE
from medtransfer.dataset.prepared import IMAGES as PIXELS
from medtransfer.files import write_json, write_text
from medtransfer.study import check_study

TITLE = 'A <b>study</b> & its "title"'
CLASSES = ("<script>1</script>", "cyst & $x_1$", "normal")
SOURCE = "a report <img src=http://localhost/picture.png>"
VARIANTS = ("resnet_frozen", "resnet_tuned", "small_frozen", "small_tuned")
ACCURACY = dict(zip(VARIANTS, (0.9, 0.85, 0.6, 0.5), strict=True))
EXPLAINED = ("small_frozen", "resnet_frozen")
TEST_IMAGES = 24


def make_study(explained: tuple[str, ...] = EXPLAINED, **comparison: Any) -> Any:
    """Give a study of two backbones and two strategies."""
    strategies = {"frozen": {"train": "head"}, "tuned": {"train": "all"}}
    return check_study(
        {
            "study": {"name": "tiny", "title": TITLE, "seed": 3},
            "data": {
                "source": "folder",
                "folder": "somewhere",
                "layout": "class_folders",
                "group": None,
                "image_size": 32,
                "resize": "stretch",
                "split": {"method": "random"},
                "leakage": "fail",
            },
            "augmentation": {"none": {"views": 1, "transforms": []}},
            "backbones": {
                "resnet": {"model": "resnet18", "weights": "DEFAULT"},
                "small": {"model": "alexnet", "weights": "DEFAULT"},
            },
            "strategies": strategies,
            "training": {"seeds": [0, 1]},
            "variants": {
                f"{backbone}_{strategy}": {"backbone": backbone, "strategy": strategy, "augmentation": "none"}
                for backbone in ("resnet", "small")
                for strategy in strategies
            },
            "comparison": {"metric": "accuracy", "resamples": 300} | comparison,
            "explain": {"variants": list(explained)},
        },
        "params.yaml",
    )


def write_places(root: Path) -> Places:
    """Write the files beside a comparison's tables that the page is made from."""
    places, prepared = Places(root), root / "data" / "prepared"
    prepared.mkdir(parents=True)
    pd.DataFrame({"path": image_paths()}).to_parquet(prepared / TABLE)
    np.save(prepared / PIXELS, np.random.default_rng(0).integers(0, 255, (TEST_IMAGES, 16, 16, 1), np.uint8))
    write_json(prepared / ABOUT, {"classes": list(CLASSES)})
    for name in EXPLAINED:
        places.contact_sheet(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (300, 100), "white").save(places.contact_sheet(name))
    manifest = {
        "source": "folder",
        "reference": "<i>set</i>",
        "version": None,
        "licence": None,
        "files": 9,
        "sha256": "f" * 64,
    }
    write_json(root / "data" / "manifest.json", manifest)
    header = "fold,seed,epoch,lr,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
    for name in VARIANTS:
        weights = {"source": "torchvision", "reference": "IMAGENET1K_V1", "sha256": "a" * 64}
        write_json(places.model(name) / "card.json", {"weights": weights})
        epochs = range(1 if name == "small_frozen" else 4)
        rows = [
            f"0,{seed},{epoch},.1,{1 / (epoch + 1)},.5,{1.2 / (epoch + 1)},.5" for seed in (0, 1) for epoch in epochs
        ]
        write_text(places.model(name) / "history.csv", header + "\n".join(rows) + "\n")
    return places


def image_paths() -> list[str]:
    """Name the test images; one of the names tries to leave its attribute."""
    return [f'"><img src="http://localhost/{number}">.png' for number in range(TEST_IMAGES)]


def make_comparison(**changes: Any) -> Comparison:
    """Give the whole comparison, some of its parts replaced."""
    warnings = ("SIMULATION: these images are simulated", "twelve <b>images</b> are few")
    parts: dict[str, Any] = {
        "study": make_study(),
        "metrics": ("accuracy", "roc_auc"),
        "classes": CLASSES,
        "test": {"images": TEST_IMAGES, "groups": 12, "resamples": 300},
        "warnings": warnings,
        "verdict": Verdict(
            "accuracy",
            "resnet_frozen",
            0.9,
            0.85,
            0.95,
            ("resnet_tuned",),
            {"small_frozen": 0.012, "small_tuned": 1e-5},
        ),
        "table": _table(),
        "pairs": _pairs(),
        "effects": _effects(),
        "calibration": _calibration(),
        "reliability": _reliability(),
        "operating": _operating(),
        "curves": _curves(),
        "per_class": _per_class(),
        "confusion": _confusion(),
        "learning": frame(LEARNING, []),
        "costs": _costs(),
        "images": _images(),
        "masks": frame(MASKS, []),
        "maps": _maps(),
        "published": _published(),
        "audit": _audit(),
        "about": {"pixels_sha256": "1" * 64, "table_sha256": "2" * 64, "warnings": list(warnings)},
    }
    return Comparison(**(parts | changes))


def _table() -> pd.DataFrame:
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
    rows.append({"variant": "majority", "kind": "baseline", **baseline})
    rows.append({"variant": "their_own", "kind": "published", "accuracy": 0.97, "source": SOURCE})
    rows.append({"variant": "small_frozen", "kind": "published", "accuracy": 0.7, "source": SOURCE})
    return pd.DataFrame(rows)


def _pairs() -> pd.DataFrame:
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


def _effects() -> pd.DataFrame:
    row = {"metric": "accuracy", "factor": "backbone", "a": "resnet", "b": "small", "contexts": 2, "difference": 0.3}
    return frame(
        EFFECTS, [row | {"low": 0.2, "high": 0.4, "p": 0.001, "p_corrected": 0.002, "smallest": 0.25, "largest": 0.35}]
    )


def _calibration() -> pd.DataFrame:
    values = dict.fromkeys(CALIBRATION[1:], 0.25)
    return frame(CALIBRATION, [{"variant": name} | values for name in VARIANTS])


def _reliability() -> pd.DataFrame:
    return frame(RELIABILITY, [
        {"variant": name, "scaled": scaled, "bin": number, "from": low, "to": low + 0.5, "images": 10,
         "confidence": low + 0.25, "accuracy": low + 0.2, "accuracy_low": low, "accuracy_high": low + 0.4}
        for name in VARIANTS for scaled in (False, True) for number, low in enumerate((0.0, 0.5))
    ])  # fmt: skip


def _operating() -> pd.DataFrame:
    values = dict.fromkeys(OPERATING[3:], 0.8)
    return frame(OPERATING, [{"variant": name, "positive": CLASSES[0], "rule": "Youden"} | values for name in VARIANTS])


def _curves() -> pd.DataFrame:
    kinds = ("roc", "precision_recall", "net_benefit")
    lines = [(name, kind) for kind in kinds for name in VARIANTS] + [("treat all", "net_benefit")]
    return frame(
        CURVES, [{"variant": name, "curve": kind, "x": x, "y": x**0.5} for name, kind in lines for x in (0.0, 0.5, 1.0)]
    )


def _per_class() -> pd.DataFrame:
    values = dict.fromkeys(PER_CLASS[4:], 0.5)
    return frame(PER_CLASS, [{"variant": name, "class": label, "images": 8, "groups": 4} | values
                             for name in (*VARIANTS, "majority") for label in CLASSES])  # fmt: skip


def _confusion() -> pd.DataFrame:
    return frame(CONFUSION, [
        {"variant": name, "label": label, "predicted": said, "count": 6 if label == said else 1,
         "share": 0.75 if label == said else 0.125}
        for name in VARIANTS for label in CLASSES for said in CLASSES
    ])  # fmt: skip


def _costs() -> pd.DataFrame:
    return pd.DataFrame([
        {"variant": name, "runs": 2, "train_seconds": 10.0 * number, "stage_seconds": 12.0 * number,
         "seconds_an_image": 0.001 * (number + 1), "peak_memory_mb": 500.0, "device": "cpu", "threads": 2}
        for number, name in enumerate(VARIANTS)
    ])  # fmt: skip


def _images() -> pd.DataFrame:
    """Image i is right for the first i % 5 variants: a fifth of the images for none, another for all."""
    rows = []
    for number, name in enumerate(VARIANTS):
        for place, path in enumerate(image_paths()):
            label, right = CLASSES[place % 3], number < place % 5
            said = label if right else CLASSES[(place + 1) % 3]
            rows.append({"variant": name, "path": path, "group": str(place // 2), "label": label, "predicted": said,
                         "right": float(right), "probability": 0.8 if right else 0.1})  # fmt: skip
    return frame(IMAGES, rows)


def _maps() -> pd.DataFrame:
    row = dict.fromkeys(MAPS[4:], 0.5) | {"run": "fold0_seed0", "block": "layer4", "images": 12, "groups": 6}
    return frame(
        MAPS,
        [{"variant": name, "method": method} | row for name in EXPLAINED for method in ("grad_cam", "occlusion")],
    )


def _published() -> pd.DataFrame:
    theirs = {"metric": "accuracy", "published": 0.97, "ours": np.nan, "low": np.nan, "high": np.nan, "differs": False}
    ours = {"metric": "accuracy", "published": 0.7, "ours": 0.6, "low": 0.55, "high": 0.65, "differs": True}
    return frame(
        PUBLISHED,
        [{"variant": "their_own", "source": SOURCE} | theirs, {"variant": "small_frozen", "source": SOURCE} | ours],
    )


def _audit() -> dict[str, Any]:
    counts = dict.fromkeys(CLASSES, 8)
    ranges = {"width": [300.0, 320.0, 640.0], "height": [240.0, 240.0, 240.0], "brightness": [60.0, 80.5, 99.0]}
    looks = {"images": 20, **ranges, "modes": {"L": 18, "RGB": 2}, "file_types": {"png": 20}}
    score = {"balanced_accuracy": 0.6, "low": 0.5, "high": 0.7}
    return {
        "images": 60,
        "left_out": 2,
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
