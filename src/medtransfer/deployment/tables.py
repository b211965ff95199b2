"""Tables of predictions for images, by task, and the pictures that belong to them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from medtransfer.data.images.decode_masks import unfit_mask
from medtransfer.deployment.explain.sheet import overlay
from medtransfer.deployment.images import ImageBatch
from medtransfer.tasks import TASKS
from medtransfer.util.files import atomic_folder
from medtransfer.util.plotting import COLOURS
from medtransfer.util.text import FORMULA

if TYPE_CHECKING:
    from medtransfer.deployment.explain.explainer import Explainer

SHARE = "share_"

LONGEST = 768
"""The limit of a map's longer side in pixels: maps are coarse, and thousands of them have to fit on a disk."""


class ImageTable:
    """Path, and the columns of the task: for classes the predicted one and the probability of each."""

    def __init__(self, card: dict[str, Any]) -> None:
        self._task, self._outputs = TASKS[card["task"]], card["classes"]
        self.header = ["path", *self._task.columns(self._outputs)]

    def rows(self, batch: ImageBatch, answers: np.ndarray) -> list[list[str]]:
        """Return one row per image of a batch; answers: those of the task, [n, outputs]."""
        return [
            [path_cell(file), *self._task.cells(self._outputs, answer)]
            for file, answer in zip(batch.files, answers, strict=True)
        ]


class MapTable:
    """The columns of `ImageTable`, and the file of a map of the evidence for the largest output.

    The map is overlaid on the upright image, in its aspect ratio. It is the mean of the maps of all runs, each scaled
    to a maximum of 1.
    """

    def __init__(self, card: dict[str, Any], explainers: Sequence[Explainer], method: str, pictures: Pictures) -> None:
        self._images, self._resize = ImageTable(card), card["resize"]
        self._explainers, self._method, self._pictures = explainers, method, pictures
        self.header = [*self._images.header, "map"]

    def rows(self, batch: ImageBatch, answers: np.ndarray) -> list[list[str]]:
        """Return one row per image of a batch, and write the maps; see `ImageTable`."""
        classes = answers.argmax(axis=1)
        found = [explainer.maps(self._method, batch.pixels, classes) for explainer in self._explainers]
        mean = np.mean([_scaled(maps) for maps in found], axis=0)
        rows = self._images.rows(batch, answers)
        return [[*row, self._save(batch, number, mean[number])] for number, row in enumerate(rows)]

    def _save(self, batch: ImageBatch, number: int, found: np.ndarray) -> str:
        width, height = batch.sizes[number]
        shrink = min(1.0, LONGEST / max(width, height))
        picture = Image.fromarray(overlay(batch.pixels[number], found))
        shape = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        whole = unfit_mask(picture, *shape, self._resize, Image.Resampling.BICUBIC)
        return str(self._pictures.save(batch.files[number], whole))


class MaskTable:
    """Path, the file of the predicted mask, and the share of the image's pixels in each class of masks.

    A mask has the size of its upright image; its values are class numbers, displayed in colour.
    """

    def __init__(self, card: dict[str, Any], pictures: Pictures) -> None:
        outputs = card["classes"]
        self._resize, self._pictures, self._count = card["resize"], pictures, len(outputs)
        self.header = ["path", "mask", *(f"{SHARE}{name}" for name in outputs[1:])]
        shown = ["#FFFFFF"] if self._count == 2 else [COLOURS[n % len(COLOURS)] for n in range(self._count - 1)]
        self._palette = [round(255 * part) for colour in ("#000000", *shown) for part in to_rgb(colour)]

    def rows(self, batch: ImageBatch, answers: np.ndarray) -> list[list[str]]:
        """Return one row per image of a batch, and write the masks; answers: class numbers uint8 [n, size, size]."""
        return [self._row(file, size, mask) for file, size, mask in zip(batch.files, batch.sizes, answers, strict=True)]

    def _row(self, file: Path, size: tuple[int, int], mask: np.ndarray) -> list[str]:
        whole = unfit_mask(Image.fromarray(mask), *size, self._resize)
        shares = np.bincount(np.asarray(whole).ravel(), minlength=self._count) / (size[0] * size[1])
        whole.putpalette(self._palette)
        return [path_cell(file), str(self._pictures.save(file, whole)), *(f"{share:.6g}" for share in shares[1:])]


def path_cell(file: Path) -> str:
    """Return the path of a file for a table; one that a spreadsheet would run as a formula begins with `./`."""
    return f"./{file}" if FORMULA.match(str(file)) else str(file)


def _scaled(maps: np.ndarray) -> np.ndarray:
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)


class Pictures:
    """A folder with one picture per file, at the file's path below the common parent of all files.

    `scan.jpg` becomes `scan_KIND.png`; if a name is taken, a number is added. Pictures are written to `folder`, which
    will be renamed to `shown`.
    """

    def __init__(self, folder: Path, shown: Path, files: Sequence[Path], kind: str) -> None:
        self._folder, self._shown, self._kind = folder, shown, kind
        self._common = os.path.commonpath([file.absolute().parent for file in files])
        self._taken: set[Path] = set()

    def save(self, file: Path, picture: Image.Image) -> Path:
        """Write a file's picture and return its final path."""
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
def pictures_next_to(table: Path, files: Sequence[Path], kind: str) -> Iterator[Pictures]:
    """Open the folder `TABLE_KINDs`, which replaces an existing one when all pictures are written."""
    folder = table.with_name(f"{table.stem}_{kind}s")
    with atomic_folder(folder) as temporary:
        yield Pictures(temporary, folder, files, kind)
