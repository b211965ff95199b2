"""A trained variant as an ONNX file, which needs neither torch nor this project, and the proof that it is the same; `medtransfer export`: an ONNX file that was checked on real images, and the model's card."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from medtransfer.data.prepared import ABOUT, Prepared
from medtransfer.deployment.interface import INPUT, OUTPUT, describe_model
from medtransfer.deployment.model import Model
from medtransfer.deployment.model_card import model_card
from medtransfer.deployment.predict import compute_of
from medtransfer.deployment.predictor import Predictor
from medtransfer.models.network import to_channels_first
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, write_text

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


TOLERANCE = 1e-4
CHECKED_BATCHES = [1, 2, 5, 32]


def export_model(model: Model, target: Path, root: Path = Path()) -> float:
    """Write `model.onnx` and the card `README.md` to the folder `target`; give the largest difference found.

    The file's probabilities are held against the PyTorch model's in float32, on validation images of the prepared
    set. Raises `UserError` where that is not the set that the model was trained on, or where they differ by more
    than 1e-4; then nothing is written.
    """
    require_onnx()
    pixels = real_images(model, root)
    network = Predictor(model.folder, model.runs, compute_of(model.card)).as_module()
    with atomic_folder(target) as folder:
        path = folder / "model.onnx"
        write_onnx(network, model, path)
        difference = largest_difference(network, path, pixels, CHECKED_BATCHES)
        if not difference <= TOLERANCE:
            raise UserError(
                f"{model.name}: the ONNX file's probabilities differ by {difference:.2g} from the PyTorch model's on "
                f"{len(pixels)} real images; expected {TOLERANCE:g} at most, so it is not written"
            )
        write_text(folder / "README.md", model_card(model, difference, len(pixels), root))
    return difference


def real_images(model: Model, root: Path) -> np.ndarray:
    """Give packed validation images of the set that a model was trained on, as many as are checked."""
    prepared = Prepared(root / "data/prepared")
    if not (prepared.folder / ABOUT).is_file():
        raise UserError("data/prepared is missing: the export is checked on its images; `dvc repro prepare` makes it")
    if prepared.about["pixels_sha256"] != model.card["data"]["pixels_sha256"]:
        raise UserError(f"data/prepared holds another set than {model.name} was trained on; `dvc repro` its study")
    rows = np.resize(prepared.roles(model.runs[0][0]).validation, sum(CHECKED_BATCHES))
    return np.array(prepared.images[np.sort(rows)])
