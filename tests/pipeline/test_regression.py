"""Numbers through real DVC: the same stages, files and rules as for classes, and the unit everywhere."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tiny import tiny_data

from .conftest import Project, problems_of

LABELS = "{kind: label_csv, file: anatomy.csv, image: filename, label: head_circumference_px, split: split}"
STUDY = (
    "study: {name: tiny_numbers, title: A tiny study of numbers, task: regression, seed: 7}\n"
    + tiny_data("{folder: masks}").replace("layout: one_hot_csv", f"layout: {LABELS}\n  unit: px")
    + """\
augmentation:
  none: {views: 1, transforms: []}
  zoomed: {views: 2, transforms: [HorizontalFlip: {p: 0.5}, Affine: {scale: [0.8, 1.2], p: 1.0}], mix: {method: mixup}}
backbones:
  cnn_small: {weights: none}
  pretrained: {model: cnn_small, weights: pretrained.safetensors}
strategies:
  scratch: {init: random, train: all, loss: huber, epochs: 2, monitor: score, patience: 2}
  frozen: {train: head, loss: gaussian, lr: 1.0e-2, epochs: 20, fraction: [0.5, 1.0]}
training: {seeds: [0, 1]}
variants:
  scratch: {backbone: cnn_small, strategy: scratch, augmentation: zoomed}
  frozen: {backbone: pretrained, strategy: frozen, augmentation: none}
comparison: {metric: mae, resamples: 200}
explain: {variants: []}
"""
)
CLI = ("python", "-m", "medtransfer.cli")


@pytest.fixture
def numbers(fresh: Project) -> Project:
    """Return a project with a study of numbers."""
    fresh.write("params.yaml", STUDY)
    return fresh


def test_a_study_of_numbers_runs_to_the_page_predicts_in_units_and_is_exported(numbers: Project) -> None:
    numbers.run("medtransfer", "repro", "-j", "1")
    warning = "SCALE: augmentation zoomed rescales the images, but not their number in px; leave Affine"
    assert warning in numbers.read(".medtransfer/logs/check.log")
    table = pd.read_csv(numbers.folder / "metrics/comparison.csv").set_index("variant")
    assert set(table.index) == {"scratch", "frozen", "constant", "nearest_neighbour"}
    assert table["mae"].between(0.1, 30).all()
    assert set(json.loads(numbers.read("metrics/summary.json"))["frozen"]) == {"mae", "r2"}
    page = numbers.read("metrics/comparison.md")
    assert "Mean absolute error (px)" in page
    assert warning in page
    anatomy = pd.read_csv(numbers.folder / "data/raw/anatomy.csv").set_index("filename")["head_circumference_px"]
    found = pd.read_parquet(numbers.folder / "predictions/frozen.parquet")
    assert np.allclose(found["truth"], anatomy[found["path"].str.rpartition("/")[2]])
    assert (found["deviation"] > 0).all()
    report = numbers.read("report/index.html")
    assert all(f'id="{section}"' in report for section in ("predicted_numbers", "agreement", "error_by_range"))
    assert len(pd.read_csv(numbers.folder / "metrics/tables/ranges.csv")) == 4 * 5
    curve = pd.read_csv(numbers.folder / "metrics/tables/fractions.csv").set_index("fraction")
    assert set(curve.index) == {0.5, 1.0}
    assert curve.loc[1.0, "value"] == pytest.approx(table.loc["frozen", "mae"])
    assert 'id="images_needed"' in report

    numbers.run(*CLI, "predict", "frozen", "data/raw/test", "-o", "mine.csv")
    mine = pd.read_csv(numbers.folder / "mine.csv").set_index("path")["head_circumference_px"]
    tests = found[found["role"] == "test"].groupby("path")["predicted"].mean()
    assert np.allclose(mine[[f"data/raw/{path}" for path in tests.index]], tests)
    numbers.run(*CLI, "export", "frozen", "-o", "exported")
    assert "Mean absolute error (px)" in numbers.read("exported/README.md")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "  unit: px\n",
            "",
            "data.unit: regression needs the unit of its numbers, such as mm or months; '' if they have",
        ),
        ("method: mixup", "method: cutmix", "scratch: cutmix pastes parts of images, whose numbers are not known"),
        ("loss: huber", "loss: dice", "loss.kind: no loss 'dice'; choose from gaussian, huber, l1, l2"),
        ("train: head, loss", "train: head, head: logistic, loss", "head: logistic needs one class for each image"),
        (
            "train: head, loss",
            "train: head, sampler: balanced, loss",
            "sampler: balanced needs one class for each image",
        ),
        ("training: {", "training: {precision: bfloat16, ", "training.precision: bfloat16 rounds predicted numbers"),
        ("variants: []", "variants: [frozen]", "explain.variants: maps need one class for each image"),
        ("metric: mae", "metric: accuracy", "comparison.metric: no metric 'accuracy'; choose from"),
    ],
)
def test_parts_that_cannot_learn_numbers_are_reported_before_anything_runs(old: str, new: str, problem: str) -> None:
    assert old in STUDY
    assert problem in "\n".join(problems_of(STUDY.replace(old, new)))
