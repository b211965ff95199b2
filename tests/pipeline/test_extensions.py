"""Everything that a study can name, added from outside the package by one file each, and run through DVC."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from .conftest import Project

OUTSIDE = Path(__file__).parents[1] / "extensions"
FILES = ("loss", "head", "family", "layout", "metric", "section")

STUDY = """\
study: {name: outside, title: A study with extensions, task: classification, seed: 7}
data:
  source: phantom
  phantom: {patients: 40, frames: 2, size: 48, difficulty: 0.0, split_by: patient}
  kaggle: null
  folder: data/incoming
  layout: marks_of_splits
  masks: null
  group: {pattern: '^(patient[0-9]+)_'}
  image_size: 32
  resize: stretch
  split: {method: published}
  leakage: fail
augmentation:
  none: {views: 1, transforms: []}
backbones:
  tiny_pool: {weights: none}
strategies:
  scratch: {init: random, train: all, head: cosine, temperature: 0.2, loss: {kind: distance, power: 1.5}, epochs: 1}
  features: {init: random, train: head, head: cosine, epochs: 2}
training: {seeds: [0]}
variants:
  scratch: {backbone: tiny_pool, strategy: scratch, augmentation: none}
  features: {backbone: tiny_pool, strategy: features, augmentation: none}
comparison: {metric: error_rate, resamples: 200}
explain: {variants: []}
"""


def with_extensions(project: Project, study: str, *names: str) -> Project:
    for name in names:
        shutil.copy(OUTSIDE / f"dummy_{name}.py", project.folder / "extensions")
    listed = ", ".join(f"extensions/dummy_{name}.py" for name in names)
    project.write("params.yaml", f"{study}extensions: [{listed}]\n")
    return project


def test_one_file_each_adds_a_loss_a_head_a_family_a_layout_a_metric_and_a_section(fresh: Project) -> None:
    project = with_extensions(fresh, STUDY, *FILES)
    project.run("medtransfer", "repro", "-j", "1")
    assert "Error rate" in project.read("metrics/comparison.md")
    assert "2 variants, counted outside" in project.read("report/index.html")
    for name in ("scratch", "features"):
        found = json.loads(project.read(f"metrics/variants/{name}.json"))["mean"]
        assert found["error_rate"] == pytest.approx(1 - found["accuracy"])
        assert f"{name}_error_rate" in project.read("metrics/summary.json") or "error_rate" in project.read(
            "metrics/summary.json"
        )
    card = json.loads(project.read("models/scratch/card.json"))
    assert card["model"] == "tiny_pool"
    assert card["strategy"]["temperature"] == 0.2


def test_a_changed_statement_of_an_extension_reruns_the_study(fresh: Project) -> None:
    project = with_extensions(fresh, STUDY, *FILES)
    project.run("python", "stages/check.py")
    before = project.read("data/code/train.txt")
    loss = project.read("extensions/dummy_loss.py")
    project.write("extensions/dummy_loss.py", loss.replace("A loss from outside", "Another docstring"))
    project.run("python", "stages/check.py")
    assert project.read("data/code/train.txt") == before
    project.write("extensions/dummy_loss.py", loss.replace("power: float = 2.0", "power: float = 2.5"))
    project.run("python", "stages/check.py")
    assert project.read("data/code/train.txt") != before


@pytest.mark.slow
def test_one_file_adds_a_task_with_its_target(fresh: Project) -> None:
    study = STUDY.replace("task: classification", "task: counting").replace("error_rate", "accuracy_counted")
    study = study.replace("  features: {backbone: tiny_pool, strategy: features, augmentation: none}\n", "")
    project = with_extensions(fresh, study, "loss", "head", "family", "layout", "task")
    project.run("dvc", "repro")
    assert "Counted accuracy" in project.read("metrics/comparison.md")
    found = json.loads(project.read("metrics/variants/scratch.json"))
    assert set(found["mean"]) == {"accuracy_counted"}
    assert (len(found["classes"]), "other" in found["classes"]) == (2, True)


@pytest.mark.parametrize("name", ["missing", "broken"])
def test_an_extension_that_cannot_be_imported_is_one_line(fresh: Project, name: str) -> None:
    fresh.write("extensions/dummy_broken.py", "import no_such_module\n")
    fresh.write("params.yaml", f"{STUDY}extensions: [extensions/dummy_{name}.py]\n")
    output = fresh.run("python", "stages/check.py", fails=True)
    assert f"error: params.yaml: extensions: extensions/dummy_{name}.py" in output
    assert "Traceback" not in output
