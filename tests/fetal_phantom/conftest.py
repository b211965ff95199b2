"""A small simulated set that several tests read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fetal_phantom import write_phantom

from .samples import SETTINGS


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("phantom")
    write_phantom(path, **SETTINGS, split_by="patient")
    return path


@pytest.fixture(scope="session")
def anatomy(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "anatomy.csv")
