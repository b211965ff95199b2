"""A NumPy archive with the arrays `train_images`, `train_labels` and so on, as MedMNIST publishes its sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from medtransfer.data.images.arrays import IMAGES, LABELS, array_headers, open_array, row_path
from medtransfer.data.layouts import LAYOUTS, LayoutFormat, Reading
from medtransfer.study import Layout

SPLITS = ("train", "val", "test")
SUFFIX = ".npz"


def read_npz(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the arrays of `layout.file`: images, [n, h, w] or [n, h, w, 3], and labels, [n] or [n, 1], of each split."""
    file = root / str(layout.file)
    if not file.is_file():
        return pd.DataFrame(), [f"data.layout.file: {layout.file} is not in the set"]
    try:
        headers = array_headers(file)
    except ValueError as error:
        return pd.DataFrame(), [f"{layout.file}: {error}"]
    splits = _splits(headers)
    problems = [problem for split in splits for problem in _problems(str(layout.file), split, headers)]
    if not splits:
        problems = [f"{layout.file}: expected arrays train_images and train_labels, but got {', '.join(headers)}"]
    if problems:
        return pd.DataFrame(), problems
    rows = [
        {"path": row_path(str(layout.file), split, row), "label": str(label), "split": split}
        for split in splits
        for row, label in enumerate(np.asarray(open_array(file, LABELS.format(split))).reshape(-1).tolist())
    ]
    return pd.DataFrame(rows), []


def detect_npz(root: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
    """Return a reading for each archive with images and labels."""
    found = []
    for file in files:
        if file.suffix.lower() == SUFFIX:
            try:
                splits = _splits(array_headers(root / file))
            except ValueError:
                continue
            found += [Reading(Layout(kind="npz", file=str(file)), "named")] if splits else []
    return found


LAYOUTS.register("npz", LayoutFormat(read_npz, detect_npz))


def _splits(headers: dict[str, tuple[tuple[int, ...], np.dtype]]) -> list[str]:
    return [split for split in SPLITS if {IMAGES.format(split), LABELS.format(split)} <= headers.keys()]


def _problems(where: str, split: str, headers: dict[str, tuple[tuple[int, ...], np.dtype]]) -> list[str]:
    images, labels = headers[IMAGES.format(split)][0], headers[LABELS.format(split)][0]
    if len(images) not in (3, 4) or (len(images) == 4 and images[3] != 3):
        kind = "volumes" if len(images) in (4, 5) else "arrays"
        return [f"{where}: {split}_images are {kind} of shape {images[1:]}; expected grey or RGB images"]
    if len(labels) not in (1, 2) or labels[1:] not in ((), (1,)):
        return [f"{where}: {split}_labels are several labels per image, of shape {labels[1:]}; expected one class"]
    if images[0] != labels[0]:
        return [f"{where}: {images[0]} images but {labels[0]} labels of split {split}"]
    return []
