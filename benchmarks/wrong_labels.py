"""Measure how many of the least believed labels are wrong, if 5 and 10 % of those of simulated images are flipped.

    python benchmarks/wrong_labels.py        # some minutes; writes benchmarks/results/wrong_labels.md

The images are those of the simulator, the features those of EfficientNet-Lite 0 with ImageNet weights.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from fetal_phantom import write_phantom
from medtransfer.deployment.suspects import cross_validated
from medtransfer.models.families import ClassifierFamily
from medtransfer.models.heads.logistic import class_probabilities
from medtransfer.models.weights import obtain_weights
from medtransfer.statistics.label_errors import label_doubts
from medtransfer.study import Backbone
from medtransfer.util.text import markdown_table

RESULTS = Path(__file__).parent / "results" / "wrong_labels.md"
MODEL = "timm/tf_efficientnet_lite0"
PATIENTS, FRAMES, SIZE, REPEATS, BATCH = 300, 2, 128, 10, 32
SHARES, DEPTHS = (0.05, 0.10), (10, 25, 50)


def main() -> None:
    """Measure and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        features, truth, groups = simulated(Path(folder))
    classes = int(truth.max()) + 1
    rows = []
    for share in SHARES:
        found = np.mean([precisions(features, truth, groups, classes, share, seed) for seed in range(REPEATS)], axis=0)
        rows.append([f"{share:.0%}", *(f"{100 * value:.0f}" for value in found), f"{100 * share:.0f}"])
        print("  ".join(rows[-1]), flush=True)
    header = ["Labels flipped", *(f"of the first {depth}" for depth in DEPTHS), "suspect ones", "found", "chance"]
    note = (
        f"# How many of the least believed labels are wrong\n\nPercentages, means of {REPEATS} draws of flipped "
        f"labels; {len(truth)} simulated images of {PATIENTS} patients in {classes} classes, the label of a patient "
        "flipped as a whole. `suspect ones`: the share of suspect labels that are wrong; `found`: the share of the "
        "wrong labels that are suspect; `chance`: the share of all labels that are wrong."
    )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"{note}\n\n{markdown_table(header, rows)}\n", encoding="utf-8")


def simulated(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the features [images, width] of simulated images, their classes and patients."""
    write_phantom(folder, patients=PATIENTS, frames=FRAMES, size=SIZE, difficulty=0.1, split_by="patient", seed=0)
    tables = [pd.read_csv(path).assign(folder=path.parent) for path in sorted(folder.glob("*/_classes.csv"))]
    table = pd.concat(tables, ignore_index=True)
    names = [name for name in table if name not in ("filename", "folder")]
    truth = table[names].to_numpy(int).argmax(axis=1)
    groups = table["filename"].str.extract(r"^(patient\d+)_", expand=False).to_numpy()
    return features_of([Path(row["folder"]) / row["filename"] for _, row in table.iterrows()]), truth, groups


def features_of(paths: list[Path]) -> np.ndarray:
    """Return the pooled features of images, float32 [images, width]."""
    family = ClassifierFamily.of(MODEL)
    network = family.build(MODEL, SIZE)
    state, _ = obtain_weights("lite0", Backbone(model=MODEL, weights="package"), None)
    network.load_state_dict(family.rename(network, state))
    family.remove_classifier(network, keep_spatial=False)
    network.eval()
    pixels = np.stack([np.array(Image.open(path).convert("RGB")) for path in paths])
    inputs = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return torch.cat([network(part / 127.5 - 1) for part in inputs.split(BATCH)]).numpy()


def precisions(
    features: np.ndarray, truth: np.ndarray, groups: np.ndarray, classes: int, share: float, seed: int
) -> list[float]:
    """Flip the labels of a share of patients; return the precision at each depth, of suspects, and the recall."""
    rng = np.random.default_rng([seed, round(100 * share)])
    names, group = np.unique(groups, return_inverse=True)
    moved = np.zeros(len(names), int)
    chosen = rng.choice(len(names), round(share * len(names)), replace=False)
    moved[chosen] = rng.integers(1, classes, len(chosen))
    labels = (truth + moved[group]) % classes
    wrong = labels != truth
    fit = partial(fit_part, features, labels, classes)
    doubts = label_doubts(labels, cross_validated(features, groups, labels, fit))
    ordered = wrong[doubts.order]
    at = [float(ordered[:depth].mean()) for depth in DEPTHS]
    suspect = doubts.suspect
    return [*at, float(wrong[suspect].mean()) if suspect.any() else 0.0, float(suspect[wrong].mean())]


def fit_part(features: np.ndarray, labels: np.ndarray, classes: int, rows: np.ndarray) -> Any:
    """Fit a logistic regression to some rows."""
    return class_probabilities(features[rows], labels[rows], classes)


if __name__ == "__main__":
    main()
