"""The circumference of the head by a mask's outline and by regression, on the same images.

    python benchmarks/circumference.py MASKS NUMBERS    # writes benchmarks/results/circumference.md

MASKS is the folder of a study of the masks that is trained, NUMBERS that of a finished one of the circumference in
pixels of the file, each of the images of `../shared/data/fetal_head_masks` and tested on all of them in folds. An
ellipse is fitted to the outline of the largest part of a mask, in pixels of the file (OpenCV's least squares, through
the centres of the outermost pixels), and its perimeter is Ramanujan's. The truth is the published circumference.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from workload import SHARED, publish

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import load_run
from medtransfer.models.network import BATCH, pad_batch, to_channels_first
from medtransfer.training.model_files import read_card
from medtransfer.util.text import markdown_table

MASKS, TRUTH = SHARED / "data/fetal_head_masks/masks", SHARED / "data/fetal_head_masks_hc.csv"
RESAMPLES = 2000


def circumference(mask: np.ndarray, width: int, height: int) -> float:
    """Return the circumference of the head in a mask, in pixels of a file of these sides; nan if there is none."""
    full = cv2.resize((mask > 0).astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    outlines, _ = cv2.findContours((full > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines or len(largest := max(outlines, key=cv2.contourArea)) < 5:
        return float("nan")
    _, axes, _ = cv2.fitEllipse(largest)
    a, b = (axis / 2.0 for axis in axes)
    return float(np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b))))


def numbers_of(folder: Path) -> dict[str, pd.Series]:
    """Return the number that each variant of a study predicts for each test file, the mean over runs."""
    found = {}
    for path in sorted((folder / "predictions").glob("*.parquet")):
        rows = pd.read_parquet(path)
        rows = rows[rows["role"] == "test"]
        found[path.stem] = rows.groupby(rows["path"].map(stem))["predicted"].mean()
    return found


def masks_of(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the mask that each variant of a study finds in each test file, by the network that has not seen it."""
    prepared, found = Prepared(folder / "data/prepared"), {}
    paths = prepared.table["path"].to_numpy()
    for model in sorted((folder / "models").iterdir()):
        masks: dict[str, np.ndarray] = {}
        for run in read_card(model)["runs"]:
            network, rows = load_run(model, run["fold"], run["seed"]).eval(), prepared.roles(run["fold"]).test
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                with torch.inference_mode():
                    logits = network(pad_batch(to_channels_first(prepared.images[batch])))[: len(batch)]
                masks |= zip(map(stem, paths[batch]), logits.argmax(dim=1).numpy().astype(np.uint8), strict=True)
        found[model.name] = masks
    return found


def stem(path: str) -> str:
    """Return the name of a file without its folder and ending."""
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def line(name: str, predicted: pd.Series, known: pd.DataFrame) -> list[str]:
    """Return one row: the mean absolute error in pixels and mm with its interval over examinations, and the bias."""
    rows = known.join(predicted.rename("predicted"), how="inner")
    error = rows["predicted"] - rows["pixels"]
    of_exam = pd.DataFrame(
        {
            "exam": rows["exam"],
            "images": error.notna().astype(float),
            "px": error.abs().fillna(0.0),
            "mm": (error.abs() * rows["pixel_size_mm_resized"]).fillna(0.0),
            "bias": error.fillna(0.0),
        }
    )
    sums = of_exam.groupby("exam").sum().to_numpy()
    picks = np.random.default_rng(0).integers(len(sums), size=(RESAMPLES, len(sums)))
    drawn = np.stack([sums[pick].sum(axis=0) for pick in picks])
    low, high = np.quantile(drawn[:, 1:3] / drawn[:, :1], [0.025, 0.975], axis=0)
    mean = sums.sum(axis=0)[1:] / sums.sum(axis=0)[0]
    share = 100 * mean[0] / rows["pixels"].mean()
    cells = [f"{value:.1f} [{a:.1f}, {b:.1f}]" for value, a, b in zip(mean[:2], low, high, strict=True)]
    return [name, *cells, f"{share:.1f}", f"{mean[2]:+.1f}", f"{int(error.isna().sum())}"]


def main(masks: Path, numbers: Path) -> None:
    """Measure and publish."""
    known = pd.read_csv(TRUTH, dtype={"exam": str})
    known.index = pd.Index(known["file"].map(stem))
    known["pixels"] = known["head_circumference_mm"] / known["pixel_size_mm_resized"]
    sides = dict(zip(known.index, zip(known["width"], known["height"], strict=True), strict=True))
    true = {path.stem: np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in sorted(MASKS.iterdir())}
    found = masks_of(masks)
    size = len(next(iter(next(iter(found.values())).values())))
    small = {name: cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA) > 127 for name, mask in true.items()}
    named = {"true masks": true, f"true masks at {size} pixels": small}
    named |= {f"masks, {name}": of for name, of in found.items()}
    rows = [
        line(title, pd.Series({name: circumference(mask, *sides[name]) for name, mask in of.items()}), known)
        for title, of in named.items()
    ]
    rows += [line(f"regression, {name}", predicted, known) for name, predicted in numbers_of(numbers).items()]
    header = ["Circumference by", "Mean absolute error, px", "mm", "% of the mean", "bias, px", "no head found"]
    of = f"{len(known)} images of {known['exam'].nunique()} examinations"
    note = f"{of}, each tested once; 95 % intervals over examinations."
    publish("circumference", markdown_table(header, rows), note)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
