"""Measure the effect of leaving a frozen backbone's batch norms in training mode, as after `model.train()`.

    python benchmarks/frozen_batch_norm.py          # writes benchmarks/results/frozen_batch_norm.md
    python benchmarks/frozen_batch_norm.py quick    # few images and epochs, as a smoke test

Both ways train a network's own classifier on the published split of `fetal_head`, as in the report: Adam, 1e-4, 50
epochs, flips and rotations. In the project, frozen layers keep the statistics of ImageNet; in the plain loop with
moving statistics, they normalise each batch by its own, and evaluate with running ones of these images.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from plain_loop import train_plainly
from workload import (
    about,
    drawn,
    first_rows,
    inputs_of,
    part_of,
    policy_of,
    prepared_set,
    publish,
    scratch,
    test_probabilities,
    train,
    weights_of,
)

from medtransfer.augmentation.store import Views
from medtransfer.data.prepared import Prepared
from medtransfer.training.runs import Inputs
from medtransfer.util.compute import choose_compute
from medtransfer.util.text import in_figures, markdown_table

MODELS, VIEWS, EPOCHS = ("mobilenet_v3_small", "resnet50"), 8, 50
STRATEGY = {"head": "own", "lr": 1e-4}


def accuracy(prepared: Prepared, probabilities: np.ndarray) -> str:
    """Return the test accuracy."""
    right = prepared.table["label_index"].to_numpy()[prepared.roles(0).test]
    return in_figures(float((probabilities.argmax(axis=1) == right).mean()))


def row(inputs: Inputs, fresh: Views, epochs: int, folder: Path) -> list[str]:
    """Train both ways and return the table row."""
    train(inputs, folder)
    fixed = test_probabilities(inputs, folder)[0]
    moving = train_plainly(inputs, fresh, 0, epochs, torch.channels_last, moving_statistics=True).probabilities
    return [inputs.variant.model, accuracy(inputs.prepared, fixed), accuracy(inputs.prepared, moving)]


def main(quick: bool) -> None:
    """Measure and publish."""
    epochs, precision = (2, "float32") if quick else (EPOCHS, "bfloat16")
    computing = choose_compute("auto")
    with scratch() as folder:
        prepared = prepared_set(folder / "set")
        said = about(prepared)
        if quick:
            prepared = part_of(prepared, folder / "part", first_rows(prepared, 64, 32, 32))
        policy = policy_of(VIEWS)
        views, fresh = (drawn(prepared, one, folder / f"{one.views}") for one in (policy, policy_of("fresh")))
        rows = []
        for model in MODELS[:1] if quick else MODELS:
            weights = weights_of(model, folder / "weights")
            inputs = inputs_of(prepared, views, policy, weights, [0], epochs=epochs, **STRATEGY)
            rows.append(row(replace(inputs, compute=computing), fresh, epochs, folder / model))
        header = ["Test accuracy", "ImageNet statistics", "moving statistics"]
        task = f"Only the classifier is trained: {epochs} epochs, Adam, learning rate 1e-4, one seed, {precision}."
        publish("frozen_batch_norm", task, markdown_table(header, rows), said, keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
