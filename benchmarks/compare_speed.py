"""Time `compare` on 40 variants with 5 runs each, 5,000 test images, 14 classes and 2,000 resamples.

    python benchmarks/compare_speed.py        # a few minutes; writes benchmarks/results/compare_speed.md

The predictions are simulated; writing the inputs is not timed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from medtransfer.data.prepared import ABOUT, TABLE
from medtransfer.data.prepared import IMAGES as PIXELS
from medtransfer.study import BASELINES, load_study
from medtransfer.tasks.classes.predictions import class_columns
from medtransfer.tasks.predictions import rows_of_run, write_rows
from medtransfer.util.files import write_json, write_text
from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.places import Places
from medtransfer.util.text import markdown_table

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "compare_speed.md"
VARIANTS, IMAGES, VALIDATION, CLASSES, RUNS = 40, 5_000, 1_000, 14, 5
EPOCHS, EPOCH_COLUMNS = 10, ("train_loss", "validation_loss", "validation_accuracy")
TIMED = """
import json, resource, time
from pathlib import Path
from medtransfer.comparison.compare import compute_comparison
from medtransfer.util.places import Places
from medtransfer.data.prepared import ABOUT, TABLE
from medtransfer.data.prepared import IMAGES as PIXELS
from medtransfer.comparison.writing import write_comparison
from medtransfer.util.hardware import keep_freed_memory
from medtransfer.study import load_study

keep_freed_memory()  # as every stage does
marks = []
def mark():
    marks.append((time.perf_counter(), time.process_time()))

mark()
study, places = load_study(), Places()
found = compute_comparison(study, places)
mark()
write_comparison(found, places)
mark()
from medtransfer.report.page import write_report
write_report(found, places)
mark()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"marks": marks, "peak_kb": peak}))
"""


def main() -> None:
    """Measure and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder))
        found = measure(Path(folder))
    marks = np.diff(found["marks"], axis=0)
    parts = ("compute all tables", "write the tables", "write the report page", "total")
    rows = [
        [part, f"{wall:.1f}", f"{cpu:.1f}"]
        for part, (wall, cpu) in zip(parts, [*marks, marks.sum(axis=0)], strict=True)
    ]
    for row in rows:
        print("  ".join(row))
    text = INTRODUCTION + "\n\n" + markdown_table(["Part", "seconds", "CPU seconds"], rows)
    machine = f"{processor()}, {cpu_count()} CPU cores; peak memory {found['peak_kb'] / 1e6:.2f} GB."
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"{text}\n\n{machine}\n", encoding="utf-8")


def measure(folder: Path) -> dict[str, Any]:
    """Run the comparison in a separate process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", TIMED], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_study(folder: Path) -> None:
    """Write the inputs of `compare`, as the stages before it do."""
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(params(), file)
    places, rng = Places(folder), np.random.default_rng(0)
    images = {role: draw_images(role, count, rng) for role, count in (("test", IMAGES), ("validation", VALIDATION))}
    for number, name in enumerate([*load_study(folder / "params.yaml").variants, *BASELINES]):
        runs = range(1 if name in BASELINES else RUNS)
        frames = [draw_frame(table, role, run, number, rng) for role, table in images.items() for run in runs]
        write_rows(places.predictions(name), frames)
        write_json(places.metrics(name), {"runs": {}, "mean": {"ece": 0.05}})
        if name not in BASELINES:
            write_training(places, name, number)
    write_prepared(places, images)


def params() -> dict[str, Any]:
    """Return the parameters of five backbones times eight augmentations."""
    found: dict[str, Any] = YAML(typ="safe").load((ROOT / "studies/phantom.yaml").read_text(encoding="utf-8"))
    found["augmentation"] = {f"policy{number}": {"transforms": []} for number in range(8)}
    found["backbones"] = {f"net{number}": {"model": "resnet18", "weights": "DEFAULT"} for number in range(5)}
    found["strategies"] = {"frozen": {"train": "head"}}
    found["explain"] = {"variants": []}
    found["training"] = {"seeds": list(range(RUNS))}
    found["variants"] = {
        f"{backbone}_{policy}": {"backbone": backbone, "strategy": "frozen", "augmentation": policy}
        for backbone in found["backbones"]
        for policy in found["augmentation"]
    }
    return found


def draw_images(role: str, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the labels of ungrouped images."""
    paths = [f"{role}/image{number:05}.png" for number in range(count)]
    return pd.DataFrame({"path": paths, "group": paths, "label_index": rng.integers(0, CLASSES, count)})


