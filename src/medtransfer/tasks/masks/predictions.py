"""Predicted masks of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.images.packed import IGNORED
from medtransfer.data.prepared import PIXEL, Prepared
from medtransfer.statistics.metrics import Outcomes
from medtransfer.statistics.resampling import Resamples
from medtransfer.tasks.masks.metrics import MaskOutcomes, image_metrics, measures
from medtransfer.tasks.predictions import Predictions, defined

MASK = "mask"
SEPARATOR = ": "


class MaskPredictions(Predictions):
    """See `Predictions`.

    The columns of the task are mask, a PNG of class numbers at the study's size; truth_pixels and found_pixels, of all
    classes; each metric, averaged over classes, nan where it is not defined; and, if there are several classes,
    `METRIC: CLASS` for each.
    """

    task = "segmentation"

    def make_outcomes(self, weights: Resamples) -> list[Outcomes]:
        """Return the metrics by image of each replicate."""
        names = list(measures())
        return [MaskOutcomes(weights, dict(zip(names, values.T, strict=True))) for values in self.replicated(names)]

    def values(self, column: str) -> np.ndarray:
        """Return a column by image, float64 [replicates, images] in the order of `images`; see `replicated`."""
        return self.replicated([column])[..., 0]

    def of_classes(self, classes: list[str]) -> dict[str, dict[str, float | None]]:
        """Compute the mean over images and runs of each metric of each class."""
        names = {name: f"{SEPARATOR}{name}" if len(classes) > 1 else "" for name in classes}
        return {
            name: {metric: defined(self.table[f"{metric}{suffix}"].mean()) for metric in measures()}
            for name, suffix in names.items()
        }

    def empty(self) -> dict[str, float | int | None]:
        """Count the images whose true mask is empty, and the share of these whose found mask is empty too."""
        empty = self.table[self.table["truth_pixels"] == 0]
        share = float((empty["found_pixels"] == 0).mean()) if len(empty) else np.nan
        return {"images": int(empty["path"].nunique()), "found_empty": defined(share)}


def mask_columns(prepared: Prepared, rows: np.ndarray, masks: np.ndarray) -> pd.DataFrame:
    """Make the columns of the task from class numbers, uint8 [n, h, w]."""
    sides = prepared.table.iloc[rows][list(PIXEL)].to_numpy(np.float64)
    classes, lines = prepared.mask_classes, []
    for truth, found, side in zip(prepared.targets(rows), masks, sides, strict=True):
        means, own = image_metrics(truth, found, classes, (float(side[0]), float(side[1])))
        judged = truth != IGNORED
        pixels = {"truth_pixels": np.count_nonzero(truth[judged]), "found_pixels": np.count_nonzero(found[judged])}
        line: dict[str, Any] = {MASK: encode_mask(found), **pixels, **means}
        if len(classes) > 1:
            line |= {f"{metric}{SEPARATOR}{name}": own[name][metric] for name in classes for metric in means}
        lines.append(line)
    return pd.DataFrame(lines)


def encode_mask(mask: np.ndarray) -> bytes:
    """Encode class numbers, uint8 [h, w], as a PNG."""
    import cv2

    done, encoded = cv2.imencode(".png", mask)
    if not done:
        raise ValueError(f"expected uint8 [h, w], but got {mask.dtype} {mask.shape}")
    return encoded.tobytes()


def decode_mask(encoded: bytes) -> np.ndarray:
    """Decode class numbers, uint8 [h, w], from a PNG."""
    import cv2

    return np.asarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED))
