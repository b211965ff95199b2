"""`dvc repro download` from a local server that answers as Kaggle does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from data.sources.kaggle.kaggle_server import SIGNATURE, Fault, KaggleServer, says, zipped

from .conftest import Project, kill, stages_run

TOKEN = "KGAT_0123456789abcdef"
DOWNLOAD = ("dvc", "repro", "download")


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    server = KaggleServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def kaggle(fresh: Project, server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project that downloads from the server, with a token, in a home without credentials."""
    (tmp_path / "home").mkdir()
    settings = server.environment | {"HOME": str(tmp_path / "home"), "KAGGLE_API_TOKEN": TOKEN, "VERBOSE": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    fresh.replace("source: phantom", "source: kaggle")
    fresh.replace("kaggle: null", "kaggle: {dataset: owner/heads, version: 2}")
    return fresh


def error_of(output: str) -> str:
    """Return the single error line of a stage's output."""
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in output
    assert all(secret not in output for secret in (TOKEN, SIGNATURE, "Bearer"))
    return lines[0]


def test_a_set_is_downloaded_recorded_and_enforced(kaggle: Project, server: KaggleServer) -> None:
    kaggle.run(*DOWNLOAD)
    assert (kaggle.folder / "data/raw/train/one.png").read_bytes() == b"one" * 50
    manifest = json.loads(kaggle.read("data/manifest.json"))
    record = json.loads(kaggle.read("data/kaggle.lock.json"))
    assert record["datasets/owner/heads/versions/2"]["archive_sha256"] == manifest["archive_sha256"]
    assert "download" not in stages_run(kaggle.run(*DOWNLOAD))
    for path in kaggle.folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert TOKEN.encode() not in text, path
            assert SIGNATURE.encode() not in text, path

    server.archive = server.archive.replace(b"labels.csv", b"labelz.csv")
    assert "has changed" in error_of(kaggle.run(*DOWNLOAD, "--force", "--no-run-cache", fails=True))
    assert not (kaggle.folder / "data/raw").exists()


def test_a_refusal_is_one_line_and_the_next_run_succeeds(kaggle: Project, server: KaggleServer) -> None:
    server.faults["DownloadDataset"].append(says(403, f"no {TOKEN}"))
    assert "(403)" in error_of(kaggle.run(*DOWNLOAD, fails=True))
    assert not (kaggle.folder / "data/raw").exists()
    assert not (kaggle.folder / "data/manifest.json").exists()
    kaggle.run(*DOWNLOAD)
    assert (kaggle.folder / "data/raw/labels.csv").exists()


def test_a_killed_download_resumes(kaggle: Project, server: KaggleServer) -> None:
    server.archive = zipped({"noise.png": os.urandom(2_000_000)})
    server.faults["archive"].append(Fault(drip=0.1))
    running = kaggle.start(*DOWNLOAD)
    while not any(part.stat().st_size > 500_000 for part in kaggle.folder.glob(".medtransfer/downloads/*.part")):
        assert running.poll() is None
        time.sleep(0.05)
    kill(running)
    kaggle.run(*DOWNLOAD)
    assert int(server.calls("archive")[-1].headers["Range"][6:-1]) > 500_000
    assert (kaggle.folder / "data/raw/noise.png").stat().st_size == 2_000_000
