"""What all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from medtransfer.data.prepared import Prepared

os.environ.setdefault("MEDTRANSFER_TRACKING", "off")
os.environ.setdefault("MEDTRANSFER_THREADS", "1")  # each test process has a core: threads would wait for one another
os.environ["MEDTRANSFER_CACHE"] = ".medtransfer"  # in the folder of each test, and not the user's
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background deaf to Ctrl-C

FIRST = ("pipeline/test_repro.py", "pipeline", "training", "deployment", "models", "features")
"""Folders and files of long tests, which start first, so that all processes end at about the same time."""

settings.register_profile("unhurried", deadline=None)  # on a busy machine any example takes its time
settings.load_profile("unhurried")

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by `FIRST`."""

    def rank(item: pytest.Item) -> int:
        place = item.path.relative_to(ROOT / "tests").as_posix()
        return next((number for number, name in enumerate(FIRST) if place.startswith(name)), len(FIRST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the project."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real images and weights next to the project, or skip."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the real images and weights in ../shared, which are not here")
    return folder


@pytest.fixture(scope="session")
def build_prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Prepared]:
    """Return a function that writes a prepared set of any table and pixels, in the layout of `prepare`.

    It takes the columns of the table that matter (label_index, split, and perhaps fold, path, group) and the
    images [n, size, size, channels]; without images, each row is filled with its own number. With masks
    [n, size, size] it is a set for segmentation.
    """
    from medtransfer.data.prepared import ABOUT, IMAGES, MASKS, TABLE, Prepared
    from medtransfer.util.files import write_json

    def build(images: np.ndarray | None = None, masks: np.ndarray | None = None, **columns: Any) -> Prepared:
        count = len(columns["label_index"])
        names = [f"image{number:03}.png" for number in range(count)]
        table = pd.DataFrame({"path": names, "group": names, "fold": -1} | columns)
        classes = [f"class{number}" for number in range(int(table["label_index"].max()) + 1)]
        table["label"] = [classes[number] for number in table["label_index"]]
        if images is None:
            images = np.zeros((count, 4, 4, 1), np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None, None]
        folder = tmp_path_factory.mktemp("prepared")
        table.to_parquet(folder / TABLE, index=False)
        np.save(folder / IMAGES, images)
        folds = max(int(table["fold"].max()) + 1, 1)
        about = {
            "task": "classification",
            "per_pixel": False,
            "classes": classes,
            "folds": folds,
            "pixels_sha256": "0" * 64,
            "table_sha256": "2" * 64,
            "warnings": [],
        }
        if masks is not None:
            np.save(folder / MASKS, masks)
            names = [f"class{number}" for number in range(1, int(masks.max()) + 1)]
            about |= {
                "task": "segmentation",
                "per_pixel": True,
                "masks": {"classes": names, "sha256": "1" * 64, "unit": "px"},
            }
        write_json(folder / ABOUT, about)
        return Prepared(folder)

    return build
