"""External sets and test-time views in every task through real DVC: tables, page, summary, folds, and MLflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from tiny import tiny_data

from fetal_phantom import write_phantom

from .conftest import Project

FINDINGS = {"kind": "label_csv", "file": "anatomy.csv", "image": "filename", "label": "findings"}
GRADES, NUMBERS = FINDINGS | {"label": "frame"}, FINDINGS | {"label": "head_circumference_px"}
EXCLUDED = {"files": {"exclude": ["masks/*", "*/_classes.csv"]}}
TASKS: dict[str, dict[str, Any]] = {
    "multilabel": {"loss": "binary_cross_entropy", "metric": "roc_auc", "data": {"layout": FINDINGS} | EXCLUDED},
    "ordinal": {"loss": "cross_entropy", "metric": "kappa_quadratic", "data": {"layout": GRADES} | EXCLUDED},
    "regression": {"loss": "l1", "metric": "mae", "data": {"layout": NUMBERS} | EXCLUDED},
    "segmentation": {"loss": "dice", "metric": "dice", "data": {"layout": "images", "masks": {"folder": "masks"}}},
}


def study_of(task: str, there: Path) -> dict[str, Any]:
    """Return a study of two variants with an external set; that of grades has folds."""
    about, model = TASKS[task], "unet" if task == "segmentation" else "cnn_small"
    data = YAML(typ="safe").load(tiny_data("null"))["data"] | about["data"]
    data["split"] = {"method": "kfold", "folds": 3} if task == "ordinal" else {"method": "random"}
    data["phantom"]["frames"] = 3
    data |= {"unit": "px"} if task == "regression" else {}
    external = {"source": "folder", "folder": str(there), "group": data["group"]} | about["data"]
    strategy = {"init": "random", "train": "all", "loss": about["loss"], "epochs": 2, "batch_size": 16}
    line = {"backbone": "small", "augmentation": "flips"}
    return {
        "study": {"name": "tiny", "title": "A tiny study", "task": task, "seed": 7},
        "data": data | {"external": {"hospital": external}},
        "augmentation": {"flips": {"views": 2, "transforms": [{"HorizontalFlip": {"p": 0.5}}]}},
        "backbones": {
            "small": {"model": model, "weights": "none"} | ({"unet": {"base": 4}} if model == "unet" else {})
        },
        "strategies": {"slow": strategy | {"lr": 1e-4}, "fast": strategy | {"lr": 1e-2}},
        "training": {"seeds": [0]},
        "variants": {name: line | {"strategy": name} for name in ("slow", "fast")},
        "explain": {"variants": []},
        "comparison": {"metric": about["metric"], "resamples": 200, "tta": {"fast": {"views": 3}}},
    }


def by_hand(task: str, rows: pd.DataFrame) -> float:
    """Return the metric of the rows of one run."""
    if task == "regression":
        return float((rows["truth"] - rows["predicted"]).abs().mean())
    if task == "segmentation":
        return float(rows["dice"].mean())
    scores = rows.filter(regex="^p_")
    if task == "ordinal":
        return float(cohen_kappa_score(rows["label"], scores.to_numpy().argmax(axis=1), weights="quadratic"))
    truths = rows.filter(regex="^truth_")
    areas = [
        roc_auc_score(truths[f"truth_{name[2:]}"], scores[name])
        for name in scores
        if truths[f"truth_{name[2:]}"].nunique() > 1
    ]
    return float(np.mean(areas))


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_an_external_set_of_any_task_is_compared(fresh: Project, tmp_path: Path, task: str) -> None:
    write_phantom(tmp_path / "there", patients=25, frames=3, size=48, difficulty=0.5, split_by="patient", seed=123)
    with (fresh.folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(study_of(task, tmp_path / "there"), file)
    fresh.run("env", f"MEDTRANSFER_TRACKING={'on' if task == 'multilabel' else 'off'}", "dvc", "repro")
    metric, tables = TASKS[task]["metric"], fresh.folder / "metrics/tables"
    rows = pd.read_csv(tables / "external.csv").query("metric == @metric").set_index("variant")
    table = pd.read_csv(fresh.folder / "metrics/comparison.csv").set_index("variant")
    sign = -1 if task == "regression" else 1
    assert set(rows.index) == {"slow", "fast"}
    for name, row in rows.iterrows():
        assert row["home"] == pytest.approx(table.loc[name, metric], rel=1e-4)
        assert row["drop"] == pytest.approx(sign * (row["home"] - row["value"]), abs=1e-4)
        assert row["drop_low"] <= row["drop"] <= row["drop_high"]
    for name in rows.index:  # what validation promised, of the kept epoch, beside what was kept
        found = pd.read_parquet(fresh.folder / f"predictions/{name}.parquet").query("role == 'validation'")
        values = [by_hand(task, of_run) for _, of_run in found.groupby(["fold", "seed"])]
        assert len(values) == (3 if task == "ordinal" else 1)
        assert table.loc[name, f"{metric}_validation"] == pytest.approx(np.mean(values), abs=1e-4)
    ranking = pd.read_csv(tables / "rankings.csv").set_index("metric").loc[metric]
    assert ranking["tau_low"] <= ranking["tau"] <= ranking["tau_high"]
    ensembles = pd.read_csv(tables / "ensembles.csv").set_index("ensemble")
    assert ensembles.loc["fast, 3 views", "reference"] == "fast"
    assert ("mean of all variants" in ensembles.index) == (task != "segmentation")
    page, summary = fresh.read("report/index.html"), json.loads(fresh.read("metrics/summary.json"))
    assert all(f'id="{section}"' in page for section in ("external", "ensembles"))
    assert summary["fast"][f"{metric}_hospital"] == pytest.approx(rows.loc["fast", "value"], abs=1e-3)
    if task == "multilabel":
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{fresh.folder}/mlflow.db")
        runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
        names = {name for run in runs for name in run.data.metrics}
        assert any("hospital" in name and metric in name for name in names), names
