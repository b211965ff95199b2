"""How the variants were trained: learning curves, searches, and cost, which alone differs between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from medtransfer.comparison.results import LEARNING, TRIALS
from medtransfer.study import Study
from medtransfer.util.files import read_json
from medtransfer.util.places import Places
from medtransfer.util.text import markdown_table


def learning_table(histories: dict[str, Path]) -> pd.DataFrame:
    """Read the histories of variants, mean over runs, with epochs counted from 1; see `Comparison.learning`."""
    tables = []
    for name, path in histories.items():
        mean = pd.read_csv(path).groupby("epoch").mean().reset_index()
        score = next(column for column in mean if column.startswith("validation_") and column != "validation_loss")
        tables.append(mean.assign(variant=name, epoch=mean["epoch"] + 1, validation_score=mean[score]))
    return pd.concat(tables, ignore_index=True)[list(LEARNING)]


def trials_table(study: Study, places: Places) -> pd.DataFrame:
    """Read the trials of all variants with a search; see `Comparison.trials`."""
    found = [
        pd.read_csv(places.model(name) / "trials.csv").assign(variant=name)
        for name, variant in study.variants.items()
        if variant.strategy.trials > 1
    ]
    if not found:
        return pd.DataFrame(columns=TRIALS)
    table = pd.concat(found, ignore_index=True)
    return table[[*TRIALS, *(column for column in table if column not in TRIALS)]]


COLUMNS = {
    "runs": ("Runs", "{:d}"),
    "frozen_seconds": ("Frozen layers s", "{:.1f}"),
    "train_seconds": ("Training s", "{:.1f}"),
    "stage_seconds": ("Stage s", "{:.1f}"),
    "seconds_an_image": ("Prediction ms/image", "{:.2f}"),
    "peak_memory_mb": ("Peak memory MB", "{:.0f}"),
    "precision": ("Precision", "{}"),
}
"""The columns of the page, with their titles and formats."""


def cost_table(cards: dict[str, dict[str, Any]], folder: Path) -> pd.DataFrame:
    """Read the cost files of the variants, by the cards of their models: one row per variant."""
    rows = []
    for name, card in cards.items():
        cost = read_json(folder / f"{name}.json")
        shared = {column: cost[column] for column in (*list(COLUMNS)[1:-1], "device", "threads")}
        rows.append({"variant": name, "runs": len(cost["runs"])} | shared | {"precision": card["precision"]})
    return pd.DataFrame(rows)


def machines(table: pd.DataFrame) -> list[str]:
    """Return the devices on which variants were trained, each with its number of threads."""
    pairs = table[["device", "threads"]].itertuples(index=False)
    return sorted({f"{device}, {threads} thread{'' if threads == 1 else 's'}" for device, threads in pairs})


def cost_page(table: pd.DataFrame) -> str:
    """Format the cost table as Markdown."""
    shown = table.assign(seconds_an_image=1000 * table["seconds_an_image"])
    rows = [
        [str(row["variant"]), *(pattern.format(row[column]) for column, (_, pattern) in COLUMNS.items())]
        for row in shown.to_dict("records")
    ]
    note = (
        "Training: the epochs of all runs. Frozen layers: computing their outputs, by the first variant that needs "
        f"them; later variants read them. Measured on {'; '.join(machines(table))}."
    )
    header = ["Variant", *(title for title, _ in COLUMNS.values())]
    return f"# Cost\n\n{markdown_table(header, rows)}\n\n{note}\n"
