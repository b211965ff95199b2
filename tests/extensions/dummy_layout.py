"""A layout from outside: the one-hot CSV of each split, read with pandas alone."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medtransfer.data.layouts import LAYOUTS, LayoutFormat
from medtransfer.study import Layout


def read(root: Path, layout: Layout, images: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    rows = []
    for folder, split in (("train", "train"), ("valid", "val"), ("test", "test")):
        table = pd.read_csv(root / folder / "_classes.csv", index_col=0, skipinitialspace=True)
        rows += [
            {"path": f"{folder}/{name}", "label": str(label).strip(), "split": split}
            for name, label in table.idxmax(axis=1).items()
        ]
    return pd.DataFrame(rows), []


LAYOUTS.register("marks_of_splits", LayoutFormat(read))
