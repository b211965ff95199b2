"""A study of one small network that is explained."""

from __future__ import annotations

from typing import Any

from medtransfer.study import Study, check_study


def explained_study(**section: Any) -> Study:
    """Return the study of `builders.tiny_inputs` with the given section `explain`."""
    return check_study(
        {
            "study": {"name": "tiny", "title": "Tiny", "seed": 3},
            "data": {
                "source": "folder",
                "folder": ".",
                "layout": "one_hot_csv",
                "group": None,
                "image_size": 32,
                "resize": "stretch",
                "split": {"method": "published"},
                "leakage": "fail",
            },
            "augmentation": {"none": {"views": 1, "transforms": []}},
            "backbones": {"cnn_small": {"weights": "none"}},
            "strategies": {"tiny": {"init": "random", "train": "all"}},
            "training": {"seeds": [0, 1]},
            "variants": {"tiny": {"backbone": "cnn_small", "strategy": "tiny", "augmentation": "none"}},
            "comparison": {"metric": "accuracy", "resamples": 300},
            "explain": {"variants": ["tiny"]} | section,
        },
        "params.yaml",
    )
