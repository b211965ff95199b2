"""A fresh MLflow store for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from medtransfer.tracking.variant_log import VariantLog
from medtransfer.util.processes import process_name


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with its schema, which takes MLflow seconds to create."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        VariantLog("template", "none", process_name(), {}).start({}, "none", "none")
    return folder / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a store with its schema; tracking is on."""
    shutil.copyfile(migrated, tmp_path / "mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MEDTRANSFER_TRACKING", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path
