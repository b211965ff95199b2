"""How images look, by class and by split: worked by hand."""

from __future__ import annotations

import pandas as pd

from medtransfer.data.audit.shortcuts import appearance_by, file_types

TABLE = pd.DataFrame(
    {
        "path": ["a/1.jpeg", "a/2.JPG", "b/3.png", "b/4.png", "b/5.tiff"],
        "label": ["cyst", "cyst", "normal", "normal", "normal"],
        "width": [100, 300, 64, 64, 64],
        "height": [80, 80, 64, 64, 64],
        "mode": ["L", "RGB", "L", "L", "I;16"],
        "brightness": [10.0, 20.06, 1.0, 2.0, 250.0],
    }
)


def test_file_types_have_one_name_each() -> None:
    paths = ["a.JPG", "b.jpeg", "c.tiff", "d.tif", "e.x.PNG", "f", "folder.d/g"]
    assert file_types(paths) == ["jpg", "jpg", "tif", "tif", "png", "none", "none"]


def test_appearance_by_class_worked_by_hand() -> None:
    assert appearance_by(TABLE, "label") == {
        "cyst": {
            "images": 2,
            "width": [100.0, 200.0, 300.0],
            "height": [80.0, 80.0, 80.0],
            "brightness": [10.0, 15.0, 20.1],
            "modes": {"L": 1, "RGB": 1},
            "file_types": {"jpg": 2},
        },
        "normal": {
            "images": 3,
            "width": [64.0, 64.0, 64.0],
            "height": [64.0, 64.0, 64.0],
            "brightness": [1.0, 2.0, 250.0],
            "modes": {"I;16": 1, "L": 2},
            "file_types": {"png": 2, "tif": 1},
        },
    }
