"""A study with names that break a page without escaping, and the files that its page needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from medtransfer.data.prepared import ABOUT, TABLE
from medtransfer.data.prepared import IMAGES as PIXELS
from medtransfer.study import check_study
from medtransfer.util.files import write_json, write_text
from medtransfer.util.places import Places

TITLE = 'A <b>study</b> & its "title"'
CLASSES = ("<script>1</script>", "cyst & $x_1$", "normal")
SOURCE = "a report <img src=http://localhost/picture.png>"
VARIANTS = ("resnet_frozen", "resnet_tuned", "small_frozen", "small_tuned")
ACCURACY = dict(zip(VARIANTS, (0.9, 0.85, 0.6, 0.5), strict=True))
EXPLAINED = ("small_frozen", "resnet_frozen")
TEST_IMAGES = 24


def make_study(explained: tuple[str, ...] = EXPLAINED, **comparison: Any) -> Any:
    """Return a study of two backbones and two strategies."""
    strategies = {"frozen": {"train": "head"}, "tuned": {"train": "all"}}
    return check_study(
        {
            "study": {"name": "tiny", "title": TITLE, "seed": 3},
            "data": {
                "source": "folder",
                "folder": "somewhere",
                "layout": "class_folders",
                "group": None,
                "image_size": 32,
                "resize": "stretch",
                "split": {"method": "random"},
                "leakage": "fail",
            },
            "augmentation": {"none": {"views": 1, "transforms": []}},
            "backbones": {
                "resnet": {"model": "resnet18", "weights": "DEFAULT"},
                "small": {"model": "alexnet", "weights": "DEFAULT"},
            },
            "strategies": strategies,
            "training": {"seeds": [0, 1]},
            "variants": {
                f"{backbone}_{strategy}": {"backbone": backbone, "strategy": strategy, "augmentation": "none"}
                for backbone in ("resnet", "small")
                for strategy in strategies
            },
            "comparison": {"metric": "accuracy", "resamples": 300} | comparison,
            "explain": {"variants": list(explained)},
        },
        "params.yaml",
    )


def write_places(root: Path) -> Places:
    """Write the files that the page needs besides the tables of the comparison."""
    places, prepared = Places(root), root / "data" / "prepared"
    prepared.mkdir(parents=True)
    pd.DataFrame({"path": image_paths()}).to_parquet(prepared / TABLE)
    np.save(prepared / PIXELS, np.random.default_rng(0).integers(0, 255, (TEST_IMAGES, 16, 16, 1), np.uint8))
    write_json(prepared / ABOUT, {"classes": list(CLASSES)})
    for name in EXPLAINED:
        places.contact_sheet(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (300, 100), "white").save(places.contact_sheet(name))
    manifest = {
        "source": "folder",
        "reference": "<i>set</i>",
        "version": None,
        "licence": None,
        "files": 9,
        "sha256": "f" * 64,
    }
    write_json(root / "data" / "manifest.json", manifest)
    header = "fold,seed,epoch,lr,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
    for name in VARIANTS:
        weights = {"source": "torchvision", "reference": "IMAGENET1K_V1", "sha256": "a" * 64}
        write_json(places.model(name) / "card.json", {"weights": weights})
        epochs = range(1 if name == "small_frozen" else 4)
        rows = [
            f"0,{seed},{epoch},.1,{1 / (epoch + 1)},.5,{1.2 / (epoch + 1)},.5" for seed in (0, 1) for epoch in epochs
        ]
        write_text(places.model(name) / "history.csv", header + "\n".join(rows) + "\n")
    return places


def image_paths() -> list[str]:
    """Name the test images; one of the names tries to leave its attribute."""
    return [f'"><img src="http://localhost/{number}">.png' for number in range(TEST_IMAGES)]
