"""Mistakes of a user are reported before anything trains: all of them, one line each, with no partial output."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pandas as pd
import pytest

from medtransfer.util.errors import UserError

from .conftest import Project, stages_run


def problems(output: str) -> list[str]:
    """Return the error lines of a stage's output."""
    return [line for line in output.splitlines() if line.startswith("error: ")]


def test_all_errors_of_the_params_are_listed_at_once(fresh: Project) -> None:
    fresh.replace("image_size: 32", "image_size: large")
    fresh.replace("patients: 40", "patiens: 40")
    fresh.replace("epochs: 2}\n  frozen", "epochs: 0}\n  frozen")
    found = problems(fresh.run("python", "stages/check.py", fails=True))
    assert [line.split(": ")[2] for line in found] == [
        "data.phantom.patiens",
        "data.image_size",
        "strategies.scratch.epochs",
    ]


def test_unknown_names_and_impossible_parts_are_listed_at_once(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fresh.folder)
    fresh.replace("backbone: cnn_small, strategy: scratch", "backbone: cnn_smal, strategy: scratch")
    fresh.replace("weights: pretrained.safetensors", "weights: IMAGENET1K_V1")
    fresh.replace("HorizontalFlip", "HorizontalFlipp")
    fresh.replace("scored: 6", "scored: 6, blocks: {pretrained: features.77}")
    output = fresh.run("python", "stages/check.py", fails=True)
    assert "did you mean 'cnn_small'" in output
    assert "Traceback" not in output
    fresh.replace("backbone: cnn_smal,", "backbone: cnn_small,")
    found = errors_of("check")
    assert "no weights 'IMAGENET1K_V1' for cnn_small" in found
    assert "HorizontalFlipp" in found
    assert "explain.blocks.pretrained: cnn_small has no block 'features.77'; did you mean 'features.7'?" in found


def test_nothing_runs_after_a_failed_check(fresh: Project) -> None:
    fresh.replace("leakage: fail", "leakage: fial")
    output = fresh.run("dvc", "repro", fails=True)
    assert stages_run(output) == {"check"}
    assert not (fresh.folder / "data/raw").exists()


def test_a_missing_or_empty_folder_fails_the_check(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fresh.folder)
    fresh.replace("source: phantom", "source: folder")
    fresh.replace("folder: data/incoming", "folder: mine")
    assert "mine" in errors_of("check")
    (fresh.folder / "mine").mkdir()
    assert "mine" in errors_of("check")


@pytest.fixture
def own(fresh: Project, raw: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose images are in a folder of the user."""
    monkeypatch.chdir(fresh.folder)
    shutil.copytree(raw, fresh.folder / "mine")
    fresh.replace("source: phantom", "source: folder")
    fresh.replace("folder: data/incoming", "folder: mine")
    fresh.replace("masks: {folder: masks}", "masks: null")
    return fresh


def failure(project: Project) -> str:
    """Run the stages up to `prepare` without DVC; return its error lines. It must leave nothing behind."""
    found = errors_of("check", "download", "prepare")
    assert not (project.folder / "data/prepared").exists()
    assert not (project.folder / "metrics/data.json").exists()
    return found


def errors_of(*names: str) -> str:
    """Return the error lines of stages, run one after the other without DVC."""
    with pytest.raises(UserError) as caught:
        run_stages(*names)
    return "\n".join(caught.value.problems)


def run_stages(*names: str) -> None:
    """Run stages of the project in the current folder in this process."""
    for name in names:
        runpy.run_path(f"stages/{name}.py")["main"]()


def images(project: Project, split: str) -> list[Path]:
    return sorted((project.folder / "mine" / split).glob("*.png"))


def test_rows_without_files_and_files_without_rows_are_all_listed(own: Project) -> None:
    first, second, third = images(own, "train")[:3]
    first.unlink()
    second.unlink()
    third.rename(third.with_name("stranger.png"))
    found = failure(own)
    assert all(name in found for name in (first.name, second.name, third.name, "stranger.png"))


def test_unreadable_images_are_all_listed(own: Project) -> None:
    truncated, empty, text = images(own, "train")[:3]
    truncated.write_bytes(truncated.read_bytes()[:100])
    empty.write_bytes(b"")
    text.write_text("no image", encoding="utf-8")
    found = failure(own)
    assert all(path.name in found for path in (truncated, empty, text))


def test_a_class_with_too_few_groups_for_the_folds_is_reported(own: Project) -> None:
    own.replace("split: {method: published}", "split: {method: kfold, folds: 30}")
    assert "fold" in failure(own)


def test_a_leak_stops_the_run_and_names_the_evidence_and_the_remedies(own: Project) -> None:
    table = pd.read_csv(own.folder / "mine/train/_classes.csv")
    moved = table.iloc[[0]]
    test = own.folder / "mine/test/_classes.csv"
    source = own.folder / "mine/train" / str(moved["filename"].iloc[0])
    shutil.copy(source, own.folder / "mine/test/copy_of_one.png")
    pd.concat([pd.read_csv(test), moved.assign(filename="copy_of_one.png")]).to_csv(test, index=False)
    own.replace("group: {pattern: '^(patient[0-9]+)_'}", "group: null")
    found = failure(own)
    assert "data.leakage" in found
    assert "regroup" in found
    picture = own.folder / ".medtransfer/leaking_images.png"
    assert "(1 sets of exact duplicates; side by side in .medtransfer/leaking_images.png)" in found
    assert picture.is_file()
    own.replace("leakage: fail", "leakage: report")
    run_stages("check", "prepare")
    assert not picture.exists()
