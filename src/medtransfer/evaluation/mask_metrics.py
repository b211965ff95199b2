"""How far a predicted mask is from the true one.

What is not defined on empty masks is settled as Metrics Reloaded does (Maier-Hein, Reinke et al. 2024): where both are
empty the answer is right, so that Dice and IoU are 1 and distances 0, but precision and recall have nothing to
speak of (nan). Where one of both is empty Dice, IoU and precision are 0, recall is 0 or, without a truth to be
found, nan; distances, which then have no limit, are set to the worst there is, the image's diagonal.
"""

from __future__ import annotations

import warnings

import numpy as np

from medtransfer.evaluation.names import MASK_METRICS

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
