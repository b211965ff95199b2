"""Points for `dvc plots`: a few small tables over all variants, kept in git."""

from __future__ import annotations

from pathlib import Path

from medtransfer.comparison.results import Comparison
from medtransfer.files import atomic_folder, write_text

CURVE_FILES = {
    "roc": ("roc_curves", "false_positive_rate", "true_positive_rate"),
    "precision_recall": ("precision_recall_curves", "recall", "precision"),
    "net_benefit": ("decision_curves", "threshold_probability", "net_benefit"),
}
"""The file of each kind of curve, and what its x and y are called there."""


def write_plots(folder: Path, found: Comparison) -> None:
    """Write one file of each kind of points; rows bear their variant.

    One that the task has none of is written with its header alone: `dvc.yaml` names them for every task.
    """
    tables = {"learning_curves": found.learning, "confusion": found.confusion, "reliability": found.reliability}
    for curve, (name, x, y) in CURVE_FILES.items():
        points = found.curves[found.curves["curve"] == curve]
        tables[name] = points[["variant", "x", "y"]].rename(columns={"x": x, "y": y})
    with atomic_folder(folder) as temporary:
        for name, table in tables.items():
            text = table.to_csv(index=False, float_format="%.5g", lineterminator="\n")
            write_text(temporary / f"{name}.csv", text)
