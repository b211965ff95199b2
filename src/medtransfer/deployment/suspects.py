"""`medtransfer suspects`: images whose labels are most likely wrong, as a CSV to fill in and a sheet of pictures.

Labels are judged by predictions of images that did not train: those of the folds of a k-fold study, or of a plain model
on the features of a frozen backbone, cross-validated by group. Fixed test images are left alone: labels that
are corrected by a model favour it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.model import Model
from medtransfer.models.network import BATCH, to_channels_first
from medtransfer.study import Variant
from medtransfer.tasks import TASKS
from medtransfer.tasks.predictions import split_fractions
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_file
from medtransfer.util.places import Places
from medtransfer.util.progress import progress

FOLDS, SHOWN, COLUMNS = 5, 24, 6
HEADER = ["path", "label", "corrected", "suggested", "margin", "suspect"]


def write_suspects(model: Model, places: Places, target: Path, most: int) -> tuple[int, int]:
    """Write the `most` least plausible labels to a CSV, and a sheet of the first 24 as PNG next to it.

    Returns the number of images that were judged, and of those whose label is suspect. Raises `UserError` if images
    have no labels, or if the variant gives no predictions of images that did not train.
    """
    prepared = Prepared(places.prepared)
    task = TASKS[prepared.task]
    if task.per_pixel:
        raise UserError(f"suspects: judges labels of images, which {prepared.task} does not have")
    rows, answers = out_of_fold(model, prepared, places)
    doubts = task.doubts(prepared, rows, answers)
    chosen = doubts.order[:most]
    columns = {
        "path": prepared.table["path"].to_numpy()[rows],
        "label": task.shown_labels(prepared, rows),
        "corrected": "",
        "suggested": task.suggestions(prepared, rows, doubts),
        "margin": np.round(doubts.margin, 4),
        "suspect": np.where(doubts.suspect, "yes", "no"),
    }
    table = pd.DataFrame(columns)[HEADER].iloc[chosen]
    with atomic_file(target) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    _write_sheet(prepared, rows[chosen[:SHOWN]], table["label"].tolist(), target.with_suffix(".png"))
    return len(rows), int(doubts.suspect.sum())


def out_of_fold(model: Model, prepared: Prepared, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are judged, and their answers [rows, outputs] by models that they did not train."""
    task = TASKS[prepared.task]
    if (prepared.table["split"] == "rotating").all() and places.predictions(model.name).is_file():
        table = pd.read_parquet(places.predictions(model.name))
        if columns := task.predictions(split_fractions(table)[0]).averaged:
            mean = table[table["role"] == "test"].groupby("path")[columns].mean()
            return np.arange(len(prepared.table)), mean.reindex(prepared.table["path"]).to_numpy(np.float64)
    if Variant.from_card(model.card).strategy.trains_backbone:
        raise UserError(
            f"suspects: the backbone of {model.name} has trained on the labels; pass a variant with train: head, or "
            "use data.split: {method: kfold}, whose folds are predicted by models that they did not train"
        )
    rows = np.flatnonzero((prepared.table["split"] != "test").to_numpy())
    table = prepared.table.iloc[rows]
    if task.one_class and table.groupby("label")["group"].nunique().min() < 2:
        raise UserError("suspects: some class has only one group; cross-validation needs two or more of each")
    features = features_of(model, prepared, rows)

    def fit(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return task.fit_features(features[train], prepared, rows[train])

    return rows, cross_validated(features, table["group"].to_numpy(), table["label"].to_numpy(), fit)


def features_of(model: Model, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """Return the features of the frozen backbone, float32 [rows, width]; maps are averaged over their places."""
    from medtransfer.deployment.trained import load_run

    compute = model.compute()
    network = load_run(model.folder, *model.runs[0]).to(compute.device)
    found = []
    with torch.inference_mode(), compute.autocast(), progress(len(rows), "features", "image") as bar:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            features = network.features(to_channels_first(prepared.images[part]).to(compute.device)).float().cpu()
            found.append(features.flatten(2).mean(dim=2).numpy() if features.ndim > 2 else features.numpy())
            bar.update(len(part))
    return np.concatenate(found)


def cross_validated(
    features: np.ndarray,
    groups: np.ndarray,
    strata: np.ndarray,
    fit: Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]],
) -> np.ndarray:
    """Return the answers [images, outputs] for each of at most five parts by a model that the others were fitted to.

    No group is divided; strata are what parts are to have in common. fit: from positions of images to a function of
    features. Raises `UserError` if there is only one group.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if (count := len(np.unique(groups))) < 2:
        raise UserError("suspects: there is only one group; cross-validation needs two or more")
    parts = StratifiedGroupKFold(min(FOLDS, count), shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        folds = list(parts.split(features, strata, groups))
    found = [fit(train)(features[test]) for train, test in folds]
    answers = np.zeros((len(features), found[0].shape[1]))
    for (_, test), of_part in zip(folds, found, strict=True):
        answers[test] = of_part
    return answers


def _write_sheet(prepared: Prepared, rows: np.ndarray, labels: list[str], path: Path) -> None:
    """Draw the images with their labels, but without the suggested ones, which would sway the reviewer."""
    from medtransfer.util.plotting import new_figure, save_png
    from medtransfer.util.text import shortened

    lines = max(-(-len(rows) // COLUMNS), 1)
    figure = new_figure(1.7 * COLUMNS, 2.0 * lines)
    axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axis in axes[len(rows) :]:
        axis.set_axis_off()
    for axis, row, label in zip(axes, rows, labels, strict=False):
        axis.set_axis_off()
        axis.imshow(prepared.images[row].squeeze(), cmap="gray", vmin=0, vmax=255)
        name = Path(prepared.table["path"].iloc[row]).name
        axis.set_title(f"{shortened(name, 24)}\n{shortened(label, 24)}", fontsize=7)
    save_png(figure, path)
