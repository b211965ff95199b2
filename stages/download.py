"""DVC stage `download`: the set as it was published, and its manifest."""

from __future__ import annotations

from pathlib import Path

from medtransfer.data.sources.fetch import fetch
from medtransfer.study import load_study
from medtransfer.util.command import run


def main() -> None:
    """Fetch the study's set to `data/raw`."""
    params = load_study().params
    fetch(params.data, params.study.seed, Path("data/raw"), Path("data/manifest.json"))


if __name__ == "__main__":
    run(main)
