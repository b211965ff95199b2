"""A project that has not run, and what an undisturbed run of it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline.conftest import Project

from .troubles import Undisturbed, small_project, undisturbed_run


@pytest.fixture(scope="session")
def untouched(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the project before its first run; tests must not change it."""
    return small_project(root, tmp_path_factory.mktemp("torture") / "untouched")


@pytest.fixture(scope="session")
def complete(untouched: Project) -> tuple[Project, Undisturbed]:
    """Return the project after an undisturbed run, and what that left."""
    return undisturbed_run(untouched, untouched.folder.parent / "complete", "dvc repro")
