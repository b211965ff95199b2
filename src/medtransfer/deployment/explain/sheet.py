"""Maps laid over their images, side by side for eyes to judge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from medtransfer.util.plotting import draw_outlines, new_figure, save_png
from medtransfer.util.text import shortened

COLOURS = colormaps["inferno"]
"""Rises evenly in brightness, so that it also reads in grey and to the colour-blind."""

STRENGTH = 0.75
SIDE, LONGEST = 1.45, 24


@dataclass(frozen=True)
class Picture:
    """An image uint8 [h, w, channels], its mask [h, w] if any, what is said of it, and its maps by their titles."""

    pixels: np.ndarray
    mask: np.ndarray | None
    caption: str
    maps: dict[str, np.ndarray]


def write_sheet(title: str, note: str, blocks: dict[str, list[Picture]], path: Path) -> None:
    """Draw blocks of pictures side by side, a line a picture: the image with its mask outlined, then its maps."""
    shown = {name: pictures for name, pictures in blocks.items() if pictures}
    columns = {name: 1 + len(pictures[0].maps) for name, pictures in shown.items()}
    lines = max((len(pictures) for pictures in shown.values()), default=1)
    figure = new_figure(SIDE * max(sum(columns.values()), 4) + 0.4, (SIDE + 0.3) * lines + 0.9)
    figure.suptitle(f"{title}\n{note}", fontsize=9)
    if shown:
        parts = figure.subfigures(1, len(shown), squeeze=False, width_ratios=list(columns.values()))
        for part, (name, pictures) in zip(parts[0], shown.items(), strict=True):
            part.suptitle(name, fontsize=10, fontweight="bold")
            _draw_block(part.subplots(lines, columns[name], squeeze=False), pictures)
    save_png(figure, path, dpi=100)


def overlay(pixels: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Lay a map [h, w] over its image uint8 [h, w, channels]: uint8 [h, w, 3], as it was where the map is 0."""
    highest = found.max()
    level = found / highest if highest > 0 else np.zeros_like(found)
    image = np.broadcast_to(pixels, (*pixels.shape[:2], 3)) / 255.0
    weight = STRENGTH * level[..., None]
    return np.rint(255 * ((1 - weight) * image + weight * COLOURS(level)[..., :3])).astype(np.uint8)


def _draw_block(axes: np.ndarray, pictures: list[Picture]) -> None:
    for axis in axes.flat:
        axis.set_axis_off()
    for line, picture in zip(axes, pictures, strict=False):
        _show(line[0], picture, np.broadcast_to(picture.pixels, (*picture.pixels.shape[:2], 3)), picture.caption)
        for axis, (name, found) in zip(line[1:], picture.maps.items(), strict=True):
            _show(axis, picture, overlay(picture.pixels, found), name)


def _show(axis: Axes, picture: Picture, image: np.ndarray, title: str) -> None:
    axis.imshow(image)
    if picture.mask is not None:
        draw_outlines(axis, (picture.mask > 0).astype(np.uint8))
    axis.set_title(title, fontsize=7, loc="left", fontweight="normal")


def caption(path: str, label: str, predicted: str, probability: float) -> str:
    """Say in three lines which image it is, what it shows, and what was predicted."""
    name = shortened(Path(path).name, LONGEST)
    if label == predicted:
        return f"{name}\n{shortened(label, LONGEST)}\n{probability:.0%} sure"
    return f"{name}\n{shortened(label, LONGEST)}, but predicted\n{shortened(predicted, LONGEST - 5)} {probability:.0%}"
