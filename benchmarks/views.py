"""Measure the test accuracy of a frozen backbone by number of views, on two sets.

    python benchmarks/views.py          # writes benchmarks/results/views.md
    python benchmarks/views.py quick    # few images and epochs, as a smoke test

Epoch e trains on view e mod K, so 50 views mean a new view in each of the 50 epochs. The 95 % intervals are of the mean
over seeds, from a bootstrap over groups of images; differences between two numbers of views are more certain, since
both are tested on the same images.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
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

from medtransfer.data.prepared import Prepared
from medtransfer.statistics.intervals import standard_error, transformed_interval
from medtransfer.statistics.resampling import Resamples, draw
from medtransfer.training.runs import Inputs
from medtransfer.util.seeds import generator
from medtransfer.util.text import in_figures, markdown_table

MODEL, EPOCHS, SEEDS, RESAMPLES = "mobilenet_v3_small", 50, [0, 1, 2], 2000
HEADS = {"linear, lr 0.001": ("linear", 1e-3), "own, lr 0.001": ("own", 1e-3), "own, lr 0.0001": ("own", 1e-4)}
"""A dense layer on the features, and the model's own classifier with two layers."""

VIEWS = (0, 1, 2, 4, 8, 16, 25, 50)
SETS = ("fetal_head", "brain_mri")


def right_answers(inputs: Inputs, folder: Path) -> np.ndarray:
    """Train all seeds; return the share of them that classify each test image correctly."""
    train(inputs, folder)
    test = inputs.prepared.table["label_index"].to_numpy()[inputs.prepared.roles(0).test]
    return (test_probabilities(inputs, folder).argmax(axis=2) == test).mean(axis=0)


def with_interval(right: np.ndarray, resamples: Resamples) -> str:
    """Format the accuracy with its interval."""
    value, error = float(right.mean()), standard_error(resamples.means(right[:, None])[:, 0], resamples.groups)
    low, high = transformed_interval(value, error, resamples.groups - 1, 0.95)
    return f"{in_figures(value)} [{in_figures(low)}, {in_figures(high)}]"


def curve(prepared: Prepared, counts: tuple[int, ...], epochs: int, folder: Path) -> list[list[str]]:
    """Return one table row per number of views, with one column per head."""
    weights, test = weights_of(MODEL, folder / "weights"), prepared.roles(0).test
    resamples = draw(prepared.table["group"].to_numpy()[test], RESAMPLES, generator("views"))
    most, none = (drawn(prepared, policy_of(count), folder / f"views{count}") for count in (max(counts), 0))
    rows = []
    for count in counts:
        views: Any = most if count else none
        views.count = count or 1  # they start with the views of a policy with fewer
        right = [
            right_answers(
                inputs_of(prepared, views, policy_of(count), weights, SEEDS, epochs=epochs, head=head, lr=rate),
                folder / f"{count}_{head}_{rate}",
            )
            for head, rate in HEADS.values()
        ]
        rows.append([f"{count}" if count else "no augmentation", *(with_interval(each, resamples) for each in right)])
    return rows


def main(quick: bool) -> None:
    """Measure each set and publish."""
    parts, header = [], ["views", *HEADS]
    with scratch() as folder:
        for name in SETS:
            prepared = prepared_set(folder / name, name)
            said = about(prepared, name)
            if quick:
                prepared = part_of(prepared, folder / f"part_{name}", first_rows(prepared, 64, 16, 32))
            work = ((0, 2), 2) if quick else (VIEWS, EPOCHS)
            groups = prepared.table["group"].iloc[prepared.roles(0).test]
            test = f"Test: {len(groups)} images of {groups.nunique()} groups."
            parts += [f"{said} {test}", markdown_table(header, curve(prepared, *work, folder / f"of_{name}"))]
        publish("views", f"Test accuracy, {MODEL}, frozen, mean of {len(SEEDS)} seeds.", *parts, keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
