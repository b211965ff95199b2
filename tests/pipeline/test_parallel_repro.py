"""`medtransfer repro` writes the bytes of `dvc repro`, isolates failures and leaves no process behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from .conftest import Project

COST = ("metrics/cost", "plots/costs", "report")


def hashes(project: Project) -> dict[str, str]:
    stages: dict[str, Any] = YAML(typ="safe").load(project.read("dvc.lock"))["stages"]
    outs = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    return {path: found for path, found in outs.items() if not path.startswith(COST)}


def processes_below(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder.resolve() and process.name != str(os.getpid()):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [command for command in found if command]


def test_two_stages_at_once_write_the_same_bytes_as_one_after_the_other(fresh: Project, finished: Project) -> None:
    output = fresh.run("medtransfer", "repro", "-j", "2")
    assert output.count("done") == len(YAML(typ="safe").load(fresh.read("dvc.lock"))["stages"])
    assert hashes(fresh) == hashes(finished)
    assert "everything is up to date" in fresh.run("medtransfer", "repro", "-j", "2")
    assert "Running stage" not in fresh.run("dvc", "repro")


def test_a_failed_variant_is_reported_with_its_log_and_stops_no_other(project: Project) -> None:
    project.replace("frozen: {train: head, lr: 1.0e-3, epochs: 2}", "frozen: {train: head, lr: 1.0e-3, epochs: 3}")
    project.replace("scratch: {init: random, train: all, epochs: 2}", "scratch: {init: random, train: all, epochs: 3}")
    script = project.read("stages/train.py")
    breaking = 'if __name__ == "__main__":\n    if sys.argv[1] == "train@frozen":\n        sys.exit("broken")\n'
    project.write("stages/train.py", script.replace('if __name__ == "__main__":\n', breaking))
    output = project.run("medtransfer", "repro", "-j", "2", fails=True)
    assert "error: train@frozen failed; its output is in .medtransfer/logs/train@frozen.log" in output
    assert "not run, because they depend on a failed stage: evaluate@frozen, explain@frozen, compare" in output
    assert "broken" in project.read(".medtransfer/logs/train@frozen.log")
    assert len(pd.read_csv(project.folder / "models/scratch/history.csv")) == 6
    assert not (project.folder / "models/frozen").exists()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc to find processes")
@pytest.mark.parametrize("sign", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_run_leaves_no_process_and_resumes(project: Project, sign: signal.Signals) -> None:
    project.replace(
        "scratch: {init: random, train: all, epochs: 2}", "scratch: {init: random, train: all, epochs: 400}"
    )
    process = project.start("medtransfer", "repro", "-j", "2")
    deadline = time.monotonic() + 120
    checkpoints = project.folder / ".medtransfer/checkpoints"
    while not list(checkpoints.rglob("*.pt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(checkpoints.rglob("*.pt"))
    process.send_signal(sign)
    assert process.wait(timeout=60) == 1
    assert not processes_below(project.folder)
    project.replace("train: all, epochs: 400", "train: all, epochs: 2")
    project.run("medtransfer", "repro", "-j", "2")


def test_an_unknown_stage_and_a_broken_file_are_one_line(project: Project) -> None:
    output = project.run("medtransfer", "repro", "train@frozn", fails=True)
    assert output.strip() == "error: dvc.yaml has no stage 'train@frozn'; did you mean 'train@frozen'?"
    project.write("dvc.yaml", "stages: [")
    output = project.run("medtransfer", "repro", fails=True)
    assert output.startswith("error: ")
    assert len(output.strip().splitlines()) == 1
