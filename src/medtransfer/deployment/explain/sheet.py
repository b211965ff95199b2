"""Contact sheets: maps overlaid on their images, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from medtransfer.util.plotting import draw_outlines, new_figure, save_png
from medtransfer.util.text import shortened

COLOURS = colormaps["inferno"]
"""Its brightness increases evenly, so that it is readable in grey and for the colour-blind."""

STRENGTH = 0.75
SIDE, LONGEST = 1.45, 24


@dataclass(frozen=True)
class Picture:
    """An image uint8 [h, w, channels], its mask [h, w] if any, its caption, and its maps by their titles."""

    pixels: np.ndarray
    mask: np.ndarray | None
    caption: str
    maps: dict[str, np.ndarray]


def write_sheet(title: str, note: str, blocks: dict[str, list[Picture]], path: Path) -> None:
    """Draw blocks of pictures side by side, one row per picture: the image with its mask outlined, then its maps."""
    shown = {name: pictures for name, pictures in blocks.items() if pictures}
    columns = {name: 1 + len(pictures[0].maps) for name, pictures in shown.items()}
    rows = max((len(pictures) for pictures in shown.values()), default=1)
    figure = new_figure(SIDE * max(sum(columns.values()), 4) + 0.4, (SIDE + 0.3) * rows + 0.9)
    figure.suptitle(f"{title}\n{note}", fontsize=9)
    if shown:
        parts = figure.subfigures(1, len(shown), squeeze=False, width_ratios=list(columns.values()))
        for part, (name, pictures) in zip(parts[0], shown.items(), strict=True):
            part.suptitle(name, fontsize=10, fontweight="bold")
            _draw_block(part.subplots(rows, columns[name], squeeze=False), pictures)
    save_png(figure, path, dpi=100)


def overlay(pixels: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Overlay a map [h, w] on its image uint8 [h, w, channels]: uint8 [h, w, 3], unchanged where the map is 0."""
    highest = found.max()
    level = found / highest if highest > 0 else np.zeros_like(found)
    weight = STRENGTH * level[..., None]
    return np.rint(255 * ((1 - weight) * (_rgb(pixels) / 255.0) + weight * COLOURS(level)[..., :3])).astype(np.uint8)


def _rgb(pixels: np.ndarray) -> np.ndarray:
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _draw_block(axes: np.ndarray, pictures: list[Picture]) -> None:
    for axis in axes.flat:
        axis.set_axis_off()
    for row, picture in zip(axes, pictures, strict=False):
        _show(row[0], picture, _rgb(picture.pixels), picture.caption)
        for axis, (name, found) in zip(row[1:], picture.maps.items(), strict=True):
            _show(axis, picture, overlay(picture.pixels, found), name)


def _show(axis: Axes, picture: Picture, image: np.ndarray, title: str) -> None:
    axis.imshow(image)
    if picture.mask is not None:
        draw_outlines(axis, (picture.mask > 0).astype(np.uint8))
    axis.set_title(title, fontsize=7, loc="left", fontweight="normal")


def caption(path: str, label: str, predicted: str, probability: float) -> str:
    """Return three lines: the image's name, its label, and the prediction with its probability."""
    name, label_text = shortened(Path(path).name, LONGEST), shortened(label, LONGEST)
    if label == predicted:
        return f"{name}\n{label_text}\nprobability {probability:.0%}"
    return f"{name}\n{label_text}, predicted as\n{shortened(predicted, LONGEST - 5)} {probability:.0%}"
