"""A figure of the effect of a policy: one row per image, with its views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from medtransfer.augmentation.store import Views, view_pixels
from medtransfer.data.images.packed import without_ignored
from medtransfer.data.prepared import Prepared
from medtransfer.util.plotting import draw_outlines, new_figure, save_png
from medtransfer.util.text import shortened

MOST_IMAGES, MOST_VIEWS, LONGEST_NAME = 6, 7, 18


def write_contact_sheet(prepared: Prepared, views: Views, title: str, path: Path) -> None:
    """Draw one image of each of the first classes, or some images with masks, and their first views.

    Titles of mixed views give the share of the image; masks to be learned are outlined.
    """
    rows = _shown_rows(prepared)[:MOST_IMAGES]
    shown = min(views.count or MOST_VIEWS, MOST_VIEWS)
    figure = new_figure(1.5 * (shown + 1), 1.62 * len(rows) + 0.4)
    axes = figure.subplots(len(rows), shown + 1, squeeze=False)
    masked = prepared.target_masks is not None
    for line, row in zip(axes, rows, strict=True):
        name = Path(prepared.table["path"].iloc[row]).stem if masked else str(prepared.table["label"].iloc[row])
        one = np.array([row])
        mask = prepared.targets(one)[0] if masked else None
        _show(line[0], prepared.images[row], shortened(name, LONGEST_NAME), mask)
        for view, axis in enumerate(line[1:]):
            target = views.labels(one, view)[0]
            own = float(target[prepared.table["label_index"].iloc[row]]) if prepared.classes and not masked else 1.0
            title_of_view = f"view {view}" + (f": {own:.0%} own" if own < 1 else "")
            _show(axis, view_pixels(views, one, view)[0], title_of_view, target if masked else None)
    figure.suptitle(f"Augmentation {title}: the original (left) and its first views")
    save_png(figure, path, dpi=80)


def _shown_rows(prepared: Prepared) -> list[int]:
    """Choose one row of each class; or, if masks are to be learned, rows with masks from all over the set."""
    rows = prepared.learnable_rows
    if prepared.target_masks is None:
        learnable = prepared.table.iloc[rows]
        return [int(found.index[0]) for _, found in learnable.groupby("label_index")]
    rows = np.array([row for row in rows if without_ignored(prepared.target_masks[row]).any()])
    return [int(row) for row in rows[:: max(len(rows) // MOST_IMAGES, 1)]]


def _show(axis: Axes, pixels: np.ndarray, title: str, mask: np.ndarray | None) -> None:
    axis.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()
    if mask is not None:
        draw_outlines(axis, without_ignored(mask))
