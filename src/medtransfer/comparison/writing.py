"""Write a comparison: tables for people and programs, and the points of curves for `dvc plots`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medtransfer.comparison.cost import cost_page
from medtransfer.comparison.pages import comparison_page, comparison_tables
from medtransfer.comparison.results import Comparison
from medtransfer.statistics.metrics import metrics_of
from medtransfer.util.files import atomic_folder, write_json, write_text
from medtransfer.util.places import Places

CURVE_FILES = {
    "roc": ("roc_curves", "false_positive_rate", "true_positive_rate"),
    "precision_recall": ("precision_recall_curves", "recall", "precision"),
    "net_benefit": ("decision_curves", "threshold_probability", "net_benefit"),
}
"""The file of each kind of curve, and the names of x and y in it."""


def write_plots(folder: Path, found: Comparison) -> None:
    """Write one file per kind of points, with the variant in each row.

    `dvc plots` writes texts into a script of its page as they are; no name may close it, so that `<` is replaced.
    A kind that the task does not have is written as a header alone, because `dvc.yaml` lists the files for every task.
    """
    tables = {"learning_curves": found.learning, "confusion": found.confusion, "reliability": found.reliability}
    for curve, (name, x, y) in CURVE_FILES.items():
        points = found.curves[found.curves["curve"] == curve]
        tables[name] = points[["variant", "x", "y"]].rename(columns={"x": x, "y": y})
    with atomic_folder(folder) as temporary:
        for name, table in tables.items():
            text = table.to_csv(index=False, float_format="%.5g", lineterminator="\n").replace("<", "‹")
            write_text(temporary / f"{name}.csv", text)


TABLES = (
    "pairs", "effects", "calibration", "reliability", "operating", "curves", "per_class", "per_finding", "agreement",
    "ranges", "maps", "margins", "ensembles", "trials", "fractions", "fraction_pairs", "projections", "published",
    "external", "rankings", "subgroups", "gaps",
)  # fmt: skip


def write_comparison(found: Comparison, places: Places) -> None:
    """Write `metrics/summary.json`, the comparison and cost tables, and the points for `dvc plots`."""
    results = places.results
    write_csv(results / "comparison.csv", found.table)
    write_text(results / "comparison.md", comparison_page(found))
    write_text(results / "comparison.tex", comparison_tables(found))
    write_json(results / "summary.json", _summary(found))
    write_csv(results / "cost.csv", found.costs)
    write_text(results / "cost.md", cost_page(found.costs))
    with atomic_folder(results / "tables") as folder:
        for name in TABLES:
            write_csv(folder / f"{name}.csv", getattr(found, name))
        for name, table in found.external_tables.items():
            write_csv(folder / f"external_{name}.csv", table)
    write_plots(places.plots / "points", found)


def _summary(found: Comparison) -> dict[str, dict[str, float]]:
    """Return the few metrics of each variant that `dvc metrics diff` shows."""
    shown = [name for name, metric in metrics_of(found.study.params.study.task).items() if metric.in_summary]
    wanted = dict.fromkeys((*shown, found.metric))
    rows = found.table[found.table["kind"] == "variant"].set_index("variant")
    summary = {
        name: {metric: round(float(rows.loc[name, metric]), 4) for metric in wanted} for name in found.study.variants
    }
    for row in found.external[found.external["metric"] == found.metric].to_dict("records"):
        summary[row["variant"]][f"{found.metric}_{row['set']}"] = round(float(row["value"]), 4)
    return summary


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table; a spreadsheet runs none of its names as a formula, as `prepare` refuses such names."""
    write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
