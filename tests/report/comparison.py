"""A comparison with made-up values in every table, and names that break a page without escaping."""

from __future__ import annotations

from typing import Any

from medtransfer.comparison.results import LEARNING, MASKS, Comparison, Verdict

from . import tables
from .study import CLASSES, TEST_IMAGES, make_study


def make_comparison(**changes: Any) -> Comparison:
    """Return the comparison, with some of its parts replaced."""
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
            margin=0.05,
            not_inferior=("resnet_tuned",),
            recommended="resnet_tuned",
        ),
        "table": tables.table(),
        "pairs": tables.pairs(),
        "effects": tables.effects(),
        "calibration": tables.calibration(),
        "reliability": tables.reliability(),
        "operating": tables.operating(),
        "curves": tables.curves(),
        "per_class": tables.per_class(),
        "confusion": tables.confusion(),
        "learning": tables.frame(LEARNING, []),
        "costs": tables.costs(),
        "images": tables.images(),
        "masks": tables.frame(MASKS, []),
        "margins": tables.margins(),
        "maps": tables.maps(),
        "published": tables.published(),
        "audit": tables.audit(),
        "about": {"pixels_sha256": "1" * 64, "table_sha256": "2" * 64, "warnings": list(warnings)},
    }
    return Comparison(**(parts | changes))
