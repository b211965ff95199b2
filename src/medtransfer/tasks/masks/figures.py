"""The figure of a segmentation: learning curves, the distribution of Dice, and the best and worst masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from medtransfer.data.images.packed import without_ignored
from medtransfer.data.prepared import Prepared
from medtransfer.tasks.classes.figures import draw_learning_curves
from medtransfer.tasks.masks.predictions import MASK, MaskPredictions, decode_mask
from medtransfer.util.plotting import COLOURS, draw_areas, draw_outlines, new_figure, save_png
from medtransfer.util.text import counted

OF_EACH = 2
KEY = "tinted area: true mask; outline: predicted mask"
BINS = [number / 40 for number in range(41)]


def write_mask_figure(name: str, history: Path, predictions: MaskPredictions, prepared: Prepared, path: Path) -> None:
    """Draw losses, Dice by epoch, and the test images' Dice above the best, median and worst masks of the first run."""
    test = predictions.of_role("test")
    learned = pd.read_csv(history)
    figure = new_figure(13, 7.1)
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.35, 1], squeeze=False)[:, 0]
    losses, scores, distribution = upper.subplots(1, 3)
    for axis, quantity, label in ((losses, "loss", "loss"), (scores, "dice", "mean Dice")):
        draw_learning_curves(axis, learned, quantity, label)
        axis.set_title("Learning")
        axis.legend()
    draw_distribution(distribution, test.values("dice").mean(axis=0))
    draw_cases(lower.subplots(1, 3 * OF_EACH, squeeze=False)[0], test, prepared)
    mean, runs = float(test.values("dice").mean()), counted(len(test.by_run()), "run")
    figure.suptitle(f"{name}: mean Dice {mean:.3f} on {len(test.images)} test images, {runs}")
    save_png(figure, path, dpi=90)


def draw_distribution(axis: Axes, dice: np.ndarray) -> None:
    """Draw a histogram of the Dice of images, mean over runs, with its mean and median."""
    axis.hist(dice, bins=BINS, color=COLOURS[0])
    for value, colour, name in ((dice.mean(), COLOURS[1], "mean"), (np.median(dice), COLOURS[2], "median")):
        axis.axvline(value, color=colour, label=f"{name} {value:.3f}", linestyle="--" if name == "mean" else "-")
    axis.set(title="Test images", xlabel="Dice", ylabel="images", xlim=(0, 1))
    axis.locator_params(axis="y", integer=True)
    axis.legend(loc="upper left")


def draw_cases(axes: np.ndarray, test: MaskPredictions, prepared: Prepared) -> None:
    """Draw true masks as areas and predicted ones as outlines over typical images of the first run."""
    for axis, (title, case) in zip(axes, telling_cases(first_run(test)), strict=False):
        draw_case(axis, case, prepared)
        axis.set_title(f"{title}: {case['dice']:.3f}\n{short_name(case['path'])}", fontsize=8)
    for axis in axes:
        axis.set_axis_off()
    axes[0].figure.supxlabel(KEY, fontsize=9)


def draw_case(axis: Axes, case: pd.Series, prepared: Prepared) -> None:
    """Draw an image with its true mask as an area and the predicted one, of a row of predictions, as an outline."""
    row = int(np.flatnonzero(prepared.table["path"] == case["path"])[0])
    axis.imshow(prepared.images[row].squeeze(), cmap="gray", vmin=0, vmax=255)
    draw_areas(axis, without_ignored(prepared.targets(np.array([row]))[0]))
    draw_outlines(axis, decode_mask(case[MASK]))
    axis.set_axis_off()


def first_run(test: MaskPredictions) -> pd.DataFrame:
    """Return the rows of the first fold and seed."""
    return next(iter(test.by_run().values())).table


def telling_cases(rows: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Choose the best, median and worst images of one run by Dice, without those whose two masks are empty."""
    spoken = rows[(rows["truth_pixels"] > 0) | (rows["found_pixels"] > 0)]
    ordered = spoken.sort_values(["dice", "path"], ascending=[False, True], kind="stable")
    middle = max((len(ordered) - OF_EACH) // 2, 0)
    chosen = {"best": range(OF_EACH), "median": range(middle, middle + OF_EACH), "worst": range(-OF_EACH, 0)}
    return [
        (title, ordered.iloc[number])
        for title, numbers in chosen.items()
        for number in numbers
        if -len(ordered) <= number < len(ordered)
    ]


def short_name(path: str) -> str:
    """Return the name of a file, abbreviated in the middle if it is long."""
    name = Path(path).name
    return name if len(name) <= 22 else f"{name[:10]}…{name[-11:]}"
