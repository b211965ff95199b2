"""DVC stage `prepare`: one table and one array of the set's images, split and audited."""

from __future__ import annotations

from pathlib import Path

from medtransfer.dataset.prepare import prepare
from medtransfer.errors import run
from medtransfer.study import load_study


def main() -> None:
    """Prepare `data/raw` as the params say."""
    params = load_study().params
    prepare(
        raw=Path("data/raw"),
        data=params.data,
        seed=params.study.seed,
        target=Path("data/prepared"),
        audit_path=Path("metrics/data.json"),
        sheet=Path("plots/near_duplicates.png"),
        task=params.study.task,
    )


if __name__ == "__main__":
    run(main)
