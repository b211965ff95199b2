"""Whether a search that validation rows judge makes test scores too good: 200 repetitions on simulated features.

    python benchmarks/search_optimism.py          # writes benchmarks/results/search_optimism.md
    python benchmarks/search_optimism.py quick    # ten repetitions, as a smoke test

In each repetition a new set is drawn: two classes of which a few of 50 features tell. A search of 20 trials trains
logistic regressions by gradient descent and keeps the one with the highest accuracy on validation rows. Its accuracy
on 200 test rows, and on the validation rows, is compared with the truth: its accuracy on 50,000 further rows.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy.special import expit
from workload import publish

from medtransfer.study import Strategy
from medtransfer.training.search import COMPLETE, Trial, Trials
from medtransfer.util.text import markdown_table

REPETITIONS, TRIALS, EPOCHS = 200, 20, 30
FEATURES, TELLING, DISTANCE = 50, 5, 0.35
ROWS = {"train": 100, "validation": 60, "test": 200, "truth": 50_000}
SEARCH = {"space": {"lr": {"log": [1e-3, 3.0]}, "weight_decay": {"log": [1e-4, 1.0]}}, "trials": TRIALS}

Part = tuple[np.ndarray, np.ndarray]


def drawn(rng: np.random.Generator, rows: int) -> Part:
    """Draw features [rows, features] and labels, -1 or 1, [rows]."""
    labels = rng.choice([-1.0, 1.0], rows)
    features = rng.normal(size=(rows, FEATURES))
    features[:, :TELLING] += DISTANCE * labels[:, None]
    return features, labels


def accuracy_of(weights: np.ndarray, part: Part) -> float:
    """Return the share of rows on the right side."""
    return float((part[1] * (part[0] @ weights) > 0).mean())


def trained(values: dict[str, Any], train: Part, validation: Part) -> tuple[np.ndarray, list[float]]:
    """Train by gradient descent; return the weights and the share of wrong validation rows after each epoch."""
    (features, labels), weights, errors = train, np.zeros(FEATURES), []
    for _ in range(EPOCHS):
        slopes = -labels * expit(-labels * (features @ weights))
        weights = weights - values["lr"] * (features.T @ slopes / len(labels) + values["weight_decay"] * weights)
        errors.append(1 - accuracy_of(weights, validation))
    return weights, errors


def searched(seed: int, parts: dict[str, Part]) -> np.ndarray:
    """Search, and return the weights of the best trial."""
    strategy = Strategy.model_validate({"epochs": EPOCHS, "search": SEARCH})
    trials, best = Trials(strategy, (seed, 0)), np.zeros(FEATURES)
    while proposals := trials.proposals():
        for values in proposals:
            weights, errors = trained(values, parts["train"], parts["validation"])
            if trials.add(Trial(values, COMPLETE, errors, EPOCHS - 1, 0.0, 1 - errors[-1], 0.0)):
                best = weights
    return best


def optimism(seed: int) -> tuple[float, float]:
    """Return by how much the accuracy on validation and on test rows is above the truth, in one repetition."""
    rng = np.random.default_rng(seed)
    parts = {name: drawn(rng, rows) for name, rows in ROWS.items()}
    weights = searched(seed, parts)
    truth = accuracy_of(weights, parts["truth"])
    return accuracy_of(weights, parts["validation"]) - truth, accuracy_of(weights, parts["test"]) - truth


def main(quick: bool) -> None:
    """Measure and publish."""
    repetitions = 10 if quick else REPETITIONS
    found = 100 * np.array([optimism(seed) for seed in range(repetitions)])
    errors = found.std(axis=0, ddof=1) / np.sqrt(repetitions)
    rows = [
        [name, f"{mean:+.2f}", f"{error:.2f}"]
        for name, mean, error in zip(("validation", "test"), found.mean(axis=0), errors, strict=True)
    ]
    header = [f"accuracy less truth, {repetitions} repetitions", "points", "standard error"]
    said = f"A search of {TRIALS} trials on {ROWS['train']} training, {ROWS['validation']} validation rows."
    publish("search_optimism", markdown_table(header, rows), said, keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
