"""Two images into one, with the label shared between them; The one definition of a view: a pure function of (policy, seed, view number, image)."""

from __future__ import annotations

import threading

import albumentations
import numpy as np

from medtransfer.augmentation.policy import build_transform, policy_problems
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.errors import UserError
from medtransfer.util.seeds import generator, seed_from


def mixup(first: np.ndarray, second: np.ndarray, share: float) -> tuple[np.ndarray, float]:
    """Blend two uint8 images; `share` in [0, 1] is the first one's (Zhang et al. 2018, mixup).

    Returns the blend, rounded, and the share unchanged.
    """
    blend = share * first.astype(np.float32) + (1.0 - share) * second.astype(np.float32)
    return np.rint(blend).astype(np.uint8), share


def cutmix(first: np.ndarray, second: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Paste a box of `second` into `first` (Yun et al. 2019, CutMix).

    The box has the image's proportions and the area 1 - share, its centre is uniform, and it is cut at the
    border. Images are [height, width, channels]. Returns the picture and the exact share left of `first`.
    """
    height, width = first.shape[:2]
    side = float(np.sqrt(1.0 - share))
    centre_y, centre_x = int(rng.integers(height)), int(rng.integers(width))
    half_y, half_x = int(height * side) // 2, int(width * side) // 2
    top, bottom = max(centre_y - half_y, 0), min(centre_y + half_y, height)
    left, right = max(centre_x - half_x, 0), min(centre_x + half_x, width)
    mixed = first.copy()
    mixed[top:bottom, left:right] = second[top:bottom, left:right]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)


View = tuple[np.ndarray, np.ndarray | None]
"""Pixels uint8 [size, size, channels], and the mask uint8 [size, size] where there is one to learn."""


class ViewMaker:
    """Draws views of a prepared set's training rows, with what a network is to make of them.

    For classification that is the label; for segmentation the mask, which moves with the image: what changes
    intensities alone leaves it as it is, everything else acts on both, on masks by nearest neighbour. A mixed view's
    partner comes from the same (split, fold) cell, so that mixing never crosses a split. Other images, their order
    and the number of threads change nothing. Raises `UserError` where the policy does not go with the set's images.
    """

    def __init__(self, prepared: Prepared, policy: Policy, seed: int) -> None:
        size, channels = prepared.images.shape[-2:]
        self._masks = prepared.target_masks
        problems = policy_problems(policy, size, channels, masked=self._masks is not None)
        if problems:
            raise UserError([f"augmentation: {problem}" for problem in problems])
        self._policy, self._seed = policy, seed
        self._images = prepared.images
        self._ids = prepared.table["path"].to_numpy()
        self._labels = np.eye(len(prepared.classes), dtype=np.float32)[prepared.table["label_index"]]
        self._cells = prepared.cells()
        self._partners = {
            cell: rows for cell in np.unique(self._cells) if len(rows := np.flatnonzero(self._cells == cell)) > 1
        }
        self._size = size
        self._threads = threading.local()

    @property
    def shapes(self) -> tuple[tuple[tuple[int, ...], type], tuple[tuple[int, ...], type]]:
        """Say what `draw` gives, the shape and the type of each of both arrays."""
        pixels = self._images.shape[1:]
        masked = self._masks is not None
        return (pixels, np.uint8), (pixels[:2], np.uint8) if masked else (self._labels.shape[1:], np.float32)

    def draw(self, row: int, view: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw view number `view` of image `row`.

        Returns uint8 pixels [size, size, channels] and the label, float32 [classes], summing to 1; or, for
        segmentation, the mask, class numbers uint8 [size, size].
        """
        pixels, mask = self._augmented(row, view)
        label, mix = self._labels[row], self._policy.mix
        if mix is not None:
            rng = generator("mix", self._seed, view, str(self._ids[row]))
            partners = self._partners.get(int(self._cells[row]))
            if partners is not None and rng.random() < mix.probability:
                others = partners[partners != row]
                partner = int(others[rng.integers(len(others))])
                share = float(rng.beta(mix.alpha, mix.alpha))
                pixels, mask, share = self._mixed((pixels, mask), self._augmented(partner, view), share, rng)
                label = np.float32(share) * label + np.float32(1.0 - share) * self._labels[partner]
        return pixels, label if mask is None else mask

    def _mixed(
        self, own: View, other: View, share: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None, float]:
        """Mix two views; a mask is pasted with its image, as one channel more."""
        if self._policy.mix is not None and self._policy.mix.method == "mixup":
            pixels, share = mixup(own[0], other[0], share)
            return pixels, None, share
        first, second = (pixels if mask is None else np.dstack([pixels, mask]) for pixels, mask in (own, other))
        mixed, share = cutmix(first, second, share, rng)
        if own[1] is None:
            return mixed, None, share
        return mixed[..., :-1], mixed[..., -1], share

    def _augmented(self, row: int, view: int) -> View:
        transform = self._transform()
        transform.set_random_seed(seed_from("view", self._seed, view, str(self._ids[row])) % 2**32)
        drawn = {"image": np.ascontiguousarray(self._images[row])}
        if self._masks is not None:
            drawn["mask"] = np.ascontiguousarray(self._masks[row])
        drawn = transform(**drawn)
        return drawn["image"], drawn.get("mask")

    def _transform(self) -> albumentations.Compose:
        """Give this thread's own pipeline: seeding one that threads share would be a race."""
        if not hasattr(self._threads, "transform"):
            self._threads.transform = build_transform(self._policy, self._size, known=True)
        transform: albumentations.Compose = self._threads.transform
        return transform
