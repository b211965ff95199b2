"""The metrics of masks: each is measured for a single image and averaged over images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from medtransfer.data.images.packed import IGNORED
from medtransfer.statistics.intervals import Bounds
from medtransfer.statistics.metrics import Outcomes, metric, metrics_of

PERCENTILE = 95.0
LENGTH = {"lower_is_better": True, "bounds": Bounds(0.0, math.inf), "in_unit": True}


@dataclass(frozen=True)
class MaskOutcomes(Outcomes):
    """See `Outcomes`; values: each metric by image, float [images], nan where it is not defined."""

    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class MaskPair:
    """A true mask and a found one, bool [h, w], whose pixels are `sides` (height, width) large."""

    truth: np.ndarray
    found: np.ndarray
    sides: tuple[float, float]

    @cached_property
    def overlap(self) -> int:
        """The pixels that both masks share."""
        return int((self.truth & self.found).sum())

    @cached_property
    def true(self) -> int:
        """The pixels of the true mask."""
        return int(self.truth.sum())

    @cached_property
    def positive(self) -> int:
        """The pixels of the found mask."""
        return int(self.found.sum())

    @cached_property
    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        """The distances from each pixel of one outline to the other outline, and back, in the unit of `sides`.

        A single 0 if both masks are empty, and the image's diagonal if one is. An outline consists of the mask's pixels
        that have a neighbour outside it, above, below or next to them.
        """
        if not self.true or not self.positive:
            diagonal = float(np.hypot(*(np.array(self.truth.shape) * self.sides)))
            one = np.array([diagonal if self.true or self.positive else 0.0])
            return one, one
        from scipy.ndimage import binary_erosion, distance_transform_edt

        one, other = (mask & ~binary_erosion(mask) for mask in (self.truth, self.found))
        there, back = (distance_transform_edt(~outline, sampling=self.sides) for outline in (other, one))
        return there[one], back[other]


def mask_metric(name: str, title: str, **described: Any) -> Callable[[Callable[[MaskPair], float]], Any]:
    """Return a decorator that registers a function of a `MaskPair` as a metric: its mean over images."""

    def add(of_pair: Callable[[MaskPair], float]) -> Callable[[MaskPair], float]:
        register = metric(name, title, "segmentation", headline=True, of_image=of_pair, **described)
        register(lambda run: run.weights.mean(run.values[name]))
        return of_pair

    return add


@mask_metric("dice", "Dice", in_summary=True)
def dice(pair: MaskPair) -> float:
    """Return the Dice coefficient; 1 if both masks are empty."""
    both = pair.true + pair.positive
    return 2 * pair.overlap / both if both else 1.0


@mask_metric("iou", "IoU")
def intersection_over_union(pair: MaskPair) -> float:
    """Return the intersection over union; 1 if both masks are empty."""
    union = pair.true + pair.positive - pair.overlap
    return pair.overlap / union if union else 1.0


@mask_metric("precision", "Precision")
def precision(pair: MaskPair) -> float:
    """Return the share of found pixels that are true; 0 if none is found, nan if none is true either."""
    return pair.overlap / pair.positive if pair.positive else 0.0 if pair.true else np.nan


@mask_metric("recall", "Recall")
def recall(pair: MaskPair) -> float:
    """Return the share of true pixels that are found; nan if there is none."""
    return pair.overlap / pair.true if pair.true else np.nan


@mask_metric("hd95", "HD95", in_summary=True, **LENGTH)
def hausdorff_distance(pair: MaskPair) -> float:
    """Return the larger of the 95th percentiles of the distances from one outline to the other and back."""
    return max(float(np.percentile(distances, PERCENTILE)) for distances in pair.distances)


@mask_metric("assd", "ASSD", **LENGTH)
def surface_distance(pair: MaskPair) -> float:
    """Return the mean of the distances from one outline to the other and back."""
    return float(np.concatenate(pair.distances).mean())


def measures() -> dict[str, Callable[[MaskPair], float]]:
    """Return the metrics that are measured for a single image, by name."""
    return {name: found.of_image for name, found in metrics_of("segmentation").items() if found.of_image}


def mask_metrics(truth: np.ndarray, found: np.ndarray, sides: tuple[float, float]) -> dict[str, float]:
    """Compute every metric of two masks; see `MaskPair`."""
    pair = MaskPair(truth, found, sides)
    return {name: float(measure(pair)) for name, measure in measures().items()}


def image_metrics(
    truth: np.ndarray, found: np.ndarray, classes: list[str], sides: tuple[float, float]
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Compare two masks of class numbers, uint8 [h, w], from 1 in the order of `classes`.

    Pixels that are `IGNORED` in the true mask count as background in both.
    Return the metrics averaged over the classes for which they are defined, and those of each class.
    """
    found = np.where(truth == IGNORED, np.uint8(0), found)
    own = {name: mask_metrics(truth == number, found == number, sides) for number, name in enumerate(classes, start=1)}
    means = {}
    for name in measures():
        values = np.array([of_class[name] for of_class in own.values()])
        means[name] = float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
    return means, own
