"""Digests reach the modules and packages of a registry."""

from __future__ import annotations

from pathlib import Path

from medtransfer.util import digests


def test_the_packages_of_a_registry_are_reached_like_its_modules(root: Path) -> None:
    reached = digests._closure(root / "src/medtransfer/data/sources/fetch.py")
    assert "medtransfer.data.sources.folder" in reached
    assert "medtransfer.data.sources.kaggle.client" in reached
