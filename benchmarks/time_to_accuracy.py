"""Time to a validation accuracy: this project, a loop of torchvision's parts, and timm's train.py.

    python benchmarks/time_to_accuracy.py TRAIN.PY    # writes benchmarks/results/time_to_accuracy.md

TRAIN.PY is the training script of github.com/huggingface/pytorch-image-models, which the package timm does not include.
All three start from the same ResNet-18 weights, on the same images, with Adam, batches of 32 and flips. Each runs in a
separate process and is timed from its start to the end of the validation that reaches the accuracy. timm only trains
whole networks, so a frozen one is compared with torchvision's parts alone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workload import SHARED, about, drawn, inputs_of, prepared_set, publish, scratch, seconds, weights_of

from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.hardware import cpu_count
from medtransfer.util.text import markdown_table

MODEL, SIZE, BATCH, VIEWS = "resnet18", 128, 32, 8
FLIPS = Policy(views=VIEWS, transforms=[{"HorizontalFlip": {"p": 0.5}}])
EPOCHS, RATES = {"all": 5, "head": 20}, {"all": 1e-4, "head": 1e-3}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
STARTED = """
import runpy, sys
from medtransfer.models.torchvision_models import models
models()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script even if torchvision's compiled operators are missing: see `models/torchvision_models`."""
SETS = {"train": "train", "val": "validation"}


@dataclass(frozen=True)
class Epochs:
    """Results of one way: the seconds from its start to the end of each epoch, and the validation accuracies."""

    way: str
    seconds: list[float]
    accuracies: list[float]

    def until(self, accuracy: float) -> float:
        """Return the seconds until an epoch reaches an accuracy."""
        return next(time for time, found in zip(self.seconds, self.accuracies, strict=True) if found >= accuracy - 1e-9)


def lay_out(prepared: Prepared, folder: Path) -> None:
    """Link the images into one folder per class, as torchvision and timm read them."""
    for row in prepared.table.itertuples():
        if row.split in SETS:
            place = folder / SETS[row.split] / str(row.label)
            place.mkdir(parents=True, exist_ok=True)
            (place / Path(row.path).name).symlink_to(SHARED / "data/fetal_head" / row.path)


def this_project(folder: Path, trained: str) -> None:
    """Draw the views and train; print each epoch's accuracy."""
    from medtransfer.training.variant import train_variant

    prepared = Prepared(folder / "set/prepared")
    views = drawn(prepared, FLIPS, folder / f"views_{trained}")
    fields = {"train": trained, "lr": RATES[trained], "epochs": EPOCHS[trained], "batch_size": BATCH}
    inputs = inputs_of(prepared, views, FLIPS, weights_of(MODEL, folder / "weights"), [0], **fields)
    train_variant(
        inputs,
        folder / f"model_{trained}",
        folder / f"cost_{trained}.json",
        lambda _fold, _seed, epoch: print(epoch.validation_score, flush=True),
    )


def torchvisions_parts(folder: Path, trained: str) -> None:
    """Decode, resize, flip and train as torchvision's tutorials do; print each epoch's accuracy."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    from medtransfer.models.torchvision_models import library, models

    v2, image_folder = library("torchvision.transforms.v2"), library("torchvision.datasets").ImageFolder

    torch.manual_seed(0)
    ends = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(**IMAGENET)]
    transforms = {"train": [v2.RandomHorizontalFlip()], "validation": []}
    loaders = {
        name: DataLoader(
            image_folder(folder / "images" / name, v2.Compose([v2.Resize((SIZE, SIZE)), *own, *ends])),
            BATCH,
            shuffle=name == "train",
            num_workers=cpu_count(),
            persistent_workers=True,
        )
        for name, own in transforms.items()
    }
    network = models().get_model(MODEL)
    network.load_state_dict(weights_of(MODEL, folder / "weights").state)
    network.requires_grad_(trained == "all")
    network.fc = nn.Linear(network.fc.in_features, len(loaders["train"].dataset.classes))  # type: ignore[attr-defined]
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], RATES[trained])
    for _ in range(EPOCHS[trained]):
        network.train(trained == "all")
        for images, labels in loaders["train"]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            right = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in loaders["validation"])
        print(right / len(loaders["validation"].dataset), flush=True)  # type: ignore[arg-type]


def timms(script: Path, folder: Path) -> list[str]:
    """Return the command that makes timm's script do the same as the others."""
    weights = folder / "weights" / f"{MODEL}.safetensors"
    classes = sum(place.is_dir() for place in (folder / "images/train").iterdir())
    options = {
        "model": MODEL, "pretrained-path": weights, "num-classes": classes, "device": "cpu", "img-size": SIZE,
        "batch-size": BATCH, "opt": "adam", "lr": RATES["all"], "weight-decay": 0, "sched": "step", "decay-epochs": 999,
        "warmup-epochs": 0, "epochs": EPOCHS["all"], "workers": cpu_count(), "color-jitter": 0, "smoothing": 0,
        "hflip": 0.5, "train-interpolation": "bilinear", "crop-pct": 1, "seed": 0, "output": folder / "timm",
        "experiment": "run", "checkpoint-hist": 1,
    }  # fmt: skip
    pairs = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    ranges = ["--scale", "1", "1", "--ratio", "1", "1"]
    ranges += [part for name, values in IMAGENET.items() for part in (f"--{name}", *map(str, values))]
    return ["-c", STARTED, str(script), str(folder / "images"), "--pretrained", "--no-prefetcher", *pairs, *ranges]


