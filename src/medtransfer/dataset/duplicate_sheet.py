"""A picture of near duplicates, side by side, for eyes to judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.dataset.pack import Images
from medtransfer.plotting import new_figure, save_png

COLUMNS, MOST_PAIRS = 3, 24


def write_duplicate_sheet(images: Images, table: pd.DataFrame, pairs: pd.DataFrame, path: Path) -> None:
    """Draw pairs of packed images [n, size, size, channels]: those across splits first, then the doubtful ones.

    `table` has the rows' path, split and label; `pairs` the columns first, second and inliers.
    """
    splits = table["split"].to_numpy()
    across = splits[pairs["first"].to_numpy(int)] != splits[pairs["second"].to_numpy(int)]
    shown = pairs.assign(within=~across).sort_values(["within", "inliers"])[:MOST_PAIRS]
    lines = max(-(-len(shown) // COLUMNS), 1)
    figure = new_figure(3.4 * COLUMNS, 1.95 * lines + 0.5)
    for axis, pair in zip(
        figure.subplots(lines, COLUMNS, squeeze=False).flat, [*shown.itertuples(), *[None] * COLUMNS], strict=False
    ):
        axis.set_axis_off()
        if pair is None:
            continue
        rows = [int(pair.first), int(pair.second)]
        axis.imshow(np.hstack([images[row] for row in rows]).squeeze(), cmap="gray", vmin=0, vmax=255)
        names = [f"{table['split'].iloc[row] or '-'}: {_short(table['path'].iloc[row])}" for row in rows]
        axis.set_title("\n".join(names), fontsize=6, loc="left")
    figure.suptitle(f"{len(pairs)} pairs of near duplicates, {int(across.sum())} of them across splits", fontsize=10)
    save_png(figure, path, dpi=110)


def _short(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    return name if len(name) <= 44 else f"{name[:20]}…{name[-20:]}"
