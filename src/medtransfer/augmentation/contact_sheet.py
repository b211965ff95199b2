"""A picture of what a policy does: an image a row, its views beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from medtransfer.augmentation.store import Views
from medtransfer.dataset.prepared import Prepared
from medtransfer.plotting import new_figure, save_png

MOST_IMAGES, MOST_VIEWS = 6, 7


def write_contact_sheet(prepared: Prepared, views: Views, title: str, path: Path) -> None:
    """Draw one image of each of the first classes and its first views; mixed views name their shares."""
    rows = _one_row_a_class(prepared)[:MOST_IMAGES]
    shown = min(views.count or MOST_VIEWS, MOST_VIEWS)
    figure = new_figure(1.5 * (shown + 1), 1.62 * len(rows) + 0.4)
    axes = figure.subplots(len(rows), shown + 1, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        label = str(prepared.table["label"].iloc[row])
        _show(line[0], prepared.images[row], _wrapped(label))
        for view, axis in enumerate(line[1:]):
            pixels = views.pixels(np.array([row]), view)[0]
            shares = views.labels(np.array([row]), view)[0]
            own = float(shares[prepared.table["label_index"].iloc[row]])
            _show(axis, pixels, f"view {view}" + (f": {own:.0%} own" if own < 1 else ""))
    figure.suptitle(f"Augmentation {title}: the original (left) and its first views")
    save_png(figure, path, dpi=80)


def _one_row_a_class(prepared: Prepared) -> list[int]:
    learnable = prepared.table.iloc[prepared.learnable_rows()]
    return [int(rows.index[0]) for _, rows in learnable.groupby("label_index")]


def _wrapped(label: str) -> str:
    return label if len(label) <= 18 else f"{label[:17]}…"


def _show(axis: Axes, pixels: np.ndarray, title: str) -> None:
    axis.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()
