"""A trained variant as an ONNX file, which needs neither torch nor this project, and the proof that it is the same."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from medtransfer.backbones.network import to_channels_first
from medtransfer.deployment.model import Model
from medtransfer.errors import UserError

NEEDED = ("onnx", "onnxruntime", "onnxscript")
INPUT, OUTPUT = "pixels", "probabilities"
LARGEST_FILE = 2**31 - 2**20
"""Protocol buffers end at 2 GiB; weights beyond that go into a file beside."""

EXAMPLES = 2
"""A batch of one would be taken for a constant."""

RESIZING = {
    "stretch": "stretch to SIZE x SIZE",
    "crop": "scale the shorter side to SIZE and cut the central square",
    "pad": "scale the longer side to SIZE and pad with black",
}


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
    program.model.metadata_props.update(describe(model))
    tensors = sum(value.nelement() * value.element_size() for value in network.state_dict().values())
    program.save(path, external_data=tensors > LARGEST_FILE)


def describe(model: Model) -> dict[str, str]:
    """Say what the file's input and output mean and where it comes from: its metadata, all of it text."""
    card = model.card
    return {
        "variant": model.name,
        "runs": json.dumps([f"fold{fold}_seed{seed}" for fold, seed in model.runs]),
        "classes": json.dumps(card["classes"], ensure_ascii=False),
        "input": f"{INPUT}: uint8 [batch, {card['channels']}, {card['image_size']}, {card['image_size']}], 0 to 255",
        "output": f"{OUTPUT}: float32 [{output_shape(card)}], in the order of classes, the mean over runs",
        "preprocessing": preprocessing(card["channels"], card["image_size"], card["resize"]),
        "data_sha256": card["data"]["pixels_sha256"],
        "warnings": json.dumps(card["data"]["warnings"], ensure_ascii=False),
    }


def output_shape(card: dict[str, Any]) -> str:
    """Name the dimensions of the output: probabilities of images, or of their pixels."""
    pixels = f", {card['image_size']}, {card['image_size']}" if card["task"] == "segmentation" else ""
    return f"batch, {len(card['classes'])}{pixels}"


def preprocessing(channels: int, size: int, resize: str) -> str:
    """Say in words what happens to an image file before it is the input."""
    colours = "8-bit grey" if channels == 1 else "8-bit RGB"
    return (
        f"turn the image upright by its EXIF tag; make it {colours} (grey of more bits: scaled from the image's own "
        f"minimum and maximum); {RESIZING[resize].replace('SIZE', str(size))}, bilinear with antialiasing; put the "
        "channels first. Scaling to [0, 1] and normalisation are part of the model."
    )


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