def followed(way: str, command: list[str], summary: Path | None = None) -> Epochs:
    """Run a process and record when each accuracy appears, as a printed line or a new row of `summary`."""
    started, times, accuracies = time.perf_counter(), [], []
    out = subprocess.PIPE if summary is None else subprocess.DEVNULL  # an unread pipe would block
    with subprocess.Popen([sys.executable, *command], stdout=out, stderr=subprocess.DEVNULL, text=True) as process:
        for accuracy in map(float, process.stdout or ()) if summary is None else _rows(process, summary):
            times.append(time.perf_counter() - started)
            accuracies.append(accuracy)
    if process.returncode:
        sys.exit(f"{way}: {' '.join(command)} failed; run it to see why")
    return Epochs(way, times, accuracies)


def _rows(process: subprocess.Popen[str], summary: Path) -> Iterator[float]:
    seen, ended = 0, False
    while not ended:
        ended = process.poll() is not None
        lines = summary.read_text(encoding="utf-8").splitlines() if summary.exists() else []
        rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
        yield from (float(row["eval_top1"]) / 100 for row in rows[seen:])
        seen = len(rows)
        time.sleep(0.05)


def table(ways: list[Epochs], title: str) -> str:
    """Compare the ways at the highest accuracy that all of them reach."""
    shared = min(max(way.accuracies) for way in ways)
    rows = [
        [
            way.way,
            f"{way.seconds[-1] / len(way.seconds):.1f}",
            f"{max(way.accuracies):.3f}",
            f"{way.until(shared):.1f}",
            f"{way.until(shared) / ways[0].until(shared):.2f}",
        ]
        for way in ways
    ]
    return markdown_table([title, "s per epoch", "best accuracy", f"s to {shared:.3f}", "relative"], rows)


def main(script: Path) -> None:
    """Measure and publish."""
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} does not exist; this benchmark needs real images and weights")
    with scratch() as folder:
        preparing = seconds(lambda: prepared_set(folder / "set", image_size=SIZE))
        prepared = Prepared(folder / "set/prepared")
        weights_of(MODEL, folder / "weights")
        lay_out(prepared, folder / "images")
        ways = {
            (way, trained): followed(name, [__file__, way, str(folder), trained])
            for trained in EPOCHS
            for way, name in (("ours", "this project"), ("theirs", "torchvision's parts"))
        }
        whole = followed("timm's train.py", timms(script, folder), folder / "timm/run/summary.csv")
        frozen = table([ways["ours", "head"], ways["theirs", "head"]], f"Frozen, {EPOCHS['head']} epochs")
        trained = table([ways["ours", "all"], ways["theirs", "all"], whole], f"Trained, {EPOCHS['all']} epochs")
        said = (
            f"{MODEL} on {about(prepared)} Not included: `prepare` packs the images and searches for leaks in "
            f"{preparing:.0f} s, once for all variants of a study. The others decode the images in every epoch."
        )
        publish("time_to_accuracy", trained, frozen, said)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        {"ours": this_project, "theirs": torchvisions_parts}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    else:
        main(Path(sys.argv[1]))
