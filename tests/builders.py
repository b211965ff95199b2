"""Small networks and prepared sets that several tests are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from fetal_phantom import write_phantom
from medtransfer.augmentation.store import Views, open_views, write_views
from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.models.assemble import Weights, assemble
from medtransfer.models.families import ClassifierFamily, build_backbone
from medtransfer.models.network import Network, Normalise, to_channels_first
from medtransfer.models.weights import save_state
from medtransfer.models.weights_card import without_weights
from medtransfer.study import Backbone, Data, Policy, Strategy, UNet, Variant
from medtransfer.tasks import TASKS
from medtransfer.training.runs import Inputs
from medtransfer.util.compute import Compute, choose_compute
from medtransfer.util.places import Places

CLASSES = 3
COMPUTE = Compute(torch.device(os.environ.get("MEDTRANSFER_TEST_DEVICE", "cpu")), "float32")
"""Where tests of training and evaluation compute; `cuda` runs the same tests on a GPU."""

MODELS = sorted(name for name in ClassifierFamily.all_names() if not name.startswith(("timm/", "open_clip/")))
"""The models that whole grids of tests run through; those of timm and open_clip have tests of their own."""

DESIGNS = (
    "cnn_small", "convnext_tiny", "densenet121", "googlenet", "mobilenet_v3_small", "resnet18", "squeezenet1_1",
)  # fmt: skip
"""A small model of each kind of design: plain, residual, dense, parallel and separable layers.

