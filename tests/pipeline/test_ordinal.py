"""Grades through real DVC, from the table of labels to the report, predictions, an export and maps."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from tiny import tiny_data

from .conftest import Project

MEDTRANSFER = ("env", "PYTHONPATH=src", "python", "-m", "medtransfer.cli")
STUDY = (
    "study: {name: tiny_grades, title: A tiny study of grades, task: ordinal, seed: 7}\n"
    + tiny_data("null").replace("one_hot_csv", "{kind: label_csv, file: anatomy.csv, image: filename, label: frame}")
    + """\
  files: {exclude: ['masks/*', '*/_classes.csv']}
augmentation:
  none: {views: 1, transforms: []}
  mixed: {views: 2, transforms: [], mix: {method: cutmix}}
backbones:
  cnn_small: {weights: none}
strategies:
  scratch: {init: random, train: all, loss: cumulative_logits, sampler: balanced, epochs: 2}
  head: {init: random, train: head, loss: squared_error, epochs: 2, patience: 1, monitor: score}
training: {seeds: [0, 1]}
variants:
  scratch: {backbone: cnn_small, strategy: scratch, augmentation: mixed}
  head: {backbone: cnn_small, strategy: head, augmentation: none}
comparison:
  metric: kappa_quadratic
  resamples: 200
  costs: {'1': {'2': 1.0, '3': 4.0}, '2': {'1': 1.0, '3': 1.0}, '3': {'1': 4.0, '2': 1.0}}
explain: {variants: [scratch], methods: [grad_cam]}
"""
)


@pytest.mark.slow
def test_a_study_of_grades_runs_to_the_report_predictions_an_export_and_maps(fresh: Project) -> None:
    study = STUDY.replace("frames: 2", "frames: 3").replace("method: published", "method: random")
    fresh.write("params.yaml", study)
    fresh.run("dvc", "repro")
    table = pd.read_csv(fresh.folder / "metrics/comparison.csv").set_index("variant")
    assert set(table.index) == {"scratch", "head", "constant", "nearest_neighbour"}
    assert table.loc["constant", "kappa_quadratic"] == pytest.approx(0, abs=1e-9)
    assert table["cost_weighted_accuracy"].between(0, 1).all()
    assert set(json.loads(fresh.read("metrics/summary.json"))["scratch"]) == {
        "accuracy",
        "kappa_quadratic",
        "mae_grades",
    }
    assert "Quadratic kappa" in fresh.read("metrics/comparison.md")
    assert 'id="calibration"' in fresh.read("report/index.html")
    assert (fresh.folder / "plots/explain/scratch.png").is_file()
    fresh.run(*MEDTRANSFER, "predict", "scratch", "data/raw/test", "-o", "mine.csv")
    found = pd.read_csv(fresh.folder / "mine.csv", dtype={"predicted": str})
    assert list(found) == ["path", "predicted", "p_1", "p_2", "p_3"]
    assert (found[["p_1", "p_2", "p_3"]].idxmax(axis=1).str.removeprefix("p_") == found["predicted"]).all()
    for name in ("scratch", "head"):
        output = fresh.run(*MEDTRANSFER, "export", name, "--run", "fold0_seed1")
        assert f"exports/{name}/model.onnx: on validation images, its outputs differ" in output
    assert "grade images from 1 to 3" in fresh.read("exports/scratch/README.md")
