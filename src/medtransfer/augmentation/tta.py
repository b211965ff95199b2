"""Test-time augmentation: several views of each image to predict from, and the way back for predicted masks.

The first view is the image; the others are draws of a variant's own augmentation, without mixing. A draw depends on
the study's seed, the view's number and the image's pixels, not on its path: any copy of an image has the same views.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from medtransfer.data.images.packed import Pixels
from medtransfer.study import Policy
from medtransfer.util.digests import module_digest
from medtransfer.util.files import sha256_of_json
from medtransfer.util.seeds import seed_from

if TYPE_CHECKING:
    import albumentations
    import torch

TRIALS = 8
"""A random transform may keep all pixels by chance, but hardly in each of so many draws."""


class TestTimeViews:
    """The `count` views of an image of a policy; see the module. Raises `UserError` if the policy is not right."""

    __test__ = False  # the name is not that of a test

    def __init__(self, policy: Policy, seed: int, count: int, size: int) -> None:
        self.policy, self.seed, self.count, self._size = policy, seed, count, size

    @cached_property
    def _transform(self) -> albumentations.Compose:
        from medtransfer.augmentation.policy import build_transform  # importing Albumentations takes half a second

        return build_transform(self.policy, self._size)

    def draw(self, pixels: np.ndarray, view: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw view number `view` of images, uint8 [n, size, size, channels].

        Returns views of the same shape, and which pixel of its image each pixel shows, int64 [n, size, size]; the
        latter holds for policies in which `tta_problems` finds nothing about masks.
        """
        places = np.arange(self._size**2).reshape(self._size, self._size)
        if view == 0:
            return pixels, np.tile(places, (len(pixels), 1, 1))
        drawn = []
        for image in pixels:
            digest = hashlib.sha256(image.tobytes()).hexdigest()
            self._transform.set_random_seed(seed_from("test-time view", self.seed, view, digest) % 2**32)
            drawn.append(self._transform(image=np.ascontiguousarray(image), mask=places.astype(np.float32)))
        return np.stack([each["image"] for each in drawn]), np.stack([each["mask"] for each in drawn]).astype(np.int64)

    def pixels(self, images: Pixels, shape: tuple[int, ...], view: int) -> Pixels:
        """Return one view of packed images, each [shape], as pixels with a hash of all that determines them."""
        if view == 0:
            return images
        policy = self.policy.model_dump(mode="json", include={"transforms"})
        about = {"policy": policy, "seed": self.seed, "view": view, "of": images.sha256}
        about["code"] = module_digest("medtransfer.augmentation.tta")

        def read(rows: np.ndarray) -> np.ndarray:
            return self.draw(images.read(rows).reshape(len(rows), *shape), view)[0]

        return Pixels(sha256_of_json(about), images.count, images.row_bytes, read)


def moved_back(logits: torch.Tensor, places: np.ndarray) -> torch.Tensor:
    """Return the logits of views [n, classes, h, w] at the pixels of their images; see `TestTimeViews.draw`."""
    import torch

    flat = logits.flatten(2)
    target = torch.from_numpy(places.reshape(len(places), 1, -1)).expand_as(flat)
    return torch.empty_like(flat).scatter_(2, target, flat).view_as(logits)


def tta_problem(policy: Policy, size: int, masked: bool) -> str | None:
    """Return why a policy that is right in itself is of no use for views to predict from; None if it is.

    masked: whether masks are predicted, for which each view must show every pixel of the image once.
    """
    from medtransfer.augmentation.policy import build_transform

    if not policy.transforms:
        return "its augmentation has no transforms, so that all views would be the image itself"
    image, places = np.zeros((size, size, 3), np.uint8), np.arange(size**2, dtype=np.float32)
    for item in policy.transforms if masked else ():
        ((name, arguments),) = item.items()
        transform = build_transform(Policy(transforms=[{name: arguments | {"p": 1.0}}]), size)
        for seed in range(TRIALS):
            transform.set_random_seed(seed)
            moved = transform(image=image, mask=places.reshape(size, size))["mask"]
            if not np.array_equal(np.sort(moved, axis=None), places):
                return (
                    f"{name} of its augmentation moves pixels in a way that predicted masks cannot undo; use an "
                    "augmentation of flips, turns by right angles and changes of intensity"
                )
    return None
