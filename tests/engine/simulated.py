"""A study of many stages that wait instead of computing, and an engine that runs them: what `benchmarks` time, too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medtransfer.engine.engines import Workers
from medtransfer.engine.worker import Job, Outcome

PIPELINE = """\
stages:
  train:
    foreach: ${variants}
    do:
      cmd: simulated
      params: [common, "variants.${key}"]
      deps: [input]
      outs: ["train/${key}", "cost/${key}"]
  evaluate:
    foreach: ${variants}
    do:
      cmd: simulated
      params: [common]
      deps: [input, "train/${key}"]
      outs:
      - "predictions/${key}"
      - "metrics/${key}": {cache: false}
  compare:
    cmd: simulated
    params: [variants]
    deps: [predictions, metrics]
    outs: [table]
"""


def write_study(folder: Path, variants: int) -> None:
    """Write a study with a number of variants, and make it a DVC repository."""
    from dvc.repo import Repo

    folder.mkdir(parents=True, exist_ok=True)
    Repo.init(str(folder), no_scm=True).close()
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "input").mkdir()
    (folder / "input" / "data").write_text("data")
    lines = "".join(
        f"  v{number:04}: {{lr: {1e-5 * (number + 1)}, name: '{number:04}'}}\n" for number in range(variants)
    )
    (folder / "params.yaml").write_text(f"common: {{seed: 1, scale: 1.0e-3, words: [a, 'no']}}\nvariants:\n{lines}")


def write_outs(job: Job) -> None:
    """Write the outs of a simulated stage."""
    kind, _, name = job.stage.partition("@")
    outs = {"train": ["train", "cost"], "evaluate": ["predictions", "metrics"], "compare": ["table"]}[kind]
    for out in outs:
        path = Path(job.folder) / out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if out == "train":
            path.mkdir(exist_ok=True)
            path = path / "model"
        path.write_text(f"{out} of {job.stage}")


SCRIPT = """\
import os, sys, time
from pathlib import Path
kind, _, name = sys.argv[1].partition("@")
print(sys.argv[1], "in", os.getcwd())
outs = {"train": ["train", "cost"], "evaluate": ["predictions", "metrics"], "compare": ["table"]}[kind]
if kind == "train" and Path("slow").exists():
    Path("running").write_text(f"{os.getpid()} {os.getppid()}")
    time.sleep(3)
time.sleep(float(os.environ.get("SIMULATED_SECONDS", "0")))
for out in outs:
    Path(out).mkdir(exist_ok=True)
    path = Path(out, name) if name else Path(out, "all")
    path.write_text(f"{out} of {sys.argv[1]}")
"""


def write_scripts(folder: Path, variants: int) -> None:
    """Write the same study with a script as its stages, which `dvc repro` can run, too."""
    write_study(folder, variants)
    (folder / "stages").mkdir()
    (folder / "stages" / "stage.py").write_text(SCRIPT)
    (folder / "dvc.yaml").write_text(PIPELINE.replace("cmd: simulated", 'cmd: python stages/stage.py "$DVC_STAGE"'))


def dvc_repro(folder: Path) -> str:
    """Run `dvc repro`, and return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def lock_of(folder: Path) -> dict[str, str]:
    """Return the entries of `dvc.lock` by stage, whatever their order."""
    text = (folder / "dvc.lock").read_text().removeprefix("schema: '2.0'\nstages:\n")
    entries = re.split(r"^  (?=\S)", text, flags=re.MULTILINE)
    return {entry.partition("\n")[0]: entry for entry in entries if entry}


class Waiting(ThreadPoolExecutor):
    """Workers that wait for some seconds, then write the outs of a stage."""

    outcome: Callable[[Job], Outcome | None] = staticmethod(lambda job: None)
    seconds = float(os.environ.get("SIMULATED_SECONDS", "0"))

    def submit(self, function: Callable[..., Any], job: Job, /) -> Future[Outcome]:  # type: ignore[override]
        return super().submit(self._wait, job)

    def _wait(self, job: Job) -> Outcome:
        time.sleep(self.seconds)
        Path(job.log).write_text("waited")
        if (outcome := type(self).outcome(job)) is not None:
            return outcome
        write_outs(job)
        return Outcome(0, "", self.seconds)


@contextmanager
def waiting(jobs: int) -> Iterator[Workers]:
    """Run stages by waiting."""
    with Waiting(jobs) as executor:
        yield Workers(executor, jobs, {})
