"""DVC stage `prepare`: one table and one array of the set's images, split and audited."""

from __future__ import annotations

from pathlib import Path

from medtransfer.data.prepare import Outs, prepare
from medtransfer.study import load_study
from medtransfer.util.command import run
from medtransfer.util.places import state_folder


def main() -> None:
    """Prepare `data/raw` as the params say."""
    params = load_study().params
    outs = Outs(
        prepared=Path("data/prepared"),
        audit=Path("metrics/data.json"),
        page=Path("metrics/data.md"),
        duplicates=Path("plots/duplicates.png"),
        leaks=state_folder() / "leaking_images.png",
    )
    prepare(Path("data/raw"), params.data, params.study.seed, outs, params.study.task)


if __name__ == "__main__":
    run(main)
