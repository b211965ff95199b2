"""How the variants learned; What each variant cost: the one table that differs between two runs of the same params."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from medtransfer.comparison.results import LEARNING
from medtransfer.util.text import markdown_table


def learning_table(histories: dict[str, Path]) -> pd.DataFrame:
    """Read the histories of variants, mean over runs, epochs counted from 1; see `Comparison.learning`."""
    tables = []
    for name, path in histories.items():
        mean = pd.read_csv(path).groupby("epoch").mean().reset_index()
        score = next(column for column in mean if column.startswith("validation_") and column != "validation_loss")
        tables.append(mean.assign(variant=name, epoch=mean["epoch"] + 1, validation_score=mean[score]))
    return pd.concat(tables, ignore_index=True)[list(LEARNING)]


COLUMNS = (
    "frozen_seconds",
    "train_seconds",
    "stage_seconds",
    "seconds_an_image",
    "peak_memory_mb",
    "device",
    "threads",
)
HEADER = [
    "Variant",
    "Runs",
    "Frozen layers s",
    "Training s",
    "Stage s",
    "Prediction ms/image",
    "Peak memory MB",
    "Precision",
]


def cost_table(cards: dict[str, dict[str, Any]], folder: Path) -> pd.DataFrame:
    """Read the cost files of the variants, by the cards of their models, into a table, a row each."""
    rows = []
    for name, card in cards.items():
        cost = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        row = {"variant": name, "runs": len(cost["runs"])} | {column: cost[column] for column in COLUMNS}
        rows.append(row | {"precision": card["precision"]})
    return pd.DataFrame(rows)


def machines(table: pd.DataFrame) -> list[str]:
    """Name the devices, and the threads on each, that variants were trained with."""
    pairs = table[["device", "threads"]].itertuples(index=False)
    return sorted({f"{device}, {threads} thread{'' if threads == 1 else 's'}" for device, threads in pairs})


def cost_page(table: pd.DataFrame) -> str:
    """Write the cost table as Markdown."""
    rows = [
        [
            str(row["variant"]),
            str(row["runs"]),
            f"{row['frozen_seconds']:.1f}",
            f"{row['train_seconds']:.1f}",
            f"{row['stage_seconds']:.1f}",
            f"{1000 * row['seconds_an_image']:.2f}",
            f"{row['peak_memory_mb']:.0f}",
            str(row["precision"]),
        ]
        for _, row in table.iterrows()
    ]
    note = (
        "Training: epochs of all runs. Frozen layers: computing what is kept of them, by the first variant that asks; "
        "those after it read it. "
        f"Measured on {'; '.join(machines(table))}."
    )
    return f"# What it cost\n\n{markdown_table(HEADER, rows)}\n\n{note}\n"
