"""The search of each variant: its outcome, how the score depends on the values searched, and its cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from medtransfer.comparison.results import TRIALS
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.svg import inline_svg
from medtransfer.tasks import TASKS
from medtransfer.util.plotting import COLOURS, MUTED, panels
from medtransfer.util.text import counted, in_figures, shortened

WIDTH, HEIGHT, MARGINS = 2.3, 1.9, (0.52, 0.1, 0.46, 0.24)
COLUMNS, MOST_PANELS, LONGEST_NAME, MOST_TICKS = 4, 24, 30, 4
WIDE = 20
"""Values whose largest is this many times the smallest are drawn on a logarithmic axis."""


def content(material: Material) -> dict[str, Any]:
    """Draw the score of each trial by the first value that was searched, and summarise the searches."""
    task, trials = TASKS[material.found.study.params.study.task], material.found.trials
    label = f"validation {task.score.replace('_', ' ')}"
    by_variant = {name: _of(trials, name) for name in material.names if (trials["variant"] == name).any()}
    drawn = {name: table for name, table in by_variant.items() if len(_searched(table))}
    shown = dict(list(drawn.items())[:MOST_PANELS])
    material.save(tuning_figure(shown, label), "tuning")
    seconds = material.found.costs.set_index("variant")["train_seconds"]
    return {
        "panels": [
            inline_svg(tuning_figure({name: table}, label), f"tuning-{number}", f"Trials of {name}")
            for number, (name, table) in enumerate(shown.items())
        ],
        "score": label,
        "left_out": counted(len(drawn) - len(shown), "variant") if len(drawn) > len(shown) else "",
        "rows": [_row(name, table, float(seconds[name])) for name, table in by_variant.items()],
    }


def _of(trials: pd.DataFrame, name: str) -> pd.DataFrame:
    return trials[trials["variant"] == name].dropna(axis=1, how="all")


def _searched(table: pd.DataFrame) -> list[str]:
    """Return the numbers that were searched, the learning rate first."""
    names = [str(name) for name in table if name not in TRIALS and pd.api.types.is_numeric_dtype(table[name])]
    return sorted(names, key=lambda name: name != "lr")


def tuning_figure(tables: dict[str, pd.DataFrame], label: str) -> Figure:
    """Draw a panel per variant: the trials of all runs, those that ended early crossed, those that were kept filled."""
    figure, axes = panels(len(tables), COLUMNS, (WIDTH, HEIGHT), MARGINS)
    for axis, (name, table) in zip(axes, tables.items(), strict=True):
        _draw(axis, table, _searched(table)[0], label)
        axis.set_title(shortened(name, LONGEST_NAME), loc="left", fontsize=8.5)
    return figure


def _draw(axis: Axes, table: pd.DataFrame, searched: str, label: str) -> None:
    kept, complete = table["kept"], table["state"] == "complete"
    for rows, marker, face, edge in (
        (complete & ~kept, "o", "none", COLOURS[0]),
        (~complete & ~kept, "x", MUTED, None),
        (kept, "o", COLOURS[1], COLOURS[1]),
    ):
        places = table[searched][rows], table["validation_score"][rows]
        axis.scatter(*places, s=14, linewidths=0.8, marker=marker, facecolors=face, edgecolors=edge)
    values = table[searched].to_numpy(float)
    if values.min() > 0 and values.max() >= WIDE * values.min():
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(numticks=MOST_TICKS))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set(xlabel=searched, ylabel=label)
    axis.tick_params(labelsize=7.5)
    axis.locator_params(axis="y", nbins=4)


def _row(name: str, table: pd.DataFrame, seconds: float) -> dict[str, Any]:
    runs = table.groupby(["fold", "seed", "fraction"])
    kept = table[table["kept"]]
    values = [str(column) for column in table if column not in TRIALS]
    return {
        "variant": name,
        "trials": int(runs.size().max()),
        "found": ", ".join(f"{value} {_spread(kept[value])}" for value in values),
        "kept": in_figures(kept["validation_score"].mean()),
        "median": in_figures(runs["validation_score"].median().mean()),
        "pruned": int((table["state"] == "pruned").sum()),
        "diverged": int((table["state"] == "diverged").sum()),
        "epochs": f"{int(table['epochs'].sum()):,}",
        "seconds": f"{seconds:,.0f}",
    }


def _spread(values: pd.Series) -> str:
    """Return the values that runs kept: a number, a range, or words."""
    if not pd.api.types.is_numeric_dtype(values):
        return " or ".join(sorted(map(str, values.unique())))
    low, high = np.min(values), np.max(values)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


SECTIONS.register("tuning", Section(95, "Searches", content, "trials"))
