"""A project that has not run, and what an undisturbed run of it leaves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pipeline.conftest import Project, new_project

from .troubles import Undisturbed, copy_of, files, hashes


@pytest.fixture(scope="session")
def untouched(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the project before its first run; tests must not change it."""
    project = new_project(root, tmp_path_factory.mktemp("torture") / "untouched")
    project.run("dvc", "config", "--local", "core.no_scm", "true")
    return project


@pytest.fixture(scope="session")
def complete(untouched: Project) -> tuple[Project, Undisturbed]:
    """Return the project after an undisturbed run, and what that left."""
    project = copy_of(untouched, untouched.folder.parent / "complete")
    started = time.monotonic()
    project.run("dvc", "repro")
    return project, Undisturbed(hashes(project), files(project), time.monotonic() - started)
