"""The comparison as one figure for papers: one line per variant."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from medtransfer.comparison.rows import is_tied
from medtransfer.report.material import Material
from medtransfer.statistics.metrics import title_of
from medtransfer.util.plotting import INK, MUTED, new_figure

WARNING_WIDTH, WARNING_COLOUR = 130, "#A00000"
MOST_VARIANTS = 40
"""The number of lines that fit on a page."""


def interval_figure(material: Material) -> Figure:
    """Draw value, interval and published results of each row; ties with the best are filled, warnings are below."""
    found, metric = material.found, material.found.metric
    rows, left_out = _shown(material)
    published = found.published[found.published["metric"] == metric].set_index("variant")["published"]
    published = published[published.index.isin(rows["variant"])]
    figure = new_figure(9, 1.4 + 0.32 * len(rows) + 0.3 * len(found.warnings))
    axis = figure.subplots()
    for height, (_, row) in enumerate(rows.iterrows()):
        colour = MUTED if row["kind"] == "baseline" else material.looks[row["backbone"]].colour
        filling = colour if is_tied(row) else "white"
        axis.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [height, height], color=colour, linewidth=2)
        axis.plot(row[metric], height, "o", color=colour, markerfacecolor=filling, markersize=7)
        if row["variant"] in published.index:
            axis.plot(published[row["variant"]], height, "|", color=INK, markersize=12)
    axis.set_yticks(range(len(rows)), rows["variant"])
    axis.set_ylim(-0.8, len(rows) - 0.2)
    axis.set_xlabel(f"{title_of(metric, material.unit)} on the test images, {found.confidence:.0%} interval")
    note = f"\nbest {MOST_VARIANTS} variants and best of each backbone; {left_out} more not shown" if left_out else ""
    axis.set_title(found.study.params.study.title + note)
    axis.grid(visible=False, axis="y")
    for name, look in material.looks.items():
        axis.plot([], [], color=look.colour, linewidth=2, label=name)
    axis.plot([], [], "o", color=INK, label="tied with the best")
    if len(published):
        axis.plot([], [], "|", color=INK, markersize=12, label="published")
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    warnings = "\n".join(textwrap.fill(warning, WARNING_WIDTH) for warning in found.warnings)
    figure.supxlabel(warnings, fontsize=8, color=WARNING_COLOUR, x=0.01, ha="left")
    return figure


def _shown(material: Material) -> tuple[pd.DataFrame, int]:
    """Return the rows to draw, the worst first, and the number of variants left out."""
    table = material.found.table[material.found.table["kind"] != "published"].iloc[::-1]
    shown = {*material.names[:MOST_VARIANTS], *material.best_of_each_backbone()}
    left_out = (table["kind"] == "variant") & ~table["variant"].isin(shown)
    return table[~left_out], int(left_out.sum())
