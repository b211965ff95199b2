"""The whole pipeline through real DVC: its outputs, what runs again after a change, and reproducibility."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from .conftest import Project, kill, stages_run

VARIANTS = ("scratch", "frozen", "few_shot")


def locked(project: Project) -> dict[str, Any]:
    """Return the hash of every out by its path."""
    stages = YAML(typ="safe").load(project.read("dvc.lock"))["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}


def test_the_table_has_one_row_per_variant_and_baseline(finished: Project) -> None:
    table = pd.read_csv(finished.folder / "metrics/comparison.csv")
    assert set(table["variant"]) == {*VARIANTS, "constant", "nearest_neighbour"}
    predictions = pd.read_parquet(finished.folder / "predictions/frozen.parquet")
    assert predictions.groupby(["fold", "seed"]).ngroups == 2
    summary = json.loads(finished.read("metrics/summary.json"))
    assert summary["scratch"]["accuracy"] == pytest.approx(
        table.set_index("variant").loc["scratch", "accuracy"], abs=1e-4
    )
    assert all(isinstance(value, float) for row in summary.values() for value in row.values())


def test_the_table_is_made_of_predictions_of_test_rows(finished: Project) -> None:
    rows = pd.read_parquet(finished.folder / "data/prepared/table.parquet")
    test = set(rows["path"][rows["split"] == "test"])
    scored = pd.read_parquet(finished.folder / "predictions/frozen.parquet")
    assert set(scored["path"][scored["role"] == "test"]) == test
    assert not set(scored["path"][scored["role"] == "validation"]) & test


def test_a_second_repro_runs_nothing(finished: Project) -> None:
    assert not stages_run(finished.run("dvc", "repro"))


def test_a_changed_and_an_added_variant_run_alone_and_a_removed_one_leaves_the_table(
    changed: Callable[..., set[str]], project: Project
) -> None:
    """And DVC's commands show the change."""
    own = {"train@frozen", "evaluate@frozen", "explain@frozen", "train@new", "evaluate@new"}
    added = "+variants.new={backbone: cnn_small, strategy: scratch, augmentation: none}"
    assert changed("strategies.frozen.lr=0.01", added, "~variants.scratch") == {"check", "compare"} | own
    table = set(pd.read_csv(project.folder / "metrics/comparison.csv")["variant"])
    assert table >= {"new", "frozen", "few_shot"}
    assert "scratch" not in table
    diff = project.run("dvc", "metrics", "diff", "--md")
    assert all(name in diff for name in ("frozen", "new", "scratch"))
    assert "few_shot" not in diff
    shown = pd.read_csv(StringIO(project.run("dvc", "exp", "show", "--csv")))
    assert any("scratch" in column for column in shown)
    project.run("dvc", "plots", "show")
    page = project.read("dvc_plots/index.html")
    assert all(name in page for name in ("new", "frozen", "few_shot"))


@pytest.mark.slow
def test_maps_are_drawn_for_exactly_the_named_variants(changed: Callable[..., set[str]], project: Project) -> None:
    assert {path.stem for path in (project.folder / "plots/explain").glob("*.png")} == {"frozen", "few_shot"}
    table = pd.read_csv(project.folder / "metrics/tables/maps.csv")
    assert list(table["variant"]) == ["frozen", "frozen", "few_shot", "few_shot"]
    assert 'id="explanations"' in project.read("report/index.html")
    assert changed("explain.variants=[]") == {"check", "compare"}
    assert pd.read_csv(project.folder / "metrics/tables/maps.csv").empty
    assert 'id="explanations"' not in project.read("report/index.html")


@pytest.mark.slow
def test_two_forced_runs_differ_only_in_their_costs(project: Project) -> None:
    before = locked(project)
    shutil.rmtree(project.folder / ".medtransfer")
    project.run("dvc", "repro", "--force", "--no-run-cache")
    after = locked(project)
    assert before.keys() == after.keys()
    differing = {path for path, found in after.items() if found != before[path]}
    allowed = {
        *(f"metrics/cost/{name}.json" for name in VARIANTS),
        "metrics/cost.csv",
        "metrics/cost.md",
        "plots/costs",
        "report",
    }
    assert differing <= allowed


def test_a_killed_repro_resumes_and_produces_identical_files(project: Project) -> None:
    project.replace("train: all, epochs: 2", "train: all, epochs: 20")
    interrupted = Project(project.folder.parent / "interrupted")
    shutil.copytree(project.folder, interrupted.folder, symlinks=True)
    process = interrupted.start("dvc", "repro")
    checkpoints = interrupted.folder / ".medtransfer" / "checkpoints"
    deadline = time.monotonic() + 120
    while not (found := _checkpoints(checkpoints)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    kill(process)
    assert found
    assert not (interrupted.folder / "models/scratch/card.json").exists()
    for lock in (interrupted.folder / ".dvc/tmp").glob("*lock*"):
        lock.unlink()
    for each in (interrupted, project):
        each.run("dvc", "repro", "train@scratch")
    assert locked(interrupted)["models/scratch"] == locked(project)["models/scratch"]
    assert not _checkpoints(checkpoints)


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


@pytest.mark.parametrize("layout", [pytest.param("class_folders", marks=pytest.mark.slow), "split_folders"])
def test_a_folder_of_images_is_prepared_like_the_simulated_set(fresh: Project, finished: Project, layout: str) -> None:
    """In a project without git."""
    source = finished.folder / "data/raw"
    for split in ("train", "valid", "test"):
        table = pd.read_csv(source / split / "_classes.csv").set_index("filename")
        for name, row in table.iterrows():
            parts = [split, row.idxmax()] if layout.startswith("split") else [row.idxmax()]
            target = fresh.folder.joinpath("mine", *parts, str(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / split / str(name), target)
    fresh.replace("source: phantom", "source: folder")
    fresh.replace("masks: {folder: masks}", "masks: null")
    fresh.replace("folder: data/incoming", "folder: mine")
    fresh.replace("layout: one_hot_csv", f"layout: {layout}")
    if layout == "class_folders":
        fresh.replace("method: published", "method: random")
    assert stages_run(fresh.run("dvc", "repro", "prepare")) == {"check", "download", "prepare"}
    ours = pd.read_parquet(fresh.folder / "data/prepared/table.parquet")
    theirs = pd.read_parquet(finished.folder / "data/prepared/table.parquet")
    assert sorted(ours["label"]) == sorted(theirs["label"])
