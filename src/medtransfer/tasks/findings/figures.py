"""The figure of a variant that predicts findings: learning curves, areas by finding, and ROC curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from medtransfer.statistics.metrics import phrase_of
from medtransfer.tasks.classes.figures import LONGEST_NAME, draw_roc_curves, variant_panels
from medtransfer.tasks.findings.predictions import FindingPredictions
from medtransfer.util.plotting import COLOURS, MUTED
from medtransfer.util.text import shortened


def write_finding_figure(
    name: str, history: Path, tests: FindingPredictions, found: dict[str, Any], path: Path
) -> None:
    """Draw learning curves, the areas of each finding, and ROC curves side by side."""
    value = found["mean"]["roc_auc"]
    score = "" if value is None else f"{phrase_of('roc_auc')} {value:.3f} on "
    with variant_panels(name, history, found, score, path) as (areas, roc):
        draw_areas(areas, found["classes"])
        truth = np.tile(tests.truth, (len(tests.replicates), 1))
        draw_roc_curves(roc, truth, tests.replicates.reshape(len(truth), -1), tests.classes, "ROC of each finding")


def draw_areas(axis: Axes, findings: dict[str, dict[str, Any]]) -> None:
    """Draw ROC-AUC and average precision of each finding, the best at the top."""
    order = sorted(findings, key=lambda name: findings[name]["roc_auc"] or 0.0)
    for number, (key, title) in enumerate({"roc_auc": "ROC-AUC", "pr_auc": "average precision"}.items()):
        values = [np.nan if findings[name][key] is None else findings[name][key] for name in order]
        axis.plot(values, range(len(order)), "o", color=COLOURS[number], label=title)
    axis.axvline(0.5, color=MUTED, linestyle=":", linewidth=1)
    names = [f"{shortened(name, LONGEST_NAME)} ({findings[name]['images']})" for name in order]
    axis.set_yticks(range(len(order)), names, fontsize=7)
    axis.set(xlim=(0, 1.01), title="By finding (its test images)")
    axis.legend(fontsize=7, loc="lower right")
