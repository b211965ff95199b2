"""A picture of what a policy does: an image a row, its views beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from medtransfer.augmentation.store import Views, view_pixels
from medtransfer.data.prepared import Prepared
from medtransfer.util.plotting import draw_outlines, new_figure, save_png

MOST_IMAGES, MOST_VIEWS = 6, 7


def write_contact_sheet(prepared: Prepared, views: Views, title: str, path: Path) -> None:
    """Draw one image of each of the first classes and its first views.

    Mixed views name their shares; masks that are to be learned are outlined.
    """
    rows = _shown_rows(prepared)[:MOST_IMAGES]
    shown = min(views.count or MOST_VIEWS, MOST_VIEWS)
    figure = new_figure(1.5 * (shown + 1), 1.62 * len(rows) + 0.4)
    axes = figure.subplots(len(rows), shown + 1, squeeze=False)
    masked = prepared.target_masks is not None
    for line, row in zip(axes, rows, strict=True):
        name = Path(prepared.table["path"].iloc[row]).stem if masked else str(prepared.table["label"].iloc[row])
        _show(line[0], prepared.images[row], _wrapped(name))
        if masked:
            draw_outlines(line[0], prepared.targets(np.array([row]))[0])
        for view, axis in enumerate(line[1:]):
            pixels = view_pixels(views, np.array([row]), view)[0]
            target = views.labels(np.array([row]), view)[0]
            own = 1.0 if masked else float(target[prepared.table["label_index"].iloc[row]])
            _show(axis, pixels, f"view {view}" + (f": {own:.0%} own" if own < 1 else ""))
            if masked:
                draw_outlines(axis, target)
    figure.suptitle(f"Augmentation {title}: the original (left) and its first views")
    save_png(figure, path, dpi=80)


def _shown_rows(prepared: Prepared) -> list[int]:
    """Choose a row of each class; or, where masks are to be learned, rows from all over the set that have some."""
    rows = prepared.learnable_rows
    if prepared.target_masks is None:
        learnable = prepared.table.iloc[rows]
        return [int(found.index[0]) for _, found in learnable.groupby("label_index")]
    rows = np.array([row for row in rows if prepared.target_masks[row].any()])
    return [int(row) for row in rows[:: max(len(rows) // MOST_IMAGES, 1)]]


def _wrapped(label: str) -> str:
    return label if len(label) <= 18 else f"{label[:17]}…"


def _show(axis: Axes, pixels: np.ndarray, title: str) -> None:
    axis.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()
