"""A trained variant as an ONNX file, which needs neither torch nor this project, and the proof that it is the same."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from medtransfer.backbones.network import to_channels_first
from medtransfer.deployment.model import Model
from medtransfer.errors import UserError
from medtransfer.evaluation.interface import INPUT, OUTPUT, describe_model

NEEDED = ("onnx", "onnxruntime", "onnxscript")
LARGEST_FILE = 2**31 - 2**20
"""Protocol buffers end at 2 GiB; weights beyond that go into a file beside."""

EXAMPLES = 2
"""A batch of one would be taken for a constant."""


def require_onnx() -> None:
    """Raise `UserError` where the extra `export` is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"export needs {', '.join(missing)}: run: pip install 'medtransfer[export]'")


def write_onnx(network: nn.Module, model: Model, path: Path) -> None:
    """Write a module from pixels to probabilities as ONNX, for batches of any size, described in its metadata."""
    size, channels = model.card["image_size"], model.card["channels"]
    example = torch.zeros(EXAMPLES, channels, size, size, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(describe_model(model.card, model.runs))
    tensors = sum(value.nelement() * value.element_size() for value in network.state_dict().values())
    program.save(path, external_data=tensors > LARGEST_FILE)


def largest_difference(network: nn.Module, path: Path, pixels: np.ndarray, batches: list[int]) -> float:
    """Run packed images [n, size, size, channels] through the module and the file; give the largest difference.

    `batches` are the sizes of the batches that they go in, for the file must take any.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest, start = 0.0, 0
    for size in batches:
        inputs = to_channels_first(pixels[start : start + size]).contiguous()
        with torch.inference_mode():
            expected = network(inputs).numpy()
        (found,) = session.run([OUTPUT], {INPUT: inputs.numpy()})
        largest, start = max(largest, float(np.abs(found - expected).max())), start + size
    return largest
