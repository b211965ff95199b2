"""DVC re-runs a stage for what its code does: comments re-run `check` alone, statements the stages that reach them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Project, stages_run


@pytest.fixture
def locked(fresh: Project) -> Project:
    """Return a project after `check` whose other stages are recorded as run, with placeholders for their outs."""
    from dvc.repo import Repo

    fresh.run("dvc", "repro", "check")
    with Repo(str(fresh.folder)) as repo:
        outs = [Path(out.fs_path) for stage in repo.index.stages for out in stage.outs]
    for out in outs:
        if not out.exists():
            path = out if out.suffix else out / "placeholder"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(out.name, encoding="utf-8")
    fresh.run("dvc", "commit", "--force")
    assert changed_stages(fresh) == set()
    return fresh


def changed_stages(project: Project) -> set[str]:
    """Return the stages that DVC would run, without the names of their items."""
    return {name.partition("@")[0] for name in json.loads(project.run("dvc", "status", "--json"))}


def edit(project: Project, name: str, text: str) -> set[str]:
    """Append text to a source file and run `check`; return the other stages that DVC then would run."""
    project.write(name, f"{project.read(name)}{text}")
    assert stages_run(project.run("dvc", "repro", "check")) == {"check"}
    return changed_stages(project)


def test_a_comment_reruns_check_alone_and_a_statement_the_stages_that_reach_it(locked: Project) -> None:
    """A statement of an extension re-runs every stage."""
    for name in ("src/medtransfer/util/seeds.py", "src/medtransfer/report/page.py", "stages/train.py"):
        locked.write(name, locked.read(name).replace('"""', '"""Truly: ', 1))
    assert edit(locked, "src/medtransfer/tasks/classification.py", "\n# a comment\n") == set()
    statement = "\nNUMBER = 3\n"
    assert edit(locked, "src/medtransfer/report/page.py", statement) == {"compare"}
    assert edit(locked, "src/medtransfer/util/seeds.py", statement) >= {"prepare", "train", "weights"}
    locked.write("extensions/mine.py", "LIMIT = 3\n")
    locked.write("params.yaml", f"extensions: [extensions/mine.py]\n{locked.read('params.yaml')}")
    locked.run("dvc", "repro", "check")
    stages = {path.stem for path in (locked.folder / "stages").glob("*.py")}
    everything = stages - {"check", "external", "tta"}  # the study has no external set and no augmented test
    assert changed_stages(locked) == everything
    locked.run("dvc", "commit", "--force")
    locked.write("extensions/mine.py", "LIMIT = 3  # as before\n")
    locked.run("dvc", "repro", "check")
    assert changed_stages(locked) == set()
    assert locked.run("medtransfer", "plan") == "Everything is up to date.\n"


def test_weights_of_a_backbone_are_fetched_once_a_variant_uses_it(fresh: Project) -> None:
    fresh.replace("backbones:\n", "backbones:\n  idle: {model: cnn_small, weights: pretrained.safetensors}\n")
    fresh.run("medtransfer", "repro", "-j", "1", "weights@idle", "weights@pretrained")
    card = json.loads(fresh.read("weights/idle/card.json"))
    assert card["reference"] == "not fetched: no variant uses this backbone"
    assert not (fresh.folder / "weights/idle/weights.safetensors").exists()
    fresh.replace("  frozen: {backbone: pretrained", "  frozen: {backbone: idle")  # few_shot still has the other
    assert "| weights@idle      | now used    |" in fresh.run("medtransfer", "plan")
    assert stages_run(fresh.run("dvc", "repro", "weights@idle", "weights@pretrained")) == {"check", "weights@idle"}
    assert (fresh.folder / "weights/idle/weights.safetensors").is_file()
