"""The definition of a view: a pure function of policy, seed, view number and image."""

from __future__ import annotations

import threading

import numpy as np

from medtransfer.augmentation.mixing import MIXES
from medtransfer.augmentation.policy import build_transform, policy_problems
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.errors import UserError
from medtransfer.util.seeds import generator, seed_from


class ViewMaker:
    """Draw views of the training rows of a prepared set, with their labels or masks.

    Masks follow their images: spatial transforms act on both, on masks by nearest neighbour; transforms of intensities
    leave masks unchanged. An image is mixed with another one of the same (split, fold) cell, so that mixing never
    crosses a split. Other images, the order of calls and the number of threads have no effect on a view.

    Raises `UserError` if the policy does not fit the images.
    """

    def __init__(self, prepared: Prepared, policy: Policy, seed: int) -> None:
        self._size, channels = prepared.images.shape[-2:]
        self._masks = prepared.target_masks
        problems = policy_problems(policy, self._size, channels, masked=self._masks is not None)
        if problems:
            raise UserError([f"augmentation: {problem}" for problem in problems])
        self._policy, self._seed, self._images = policy, seed, prepared.images
        self._ids = prepared.table["path"].to_numpy()
        self._labels = prepared.values
        self._cells = prepared.cells()
        self._rows = {cell: np.flatnonzero(self._cells == cell) for cell in np.unique(self._cells).tolist()}
        self._threads = threading.local()

    def draw(self, row: int, view: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw view number `view` of image `row`.

        Returns uint8 pixels [size, size, channels] and the target, float32 [outputs], such as shares of classes; for
        segmentation the mask instead, class numbers uint8 [size, size].
        """
        pixels, mask = self._augmented(row, view)
        label, mix = self._labels[row], self._policy.mix
        if mix is not None:
            rng = generator("mix", self._seed, view, str(self._ids[row]))
            cell = self._rows[int(self._cells[row])]
            if len(cell) > 1 and rng.random() < mix.probability:
                partners = cell[cell != row]
                partner = int(partners[rng.integers(len(partners))])
                share = float(rng.beta(mix.alpha, mix.alpha))
                pair = [(pixels, mask), self._augmented(partner, view)]
                stacked = [image if mask is None else np.dstack([image, mask]) for image, mask in pair]
                pixels, share = MIXES[mix.method](stacked[0], stacked[1], share, rng)
                if mask is not None:
                    pixels, mask = pixels[..., :-1], pixels[..., -1]
                label = np.float32(share) * label + np.float32(1.0 - share) * self._labels[partner]
        return pixels, label if mask is None else mask

    def _augmented(self, row: int, view: int) -> tuple[np.ndarray, np.ndarray | None]:
        if not hasattr(self._threads, "transform"):  # one pipeline per thread, because seeding a shared one is a race
            self._threads.transform = build_transform(self._policy, self._size, known=True)
        transform = self._threads.transform
        transform.set_random_seed(seed_from("view", self._seed, view, str(self._ids[row])) % 2**32)
        drawn = {"image": np.ascontiguousarray(self._images[row])}
        if self._masks is not None:
            drawn["mask"] = np.ascontiguousarray(self._masks[row])
        drawn = transform(**drawn)
        return drawn["image"], drawn.get("mask")
