"""Segmentation through real DVC: the same stages, files and rules as for classification."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from tiny import tiny_data

from medtransfer.tasks.masks.predictions import decode_mask

from .conftest import Project, problems_of, write_weights

STUDY = (
    "study: {name: tiny_masks, title: A tiny study of masks, task: segmentation, seed: 7}\n"
    + tiny_data("{folder: masks, spacing: {file: anatomy.csv, image: filename, column: pixel_spacing_mm}}")
    + """\
augmentation:
  none: {views: 1, transforms: []}
  moved: {views: 2, transforms: [Affine: {rotate: [-20, 20], p: 1.0}], mix: {method: cutmix}}
backbones:
  unet: {weights: none, unet: {base: 4, depth: 2, batch_norm: true}}
  resnet18: {weights: resnet18.safetensors}
strategies:
  scratch: {init: random, train: all, loss: dice_cross_entropy, epochs: 2, batch_size: 8}
  frozen: {train: head, loss: focal, lr: 1.0e-3, epochs: 1}
training: {seeds: [0, 1]}
variants:
  scratch: {backbone: unet, strategy: scratch, augmentation: moved}
  frozen: {backbone: resnet18, strategy: frozen, augmentation: none}
comparison: {metric: dice, resamples: 200}
explain: {variants: []}
"""
)


@pytest.fixture
def masks(fresh: Project) -> Project:
    """Return a project with a segmentation study."""
    fresh.write("params.yaml", STUDY)
    write_weights("resnet18", fresh.folder / "resnet18.safetensors")
    return fresh


def test_a_study_of_masks_runs_to_the_table_and_re_runs_only_what_changed(masks: Project) -> None:
    masks.run("medtransfer", "repro", "-j", "1")
    table = pd.read_csv(masks.folder / "metrics/comparison.csv").set_index("variant")
    assert set(table.index) == {"scratch", "frozen", "constant", "nearest_neighbour"}
    assert table["dice"].between(0, 1).all()
    assert (table["hd95"] > 0).all()
    rows = pd.read_parquet(masks.folder / "data/prepared/table.parquet")
    found = pd.read_parquet(masks.folder / "predictions/scratch.parquet")
    assert set(found["path"][found["role"] == "test"]) == set(rows["path"][rows["split"] == "test"])
    assert {decode_mask(mask).shape for mask in found["mask"]} == {(32, 32)}
    summary = json.loads(masks.read("metrics/summary.json"))
    assert set(summary["frozen"]) == {"dice", "hd95"}
    assert 'id="mask_examples"' in masks.read("report/index.html")
    masks.run("dvc", "plots", "show")
    masks.replace("loss: focal", "loss: {kind: tversky, beta: 0.8}")
    ran = masks.run("medtransfer", "repro", "-j", "1")
    assert re.findall(r"^done +(\S+)", ran, re.MULTILINE) == ["check", "train@frozen", "evaluate@frozen", "compare"]
    masks.run("dvc", "metrics", "show")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("task: segmentation", "task: classification", "comparison.metric: no metric 'dice'; choose from"),
        ("metric: dice", "metric: accuracy", "comparison.metric: no metric 'accuracy'; choose from"),
        ("method: cutmix", "method: mixup", "mix: mixup blends the classes of a mask"),
        (
            "train: head, loss",
            "train: head, head: mlp, loss",
            "head: mlp classifies images; in segmentation the decoder",
        ),
        ("depth: 2", "depth: 6", "unet of depth 6 needs a multiple of 64 pixels, but data.image_size is 32"),
        ("rotate: [-20, 20]", "rotate: [-20, 20], mask_interpolation: 1", "Affine blends the classes of a mask"),
        ("  resnet18: {", "  resnet18: {model: efficientnet_b0, ", "no segmentation model 'efficientnet_b0'"),
    ],
)
def test_parts_that_cannot_learn_masks_are_reported_before_anything_runs(old: str, new: str, problem: str) -> None:
    assert old in STUDY
    assert problem in "\n".join(problems_of(STUDY.replace(old, new, 1)))


def test_a_study_without_masks_cannot_segment() -> None:
    without = re.sub(r"masks: \{folder.*", "masks: null", STUDY)
    assert without != STUDY
    assert "data.masks: segmentation needs masks" in "\n".join(problems_of(without))
