"""Pairs of images that must not be divided by a split, and a figure of them.

Such siblings are exact duplicates, near duplicates, or images of one group key.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medtransfer.data.images.packed import Images
from medtransfer.util.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

EXACT, NEAR, KEY = KINDS = ("exact", "near", "key")
PAIR_COLUMNS = ["first", "second", "kind", "inliers"]
SECTIONS = {
    (EXACT, True): "Exact duplicates across splits",
    (NEAR, True): "Near duplicates across splits",
    (KEY, True): "Images of one group key across splits",
    (EXACT, False): "Exact duplicates{within}",
    (NEAR, False): "Near duplicates{within}",
}
COLUMNS, MOST_PAIRS = 3, 12
LINE, HEAD = 2.05, 0.35
"""Height of a row of pairs, and of the heading of a section, in inches."""


def sibling_pairs(table: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """List pairs of rows that must not be divided: first and second (row numbers), kind and inliers.

    `table` has the columns sha256, key (the group key) and split, `near` the near duplicates' columns first,
    second and inliers. The first of a set of exact duplicates is paired with each of the others. Of a group
    key in several splits, the first image of its first split is paired with that of each other split; within a
    split a key makes no pairs. A pair of several kinds is listed once for each.
    """
    exact = _with_the_first_of(table["sha256"])
    divided = table.dropna(subset="split").drop_duplicates(["key", "split"])
    keyed = _with_the_first_of(divided["key"])
    parts = [exact.assign(kind=EXACT), near.assign(kind=NEAR), keyed.assign(kind=KEY)]
    return pd.concat([part.assign(inliers=part.get("inliers", 0)) for part in parts], ignore_index=True)[PAIR_COLUMNS]


def divided_pairs(pairs: pd.DataFrame, splits: pd.Series) -> pd.Series:
    """Return which pairs are divided by `splits`; rows without a split are not divided from any."""
    first, second = (splits.to_numpy()[pairs[name].to_numpy(int)] for name in ("first", "second"))
    return pd.Series((first != second) & ~pd.isna(first) & ~pd.isna(second), index=pairs.index, dtype=bool)


def count_kinds(table: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """Count the group keys, the sets of exact duplicates, and the pairs of near duplicates among the pairs."""
    first = {kind: pairs["first"][pairs["kind"] == kind].to_numpy(int) for kind in KINDS}
    return {
        "group keys": int(table["key"].iloc[first[KEY]].nunique()),
        "sets of exact duplicates": int(table["sha256"].iloc[first[EXACT]].nunique()),
        "pairs of near duplicates": len(first[NEAR]),
    }


def write_pair_figure(images: Images, table: pd.DataFrame, pairs: pd.DataFrame, path: Path) -> None:
    """Draw the first pairs of each kind, across the table's splits and within them, from packed images.

    `table` has the columns path, split, label and group; `pairs` first, second, kind and inliers. One pair is drawn of
    each of as many groups as fit, the one on which the fewest keypoints agree: the most doubtful.
    """
    from medtransfer.util.plotting import new_figure, save_png

    across = divided_pairs(pairs, table["split"])
    within = " within a split" if table["split"].notna().any() else ""
    sections = [
        (title.format(within=within), found)
        for (kind, side), title in SECTIONS.items()
        if len(found := pairs[(pairs["kind"] == kind) & (across == side)])
    ]
    heights = [HEAD + LINE * -(-min(len(found), MOST_PAIRS) // COLUMNS) for _, found in sections]
    figure = new_figure(3.6 * COLUMNS, sum(heights) or HEAD)
    if sections:
        parts = figure.subfigures(len(sections), 1, squeeze=False, height_ratios=heights).flat
        for part, (title, found) in zip(parts, sections, strict=True):
            _draw_section(part, title, found, images, table)
    else:
        figure.suptitle("No duplicates were found", fontsize=10)
    with atomic_file(path) as temporary:
        save_png(figure, temporary, dpi=110)


def _with_the_first_of(values: pd.Series) -> pd.DataFrame:
    """Pair the first row of each value with all others of it."""
    rows = pd.Series(values.index.to_numpy(), index=values.index)
    first = rows.groupby(values).transform("first")
    others = rows != first
    return pd.DataFrame({"first": first[others].to_numpy(int), "second": rows[others].to_numpy(int)})


def _draw_section(part: SubFigure, title: str, pairs: pd.DataFrame, images: Images, table: pd.DataFrame) -> None:
    drawn = _one_of_each_group_first(pairs, table)[:MOST_PAIRS]
    part.suptitle(f"{title}: {len(drawn)} of {len(pairs)} pairs", fontsize=10, x=0.01, ha="left", weight="bold")
    lines = -(-len(drawn) // COLUMNS)
    axes = part.subplots(lines, COLUMNS, squeeze=False).flat
    for axis, rows in zip(axes, [*drawn[["first", "second"]].to_numpy(int), *[None] * COLUMNS], strict=False):
        axis.set_axis_off()
        if rows is not None:
            _draw_pair(axis, images, table.iloc[rows], rows)


def _one_of_each_group_first(pairs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    ordered = pairs.sort_values("inliers", kind="stable")
    group = table["group"].to_numpy()[ordered["first"].to_numpy(int)]
    turn = ordered.groupby(group).cumcount()
    return ordered.iloc[np.argsort(turn.to_numpy(), kind="stable")]


def _draw_pair(axis: Axes, images: Images, rows: pd.DataFrame, numbers: np.ndarray) -> None:
    from medtransfer.util.plotting import COLOURS

    first, second = (images[int(number)] for number in numbers)
    gap = np.full((len(first), max(len(first) // 32, 1), first.shape[-1]), 255, np.uint8)
    axis.imshow(np.hstack([first, gap, second]).squeeze(), cmap="gray", vmin=0, vmax=255)
    differ = rows["label"].nunique() > 1
    lines = []
    for row in rows.itertuples():
        name = row.path.rsplit("/", 1)[-1]
        name = name if len(name) <= 40 else f"{name[:18]}…{name[-18:]}"
        lines.append(f"{'' if pd.isna(row.split) else f'{row.split} / '}{row.label}: {name}")
    text = "\n".join([*lines, *(["the labels differ"] if differ else [])])
    axis.set_title(text, fontsize=6.5, loc="left", color=COLOURS[1] if differ else "black")
