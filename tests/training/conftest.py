"""What all tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep checkpoints and features in the test's own folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
