"""A policy of `params.yaml` as an Albumentations pipeline."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import albumentations
import cv2
import numpy as np
from albumentations.augmentations.crops.transforms import CropSizeError

from medtransfer.study import Policy
from medtransfer.util.errors import near

cv2.setNumThreads(1)  # views are drawn in threads of our own; OpenCV's would compete with them

TEST_DRAWS = 4
"""A transform of random size may keep the size by chance once, but hardly in every draw."""
TEST_CLASSES = (0, 200)


class PolicyError(Exception):
    """A transform that does not exist, or arguments that it does not take; a line each in `problems`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def build_transform(policy: Policy, size: int, known: bool = False) -> albumentations.Compose:
    """Build the pipeline; a transform that needs an output `size` and states none gets the study's.

    Raises `PolicyError` with every wrong transform or argument. A policy that is `known` to be right may be built in
    any thread; otherwise warnings, which are one state for all threads, are taken for errors meanwhile.
    """
    transforms, problems = [], []
    for number, item in enumerate(policy.transforms):
        ((name, arguments),) = item.items()
        try:
            transforms.append(_build_one(name, arguments, size, known))
        except PolicyError as error:
            problems += [f"transforms[{number}]: {problem}" for problem in error.problems]
    if problems:
        raise PolicyError(problems)
    return albumentations.Compose(transforms)


def policy_problems(policy: Policy, size: int, channels: int = 3, masked: bool = False) -> list[str]:
    """List what is wrong with a policy; empty where it turns uint8 images [size, size, channels] into such.

    `masked`: where it must keep masks [size, size] in step, and the class numbers in them apart.
    """
    try:
        build_transform(policy, size)
    except PolicyError as error:
        return error.problems
    found = (_problems_of_a_draw(policy, size, channels, masked, seed) for seed in range(TEST_DRAWS))
    return next((problems for problems in found if problems), [])


def _problems_of_a_draw(policy: Policy, size: int, channels: int, masked: bool, seed: int) -> list[str]:
    shape = (size, size, channels)
    views = {"image": np.zeros(shape, dtype=np.uint8)} | ({"mask": _checkered(size)} if masked else {})
    for number, item in enumerate(policy.transforms):
        ((name, arguments),) = item.items()
        try:
            transform = _build_one(name, arguments | {"p": 1.0}, size)
            transform.set_random_seed(seed)
            views = transform(**views)
        except (ValueError, TypeError, KeyError, NotImplementedError, CropSizeError, cv2.error) as error:
            reason = " ".join(str(error).split())[:200]
            return [f"transforms[{number}]: {name} fails on an image of {channels} channels: {reason}"]
        if views["image"].dtype != np.uint8:
            return [f"transforms[{number}]: expected uint8 pixels, but {name} gives {views['image'].dtype}"]
        if not np.isin(views.get("mask", TEST_CLASSES), TEST_CLASSES).all():
            return [f"transforms[{number}]: {name} blends the classes of a mask; leave its mask_interpolation at 0"]
    expected = {"image": shape, "mask": shape[:2]}
    return [
        f"transforms: expected {kind}s {expected[kind]} at the end, but got {tuple(view.shape)}"
        for kind, view in views.items()
        if view.shape != expected[kind]
    ]


def _checkered(size: int) -> np.ndarray:
    """Give a mask of small squares whose two class numbers nothing but blending can bring others between."""
    rows, columns = np.indices((size, size)) // 3
    return np.asarray(np.array(TEST_CLASSES, np.uint8)[(rows + columns) % 2])


def _build_one(name: str, arguments: dict[str, Any], size: int, known: bool = False) -> albumentations.BasicTransform:
    kind = getattr(albumentations, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, albumentations.BasicTransform)):
        raise PolicyError([f"no Albumentations transform {name!r}{near(name, _transform_names())}"])
    signature = inspect.signature(kind.__init__).parameters
    if "size" in signature and signature["size"].default is inspect.Parameter.empty:
        arguments = {"size": [size, size]} | arguments
    unknown = [argument for argument in arguments if argument not in signature]
    if unknown:
        raise PolicyError([f"{name} takes no {argument!r}{near(argument, signature)}" for argument in unknown])
    if known:
        return kind(**arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            return kind(**arguments)
    except (ValueError, TypeError, NotImplementedError, UserWarning) as error:
        raise PolicyError([f"{name}: {' '.join(str(error).split())[:200]}"]) from None


def _transform_names() -> list[str]:
    base = albumentations.BasicTransform
    return [
        name
        for name, value in vars(albumentations).items()
        if inspect.isclass(value) and issubclass(value, base) and value is not base
    ]
