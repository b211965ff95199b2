"""The projects that trials start from."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline.conftest import Project, finished, shared_folder

from .troubles import Studies

__all__ = ["finished", "shared_folder"]
WORK = 60.0
"""Roughly the processor seconds of `finished`."""


@pytest.fixture(scope="session")
def studies(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Studies:
    """Return the projects that trials start from; tests must not change them."""
    return Studies(root, tmp_path_factory.mktemp("torture"))


@pytest.fixture
def finished_studies(root: Path, finished: Project, tmp_path: Path) -> Studies:
    """Return projects that need no run of the real stages, because the tests of the pipeline have one."""
    return Studies(root, tmp_path, (finished, WORK))
