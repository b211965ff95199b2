"""What `alternatives.py` runs in the environment of each tool: train on a folder of images, predict the test images.

    python benchmarks/alternatives_tools.py TOOL FOLDER EPOCHS

FOLDER has `train`, `val` and `test`, each with one folder of PNG files per class, `resnet18.pth`, and `hub`, where
torchvision and Hugging Face's hub keep the same weights. Writes FOLDER/TOOL.csv: a row per test image, its name and the
probability of each class. Every function is the tool's documented way, with its own defaults where it has any.
"""

from __future__ import annotations

import csv
import runpy
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

MODEL, SIZE, BATCH, RATE = "resnet18", 112, 32, 1e-4
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Rows = Iterable[tuple[str, Iterable[float]]]


def files(folder: Path, part: str) -> list[Path]:
    """Return the images of a part."""
    return sorted((folder / part).glob("*/*.png"))


def classes(folder: Path) -> list[str]:
    """Return the names of the classes, in alphabetical order."""
    return sorted(place.name for place in (folder / "train").iterdir())


def torchvision_library(module: str = "torchvision") -> Any:
    """Import torchvision, or a module of it, also beside a torch without its compiled operators."""
    from medtransfer.models.torchvision_models import library

    return library(module)


def with_network(network: Any, folder: Path) -> Rows:
    """Predict the test images, prepared as torchvision's weights expect."""
    import torch
    from PIL import Image

    v2 = torchvision_library("torchvision.transforms.v2")
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    network.eval()
    for path in files(folder, "test"):
        with torch.inference_mode():
            image = transform(Image.open(path).convert("RGB"))[None]
            yield path.name, network(image).softmax(1)[0].tolist()


def torchvision_parts(folder: Path, epochs: int, whole: bool = True) -> Rows:
    """Train in a loop as in torchvision's tutorials, and keep the epoch with the best validation accuracy."""
    import copy

    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    vision = torchvision_library()
    v2 = torchvision_library("torchvision.transforms.v2")
    ends = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    torch.manual_seed(0)
    loaders = {
        part: DataLoader(
            vision.datasets.ImageFolder(folder / part, v2.Compose([*own, *ends])), BATCH, shuffle=part == "train"
        )
        for part, own in (("train", [v2.RandomHorizontalFlip()]), ("val", []))
    }
    network = vision.models.get_model(MODEL)
    network.load_state_dict(torch.load(folder / "resnet18.pth", weights_only=True))
    network.requires_grad_(whole)
    network.fc = nn.Linear(network.fc.in_features, len(classes(folder)))
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], RATE if whole else 10 * RATE)
    best, kept = -1.0, network.state_dict()
    for _ in range(epochs):
        network.train(whole)
        for images, labels in loaders["train"]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            right = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in loaders["val"])
        if right > best:
            best, kept = right, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return with_network(network, folder)


def torchvision_frozen(folder: Path, epochs: int) -> Rows:
    """Train the last layer alone."""
    return torchvision_parts(folder, epochs, whole=False)


def timm_script(folder: Path, epochs: int) -> Rows:
    """Run timm's train.py, which keeps the epoch with the best validation accuracy."""
    import torch

    torchvision_library()
    script = folder / "timm_train.py"
    options = {
        "model": MODEL, "pretrained-path": folder / "resnet18.pth", "num-classes": len(classes(folder)),
        "device": "cpu", "img-size": SIZE, "batch-size": BATCH, "opt": "adam", "lr": RATE, "weight-decay": 0,
        "warmup-epochs": 0, "epochs": epochs, "cooldown-epochs": 0, "workers": 1, "color-jitter": 0, "smoothing": 0,
        "crop-pct": 1, "seed": 0, "output": folder / "timm", "experiment": "run", "train-split": "train",
        "val-split": "val", "checkpoint-hist": 1,
    }  # fmt: skip
    pairs = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    ranges = ["--scale", "1", "1", "--ratio", "1", "1", "--mean", *map(str, MEAN), "--std", *map(str, STD)]
    sys.argv = [str(script), str(folder), "--pretrained", "--no-prefetcher", *pairs, *ranges]
    runpy.run_path(str(script), run_name="__main__")
    import timm

    network = timm.create_model(MODEL, num_classes=len(classes(folder)))
    state = torch.load(folder / "timm/run/model_best.pth.tar", weights_only=False)["state_dict"]
    network.load_state_dict(state)
    return with_network(network, folder)


