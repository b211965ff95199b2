"""`medtransfer suspects`: images whose label is least believed, as a CSV to fill in and a sheet of pictures.

Labels are judged by predictions of images that did not train: those of the folds of a k-fold study, or of a logistic
regression on the features of a frozen backbone, cross-validated by group. Fixed test images are left alone: labels that
are corrected by a model favour it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.model import Model
from medtransfer.models.heads.logistic import LogisticHead
from medtransfer.models.network import BATCH, to_channels_first
from medtransfer.statistics.label_errors import LabelDoubts, label_doubts
from medtransfer.study import Variant
from medtransfer.tasks import TASKS
from medtransfer.tasks.classes.predictions import PREFIX
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_file
from medtransfer.util.places import Places
from medtransfer.util.progress import progress

FOLDS, SHOWN, COLUMNS = 5, 24, 6
HEADER = ["path", "label", "corrected", "suggested", "margin", "suspect"]


def write_suspects(model: Model, places: Places, target: Path, most: int) -> tuple[int, int]:
    """Write the `most` least believed labels to a CSV, and a sheet of the first 24 as PNG next to it.

    Returns the number of labels that were judged, and of those that are suspect. Raises `UserError` if images do not
    have one class each, or if the variant gives no predictions of images that did not train.
    """
    prepared = Prepared(places.prepared)
    if not TASKS[prepared.task].one_class:
        raise UserError(f"suspects: images need one class each, which those of {prepared.task} do not have")
    rows, probabilities = out_of_fold(model, prepared, places)
    labels = prepared.table["label_index"].to_numpy()[rows]
    doubts = label_doubts(labels, probabilities)
    chosen = doubts.order[:most]
    _write_table(prepared, rows, doubts, chosen, target)
    _write_sheet(prepared, rows[chosen[:SHOWN]], target.with_suffix(".png"))
    return len(rows), int(doubts.suspect.sum())


def out_of_fold(model: Model, prepared: Prepared, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are judged, and their probabilities [rows, classes] by models that they did not train."""
    if (prepared.table["split"] == "rotating").all() and places.predictions(model.name).is_file():
        return np.arange(len(prepared.table)), _of_folds(prepared, places.predictions(model.name))
    if Variant.from_card(model.card).strategy.trains_backbone:
        raise UserError(
            f"suspects: the backbone of {model.name} has trained on the labels; pass a variant with train: head, or "
            "use data.split: {method: kfold}, whose folds are predicted by models that they did not train"
        )
    rows = np.flatnonzero((prepared.table["split"] != "test").to_numpy())
    labels = prepared.table["label_index"].to_numpy()[rows]
    groups = prepared.table["group"].to_numpy()[rows]
    return rows, cross_validated(features_of(model, prepared, rows), labels, groups, len(prepared.classes))


def _of_folds(prepared: Prepared, path: Path) -> np.ndarray:
    """Return the mean over seeds of the probabilities of each image in the fold that it tests."""
    table = pd.read_parquet(path)
    columns = [f"{PREFIX}{name}" for name in prepared.classes]
    mean = table[table["role"] == "test"].groupby("path")[columns].mean()
    return mean.reindex(prepared.table["path"]).to_numpy(np.float64)


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


def cross_validated(features: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """Return the probabilities [images, classes] of each of at most five parts by a logistic regression on the others.

    No group is divided. Raises `UserError` if some class has a single group.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(groups[labels == number])) for number in np.unique(labels))
    if fewest < 2:
        raise UserError("suspects: some class has only one group; cross-validation needs two or more of each")
    probabilities = np.zeros((len(labels), classes))
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=0)
    for train, test in folds.split(features, labels, groups):
        head = LogisticHead(features.shape[1], classes)
        head.fit(torch.from_numpy(features[train]), torch.from_numpy(labels[train]))
        with torch.inference_mode():
            probabilities[test] = head(torch.from_numpy(features[test])).softmax(dim=1).numpy()
    return probabilities


def _write_table(prepared: Prepared, rows: np.ndarray, doubts: LabelDoubts, chosen: np.ndarray, path: Path) -> None:
    """Write one row per image, with an empty cell for the correct label."""
    names, table = np.array(prepared.classes), prepared.table.iloc[rows[chosen]]
    columns = {
        "path": table["path"].to_numpy(),
        "label": table["label"].to_numpy(),
        "corrected": "",
        "suggested": names[doubts.suggested[chosen]],
        "margin": np.round(doubts.margin[chosen], 4),
        "suspect": np.where(doubts.suspect[chosen], "yes", "no"),
    }
    with atomic_file(path) as temporary:
        pd.DataFrame(columns)[HEADER].to_csv(temporary, index=False, lineterminator="\n")


def _write_sheet(prepared: Prepared, rows: np.ndarray, path: Path) -> None:
    """Draw the images with their labels, but not what is suggested, which would sway who looks at them."""
    from medtransfer.util.plotting import new_figure, save_png
    from medtransfer.util.text import shortened

    lines = max(-(-len(rows) // COLUMNS), 1)
    figure = new_figure(1.7 * COLUMNS, 2.0 * lines)
    axes = figure.subplots(lines, COLUMNS, squeeze=False).flat
    for axis, row in zip(axes, [*rows, *[None] * COLUMNS * lines], strict=False):
        axis.set_axis_off()
        if row is None:
            continue
        axis.imshow(prepared.images[row].squeeze(), cmap="gray", vmin=0, vmax=255)
        image = prepared.table.iloc[row]
        axis.set_title(f"{shortened(Path(image['path']).name, 24)}\n{shortened(str(image['label']), 24)}", fontsize=7)
    with atomic_file(path) as temporary:
        save_png(figure, temporary, dpi=110)
