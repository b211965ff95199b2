"""A server that speaks Kaggle's wire format, reached by the real, unpatched client."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medtransfer.data.sources.kaggle import client, download

from .fetching import CREDENTIALS
from .kaggle_server import KaggleServer


@pytest.fixture(scope="module")
def running() -> Iterator[KaggleServer]:
    server = KaggleServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def server(running: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KaggleServer:
    """Return the reset server, reached from an empty home and working folder, by a client with short waits."""
    running.reset()
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(client, "TIMEOUT", 5.0)
    monkeypatch.setattr(download, "FIRST_WAIT", 0.01)
    # The client signs in on import, so each test imports it again.
    for name in [name for name in sys.modules if name == "kaggle" or name.startswith("kaggle.")]:
        monkeypatch.delitem(sys.modules, name)
    return running
