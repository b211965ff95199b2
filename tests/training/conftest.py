"""Fixtures of all tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store checkpoints and features in the test's own folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
