"""The projects that trials start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from .troubles import Studies


@pytest.fixture(scope="session")
def studies(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Studies:
    """Return the projects that trials start from; tests must not change them."""
    return Studies(root, tmp_path_factory.mktemp("torture"))
