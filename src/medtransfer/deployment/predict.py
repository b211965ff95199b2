"""`medtransfer predict`: a table of probabilities for images of the user's own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.compute import Compute, choose_compute, is_available
from medtransfer.deployment.images import ImageBatches
from medtransfer.deployment.model import Model
from medtransfer.errors import UserError
from medtransfer.evaluation.predictions import PREFIX
from medtransfer.evaluation.predictor import Predictor, mean_over_runs
from medtransfer.files import atomic_file
from medtransfer.study import Training
from medtransfer.training.prediction import BATCH


def predict_files(model: Model, files: Sequence[Path], target: Path) -> list[str]:
    """Predict images and write a CSV with a row for each: its path, the predicted class, every class's probability.

    The probabilities are the mean over the model's runs, and the predicted class is the most probable one. They
    are written in as few digits as give the float32 back. Returns a line for each file that could not be read;
    where none could, raises `UserError` and writes nothing.
    """
    compute = compute_of(model.card)
    predictor, batches = Predictor(model.folder, model.runs, compute), ImageBatches(files, model.card, BATCH)
    classes = model.card["classes"]
    written = 0
    with atomic_file(target) as temporary:
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["path", "predicted", *(f"{PREFIX}{name}" for name in classes)])
            for paths, pixels in batches:
                scores = mean_over_runs(predictor.probabilities(pixels))
                table.writerows(_rows(paths, scores, classes))
                written += len(paths)
        if not written:
            raise UserError([*batches.unreadable, f"none of {len(files)} files could be read; {target} is not written"])
    return batches.unreadable


def compute_of(card: dict[str, Any]) -> Compute:
    """Compute with the precision of a model's evaluation, on its kind of device where this machine has one."""
    device = card["device"] if is_available(card["device"]) else "auto"
    return choose_compute(Training.model_validate({"device": device, "precision": card["precision"]}))


def _rows(paths: list[Path], scores: np.ndarray, classes: list[str]) -> list[list[str]]:
    best = scores.argmax(axis=1)
    return [
        [str(path), classes[number], *(str(value) for value in row)]
        for path, number, row in zip(paths, best, scores, strict=True)
    ]
