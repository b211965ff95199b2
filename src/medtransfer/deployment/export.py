"""`medtransfer export`: a trained variant as ONNX, verified on validation images, with its model card."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from medtransfer.data.prepared import ABOUT, Prepared
from medtransfer.deployment.interface import INPUT, describe_model, output_name
from medtransfer.deployment.model import Model
from medtransfer.deployment.model_card import model_card
from medtransfer.deployment.predictor import Predictor
from medtransfer.models.network import to_channels_first
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, write_text
from medtransfer.util.places import Places

NEEDED = ("onnx", "onnxruntime", "onnxscript")
LARGEST_FILE = 2**31 - 2**20
"""The limit of protocol buffers is 2 GiB; larger weights are written to a separate file."""

EXAMPLES = 2
"""A batch size of one would be exported as a constant."""

TOLERANCE = 1e-4
CHECKED_BATCHES = [1, 2, 5, 32]


def require_onnx() -> None:
    """Raise `UserError` if the extra `export` is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"export needs {', '.join(missing)}; run: pip install 'medtransfer[export]'")


def write_onnx(network: nn.Module, model: Model, path: Path) -> None:
    """Write a module from pixels to probabilities as ONNX, for any batch size, with a description in its metadata."""
    size, channels = model.card["image_size"], model.card["channels"]
    example = torch.zeros(EXAMPLES, channels, size, size, dtype=torch.uint8)
    for library in ("torch.onnx", "onnxscript"):
        logging.getLogger(library).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[INPUT],
            output_names=[output_name(model.card)],
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with the paths of this machine
    program.model.metadata_props.update(describe_model(model.card, model.runs))
    tensors = sum(value.nelement() * value.element_size() for value in network.state_dict().values())
    program.save(path, external_data=tensors > LARGEST_FILE)


def largest_difference(network: nn.Module, path: Path, pixels: np.ndarray, batches: list[int]) -> float:
    """Return the largest difference between the outputs of the module and the file for packed images.

    Of outputs above 1, it is relative to the largest.

    pixels: [n, size, size, channels]. batches: the batch sizes to check, as the file must accept any.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest, start = 0.0, 0
    for size in batches:
        inputs = to_channels_first(pixels[start : start + size]).contiguous()
        with torch.inference_mode():
            expected = network(inputs).numpy()
        (found,) = session.run(None, {INPUT: inputs.numpy()})
        scale = max(1.0, float(np.abs(expected).max()))
        largest, start = max(largest, float(np.abs(found - expected).max()) / scale), start + size
    return largest


def export_model(model: Model, target: Path, root: Path = Path()) -> float:
    """Write `model.onnx` and the card `README.md` to the folder `target`; return the largest difference found.

    The file's probabilities are compared with those of the PyTorch model in float32, on validation images of the
    prepared set. Raises `UserError` and writes nothing if that is not the set that the model was trained on, or if a
    probability differs by more than 1e-4.
    """
    require_onnx()
    places = Places(root)
    pixels = real_images(model, places)
    network = Predictor(model.folder, model.runs, model.compute()).as_module()
    with atomic_folder(target) as folder:
        path = folder / "model.onnx"
        write_onnx(network, model, path)
        difference = largest_difference(network, path, pixels, CHECKED_BATCHES)
        if not difference <= TOLERANCE:
            raise UserError(
                f"{model.name}: the probabilities of the ONNX file differ from those of the PyTorch model by up to "
                f"{difference:.2g} on validation images (allowed: {TOLERANCE:g}); it is not written"
            )
        write_text(folder / "README.md", model_card(model, difference, places))
    return difference


def real_images(model: Model, places: Places) -> np.ndarray:
    """Return packed validation images of the set that a model was trained on, as many as are checked."""
    prepared = Prepared(places.prepared)
    if not (prepared.folder / ABOUT).is_file():
        raise UserError(f"{prepared.folder}: missing; run `dvc repro prepare`, as the export is verified on its images")
    if prepared.about["pixels_sha256"] != model.card["data"]["pixels_sha256"]:
        raise UserError(f"{prepared.folder}: not the set that {model.name} was trained on; run its study's `dvc repro`")
    rows = np.resize(prepared.roles(model.runs[0][0]).validation, sum(CHECKED_BATCHES))
    return np.array(prepared.images[np.sort(rows)])
