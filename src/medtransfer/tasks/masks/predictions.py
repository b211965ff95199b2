"""How far a predicted mask is from the true one; A variant's predicted masks on disk: a row an image and run, the mask as a PNG and what it is worth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import pandas as pd

from medtransfer.data.prepared import PIXEL, Prepared
from medtransfer.tasks.classes.predictions import images_of, replicated
from medtransfer.tasks.names import MASK_METRICS

PERCENTILE = 95.0


def mask_metrics(truth: np.ndarray, found: np.ndarray, sides: tuple[float, float]) -> dict[str, float]:
    """Compare two masks, bool [h, w], whose pixels are `sides` (height, width) large; distances are in that unit.

    hd95: the larger of the 95th percentiles of the distances from one outline to the other and back. assd: the mean
    of all these distances. An outline is made of the mask's pixels that have a neighbour beside them outside it.
    """
    overlap, true, positive = int((truth & found).sum()), int(truth.sum()), int(found.sum())
    union = true + positive - overlap
    hd95, assd = _distances(truth, found, sides)
    values = {
        "dice": 2 * overlap / (true + positive) if union else 1.0,
        "iou": overlap / union if union else 1.0,
        "precision": overlap / positive if positive else 0.0 if true else np.nan,
        "recall": overlap / true if true else np.nan,
        "hd95": hd95,
        "assd": assd,
    }
    return {name: float(values[name]) for name in MASK_METRICS}


def image_metrics(
    truth: np.ndarray, found: np.ndarray, classes: list[str], sides: tuple[float, float]
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Compare two masks of class numbers, uint8 [h, w]: the mean over classes of what is defined, and each class's own.

    `classes` are those of the numbers from 1.
    """
    own = {name: mask_metrics(truth == number, found == number, sides) for number, name in enumerate(classes, start=1)}
    means = {}
    for metric in MASK_METRICS:
        values = np.array([of_class[metric] for of_class in own.values()])
        means[metric] = float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
    return means, own


def _distances(truth: np.ndarray, found: np.ndarray, sides: tuple[float, float]) -> tuple[float, float]:
    if not truth.any() and not found.any():
        return 0.0, 0.0
    if not truth.any() or not found.any():
        worst = float(np.hypot(*(np.array(truth.shape) * sides)))
        return worst, worst
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    pair = [torch.from_numpy(mask[None, None]) for mask in (found, truth)]
    common = {"include_background": True, "spacing": list(sides)}
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # MONAI 1.6 warns of itself
        hd95 = compute_hausdorff_distance(*pair, percentile=PERCENTILE, **common)
        assd = compute_average_surface_distance(*pair, symmetric=True, **common)
    return float(hd95), float(assd)


MASK = "mask"
SEPARATOR = ": "


@dataclass(frozen=True)
class MaskPredictions:
    """Predictions of all runs of a variant.

    table: path, group, fold, seed, role (`validation` or `test`); mask: a PNG of class numbers at the study's size;
    truth_pixels and found_pixels, of all classes; a column for each metric, the mean over classes, nan where it is
    not defined; and `METRIC: CLASS` for each class, where there are several.
    """

    table: pd.DataFrame

    def of_role(self, role: str) -> MaskPredictions:
        """Keep the rows of one role."""
        return MaskPredictions(self.table[self.table["role"] == role])

    @cached_property
    def images(self) -> pd.DataFrame:
        """Give path and group of each image once, sorted by path."""
        return images_of(self.table, ["path", "group"])

    @property
    def own_columns(self) -> list[str]:
        """Name the classes of the masks that have columns of their own; none where there is one class."""
        start = f"{MASK_METRICS[0]}{SEPARATOR}"
        return [name.removeprefix(start) for name in self.table.columns if name.startswith(start)]

    def values(self, metric: str) -> np.ndarray:
        """Give a metric by image, float64 [replicates, images] in the order of `images`; see `replicated`."""
        return replicated(self.table, [metric])[..., 0]

    def runs(self) -> dict[tuple[int, int], pd.DataFrame]:
        """Give the rows of each (fold, seed)."""
        return {(int(fold), int(seed)): rows for (fold, seed), rows in self.table.groupby(["fold", "seed"])}


def mask_predictions_frame(
    prepared: Prepared, rows: np.ndarray, masks: np.ndarray, fold: int, seed: int, role: str
) -> pd.DataFrame:
    """Make the rows of one run and role from rows of the prepared table and class numbers uint8 [n, h, w]."""
    images = prepared.table.iloc[rows]
    sides = images[list(PIXEL)].to_numpy(np.float64)
    truths = prepared.targets(rows)
    lines = [
        _line(truth, found, prepared.mask_classes, (float(side[0]), float(side[1])))
        for truth, found, side in zip(truths, masks, sides, strict=True)
    ]
    frame = images[["path", "group"]].reset_index(drop=True).assign(fold=fold, seed=seed, role=role)
    return pd.concat([frame, pd.DataFrame(lines)], axis=1)


def encode_mask(mask: np.ndarray) -> bytes:
    """Write class numbers, uint8 [h, w], as a PNG."""
    done, encoded = cv2.imencode(".png", mask)
    if not done:
        raise ValueError(f"expected uint8 [h, w], but got {mask.dtype} {mask.shape}")
    return encoded.tobytes()


def decode_mask(encoded: bytes) -> np.ndarray:
    """Read class numbers, uint8 [h, w], from a PNG."""
    return np.asarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED))


def _line(truth: np.ndarray, found: np.ndarray, classes: list[str], sides: tuple[float, float]) -> dict[str, Any]:
    means, own = image_metrics(truth, found, classes, sides)
    line: dict[str, Any] = {
        MASK: encode_mask(found),
        "truth_pixels": np.count_nonzero(truth),
        "found_pixels": np.count_nonzero(found),
        **means,
    }
    if len(classes) > 1:
        line |= {f"{metric}{SEPARATOR}{name}": own[name][metric] for name in classes for metric in MASK_METRICS}
    return line
