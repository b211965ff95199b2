"""Import torchvision's models, also where its compiled operators do not load, and without torch's compiler.

The published wheel of torchvision is linked against CUDA. With a torch built for CPUs its operators `nms` and `qnms`
are missing, and its import fails while it registers their shapes. Declaring both schemas first lets the import pass; no
classification model calls them.

For a detection operator, torchvision 0.28 imports `torch._dynamo` unconditionally, and timm excludes a function from
compilation; no setting prevents that. A stub answers both instead, which nearly halves the time of importing torch and
torchvision (`benchmarks/against_libraries.py`). Import torchvision, and each library that imports it, only through this
module, and where it is used: timm and segmentation-models-pytorch take a second.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import torch

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Replace torch's compiler, unless it is imported already, by stubs that compile nothing."""
    if "torch._dynamo" in sys.modules:
        yield
        return
    compiler, utils = ModuleType("torch._dynamo"), ModuleType("torch._dynamo.utils")
    utils.is_compile_supported = lambda _: False  # type: ignore[attr-defined]
    compiler.disable = lambda function=None, *_, **__: function or (lambda each: each)  # type: ignore[attr-defined]
    stubs = {"torch._dynamo": compiler, "torch._dynamo.utils": utils}
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name in stubs:
            del sys.modules[name]


def models() -> Any:
    """Return the module `torchvision.models`."""
    return library("torchvision.models")


@cache
def library(name: str) -> Any:
    """Import a module of torchvision, or of a library that imports torchvision, such as timm."""
    with _without_compiler():
        try:
            importlib.import_module("torchvision.models")
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
            for operator in ("nms", "qnms"):
                torch.library.define(f"torchvision::{operator}", SCHEMA)
            importlib.import_module("torchvision.models")
        return importlib.import_module(name)
