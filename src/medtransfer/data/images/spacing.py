"""The size of a packed pixel: in pixels of the original image, or in mm if their side is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.data.images.decode import Resize
from medtransfer.data.layouts.tables import match_images, read_table
from medtransfer.study import Spacing
from medtransfer.util.errors import UserError, near

PIXELS, MILLIMETRES = "px", "mm"


def pixel_sides(shapes: pd.DataFrame, size: int, resize: Resize) -> np.ndarray:
    """Return the height and width of a packed pixel in pixels of its image: float64 [images, 2].

    `shapes` has the columns width and height. Pixels of stretched images are not square.
    """
    height, width = (shapes[name].to_numpy(np.float64) for name in ("height", "width"))
    if resize == "crop":
        height = width = np.minimum(height, width)
    elif resize == "pad":
        height = width = np.maximum(height, width)
    return np.stack([height, width], axis=1) / size


def read_spacing(root: Path, base: str, spacing: Spacing, paths: list[str]) -> np.ndarray:
    """Return the side of an original pixel of each image in mm, float64 [paths], from the params or their CSV.

    Raises `UserError` with every image for which the CSV does not have a number above 0.
    """
    if spacing.mm is not None:
        return np.full(len(paths), spacing.mm)
    where = f"data.masks.spacing: {spacing.file}"
    try:
        table = read_table(root / base / str(spacing.file))
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: not a readable CSV table: {' '.join(str(error).split())}") from None
    for name in (spacing.image, spacing.column):
        if name not in table:
            raise UserError(f"{where} has no column {name!r}{near(str(name), table.columns)}")
    matches = match_images(root, root / base, [root / path for path in paths], table[spacing.image].str.strip())
    values = pd.to_numeric(table[spacing.column], errors="coerce").to_numpy(np.float64)
    known = {path: value for path, value in zip(matches.paths, values, strict=True) if path}
    wrong = [path for path in paths if not known.get(path, np.nan) > 0]
    if wrong:
        raise UserError([f"{where}: expected a number above 0 for {path}, but got none" for path in wrong])
    return np.array([known[path] for path in paths])
