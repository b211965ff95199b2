"""Policies of `params.yaml` as Albumentations pipelines."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import cv2
import numpy as np
from pydantic import ValidationError

from medtransfer.augmentation.mixing import MIXES
from medtransfer.study import Policy
from medtransfer.study.loading import error_lines
from medtransfer.util.errors import UserError, near


@contextmanager
def _not_installed(*modules: str) -> Iterator[None]:
    """Let imports of modules fail unless they are imported already."""
    hidden = dict.fromkeys(name for name in modules if name not in sys.modules)
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _not_installed("albumentations.pytorch", "huggingface_hub"):  # its options, which take twice as long to import
    import albumentations
    from albumentations.augmentations.crops.transforms import CropSizeError

cv2.setNumThreads(1)  # views are drawn in parallel, and OpenCV's threads would compete with that

TEST_DRAWS = 4
"""A transform of random size may keep the size by chance once, but hardly in each of these draws."""
TEST_CLASSES = (0, 200)


def build_transform(policy: Policy, size: int, known: bool = False) -> albumentations.Compose:
    """Build the pipeline; a transform that requires an output `size` and has none gets the study's.

    Raises `UserError` with all wrong transforms and arguments. Only a policy `known` to be right may be built in any
    thread: checking one turns warnings into errors, which affects all threads.
    """
    transforms, problems = [], []
    for number, item in enumerate(policy.transforms):
        ((name, arguments),) = item.items()
        try:
            transforms.append(_build_one(name, arguments, size, known))
        except UserError as error:
            problems += [f"transforms[{number}]: {problem}" for problem in error.problems]
    if problems:
        raise UserError(problems)
    return albumentations.Compose(transforms)


def policy_problems(policy: Policy, size: int, channels: int = 3, masked: bool = False) -> list[str]:
    """List the problems of a policy; it must map uint8 images [size, size, channels] to such images.

    If `masked`, it must also keep masks [size, size] in step with them, and their class numbers unblended.
    """
    try:
        build_transform(policy, size)
    except UserError as error:
        return error.problems
    if masked and policy.mix is not None:
        first, second = (np.full((size, size, 1), number, np.uint8) for number in TEST_CLASSES)
        mixed, _ = MIXES[policy.mix.method](first, second, 0.5, np.random.default_rng(0))
        if not np.isin(mixed, TEST_CLASSES).all():
            return [f"mix: {policy.mix.method} blends the classes of a mask; use a mix that pastes, such as cutmix"]
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
            return [f"transforms[{number}]: expected uint8 pixels, but {name} returns {views['image'].dtype}"]
        if not np.isin(views.get("mask", TEST_CLASSES), TEST_CLASSES).all():
            return [f"transforms[{number}]: {name} blends the classes of a mask; leave its mask_interpolation at 0"]
    expected = {"image": shape, "mask": shape[:2]}
    return [
        f"transforms: expected {kind}s {expected[kind]} at the end, but got {tuple(view.shape)}"
        for kind, view in views.items()
        if view.shape != expected[kind]
    ]


def _checkered(size: int) -> np.ndarray:
    """Return a mask of small squares of two class numbers; only blending yields values between them."""
    rows, columns = np.indices((size, size)) // 3
    return np.asarray(np.array(TEST_CLASSES, np.uint8)[(rows + columns) % 2])


def _build_one(name: str, arguments: dict[str, Any], size: int, known: bool = False) -> albumentations.BasicTransform:
    kind = getattr(albumentations, name, None)
    if not _is_transform(kind):
        names = [name for name, value in vars(albumentations).items() if _is_transform(value)]
        raise UserError(f"no Albumentations transform {name!r}{near(name, names)}")
    signature = dict(inspect.signature(kind.__init__).parameters)
    del signature["self"]
    if "size" in signature and signature["size"].default is inspect.Parameter.empty:
        arguments = {"size": [size, size]} | arguments
    unknown = [argument for argument in arguments if argument not in signature]
    if unknown:
        raise UserError(f"{name} has no argument {argument!r}{near(argument, signature)}" for argument in unknown)
    if known:
        return kind(**arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            return kind(**arguments)
    except (ValueError, TypeError, NotImplementedError, UserWarning) as error:
        raise UserError(f"{name}: {line}" for line in _reasons(error)) from None


def _reasons(error: Exception) -> list[str]:
    """Return what is wrong with a transform, a line for each argument that Albumentations' own schema refuses."""
    if isinstance(error.__cause__, ValidationError):
        first: dict[str, str] = {}
        for line in error_lines(error.__cause__):
            place, _, message = line.partition(": ")
            first.setdefault(argument := place.partition(".")[0], f"{argument}: {message}")
        return list(first.values())
    return [" ".join(str(error).split())[:200]]


def _is_transform(value: Any) -> TypeGuard[type[albumentations.BasicTransform]]:
    base = albumentations.BasicTransform
    return inspect.isclass(value) and issubclass(value, base) and value is not base
