"""`medtransfer predict`: a table of what a trained variant says of images of the user's own."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from medtransfer.deployment.images import ImageBatches
from medtransfer.deployment.model import Model
from medtransfer.deployment.predict_maps import MapRows, Maps, open_explainers
from medtransfer.deployment.predictor import Predictor
from medtransfer.deployment.rows import ClassRows, MaskRows, Rows, pictures_beside
from medtransfer.models.network import BATCH
from medtransfer.util.compute import Compute, choose_compute, is_available
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_file


def predict_files(model: Model, files: Sequence[Path], target: Path, maps: Maps | None = None) -> list[str]:
    """Predict images and write a CSV with a row for each: see `ClassRows`, `MapRows` and `MaskRows`.

    The answer is by the mean of the probabilities over the model's runs. Masks go to the folder `TARGET_masks`
    beside the table, and maps, where they are asked for, to `TARGET_maps`. Returns a line for each file that could
    not be read; where none could, raises `UserError` and writes nothing.
    """
    compute = compute_of(model.card)
    predictor = Predictor(model.folder, model.runs, compute)
    batches = ImageBatches(files, model.card, BATCH)
    written = 0
    with atomic_file(target) as temporary, _open_rows(model, files, target, maps, compute) as table:
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.header)
            for batch in batches:
                writer.writerows(table.rows(batch, predictor.answers(batch.pixels)))
                written += len(batch.files)
        if not written:
            raise UserError([*batches.unreadable, f"none of {len(files)} files could be read; {target} is not written"])
    return batches.unreadable


@contextmanager
def _open_rows(
    model: Model, files: Sequence[Path], target: Path, maps: Maps | None, compute: Compute
) -> Iterator[Rows]:
    """Open the rows that fit a model's task; pictures go to a folder beside the table."""
    card = model.card
    if maps is not None:
        explainers = open_explainers(model, maps, compute)
        with pictures_beside(target, files, "map") as pictures:
            yield MapRows(card, explainers, maps.method, pictures)
    elif card["task"] == "segmentation":
        with pictures_beside(target, files, "mask") as pictures:
            yield MaskRows(card["classes"], card["resize"], pictures)
    else:
        yield ClassRows(card["classes"])


def compute_of(card: dict[str, Any]) -> Compute:
    """Compute with the precision of a model's evaluation, on its kind of device where this machine has one."""
    device = card["device"] if is_available(card["device"]) else "auto"
    return replace(choose_compute(device), precision=card["precision"])
