"""A comparison of segmentation variants: each predicts the true masks, shifted by some pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from medtransfer.comparison.results import Comparison
from medtransfer.comparison.tables.segmentation import mask_table
from medtransfer.data.prepared import PIXEL, Prepared
from medtransfer.tasks import TASKS
from medtransfer.tasks.masks.predictions import MaskPredictions
from medtransfer.tasks.predictions import write_rows
from medtransfer.util.files import write_text
from medtransfer.util.places import Places

from .comparison import make_comparison
from .study import VARIANTS, make_study, write_places

SHIFTS = dict(zip(VARIANTS, (1, 2, 4, 12), strict=True))
IMAGES, SIDE = 20, 32
OF_CLASSES = ("calibration", "reliability", "operating", "curves", "per_class", "confusion", "images")


def true_masks() -> np.ndarray:
    """Return discs of increasing size; every fifth mask is empty."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    radii = np.linspace(3, 10, IMAGES)[:, None, None]
    masks = (rows - 15) ** 2 + (columns - 13) ** 2 < radii**2
    masks[::5] = False
    return masks.astype(np.uint8)


def opaque(uri: str) -> np.ndarray:
    """Return where a stencil is opaque."""
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGBA")
    return np.asarray(picture)[..., 3] > 0


def write_mask_places(root: Path, build_prepared: Callable[..., Prepared]) -> Places:
    """Write the files of a study of masks that the page is made from."""
    places, masks = write_places(root), true_masks()
    columns: dict[str, Any] = {"split": ["test"] * IMAGES, "label_index": [0] * IMAGES, PIXEL[0]: 1.0, PIXEL[1]: 1.0}
    built = build_prepared(images=masks[..., None] * 120 + 40, masks=masks, **columns)
    for file in built.folder.iterdir():
        file.replace(places.prepared / file.name)
    prepared = Prepared(places.prepared)
    rows = prepared.roles(0).test
    for name, shift in SHIFTS.items():
        found = np.roll(prepared.targets(rows), shift, axis=2)
        write_rows(places.predictions(name), [TASKS["segmentation"].frame(prepared, rows, found, 0, 0, "test")])
        header = "fold,seed,epoch,lr,train_loss,train_dice,validation_loss,validation_dice\n"
        write_text(places.model(name) / "history.csv", header + "0,0,0,.1,1,.5,1,.4\n0,0,1,.1,.5,.8,.6,.7\n")
    return places


def make_mask_comparison(places: Places) -> Comparison:
    """Return the comparison of these variants, with empty tables of classes and a table of masks."""
    found = make_comparison()
    empty = {name: getattr(found, name).iloc[:0] for name in OF_CLASSES}
    tables = [
        mask_table(name, MaskPredictions(pd.read_parquet(places.predictions(name))).of_role("test")) for name in SHIFTS
    ]
    about = found.about | {"masks": {"unit": "mm"}}
    table = found.table.rename(columns=lambda name: name.replace("roc_auc", "hd95"))
    return make_comparison(
        study=make_study(explained=()),
        classes=(),
        metrics=("accuracy", "hd95"),
        masks=pd.concat(tables, ignore_index=True),
        about=about,
        table=table,
        **empty,
    )
