"""Two pictures of the comparison: the variants with their intervals, and accuracy against size."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.comparison.markdown import TITLES
from medtransfer.comparison.rows import is_tied
from medtransfer.plotting import COLOURS, new_figure, save_png

MARKERS = "osD^vP*X"
WARNING_WIDTH = 130


def write_interval_figure(
    table: pd.DataFrame, metric: str, title: str, warnings: list[str], confidence: float, path: Path
) -> None:
    """Draw a line a row: value, interval, every published figure; ties with the best are filled; warnings below."""
    rows = table[table["kind"] != "published"].iloc[::-1]
    published = table[table["kind"] == "published"].set_index("variant")
    figure = new_figure(9, 1.4 + 0.32 * len(rows) + 0.3 * len(warnings))
    axis = figure.subplots()
    colours = _colours(table)
    for height, (_, row) in enumerate(rows.iterrows()):
        colour = "#777777" if row["kind"] == "baseline" else colours[row["backbone"]]
        tied = is_tied(row)
        axis.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [height, height], color=colour, linewidth=2)
        axis.plot(row[metric], height, "o", color=colour, markerfacecolor=colour if tied else "white", markersize=7)
        if row["variant"] in published.index and metric in published:
            axis.plot(published.loc[row["variant"], metric], height, "|", color="black", markersize=12)
    axis.set_yticks(range(len(rows)), rows["variant"])
    axis.set_xlabel(f"{TITLES.get(metric, metric)} on the test images, {confidence:.0%} interval")
    axis.set_title(title, loc="left")
    axis.grid(visible=False, axis="y")
    handles = [axis.plot([], [], color=colour, linewidth=2, label=name)[0] for name, colour in colours.items()]
    handles.append(axis.plot([], [], "o", color="#333333", label="tied with the best")[0])
    if len(published):
        handles.append(axis.plot([], [], "|", color="black", markersize=12, label="published")[0])
    axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5))
    told = [textwrap.fill(warning, WARNING_WIDTH) for warning in warnings]
    figure.supxlabel("\n".join(told), fontsize=8, color="#a00000", x=0.01, ha="left")
    save_png(figure, path)


def write_size_figure(table: pd.DataFrame, metric: str, path: Path) -> None:
    """Draw each variant by its parameters and its metric, and name the best of each backbone."""
    variants = table[table["kind"] == "variant"]
    figure = new_figure(8, 5)
    axis = figure.subplots()
    for number, (backbone, colour) in enumerate(_colours(table).items()):
        rows = variants[variants["backbone"] == backbone]
        marker = MARKERS[number % len(MARKERS)]
        axis.plot(rows["parameters"] / 1e6, rows[metric], marker, color=colour, alpha=0.35)
        best = rows.iloc[0]
        error = np.array([[best[metric] - best[f"{metric}_low"]], [best[f"{metric}_high"] - best[metric]]])
        axis.errorbar(
            best["parameters"] / 1e6,
            best[metric],
            yerr=error,
            fmt=marker,
            color=colour,
            capsize=3,
            label=backbone,
        )
        axis.annotate(
            best["variant"], (best["parameters"] / 1e6, best[metric]), xytext=(7, 4), textcoords="offset points",
            fontsize=8,
        )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set(xlabel="parameters (millions)", ylabel=TITLES.get(metric, metric))
    axis.set_title("The best variant of each backbone, with its interval; others faint", loc="left")
    axis.margins(x=0.2)
    axis.legend()
    save_png(figure, path)


def _colours(table: pd.DataFrame) -> dict[str, str]:
    backbones = sorted(table.loc[table["kind"] == "variant", "backbone"].unique())
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(backbones)}
