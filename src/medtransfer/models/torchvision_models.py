"""torchvision's model zoo, also where its compiled operators do not load.

torchvision's published wheel is linked against CUDA. Beside a torch built for the processor alone its
operators `nms` and `qnms` are missing and its import fails while it registers their shapes. Declaring the two
schemas first lets the import pass; no classification model calls them. While it is imported it asks torch's
compiler whether that is there, for a detection operator; importing the compiler takes a second, so that question
is answered here. Import torchvision through here only.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@contextmanager
def _without_the_compiler() -> Iterator[None]:
    """Let `torch._dynamo.utils.is_compile_supported` say no, unless the compiler is imported anyway."""
    if "torch._dynamo" in sys.modules:
        yield
        return
    package, utils = ModuleType("torch._dynamo"), ModuleType("torch._dynamo.utils")
    utils.is_compile_supported = lambda _: False  # type: ignore[attr-defined]
    stand_ins = {module.__name__: module for module in (package, utils)}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _import_models() -> Any:
    with _without_the_compiler():
        try:
            return importlib.import_module("torchvision.models")
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", SCHEMA)
        return importlib.import_module("torchvision.models")


models = _import_models()
