"""`medtransfer predict`: a table of what a trained variant says of images of the user's own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medtransfer.backbones.fixed_batch import BATCH
from medtransfer.compute import Compute, choose_compute, is_available
from medtransfer.deployment.images import ImageBatches
from medtransfer.deployment.model import Model
from medtransfer.deployment.rows import rows_for
from medtransfer.errors import UserError
from medtransfer.evaluation.predictor import Predictor
from medtransfer.files import atomic_file
from medtransfer.study import Training


def predict_files(model: Model, files: Sequence[Path], target: Path) -> list[str]:
    """Predict images and write a CSV with a row for each: see `ClassRows` and `MaskRows`.

    The answer is by the mean of the probabilities over the model's runs. Masks go to the folder `TARGET_masks`
    beside the table. Returns a line for each file that could not be read; where none could, raises `UserError`
    and writes nothing.
    """
    predictor = Predictor(model.folder, model.runs, compute_of(model.card))
    batches = ImageBatches(files, model.card, BATCH)
    written = 0
    with atomic_file(target) as temporary, rows_for(model.card, target, files) as table:
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.header)
            for batch in batches:
                writer.writerows(table.rows(batch, predictor.answers(batch.pixels)))
                written += len(batch.files)
        if not written:
            raise UserError([*batches.unreadable, f"none of {len(files)} files could be read; {target} is not written"])
    return batches.unreadable


def compute_of(card: dict[str, Any]) -> Compute:
    """Compute with the precision of a model's evaluation, on its kind of device where this machine has one."""
    device = card["device"] if is_available(card["device"]) else "auto"
    return choose_compute(Training.model_validate({"device": device, "precision": card["precision"]}))
