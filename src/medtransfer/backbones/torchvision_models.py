"""torchvision's model zoo, also where its compiled operators do not load.

torchvision's published wheel is linked against CUDA. Beside a torch built for the processor alone its
operators `nms` and `qnms` are missing and its import fails while it registers their shapes. Declaring the two
schemas first lets the import pass; no classification model calls them. Import torchvision through here only.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def _import_models() -> Any:
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", SCHEMA)
    return importlib.import_module("torchvision.models")


models = _import_models()
