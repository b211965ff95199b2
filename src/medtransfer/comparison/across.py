"""Average ranks of variants over several studies, and their critical difference diagram."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medtransfer.statistics.metrics import METRICS, phrase_of, title_of
from medtransfer.statistics.ranks import Ranks, average_ranks
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_text
from medtransfer.util.plotting import COLOURS, INK, new_figure, save_png
from medtransfer.util.text import counted, in_figures, markdown_table

STEP = 0.5
"""The height of a line of text in the diagram."""


def draw_critical_differences(found: Ranks, names: list[str], metric: str) -> Figure:
    """Draw Demšar's diagram (2006): ranks on a line, and bars across variants without a significant difference.

    names: those of the variants, in the order of `found`.
    """
    count = len(names)
    order = np.argsort(found.average, kind="stable")
    left, right = order[: (count + 1) // 2], order[(count + 1) // 2 :][::-1]
    bars = STEP / 2 * len(found.cliques)
    depth = bars + STEP * (len(left) + 1)
    figure = new_figure(8, 1.2 + 0.45 * depth / STEP)
    axis = figure.subplots()
    axis.set(xlim=(1 - 0.35 * count, count + 0.35 * count), ylim=(-depth, 3.2 * STEP))
    axis.set_axis_off()
    _draw_scale(axis, count, found.critical_difference)
    for number, clique in enumerate(found.cliques):
        ends = [found.average[clique[0]] - 0.03, found.average[clique[-1]] + 0.03]
        axis.plot(ends, [-STEP / 2 * (number + 0.8)] * 2, color=COLOURS[1], linewidth=4, solid_capstyle="round")
    for side, edge, align in ((left, 1 - 0.02 * count, "right"), (right, count + 0.02 * count, "left")):
        for place, variant in enumerate(side):
            height, rank = -bars - STEP * (place + 1), found.average[variant]
            axis.plot([rank, rank, edge], [0, height, height], color=INK, linewidth=1)
            axis.text(edge, height, f" {names[variant]} ({rank:.2f}) ", ha=align, va="center")
    axis.set_title(f"Average rank by {phrase_of(metric)}; 1 is best")
    return figure


def _draw_scale(axis: Axes, count: int, difference: float) -> None:
    """Draw the line of ranks, and the length of the critical difference above it."""
    axis.plot([1, count], [0, 0], color=INK, linewidth=1.5)
    for rank in range(1, count + 1):
        axis.plot([rank, rank], [0, STEP / 4], color=INK, linewidth=1.5)
        axis.text(rank, STEP / 3, str(rank), ha="center", va="bottom")
    height = 2 * STEP
    axis.plot([1, 1 + difference], [height, height], color=COLOURS[1], linewidth=2, marker="|", markersize=8)
    axis.text(1 + difference / 2, height + STEP / 4, f"critical difference {difference:.2f}", ha="center", va="bottom")


LEAST_SETS, LEAST_VARIANTS = 5, 3


def compare_across(tables: list[Path], metric: str, folder: Path, confidence: float = 0.95) -> pd.DataFrame:
    """Rank the variants that several `comparison.csv` have in common; write ranks.md, ranks.csv and ranks.png.

    Returns the metric of each set and the average rank, one row per variant, from the best to the worst. Raises
    `UserError` if there are too few sets for any two variants to differ.
    """
    values = _read(tables, metric)
    _check(values, confidence)
    found = average_ranks(-METRICS[metric].sort_key(values.to_numpy()), confidence)
    order = np.argsort(found.average, kind="stable")
    table = values.T.iloc[order].assign(average_rank=found.average[order])
    table.index.name = "variant"
    write_text(folder / "ranks.csv", table.to_csv(float_format="%.6g", lineterminator="\n"))
    write_text(folder / "ranks.md", _page(table, found, list(values.columns), metric, confidence))
    save_png(draw_critical_differences(found, list(values.columns), metric), folder / "ranks.png")
    return table


def _read(tables: list[Path], metric: str) -> pd.DataFrame:
    """Read a metric from each table: one row per set, by its path, and one column per common variant."""
    columns, problems = {}, []
    for path in tables:
        try:
            rows = pd.read_csv(path)
            columns[str(path)] = rows[rows["kind"] == "variant"].set_index("variant")[metric]
        except FileNotFoundError:
            problems.append(f"{path}: no such file; expected the metrics/comparison.csv of a study")
        except (KeyError, ValueError):
            problems.append(f"{path}: expected a comparison.csv with a column {metric}; name another --metric")
    if problems:
        raise UserError(problems)
    return pd.DataFrame(columns).dropna().T.sort_index(axis=1)


def _check(values: pd.DataFrame, confidence: float) -> None:
    sets, variants = values.shape
    if variants < LEAST_VARIANTS:
        raise UserError(
            f"{counted(variants, 'variant')} shared by {counted(sets, 'table')}, but ranks need {LEAST_VARIANTS} or "
            "more; to compare two variants, see the comparison of each study"
        )
    needed = LEAST_SETS
    while average_ranks(np.zeros((needed, variants)), confidence).critical_difference >= variants - 1:
        needed += 1
    if sets < needed:
        raise UserError(
            f"too few sets ({sets}) to rank {variants} variants: no two can differ significantly with fewer than "
            f"{needed}; see the comparison of each study"
        )


def _page(table: pd.DataFrame, found: Ranks, names: list[str], metric: str, confidence: float) -> str:
    sets = [column for column in table if column != "average_rank"]
    header = ["Variant", "average rank", *(str(name) for name in sets)]
    rows = [
        [str(name), f"{row['average_rank']:.2f}", *(in_figures(float(row[column])) for column in sets)]
        for name, row in table.iterrows()
    ]
    cliques = "; ".join(", ".join(names[number] for number in clique) for clique in found.cliques)
    alike = f"No significant difference within: {cliques}." if cliques else "All differ."
    note = (
        f"{title_of(metric)} on each set. Friedman's test that all variants are equal, with Iman and Davenport's F: "
        f"p = {found.p:.3g}. Two variants differ at the {1 - confidence:.2g} level if their average ranks differ by "
        f"more than {found.critical_difference:.2f} (Nemenyi; Demšar 2006). {alike}"
    )
    return f"# {len(names)} variants on {len(sets)} sets\n\n{markdown_table(header, rows)}\n\n{note}\n"
