"""Pairs of images that belong together, and why: exact duplicates, near duplicates, one group key; A picture of images that belong together, side by side, for eyes to judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from medtransfer.data.images.packed import Images
from medtransfer.util.files import atomic_file
from medtransfer.util.plotting import COLOURS, new_figure, save_png

EXACT, NEAR, KEY = KINDS = ("exact", "near", "key")
PAIR_COLUMNS = ["first", "second", "kind", "inliers"]


def sibling_pairs(table: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """List pairs of rows that must not be divided: first and second (row numbers), kind and inliers.

    `table` has the columns sha256, key (the group key) and split, `near` the near duplicates' columns first,
    second and inliers. The first of a set of exact duplicates is paired with each of the others. Of a group
    key that stands in several splits, the first image of its first split is paired with that of each other;
    within a split a key makes no pairs. A pair that is several of these is listed as each.
    """
    exact = _with_the_first_of(table["sha256"])
    divided = table.dropna(subset="split").drop_duplicates(["key", "split"])
    keyed = _with_the_first_of(divided["key"])
    parts = [exact.assign(kind=EXACT), near.assign(kind=NEAR), keyed.assign(kind=KEY)]
    return pd.concat([part.assign(inliers=part.get("inliers", 0)) for part in parts], ignore_index=True)[PAIR_COLUMNS]


def divided_pairs(pairs: pd.DataFrame, splits: pd.Series) -> pd.Series:
    """Mark the pairs that stand in two of the `splits`; rows without a split are divided from none."""
    first, second = (splits.to_numpy()[pairs[name].to_numpy(int)] for name in ("first", "second"))
    return pd.Series((first != second) & ~pd.isna(first) & ~pd.isna(second), index=pairs.index, dtype=bool)


def count_kinds(table: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """Count what the pairs stand for: group keys, sets of exact duplicates, and pairs of near duplicates."""
    first = {kind: pairs["first"][pairs["kind"] == kind].to_numpy(int) for kind in KINDS}
    return {
        "group_keys": int(table["key"].iloc[first[KEY]].nunique()),
        "exact_sets": int(table["sha256"].iloc[first[EXACT]].nunique()),
        "near_pairs": len(first[NEAR]),
    }


def _with_the_first_of(values: pd.Series) -> pd.DataFrame:
    """Pair the first row of each value with all others of it."""
    rows = pd.Series(values.index.to_numpy(), index=values.index)
    first = rows.groupby(values).transform("first")
    others = rows != first
    return pd.DataFrame({"first": first[others].to_numpy(int), "second": rows[others].to_numpy(int)})


SECTIONS = {
    (EXACT, True): "Exact duplicates across splits",
    (NEAR, True): "Near duplicates across splits",
    (KEY, True): "Images of one group key across splits",
    (EXACT, False): "Exact duplicates{within}",
    (NEAR, False): "Near duplicates{within}",
}
COLUMNS, MOST_PAIRS = 3, 12
LINE, HEAD = 2.05, 0.35
"""Inches: a line of pairs, and the heading of a section."""


def write_pair_sheet(images: Images, table: pd.DataFrame, pairs: pd.DataFrame, path: Path) -> None:
    """Draw the first pairs of each kind, across the table's splits and within them, from packed images.

    `table` has the rows' path, split, label and group; `pairs` first, second, kind and inliers. Of as many groups
    as there is room for one pair is drawn, that on which the fewest keypoints agree: the most doubtful one.
    """
    across = divided_pairs(pairs, table["split"])
    within = " within a split" if table["split"].notna().any() else ""
    sections = [
        (title.format(within=within), found)
        for (kind, side), title in SECTIONS.items()
        if len(found := pairs[(pairs["kind"] == kind) & (across == side)])
    ]
    heights = [HEAD + LINE * -(-min(len(found), MOST_PAIRS) // COLUMNS) for _, found in sections]
    figure = new_figure(3.6 * COLUMNS, sum(heights) or HEAD)
    if not sections:
        figure.suptitle("No duplicates were found", fontsize=10)
    for part, (title, found) in zip(
        figure.subfigures(len(sections) or 1, 1, squeeze=False, height_ratios=heights or None).flat,
        sections,
        strict=False,
    ):
        _draw_section(part, title, found, images, table)
    with atomic_file(path) as temporary:
        save_png(figure, temporary, dpi=110)


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
    first, second = (images[int(number)] for number in numbers)
    gap = np.full((len(first), max(len(first) // 32, 1), first.shape[-1]), 255, np.uint8)
    axis.imshow(np.hstack([first, gap, second]).squeeze(), cmap="gray", vmin=0, vmax=255)
    differ = rows["label"].nunique() > 1
    names = [f"{_split(row.split)}{row.label}: {_short(row.path)}" for row in rows.itertuples()]
    text = "\n".join([*names, *(["the labels differ"] if differ else [])])
    axis.set_title(text, fontsize=6.5, loc="left", color=COLOURS[1] if differ else "black")


def _split(name: object) -> str:
    return "" if pd.isna(name) else f"{name} / "


def _short(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    return name if len(name) <= 40 else f"{name[:18]}…{name[-18:]}"
