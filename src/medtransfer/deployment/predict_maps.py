"""Maps of where a trained variant looks, as pictures beside its table of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from medtransfer.data.images.decode_masks import unfit_mask
from medtransfer.deployment.explain.maps import Explainer, open_explainer
from medtransfer.deployment.explain.sheet import overlay
from medtransfer.deployment.images import ImageBatch
from medtransfer.deployment.model import Model
from medtransfer.deployment.rows import ClassRows, Pictures
from medtransfer.deployment.trained import load_run
from medtransfer.study import METHODS, WITH_GRADIENTS
from medtransfer.util.compute import Compute
from medtransfer.util.errors import UserError, near

LONGEST = 768
"""Pixels of a map's longer side at most: a map has no more detail, and thousands of them have to fit on a disk."""


@dataclass(frozen=True)
class Maps:
    """Which maps are asked for: by which method, and of which block; None for the last that gives any."""

    method: str = "grad_cam"
    block: str | None = None


class MapRows:
    """What `ClassRows` says, and the file of a map of what speaks for the predicted class.

    The map is laid over the image, at its shape, turned upright, and is the mean over runs of theirs, each scaled to 1
    at its highest point.
    """

    def __init__(self, card: dict[str, Any], explainers: Sequence[Explainer], method: str, pictures: Pictures) -> None:
        self._rows, self._resize = ClassRows(card["classes"]), card["resize"]
        self._explainers, self._method, self._pictures = explainers, method, pictures
        self.header = [*self._rows.header, "map"]

    def rows(self, batch: ImageBatch, answers: np.ndarray) -> list[list[str]]:
        """See `Rows`; answers are probabilities [n, classes]."""
        classes = answers.argmax(axis=1)
        found = [explainer.maps(self._method, batch.pixels, classes) for explainer in self._explainers]
        mean = np.mean([_scaled(maps) for maps in found], axis=0)
        rows = self._rows.rows(batch, answers)
        return [[*row, self._save(batch, number, mean[number])] for number, row in enumerate(rows)]

    def _save(self, batch: ImageBatch, number: int, found: np.ndarray) -> str:
        width, height = batch.sizes[number]
        shrink = min(1.0, LONGEST / max(width, height))
        picture = Image.fromarray(overlay(batch.pixels[number], found))
        shape = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        whole = unfit_mask(picture, *shape, self._resize, Image.Resampling.BICUBIC)
        return str(self._pictures.save(batch.files[number], whole))


def open_explainers(model: Model, maps: Maps, compute: Compute) -> list[Explainer]:
    """Load the model's runs for mapping.

    Raises `UserError` where there is no such method or block, the model has no classes, or the method needs gradients
    that its head has not.
    """
    if maps.method not in METHODS:
        raise UserError(f"--method: no {maps.method!r}{near(maps.method, METHODS)}")
    if model.card["task"] == "segmentation":
        raise UserError(f"--explain: {model.name} segments; maps show what speaks for a class of images")
    if model.card["strategy"]["head"] == "knn" and maps.method in WITH_GRADIENTS:
        raise UserError(f"--explain: {model.name} has head: knn, whose votes have no gradient; --method occlusion")
    return [
        open_explainer(load_run(model.folder, fold, seed), model.card, maps.block, "--block", compute)
        for fold, seed in model.runs
    ]


def _scaled(maps: np.ndarray) -> np.ndarray:
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)
