"""One picture of the comparison for papers and pages that show pictures only: a line a variant."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medtransfer.comparison.rows import is_tied
from medtransfer.report.section import Material, best_of_each_backbone
from medtransfer.statistics.metrics import title_of
from medtransfer.util.plotting import INK, MUTED, new_figure, save_png

WARNING_WIDTH = 130
WARNING_COLOUR = "#A00000"
MOST_VARIANTS = 40
"""What a page has room for."""


def write_interval_figure(material: Material) -> None:
    """Write `comparison.png`; on the page, the table shows the same."""
    save_png(interval_figure(material), material.figures / "comparison.png")


def interval_figure(material: Material) -> Figure:
    """Draw a line a row: value, interval, every published figure; ties with the best are filled; warnings below."""
    found, metric = material.found, material.found.metric
    rows, left_out = _shown(material)
    published = found.published[found.published["metric"] == metric].set_index("variant")["published"]
    figure = new_figure(9, 1.4 + 0.32 * len(rows) + 0.3 * len(found.warnings))
    axis = figure.subplots()
    for height, (_, row) in enumerate(rows.iterrows()):
        colour = MUTED if row["kind"] == "baseline" else material.looks[row["backbone"]].colour
        _draw_row(axis, height, row, metric, colour)
        if row["variant"] in published.index:
            axis.plot(published[row["variant"]], height, "|", color=INK, markersize=12)
    axis.set_yticks(range(len(rows)), rows["variant"])
    axis.set_xlabel(f"{title_of(metric, material.unit)} on the test images, {found.confidence:.0%} interval")
    best = f"\nthe best {MOST_VARIANTS} variants and the best of each backbone; {left_out} more are left out"
    axis.set_title(found.study.params.study.title + (best if left_out else ""))
    axis.grid(visible=False, axis="y")
    _draw_legend(axis, material, bool(len(published)))
    told = [textwrap.fill(warning, WARNING_WIDTH) for warning in found.warnings]
    figure.supxlabel("\n".join(told), fontsize=8, color=WARNING_COLOUR, x=0.01, ha="left")
    return figure


def _shown(material: Material) -> tuple[pd.DataFrame, int]:
    """Give the rows to draw, the worst first, and how many variants are left out."""
    table = material.found.table[material.found.table["kind"] != "published"].iloc[::-1]
    shown = {*material.names[:MOST_VARIANTS], *best_of_each_backbone(material)}
    left_out = (table["kind"] == "variant") & ~table["variant"].isin(shown)
    return table[~left_out], int(left_out.sum())


def _draw_row(axis: Axes, height: int, row: pd.Series, metric: str, colour: str) -> None:
    axis.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [height, height], color=colour, linewidth=2)
    filling = colour if is_tied(row) else "white"
    axis.plot(row[metric], height, "o", color=colour, markerfacecolor=filling, markersize=7)


def _draw_legend(axis: Axes, material: Material, has_published: bool) -> None:
    handles = [
        axis.plot([], [], color=look.colour, linewidth=2, label=name)[0] for name, look in material.looks.items()
    ]
    handles.append(axis.plot([], [], "o", color=INK, label="tied with the best")[0])
    if has_published:
        handles.append(axis.plot([], [], "|", color=INK, markersize=12, label="published")[0])
    axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5))
