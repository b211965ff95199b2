"""A copy of the project with a tiny study, run once through DVC; each test starts from a copy of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from ruamel.yaml import YAML
from tiny import tiny_data

from fetal_phantom import write_phantom
from medtransfer.check import study_problems
from medtransfer.models.families import ClassifierFamily, build_backbone
from medtransfer.models.weights import save_state
from medtransfer.study import check_study
from medtransfer.util.errors import UserError

STUDY = (
    "study: {name: tiny, title: A tiny study, task: classification, seed: 7}\n"
    + tiny_data("{folder: masks}")
    + """\
augmentation:
  none: {views: 1, transforms: []}
  flips: {views: 2, transforms: [HorizontalFlip: {p: 0.5}], mix: {method: cutmix}}
backbones:
  cnn_small: {weights: none}
  pretrained: {model: cnn_small, weights: pretrained.safetensors}
strategies:
  scratch: {init: random, train: all, epochs: 2}
  frozen: {train: head, lr: 1.0e-3, epochs: 2}
  few_shot: {shots: 2, head: prototypes}
training: {seeds: [0, 1]}
variants:
  scratch: {backbone: cnn_small, strategy: scratch, augmentation: flips}
  frozen: {backbone: pretrained, strategy: frozen, augmentation: none}
  few_shot: {backbone: pretrained, strategy: few_shot, augmentation: none}
comparison: {metric: accuracy, resamples: 200}
explain: {variants: [frozen, few_shot], scored: 6}
"""
)
RECORDER = """\
import atexit, os, sys
from pathlib import Path

def record():
    stage = os.environ.get("DVC_STAGE")
    if stage and Path(sys.argv[0]).parent.name == "stages":
        Path(".medtransfer/imported").mkdir(parents=True, exist_ok=True)
        Path(".medtransfer/imported", stage).write_text("\\n".join(sys.modules))

atexit.register(record)
"""
"""Code that each Python of a project runs at its start, so that each stage lists what it has imported at its end."""

PARTS = [
    ".dvc/config",
    ".dvc/plots",
    ".dvcignore",
    ".gitignore",
    "data/external/.gitkeep",
    "data/incoming/.gitkeep",
    "dvc.yaml",
    "extensions",
]
PARTS += ["metrics/explain/.gitkeep", "plots/explain/.gitkeep", "src", "stages"]


@dataclass(frozen=True)
class Project:
    """A project folder to run commands in."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user, with the commands of this Python, without tracking, with one thread."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        git = {
            f"GIT_{who}_{what}": "tester@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return (
            os.environ
            | git
            | {"PATH": path, "PYTHONPATH": "src", "MEDTRANSFER_TRACKING": "off"}
            | {"MEDTRANSFER_THREADS": "1", "OMP_NUM_THREADS": "1"}
        )

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command and return its output. It must succeed, or fail if `fails`."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{command}: {output[-4000:]}"
        return output

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command in its own process group."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def replace(self, old: str, new: str) -> None:
        """Replace text of the parameters."""
        params = self.read("params.yaml")
        assert old in params
        self.write("params.yaml", params.replace(old, new))


def write_weights(model: str, path: Path) -> None:
    """Write random weights of a model, always the same, in the place of pretrained ones."""
    torch.manual_seed(0)
    save_state(build_backbone(model, ClassifierFamily.of(model).default_size(model)).state_dict(), path)


def problems_of(study: str) -> list[str]:
    """Return what `check` reports of parameters."""
    try:
        return study_problems(check_study(YAML(typ="safe").load(study), "params.yaml"))
    except UserError as error:
        return error.problems


def stages_run(output: str) -> set[str]:
    """Return the names of the stages that DVC ran, from its output."""
    return set(re.findall(r"Running stage '(.+?)'", output))


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all that it started, as a power failure would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def new_project(root: Path, folder: Path) -> Project:
    """Copy what a project needs into `folder`, with the tiny study."""
    for part in PARTS:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif source.exists():
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    project = Project(folder)
    project.write("params.yaml", STUDY)
    write_weights("cnn_small", project.folder / "pretrained.safetensors")
    return project


@pytest.fixture
def fresh(root: Path, tmp_path: Path, shared_folder: Path) -> Project:
    """Return a project that has not run, without git; its code is already parsed."""
    project = new_project(root, tmp_path / "fresh")
    project.write(".dvc/config.local", "[core]\n    no_scm = true\n")
    parsed = shared_folder / "finished/.medtransfer/syntax"
    if parsed.exists():
        shutil.copytree(parsed, project.folder / ".medtransfer/syntax")
    return project


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the images that the project simulates."""
    folder = tmp_path_factory.mktemp("raw")
    write_phantom(folder, patients=40, frames=2, size=48, difficulty=0.0, split_by="patient", seed=7)
    return folder


@pytest.fixture(scope="session")
def finished(root: Path, shared_folder: Path) -> Project:
    """Return the project after its first `dvc repro`, committed; tests must not change it.

    All processes of a test run share it.
    """
    done = shared_folder / "finished.done"
    with FileLock(shared_folder / "finished.lock"):
        if not done.exists():
            project = new_project(root, shared_folder / "finished")
            project.run("git", "init", "-q")
            project.write("src/sitecustomize.py", RECORDER)
            project.run("dvc", "repro")
            (project.folder / "src/sitecustomize.py").unlink()
            project.run("dvc", "repro", "check")
            project.run("git", "add", "-A")
            project.run("git", "commit", "-qm", "the tiny study")
            done.touch()
    return Project(shared_folder / "finished")


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """Return a copy of the finished project to work in."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def changed(project: Project) -> Callable[..., set[str]]:
    """Return a function that runs `dvc exp run` with changes, and returns the stages that ran."""

    def run(*changes: str) -> set[str]:
        options = [part for change in changes for part in ("-S", change)]
        return stages_run(project.run("dvc", "exp", "run", *options))

    return run