def draw_frame(images: pd.DataFrame, role: str, run: int, variant: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the predictions of one run; later variants are better."""
    skill = 1.0 + 0.05 * variant
    logits = rng.normal(size=(len(images), CLASSES)) + skill * np.eye(CLASSES)[images["label_index"]]
    scores = np.exp(2 * logits)
    names = [f"class{number:02}" for number in range(CLASSES)]
    own = class_columns(images["label_index"].to_numpy(), scores / scores.sum(axis=1, keepdims=True), names)
    return rows_of_run(images, own, 0, run, role)


def write_prepared(places: Places, images: dict[str, pd.DataFrame]) -> None:
    """Write the table of images, small blank pixels, and the reports of `prepare` and `download`."""
    table = pd.concat([part.assign(split=role, fold=-1) for role, part in images.items()], ignore_index=True)
    places.prepared.mkdir(parents=True)
    table.to_parquet(places.prepared / TABLE)
    np.save(places.prepared / PIXELS, np.zeros((len(table), 64, 64, 1), np.uint8))
    names = [f"class{number:02}" for number in range(CLASSES)]
    about = {"classes": names, "folds": 1, "warnings": [], "pixels_sha256": "0" * 64, "table_sha256": "0" * 64}
    write_json(places.prepared / ABOUT, about)
    write_json(places.results / "data.json", audit(table, names))
    manifest = {"source": "folder", "reference": "simulated", "version": None, "licence": None}
    write_json(places.root / "data" / "manifest.json", manifest | {"files": len(table), "sha256": "0" * 64})


def audit(table: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    """Return the audit that `prepare` would write for a set without findings."""
    ranges = {key: [64.0, 64.0, 64.0] for key in ("width", "height", "brightness")}
    looks = {"images": len(table), "modes": {"L": len(table)}, "file_types": {"png": len(table)}} | ranges
    counts = {name: int((table["label_index"] == number).sum()) for number, name in enumerate(classes)}
    appearance = {"class": dict.fromkeys(classes, looks), "split": dict.fromkeys(("val", "test"), looks)}
    nothing = dict.fromkeys(
        ("sets", "contradictory_sets", "pairs", "pairs_across_splits", "contradictory_pairs", "groups", "test"), 0
    )
    return {
        "images": len(table), "left_out": 0, "groups": len(table), "folds": 1, "layout": "class_folders",
        "modes": {"L": len(table)}, "image_sizes": 1, "class_counts": counts,
        "class_counts_by_split": {"test": counts, "val": counts}, "classes_missing": {}, "appearance": appearance,
        "shortcuts": {}, "exact_duplicates": nothing, "near_duplicates": nothing, "masks": None, "warnings": [],
        "crossing": nothing | {"test_total": IMAGES, "validation": 0, "validation_total": VALIDATION},
    }  # fmt: skip


def write_training(places: Places, name: str, number: int) -> None:
    """Write the card, history and cost of a variant."""
    card = {
        "runs": [{"fold": 0, "seed": run} for run in range(RUNS)],
        "parameters": 10**6 * (number + 1),
        "trainable_parameters": 10**4,
        "multiply_adds": 10**9,
        "precision": "float32",
    }
    write_json(places.model(name) / "card.json", card)
    epochs = pd.MultiIndex.from_product([[0], range(RUNS), range(EPOCHS)], names=["fold", "seed", "epoch"])
    history = epochs.to_frame(index=False).assign(**dict.fromkeys(EPOCH_COLUMNS, 0.5))
    write_text(places.model(name) / "history.csv", history.to_csv(index=False))
    seconds = {
        "frozen_seconds": 1.0,
        "train_seconds": 60.0,
        "stage_seconds": 70.0,
        "seconds_an_image": 0.01,
        "peak_memory_mb": 900.0,
    }
    cost = {"runs": [{}] * RUNS, "device": "cpu", "threads": 2} | seconds
    write_json(places.results / "cost" / f"{name}.json", cost)


INTRODUCTION = f"""\
# Duration of `compare`

{VARIANTS} variants with {RUNS} runs each, {IMAGES:,} test and {VALIDATION:,} validation images of {CLASSES} classes,
no groups, 2,000 resamples: intervals of 14 metrics and of every class, all {VARIANTS * (VARIANTS - 1) // 2} pairs by
five metrics, effects, calibration and curves; then the report page."""


if __name__ == "__main__":
    main()
