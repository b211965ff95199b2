"""`medtransfer plan` lists the stages that DVC then runs."""

from __future__ import annotations

import json

import pytest

from .conftest import Project, stages_run

PLAN = ("python", "-m", "medtransfer.cli", "plan")


@pytest.mark.slow
def test_the_plan_lists_the_stages_that_then_run(fresh: Project) -> None:
    output = fresh.run(*PLAN)
    assert "run `dvc repro prepare`" in " ".join(output.split())
    assert "| train@scratch" in output
    fresh.run("dvc", "repro", "prepare")
    stages = next(part for part in fresh.run(*PLAN).split("\n\n") if part.startswith("| Stage"))
    lines = [line.split("|") for line in stages.splitlines()]
    header, _, *rows = [[cell.strip() for cell in line[1:-1]] for line in lines]
    assert header == ["Stage", "Why", "Work", "Time", "Memory MB", "Disk MB"]
    planned = {row[0]: row for row in rows}
    assert "prepare" not in planned
    assert planned["train@scratch"][2].startswith("2 runs, 2 epochs")
    assert all(
        ":" in row[3] for name, row in planned.items() if name.startswith(("train@", "evaluate@", "augment@flips"))
    )
    assert set(planned) == stages_run(fresh.run("dvc", "repro"))
    assert fresh.run(*PLAN) == "Everything is up to date.\n"
    page = fresh.read("report/index.html")
    assert "Planned and actual cost" in page
    kept = json.loads(fresh.read(".medtransfer/plan.json"))
    assert set(kept) == {"scratch", "frozen", "few_shot"}


@pytest.mark.slow
def test_the_report_does_not_show_the_plan_of_another_training(project: Project) -> None:
    project.replace("lr: 1.0e-3, epochs: 2}", "lr: 1.0e-3, epochs: 3}")
    rows = project.run(*PLAN)
    assert "| train@frozen    | strategies.frozen " in rows
    assert "| evaluate@frozen | after train@frozen " in rows
    assert "train@scratch" not in rows
    project.replace("lr: 1.0e-3, epochs: 3}", "lr: 1.0e-3, epochs: 1}")
    project.run("dvc", "repro")
    assert "Planned and actual cost" not in project.read("report/index.html")
