"""The one definition of a view: a pure function of (policy, seed, view number, image)."""

from __future__ import annotations

import threading

import albumentations
import numpy as np

from medtransfer.augmentation.mixing import cutmix, mixup
from medtransfer.augmentation.policy import build_transform, policy_problems
from medtransfer.dataset.prepared import Prepared
from medtransfer.errors import UserError
from medtransfer.seeding import generator, seed_from
from medtransfer.study import Policy


class ViewMaker:
    """Draws views of a prepared set's training rows.

    A mixed view's partner comes from the same (split, fold) cell, so that mixing never crosses a split. Other
    images, their order and the number of threads change nothing. Raises `UserError` where the policy does not
    go with the set's images.
    """

    def __init__(self, prepared: Prepared, policy: Policy, seed: int) -> None:
        size, channels = prepared.images.shape[-2:]
        problems = policy_problems(policy, size, channels)
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

    def draw(self, row: int, view: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw view number `view` of image `row`.

        Returns uint8 pixels [size, size, channels] and the label, float32 [classes], summing to 1.
        """
        pixels, label = self._augmented(row, view), self._labels[row]
        mix = self._policy.mix
        if mix is None:
            return pixels, label
        rng = generator("mix", self._seed, view, str(self._ids[row]))
        partners = self._partners.get(int(self._cells[row]))
        if partners is None or rng.random() >= mix.probability:
            return pixels, label
        others = partners[partners != row]
        partner = int(others[rng.integers(len(others))])
        share = float(rng.beta(mix.alpha, mix.alpha))
        other = self._augmented(partner, view)
        if mix.method == "cutmix":
            pixels, share = cutmix(pixels, other, share, rng)
        else:
            pixels, share = mixup(pixels, other, share)
        return pixels, np.float32(share) * label + np.float32(1.0 - share) * self._labels[partner]

    def _augmented(self, row: int, view: int) -> np.ndarray:
        transform = self._transform()
        transform.set_random_seed(seed_from("view", self._seed, view, str(self._ids[row])) % 2**32)
        pixels: np.ndarray = transform(image=np.ascontiguousarray(self._images[row]))["image"]
        return pixels

    def _transform(self) -> albumentations.Compose:
        """Give this thread's own pipeline: seeding one that threads share would be a race."""
        if not hasattr(self._threads, "transform"):
            self._threads.transform = build_transform(self._policy, self._size)
        transform: albumentations.Compose = self._threads.transform
        return transform
