"""Where the pictures that go with a table lie: in a folder beside it, named like the images they belong to; What is written of each predicted image, task by task."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from medtransfer.data.images.decode_masks import unfit_mask
from medtransfer.deployment.images import ImageBatch
from medtransfer.tasks.classes.predictions import PREFIX
from medtransfer.util.files import atomic_folder
from medtransfer.util.plotting import COLOURS


class Pictures:
    """A folder with a picture for each of `files`, at the same place below what all files have in common.

    `scan.jpg` becomes `scan_KIND.png`; where two images would share a name the later one gets a number. The pictures
    are written to `folder`, which is to become `shown`.
    """

    def __init__(self, folder: Path, shown: Path, files: Sequence[Path], kind: str) -> None:
        self._folder, self._shown, self._kind = folder, shown, kind
        self._common = os.path.commonpath([file.absolute().parent for file in files])
        self._taken: set[Path] = set()

    def save(self, file: Path, picture: Image.Image) -> Path:
        """Write a file's picture and give the path that it will have."""
        relative = Path(os.path.relpath(file.absolute(), self._common))
        number, path = 1, relative.with_name(f"{relative.stem}_{self._kind}.png")
        while path in self._taken:
            number += 1
            path = relative.with_name(f"{relative.stem}_{number}_{self._kind}.png")
        self._taken.add(path)
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        picture.save(self._folder / path)
        return self._shown / path


@contextmanager
def pictures_beside(table: Path, files: Sequence[Path], kind: str) -> Iterator[Pictures]:
    """Open the folder `TABLE_KINDs`, which replaces what is there once all its pictures are written."""
    folder = table.with_name(f"{table.stem}_{kind}s")
    with atomic_folder(folder) as temporary:
        yield Pictures(temporary, folder, files, kind)


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
