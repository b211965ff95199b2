"""What is written of each predicted image, task by task."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from medtransfer.dataset.masks import unfit_mask
from medtransfer.deployment.images import ImageBatch
from medtransfer.deployment.pictures import Pictures
from medtransfer.evaluation.predictions import PREFIX
from medtransfer.plotting import COLOURS

SHARE = "share_"


class Rows(Protocol):
    """The columns of a table of predictions, and its rows."""

    header: list[str]

    def rows(self, batch: ImageBatch, answers: np.ndarray) -> list[list[str]]:
        """Give a row of text for each image of a batch, and write what belongs to it."""


class ClassRows:
    """Path, predicted class, and every class's probability in as few digits as give the float32 back."""

    def __init__(self, classes: list[str]) -> None:
        self._classes = classes
        self.header = ["path", "predicted", *(f"{PREFIX}{name}" for name in classes)]

    def rows(self, batch: ImageBatch, answers: np.ndarray) -> list[list[str]]:
        """See `Rows`; answers are probabilities [n, classes]."""
        best = answers.argmax(axis=1)
        return [
            [str(file), self._classes[number], *map(str, scores)]
            for file, number, scores in zip(batch.files, best, answers, strict=True)
        ]


class MaskRows:
    """Path, the file of the predicted mask, and the share of the image's pixels that each class of masks has.

    A mask has the size of its image, turned upright, and class numbers as its values, shown in colours.
    """

    def __init__(self, outputs: list[str], resize: str, pictures: Pictures) -> None:
        self._resize, self._pictures, self._count = resize, pictures, len(outputs)
        self.header = ["path", "mask", *(f"{SHARE}{name}" for name in outputs[1:])]
        shown = ["#FFFFFF"] if self._count == 2 else [COLOURS[n % len(COLOURS)] for n in range(self._count - 1)]
        self._palette = [round(255 * part) for colour in ("#000000", *shown) for part in to_rgb(colour)]

    def rows(self, batch: ImageBatch, answers: np.ndarray) -> list[list[str]]:
        """See `Rows`; answers are class numbers uint8 [n, size, size]."""
        return [self._row(file, size, mask) for file, size, mask in zip(batch.files, batch.sizes, answers, strict=True)]

    def _row(self, file: Path, size: tuple[int, int], mask: np.ndarray) -> list[str]:
        whole = unfit_mask(Image.fromarray(mask), *size, self._resize)  # type: ignore[arg-type]
        shares = np.bincount(np.asarray(whole).ravel(), minlength=self._count) / (size[0] * size[1])
        whole.putpalette(self._palette)
        return [str(file), str(self._pictures.save(file, whole)), *(f"{share:.6g}" for share in shares[1:])]
