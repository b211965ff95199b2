"""Variants of the default study on frozen features agree between instruction sets and numbers of threads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medtransfer.study.use import read_study

from .conftest import Project

WITHIN = 0.01
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
METRICS = ("accuracy", "balanced_accuracy", "f1_weighted", "roc_auc")
PROGRAM = """\
import runpy, sys
train, evaluate = (runpy.run_path(f"stages/{name}.py")["main"] for name in ("train", "evaluate"))
for name in sys.argv[1:]:
    train(name)
    evaluate(name)
"""


def metrics(project: Project, names: list[str], environment: dict[str, str]) -> dict[tuple[str, str], float]:
    """Train and evaluate variants in one process, with a new cache; return their metrics."""
    for folder in ("models", "predictions", "metrics/variants", "metrics/cost", "plots/variants", ".medtransfer"):
        shutil.rmtree(project.folder / folder, ignore_errors=True)
        (project.folder / folder).mkdir(parents=True)
    cache = {"MEDTRANSFER_CACHE": str(project.folder / "cache" / "-".join(environment.values()))}
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        cwd=project.folder,
        env=project.environment | cache | environment,
        check=True,
        capture_output=True,
    )
    means = {name: json.loads(project.read(f"metrics/variants/{name}.json"))["mean"] for name in names}
    return {(name, metric): means[name][metric] for name in names for metric in METRICS}


@pytest.mark.slow
def test_frozen_variants_of_the_default_study_agree(fresh: Project, root: Path) -> None:
    study = read_study(root / "studies/phantom.yaml")
    names = [name for name, line in study.variants.items() if not line.strategy.trains_backbone]
    names = [name for name in names if study.variants[name].strategy.init == "pretrained"]
    assert len(names) >= 5
    shutil.copy(root / "studies/phantom.yaml", fresh.folder / "params.yaml")
    fresh.run("dvc", "repro", "augment", "weights")
    usual = metrics(fresh, names, {"MEDTRANSFER_THREADS": "1"})
    threads = {"MEDTRANSFER_THREADS": str(min(2, os.cpu_count() or 1))}
    for environment in (threads, {"MEDTRANSFER_THREADS": "1"} | AVX2, threads | AVX2):
        other = metrics(fresh, names, environment)
        apart = {key: (usual[key], other[key]) for key in usual if abs(usual[key] - other[key]) > WITHIN}
        assert not apart, environment