def fastai_learner(folder: Path, epochs: int, frozen: bool = False) -> Rows:
    """Use `vision_learner` and its `fine_tune`, or `fit_one_cycle` with the body frozen, with fastai's defaults."""
    torchvision_library()
    from fastai.vision import all as fastai

    loaders = fastai.ImageDataLoaders.from_folder(
        folder, train="train", valid="val", bs=BATCH, num_workers=0, batch_tfms=fastai.Flip(), seed=0
    )
    fastai.set_seed(0)
    best = fastai.SaveModelCallback(monitor="accuracy")
    learner = fastai.vision_learner(loaders, fastai.resnet18, metrics=fastai.accuracy, path=folder / "fastai")
    with learner.no_bar(), learner.no_logging():
        if frozen:
            learner.fit_one_cycle(epochs, cbs=best)
        else:
            learner.fine_tune(epochs - 1, cbs=best)
        paths = files(folder, "test")
        probabilities, _ = learner.get_preds(dl=loaders.test_dl(paths))
    return zip((path.name for path in paths), probabilities.tolist(), strict=True)


def fastai_frozen(folder: Path, epochs: int) -> Rows:
    """Train the head of `vision_learner` alone."""
    return fastai_learner(folder, epochs, frozen=True)


def ultralytics_classify(folder: Path, epochs: int) -> Rows:
    """Train Ultralytics' classifier on a body of torchvision, with Ultralytics' defaults."""
    import torch
    from PIL import Image

    torchvision_library()
    from ultralytics import YOLO

    config = folder / "resnet18-cls.yaml"
    layers = "backbone:\n  - [-1, 1, TorchVision, [512, resnet18, IMAGENET1K_V1, True, 2]]\n"
    config.write_text(f"nc: {len(classes(folder))}\n{layers}head:\n  - [-1, 1, Classify, [nc]]\n")
    options = {"imgsz": SIZE, "batch": BATCH, "device": "cpu", "workers": 0, "seed": 0, "plots": False}
    YOLO(config, task="classify").train(data=folder, epochs=epochs, project=folder / "yolo", name="run", **options)
    network = YOLO(folder / "yolo/run/weights/best.pt")
    torch.set_grad_enabled(False)
    for path in files(folder, "test"):
        found = network.predict(Image.open(path).convert("RGB"), imgsz=SIZE, device="cpu", verbose=False)[0]
        yield path.name, found.probs.data.tolist()


def autogluon(folder: Path, epochs: int) -> Rows:
    """Use AutoGluon's `MultiModalPredictor` with timm's ResNet-18, with AutoGluon's defaults."""
    torchvision_library()
    import pandas as pd
    from autogluon.multimodal import MultiModalPredictor

    frames = {
        part: pd.DataFrame([(str(path), path.parent.name) for path in files(folder, part)], columns=["image", "label"])
        for part in ("train", "val", "test")
    }
    settings = {
        "model.names": ["timm_image"], "model.timm_image.checkpoint_name": "resnet18.tv_in1k",
        "optim.max_epochs": epochs, "env.num_gpus": 0, "env.num_workers": 0, "env.num_workers_inference": 0,
    }  # fmt: skip
    predictor = MultiModalPredictor(label="label", path=str(folder / "autogluon"))
    predictor.fit(frames["train"], tuning_data=frames["val"], hyperparameters=settings, seed=0)
    found = predictor.predict_proba(frames["test"])[classes(folder)]
    return zip((Path(name).name for name in frames["test"]["image"]), found.to_numpy().tolist(), strict=True)


TOOLS: dict[str, Callable[[Path, int], Rows]] = {
    "torchvision": torchvision_parts,
    "torchvision_frozen": torchvision_frozen,
    "timm": timm_script,
    "fastai": fastai_learner,
    "fastai_frozen": fastai_frozen,
    "ultralytics": ultralytics_classify,
    "autogluon": autogluon,
}

if __name__ == "__main__":
    chosen, place, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    found = [[name, *values] for name, values in TOOLS[chosen](place, count)]
    with (place / f"{chosen}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["file", *classes(place)], *found])
