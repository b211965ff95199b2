"""The comparison as Markdown, aligned also where it is read as plain text."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from medtransfer.comparison.rows import best_of_each_backbone, is_tied
from medtransfer.comparison.scores import HEADLINE
from medtransfer.evaluation.names import METRICS
from medtransfer.markdown import in_figures, markdown_table

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1_weighted": "F1 (weighted)",
    "f1_macro": "F1 (macro)",
    "roc_auc": "ROC-AUC",
    "precision_weighted": "Precision (weighted)",
    "recall_weighted": "Recall (weighted)",
    "log_loss": "Log loss",
    "ece": "ECE",
}


def comparison_page(title: str, table: pd.DataFrame, metric: str, confidence: float, notes: dict[str, Any]) -> str:
    """Write the whole page: warnings, the table, the best of each backbone, and how to read it."""
    parts = [f"# {title}", *(f"> **Warning.** {warning}" for warning in notes["warnings"])]
    shown = [metric, *(name for name in HEADLINE if name != metric)]
    parts.append(_main_table(table, shown))
    parts.append(_legend(metric, confidence, notes))
    parts += ["## The best variant of each backbone", _best_table(best_of_each_backbone(table), metric)]
    if (table["kind"] == "published").any():
        parts += ["## Published figures beside ours", _published_table(table)]
    return "\n\n".join(parts) + "\n"


def in_millions(value: Any) -> str:
    """Write a count in millions, or `–` where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value / 1e6:,.2f} M" if value < 1e8 else f"{value / 1e6:,.0f} M"


def with_interval(row: pd.Series, metric: str) -> str:
    """Write a metric with its interval and, where there are several runs, its standard deviation."""
    value = row.get(metric)
    if value is None or pd.isna(value):
        return "–"
    text = in_figures(value)
    if pd.notna(row.get(f"{metric}_low")):
        text += f" [{in_figures(row[f'{metric}_low'])}, {in_figures(row[f'{metric}_high'])}]"
    if pd.notna(row.get(f"{metric}_sd")):
        text += f" ± {in_figures(row[f'{metric}_sd'])}"
    return text


def _main_table(table: pd.DataFrame, metrics: list[str]) -> str:
    rows = table[table["kind"] != "published"]
    header = [
        "Variant",
        *(TITLES.get(name, name) for name in metrics),
        "Parameters",
        "trained",
        "Multiply-adds",
    ]
    cells = [
        [
            _name(row),
            *(with_interval(row, name) for name in metrics),
            *(in_millions(row.get(name)) for name in ("parameters", "trainable_parameters", "multiply_adds")),
        ]
        for _, row in rows.iterrows()
    ]
    return markdown_table(header, cells)


def _name(row: pd.Series) -> str:
    if row["kind"] == "baseline":
        return f"*{row['variant']}*"
    return f"**{row['variant']}** =" if is_tied(row) else str(row["variant"])


def _legend(metric: str, confidence: float, notes: dict[str, Any]) -> str:
    return (
        f"Value [{confidence:.0%} interval] ± SD over runs. Intervals: bootstrap over the test set's "
        f"{notes['groups']} groups ({notes['images']} images), {notes['resamples']} resamples. "
        f"**Bold =**: tied with the best by {TITLES.get(metric, metric).lower()} (paired test on the same resamples, "
        "Holm-corrected). *Italic*: baselines that train no network. What the variants cost: `metrics/cost.md`."
    )


def _best_table(table: pd.DataFrame, metric: str) -> str:
    header = ["Backbone", "Best variant", TITLES.get(metric, metric), "Parameters", "Multiply-adds"]
    cells = [
        [
            str(row["backbone"]),
            str(row["variant"]),
            with_interval(row, metric),
            in_millions(row["parameters"]),
            in_millions(row["multiply_adds"]),
        ]
        for _, row in table.iterrows()
    ]
    return markdown_table(header, cells, left=2)


def _published_table(table: pd.DataFrame) -> str:
    published = table[table["kind"] == "published"].set_index("variant")
    ours = table[table["kind"] == "variant"].set_index("variant")
    metrics = [name for name in METRICS if name in published and published[name].notna().any()]
    header = ["Variant"]
    for name in metrics:
        header += [f"{TITLES.get(name, name)}: published", "ours"]
    cells = []
    for variant, row in published.iterrows():
        line = [str(variant)]
        for name in metrics:
            own = with_interval(ours.loc[variant], name) if variant in ours.index else "–"
            line += [in_figures(row[name]), own]
        cells.append(line)
    source = str(published["source"].iloc[0])
    return f"{markdown_table(header, cells)}\n\nPublished: {source}."
