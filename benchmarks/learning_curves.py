"""How often the projection to twice the images contains the truth, and how often it is refused.

    python benchmarks/learning_curves.py          # writes benchmarks/results/learning_curves.md
    python benchmarks/learning_curves.py quick    # few repetitions, as a smoke test

The true error of a variant is a + b n^-c. A set of test images is drawn, each with a difficulty that all trainings
share; groups share a part of it. Trainings on six fractions, three seeds each, have true errors that scatter by 8 %
around the curve. Each set is scored and projected as `compare` does.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.stats import norm
from workload import publish

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.fractions import TWICE, Curve, projection, variance_by_chance
from medtransfer.comparison.scores import Scores, estimate
from medtransfer.util.text import markdown_table

REPETITIONS, RESAMPLES, SEEDS, SCATTER = 1000, 500, 3, 0.08
FRACTIONS, LARGEST = np.array([0.05, 0.1, 0.2, 0.35, 0.6, 1.0]), 2000
SHARED, OF_GROUP = 0.6, 0.5
"""The shares of an image's difficulty that all trainings see, and, of this, that its group shares."""
CURVES = {
    "floor .10, steep": (0.10, 0.10, 0.7),
    "floor .05, shallow": (0.05, 0.15, 0.3),
    "no floor": (0.0, 0.2, 0.25),
    "saturated": (0.2, 0.01, 1.0),
}
SETS = {"200 single images": (200, 1), "600 single images": (600, 1), "60 groups of 6": (60, 6)}


def errors_at(curve: tuple[float, float, float], sizes: np.ndarray | float) -> np.ndarray:
    """Return the true error at sizes relative to the largest fraction."""
    floor, scale, exponent = curve
    return np.asarray(floor + scale * np.asarray(sizes, float) ** -exponent)


def simulated(
    curve: tuple[float, float, float], groups: int, size: int, rng: np.random.Generator
) -> tuple[Curve, EvaluationSet]:
    """Draw a test set and the right answers of all trainings, and score them."""
    images = pd.DataFrame({"path": range(groups * size), "group": np.repeat(np.arange(groups), size), "label": 0})
    test = draw_evaluation_set(images, (), RESAMPLES, rng)
    shared = np.sqrt(OF_GROUP) * np.repeat(rng.normal(size=groups), size) if size > 1 else 0.0
    rest = 1 - OF_GROUP if size > 1 else 1.0
    difficulty = shared + np.sqrt(rest) * rng.normal(size=groups * size)
    scores, chance = [], []
    for error in errors_at(curve, FRACTIONS):
        true = np.clip(error * (1 + SCATTER * rng.normal(size=SEEDS)), 0.001, 0.999)
        noise = rng.normal(size=(SEEDS, groups * size))
        right = np.sqrt(SHARED) * difficulty + np.sqrt(1 - SHARED) * noise < norm.isf(true)[:, None]
        by_training = test.resamples.means(right.T.astype(np.float32))
        chance.append(variance_by_chance(by_training.T))
        resampled = by_training.mean(axis=1)
        found = estimate(right.mean(axis=1), resampled, test.freedom("images"), test)
        scores.append(Scores({"accuracy": found}, {"accuracy": resampled}, None, None))
    return Curve([*FRACTIONS], [*(LARGEST * FRACTIONS)], scores, SEEDS, chance), test


def coverage(curve: tuple[float, float, float], groups: int, size: int, repetitions: int) -> tuple[float, float, float]:
    """Return the share of projections whose interval contains the truth, that are refused, and their mean width."""
    truth, inside, widths = 1 - float(errors_at(curve, TWICE)), [], []
    for seed in range(repetitions):
        drawn, test = simulated(curve, groups, size, np.random.default_rng([seed, groups]))
        found = projection(drawn, "accuracy", test, seed)
        if not found["reason"]:
            inside.append(found["value_low"] <= truth <= found["value_high"])
            widths.append(found["value_high"] - found["value_low"])
    return float(np.mean(inside)), 1 - len(inside) / repetitions, float(np.mean(widths))


def main(quick: bool) -> None:
    """Measure and publish."""
    repetitions = 20 if quick else REPETITIONS
    rows = []
    for shape, curve in CURVES.items():
        for name, (groups, size) in SETS.items():
            covered, refused, width = coverage(curve, groups, size, repetitions)
            rows.append([shape, name, f"{100 * covered:.1f}", f"{100 * refused:.1f}", f"{width:.3f}"])
    header = ["Curve", "Test set", "coverage %", "refused %", "width"]
    publish("learning_curves", markdown_table(header, rows, 2), f"{repetitions} sets each.", keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
