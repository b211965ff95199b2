"""Measure the time and memory of each part of `prepare`, from 1,000 to 112,120 images.

    python benchmarks/audit_scale.py                 # an hour; writes benchmarks/results/audit_scale.md
    python benchmarks/audit_scale.py 500 1000 2000   # other numbers of images

The images are simulated, 128 pixels, every tenth a rotated copy of its predecessor; they are packed at 224 pixels.
Times are CPU times, which do not depend on the load of the machine. Each size runs in its own process; memory is the
peak resident size during a part (Linux only).
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2

from fetal_phantom.challenge import Challenge
from fetal_phantom.patients import draw_patient, render
from medtransfer.data import prepare as preparing
from medtransfer.data.audit import near_duplicates
from medtransfer.study import Data
from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.places import Places
from medtransfer.util.text import markdown_table

ROOT = Path(__file__).parents[1]
COUNTS = (1_000, 3_000, 10_000, 30_000, 112_120)
SIZE, CHUNK = 128, 1_000
CHALLENGE = Challenge.of(0.1)
DATA = {
    "source": "folder",
    "folder": ".",
    "layout": "class_folders",
    "masks": None,
    "group": None,
    "image_size": 224,
    "resize": "stretch",
    "split": {"method": "random"},
    "leakage": "fail",
}
PARTS: dict[str, tuple[ModuleType, str]] = {
    "decode and pack": (preparing, "pack"),
    "describe keypoints": (near_duplicates, "StoredKeypoints"),
    "summarise each image": (near_duplicates, "_summaries"),
    "nearest neighbours": (near_duplicates, "_candidates"),
    "verify candidates": (preparing, "near_duplicate_pairs"),
    "split": (preparing, "assign_splits"),
    "image of pairs": (preparing, "write_pair_figure"),
    "shortcuts": (preparing, "find_shortcut"),
    "summarise the audit": (preparing, "audit_of"),
}
"""Parts in call order. `verify candidates` includes the three parts above it, which are subtracted (see INSIDE)."""

INSIDE = {"verify candidates": ("describe keypoints", "summarise each image", "nearest neighbours")}


def write_images(folder: Path, count: int) -> None:
    """Write images of two classes, every tenth a rotated copy of its predecessor."""
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 12, 1.0)
    for start in range(0, count, CHUNK):
        patients = (draw_patient(start, index, 1, CHALLENGE) for index in range(min(CHUNK, count - start)))
        images = [render(patient, 1, SIZE, start, CHALLENGE).image for patient in patients]
        images[1::10] = [cv2.warpAffine(image, turn, (SIZE, SIZE)) for image in images[: len(images) - 1 : 10]]
        for number, image in enumerate(images, start):
            cv2.imwrite(str(folder / "ab"[number % 2] / f"{number:05}.jpg"), image)


def first_images(source: Path, folder: Path, count: int) -> Path:
    """Link the first `count` images into `folder`."""
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
    for number in range(count):
        name = Path("ab"[number % 2]) / f"{number:05}.jpg"
        os.link(source / name, folder / name)
    return folder


def peak_memory(reset: bool = False) -> float:
    """Return the peak resident memory in MB since the last reset, and optionally reset it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def measured(function: Callable[..., Any], name: str, costs: dict[str, dict[str, float]]) -> Callable[..., Any]:
    """Wrap a function so that it adds its CPU seconds and peak memory to `costs[name]`."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        peak_memory(reset=True)
        started = time.process_time()
        result = function(*arguments, **named)
        costs[name]["seconds"] += time.process_time() - started
        costs[name]["memory"] = max(costs[name]["memory"], peak_memory(reset=True))
        return result

    return call


def measure(raw: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Prepare the images in `raw` once; return the seconds and memory of each part and in total."""
    costs: dict[str, dict[str, float]] = defaultdict(lambda: {"seconds": 0.0, "memory": 0.0})
    for name, (module, function) in PARTS.items():
        setattr(module, function, measured(getattr(module, function), name, costs))
    started, before = time.process_time(), peak_memory()
    audit = preparing.prepare(raw, Data.model_validate(DATA), 0, Places(folder))
    costs["total"] = {
        "seconds": time.process_time() - started,
        "memory": max(before, *(cost["memory"] for cost in costs.values())),
    }
    for name, inner in INSIDE.items():
        costs[name]["seconds"] -= sum(costs[part]["seconds"] for part in inner)
    costs["found"] = {"pairs": audit["near_duplicates"]["pairs"]}
    return costs


def measured_apart(source: Path, folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Measure the first `count` images in a separate process."""
    raw = first_images(source, folder / "raw", count)
    command = [sys.executable, __file__, "--measure", str(raw), str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def page(costs: dict[int, dict[str, dict[str, float]]]) -> str:
    """Format time per image and memory of each part, one column per number of images."""
    names = [*PARTS, "total"]
    columns = [f"{count:,}" for count in costs]

    def table(title: str, unit: str, figure: Callable[[int, dict[str, float]], float]) -> str:
        rows = [
            [name, *(f"{figure(count, found[name]):,.{2 if unit == 'ms' else 0}f}" for count, found in costs.items())]
            for name in names
        ]
        return markdown_table([title, *columns], rows)

    *_, first, last = sorted(costs)
    seconds = {count: found["total"]["seconds"] for count, found in costs.items()}
    power = math.log(seconds[last] / seconds[first]) / math.log(last / first)
    found = ", ".join(f"{int(costs[count]['found']['pairs']):,} of {count // 10:,}" for count in costs)
    return "\n\n".join(
        [
            "# Cost of `prepare` by number of images",
            table("CPU ms per image", "ms", lambda count, cost: 1000 * cost["seconds"] / count),
            table("Peak memory, MB", "MB", lambda count, cost: cost["memory"]),
            f"From {first:,} to {last:,} images, the total time grows with their number to the power of {power:.2f}. "
            f"Rotated copies found: {found}.",
            f"{processor()}, {cpu_count()} CPU cores. `python benchmarks/audit_scale.py`",
        ]
    )


def main(counts: list[int]) -> None:
    """Measure each number of images and write the page."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "images"
        write_images(source, max(counts))
        costs = {count: measured_apart(source, Path(scratch) / str(count), count) for count in counts}
    text = page(costs)
    print(text)
    if tuple(counts) == COUNTS:
        (ROOT / "benchmarks/results").mkdir(exist_ok=True)
        (ROOT / "benchmarks/results/audit_scale.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main([int(count) for count in sys.argv[1:]] or list(COUNTS))