That of attention is timm's smallest, in the tests of timm's models: torchvision's has 88 million parameters.
"""


def slow(*case: Any) -> Any:
    """Return a case of a parametrized test as a slow one."""
    return pytest.param(*case, marks=pytest.mark.slow)


def slow_unless(quick: Collection[str], names: Iterable[str]) -> list[Any]:
    """Return the cases of a test over `names`; those that are not in `quick` are slow."""
    return [name if name in quick else slow(name) for name in names]


if COMPUTE.device.type == "cuda":
    choose_compute("cuda")  # deterministic, and float32 throughout


@contextmanager
def without_initialisation() -> Iterator[None]:
    """Skip random initialisation, which takes seconds and is not tested here."""
    names = ["normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_uniform_"]
    before = {name: getattr(nn.init, name) for name in names}
    for name in names:
        setattr(nn.init, name, lambda tensor, *_, **__: tensor.detach().fill_(0.01))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(nn.init, name, function)


def size_for(name: str) -> int:
    """Return a size of images that a model accepts, close to its smallest."""
    if name.startswith(("maxvit", "swin")):
        return 256 if name.startswith("swin_v2") else 224
    if name.startswith("vit_"):
        return 2 * int(name.rsplit("_", 1)[-1])
    return 96 if name == "inception_v3" else 64


def variant_of(name: str, head: str, train: Any = "all") -> Variant:
    strategy = Strategy.model_validate({"train": train, "head": head})
    strategy = strategy.model_copy(update={"init": "random"})  # also where layers are frozen: no file is needed
    backbone = Backbone(weights="none", model=name)
    return Variant("v", name, backbone, "s", strategy, "none", Policy(transforms=[]))


def assembled(name: str, head: str, size: int, train: Any = "all") -> Network:
    weights = Weights(None, without_weights(name), None)
    normalise = Normalise((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    network = assemble(variant_of(name, head, train), weights, CLASSES, size, normalise, (0, 0))
    return network.to(COMPUTE.device)


def tiny_prepared(folder: Path, **split: Any) -> Prepared:
    """Prepare 40 simulated patients, 32 pixels, split as published unless `split` says otherwise."""
    return _prepare(folder, patients=40, split={"method": "published"} | split)


def tiny_masked(folder: Path) -> Prepared:
    """Prepare the same patients with the masks of their lesions, which are known and not to be learned."""
    return _prepare(folder, patients=40, masks={"folder": "masks"})


def tiny_pairs(folder: Path, change: Callable[[Path], None] = lambda raw: None, **masks: Any) -> Prepared:
    """Prepare 20 simulated patients, 32 pixels, with the masks of their lesions to be learned, after a `change`."""
    return _prepare(folder, 20, "segmentation", change, masks={"folder": "masks"} | masks)


def tiny_grades(folder: Path) -> Prepared:
    """Prepare 40 simulated patients, 32 pixels, with three grades of the size of the head: 2, 9 and 10."""

    def grade(raw: Path) -> None:
        table = pd.read_csv(raw / "anatomy.csv")
        table["grade"] = pd.qcut(table["biparietal_diameter_mm"], 3, labels=["2", "9", "10"])
        table[["filename", "split", "grade"]].to_csv(raw / "grades.csv", index=False)
        (raw / "anatomy.csv").unlink()

    columns = {"file": "grades.csv", "image": "filename", "label": "grade", "split": "split"}
    files = {"exclude": ["masks/*", "*/_classes.csv"]}
    return _prepare(folder, 40, "ordinal", grade, layout={"kind": "label_csv", **columns}, files=files)


def tiny_numbers(folder: Path) -> Prepared:
    """Prepare 40 simulated patients, 32 pixels, with the size of the head in mm."""

    def measure(raw: Path) -> None:
        table = pd.read_csv(raw / "anatomy.csv")
        table[["filename", "split", "biparietal_diameter_mm"]].to_csv(raw / "numbers.csv", index=False)
        (raw / "anatomy.csv").unlink()

    columns = {"file": "numbers.csv", "image": "filename", "label": "biparietal_diameter_mm", "split": "split"}
    files = {"exclude": ["masks/*", "*/_classes.csv"]}
    return _prepare(folder, 40, "regression", measure, layout={"kind": "label_csv", **columns}, files=files)


def tiny_findings(folder: Path) -> Prepared:
    """Prepare 40 simulated patients, 32 pixels, with two findings, one of which is not known of every sixth image."""

    def mark(raw: Path) -> None:
        table = pd.read_csv(raw / "anatomy.csv")
        table["lesion"] = (table["lesion_area_mm2"] > 0).astype(int)
        table["large"] = (table["biparietal_diameter_mm"] > 80).astype(int).where(table.index % 6 > 0, -1)
        table[["filename", "split", "lesion", "large"]].to_csv(raw / "marks.csv", index=False)
        (raw / "anatomy.csv").unlink()

    layout = {"kind": "one_hot_csv", "file": "marks.csv", "image": "filename", "split": "split"}
    layout |= {"classes": ["lesion", "large"]}
    files = {"exclude": ["masks/*", "*/_classes.csv"]}
    return _prepare(folder, 40, "multilabel", mark, layout=layout, files=files, labels={"uncertain": "ignore"})


def _prepare(
    folder: Path,
    patients: int,
    task: str = "classification",
    change: Callable[[Path], None] = lambda raw: None,
    **changes: Any,
) -> Prepared:
    places = Places(folder)
    write_phantom(folder / "raw", patients=patients, frames=2, size=48, difficulty=0.0, split_by="patient", seed=1)
    change(folder / "raw")
    data = Data.model_validate(
        {
            "source": "phantom",
            "folder": ".",
            "phantom": {},
            "layout": "one_hot_csv",
            "group": {"pattern": r"^(patient\d+)_"},
            "image_size": 32,
            "resize": "stretch",
            "split": {"method": "published"},
            "leakage": "fail",
        }
        | changes
    )
    prepare(folder / "raw", data, 1, places, task, TASKS[task].target)
    return Prepared(places.prepared)


def tiny_views(prepared: Prepared, policy: Policy) -> Views:
    """Draw the views of a policy next to the prepared set."""
    folder = prepared.folder.parent / "views"
    write_views(prepared, policy, 1, folder)
    return open_views(prepared, policy, 1)


def pretrained(inputs: Inputs, folder: Path, model: str = "mobilenet_v3_small") -> Inputs:
    """Replace the backbone of a training by another, with weights in a file as if they had been pretrained.

    They are random, but the batch norms' statistics are those of the training images, so that images differ in
    their features by more than rounding errors.
    """
    torch.manual_seed(5)
    bare, rows = build_backbone(model, 32).train(), inputs.prepared.roles(0).train
    for module in bare.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        bare(Normalise((0.5,) * 3, (0.2,) * 3)(to_channels_first(inputs.prepared.images[rows])))
    state = bare.state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    save_state(state, folder / "weights.safetensors")
    variant = replace(inputs.variant, backbone_name=model)
    weights = Weights(state, without_weights(model), folder / "weights.safetensors")
    return replace(inputs, variant=variant, weights=weights)


def tiny_inputs(prepared: Prepared, policy: dict[str, Any] | None = None, **strategy: Any) -> Inputs:
    """Describe a training of the small baseline network on a tiny set, from random weights by default.

    A set with masks to be learned gets a U-Net of 4 channels, two levels deep.
    """
    chosen = Policy.model_validate(policy or {"transforms": []})
    fields = {"init": "random", "train": "all", "epochs": 3, "batch_size": 16} | strategy
    model = "cnn_small" if prepared.target_masks is None else "unet"
    variant = Variant(
        name="tiny",
        backbone_name=model,
        backbone=Backbone(weights="none", unet=UNet(base=4, depth=2)),
        strategy_name="tiny",
        strategy=Strategy.model_validate(fields),
        augmentation_name="tiny",
        policy=chosen,
    )
    weights = Weights(None, without_weights(model), None)
    return Inputs(variant, TASKS[prepared.task], prepared, tiny_views(prepared, chosen), weights, COMPUTE, [0, 1], 1)
