"""Helpers of the tests of the Kaggle source: fetch, fail, and look at the files."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from medtransfer.data.sources import fetch
from medtransfer.study import Data
from medtransfer.util.errors import UserError

from .kaggle_server import zipped

TOKEN = "KGAT_0123456789abcdef"
RESUMES = "run again: the download resumes where it stopped"
HEADS: dict[str, Any] = {"dataset": "owner/heads", "version": 2}
BRAINS: dict[str, Any] = {"competition": "brains"}
CREDENTIALS = ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "VERBOSE", "DVC_ROOT")
FETCH = """
import json, sys
from pathlib import Path
from medtransfer.util.command import run
from medtransfer.data.sources.kaggle import client, fetch_kaggle
from medtransfer.study import Data, KaggleSource
client.TIMEOUT = float(sys.argv[2])
folder = Path("raw")
folder.mkdir(exist_ok=True)
kaggle = KaggleSource.model_validate(json.loads(sys.argv[1]))
run(lambda: fetch_kaggle(folder, Data.model_construct(kaggle=kaggle), 0))
"""


def in_a_process(root: Path, timeout: float = 5, **variables: str) -> dict[str, Any]:
    """Return the arguments of `subprocess` that fetch HEADS in another process, with these environment variables."""
    environment = os.environ | {"PYTHONPATH": str(root / "src")} | variables
    return {"args": [sys.executable, "-c", FETCH, json.dumps(HEADS), str(timeout)], "env": environment}


def data(kaggle: dict[str, Any]) -> Data:
    described = {"source": "kaggle", "folder": "x", "kaggle": kaggle, "layout": "class_folders", "group": None}
    split = {"image_size": 32, "resize": "stretch", "split": {"method": "random"}, "leakage": "fail"}
    return Data.model_validate(described | split)


def fetched(kaggle: dict[str, Any] = HEADS, **changes: Any) -> dict[str, Any]:
    """Fetch to `raw`; return the manifest."""
    return fetch(data(kaggle | changes), 0, Path("raw"), Path("manifest.json"))


def failure(kaggle: dict[str, Any] = HEADS, **changes: Any) -> str:
    """Fetch in vain; return the one error line, after checking that nothing was written."""
    with pytest.raises(UserError) as caught:
        fetched(kaggle, **changes)
    assert len(caught.value.problems) == 1
    line = caught.value.problems[0]
    assert "\n" not in line
    assert line.isprintable()
    assert not Path("raw").exists()
    assert not Path("manifest.json").exists()
    assert not list(Path().glob(".raw*"))
    return line


def files() -> dict[str, bytes]:
    return {str(path.relative_to("raw")): path.read_bytes() for path in Path("raw").rglob("*") if path.is_file()}


def kept(suffix: str) -> list[Path]:
    return list(Path(".medtransfer/downloads").glob(f"*{suffix}"))


def random_archive(size: int) -> bytes:
    return zipped({"one.png": os.urandom(size // 2), "two.png": os.urandom(size // 2)})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
