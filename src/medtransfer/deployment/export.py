"""`medtransfer export`: an ONNX file that was checked on real images, and the model's card."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medtransfer.dataset.prepared import ABOUT, Prepared
from medtransfer.deployment.model import Model
from medtransfer.deployment.model_card import model_card
from medtransfer.deployment.onnx_file import largest_difference, require_onnx, write_onnx
from medtransfer.deployment.predict import compute_of
from medtransfer.errors import UserError
from medtransfer.evaluation.predictor import Predictor
from medtransfer.files import atomic_folder, write_text

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
