"""`medtransfer predict`: a table of the predictions of a trained variant for any images."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medtransfer.augmentation.tta import tta_problem
from medtransfer.deployment.explain.explainer import Explainer, open_explainer
from medtransfer.deployment.explain.methods import METHODS
from medtransfer.deployment.images import ImageBatches
from medtransfer.deployment.model import Model
from medtransfer.deployment.predictor import Predictor, joint_answers
from medtransfer.deployment.tables import ImageTable, MapTable, MaskTable, pictures_next_to
from medtransfer.deployment.trained import load_run
from medtransfer.models.heads import HEADS
from medtransfer.models.network import BATCH
from medtransfer.study import Variant
from medtransfer.tasks import TASKS
from medtransfer.util.compute import Compute
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_file
from medtransfer.util.text import counted


@dataclass(frozen=True)
class MapOptions:
    """Options of `--explain`: the method, and the block to map, by default the last spatial one."""

    method: str = "grad_cam"
    block: str | None = None


ALIKE = ("task", "classes", "image_size", "channels", "resize")
"""The fields of the card that models must share for the mean of their predictions to have a meaning."""


def predict_files(
    model: Model,
    files: Sequence[Path],
    target: Path,
    maps: MapOptions | None = None,
    others: Sequence[Model] = (),
    views: int = 1,
) -> list[str]:
    """Predict images and write a CSV with one row per image: see `ImageTable`, `MapTable` and `MaskTable`.

    Predictions are by the mean of the probabilities over the model's runs. Masks are written to the folder
    `TARGET_masks` next to the table, and maps, if requested, to `TARGET_maps`. others: further models, whose
    probabilities are averaged with those of the first. views: the number of views of each image that are averaged, for
    test-time augmentation. Returns a line for each unreadable file; if all files are unreadable, raises `UserError` and
    writes nothing.
    """
    compute = model.compute()
    predictors = _predictors(model, others, views, compute)
    batches = ImageBatches(files, model.card, BATCH)
    written = 0
    with atomic_file(target) as temporary, _open_table(model, files, target, maps, compute) as table:
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.header)
            for batch in batches:
                writer.writerows(table.rows(batch, joint_answers(predictors, batch.pixels)))
                written += len(batch.files)
        if not written:
            raise UserError(
                [*batches.unreadable, f"{target}: not written, as none of {counted(len(files), 'file')} could be read"]
            )
    return batches.unreadable


def _predictors(model: Model, others: Sequence[Model], views: int, compute: Compute) -> list[Predictor]:
    """Return the predictors of models. Raises `UserError` if models or views do not fit."""
    for other in others:
        if differing := [name for name in ALIKE if other.card[name] != model.card[name]]:
            raise UserError(
                f"--with {other.name}: its {differing[0]} is {other.card[differing[0]]}, but {model.name} has "
                f"{model.card[differing[0]]}"
            )
    for one in (model, *others) if views > 1 else ():
        if "study_seed" not in one.card:
            raise UserError(f"--views: the card of {one.name} lacks its study's seed; train it again with this version")
        policy = Variant.from_card(one.card).policy
        if problem := tta_problem(policy, one.card["image_size"], TASKS[one.card["task"]].per_pixel):
            raise UserError(f"--views: {one.name}: {problem}")
    further = [Predictor(one.folder, one.runs, one.compute(), views) for one in others]
    return [Predictor(model.folder, model.runs, compute, views), *further]


@contextmanager
def _open_table(
    model: Model, files: Sequence[Path], target: Path, maps: MapOptions | None, compute: Compute
) -> Iterator[ImageTable | MapTable | MaskTable]:
    """Yield the table for the model's task; its pictures are written to a folder next to it."""
    card = model.card
    if maps is not None:
        explainers = _open_explainers(model, maps, compute)
        with pictures_next_to(target, files, "map") as pictures:
            yield MapTable(card, explainers, maps.method, pictures)
    elif TASKS[card["task"]].per_pixel:
        with pictures_next_to(target, files, "mask") as pictures:
            yield MaskTable(card, pictures)
    else:
        yield ImageTable(card)


def _open_explainers(model: Model, maps: MapOptions, compute: Compute) -> list[Explainer]:
    """Return an explainer of each run.

    Raises `UserError` if there is no such method or block, if the model has no image classes, or if its head lacks the
    gradients that the method needs.
    """
    if problem := METHODS.problem(maps.method):
        raise UserError(f"--method: {problem}")
    if not TASKS[model.card["task"]].one_class:
        raise UserError(
            f"--explain: maps need a model that predicts one class of each image, which {model.name} does not"
        )
    head = model.card["strategy"]["head"]
    if METHODS[maps.method].needs_gradients and not HEADS[head].differentiable:
        raise UserError(f"--explain: {model.name} has head: {head}, whose outputs have no gradient for {maps.method}")
    return [
        open_explainer(load_run(model.folder, fold, seed), model.card, maps.block, "--block", compute)
        for fold, seed in model.runs
    ]
