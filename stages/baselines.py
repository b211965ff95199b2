"""DVC stage `baselines`: what no network and no training get right."""

from __future__ import annotations

from pathlib import Path

from medtransfer.data.prepared import Prepared
from medtransfer.tasks import TASKS
from medtransfer.tasks.predictions import write_rows
from medtransfer.util.command import run
from medtransfer.util.files import write_json


def main() -> None:
    """Predict and evaluate what is commonest, and what the nearest images have."""
    prepared = Prepared(Path("data/prepared"))
    task = TASKS[prepared.task]
    for name, predict in task.baselines.items():
        table = write_rows(Path(f"predictions/{name}.parquet"), list(predict(prepared)))
        write_json(Path(f"metrics/variants/{name}.json"), task.summary(table, prepared))


if __name__ == "__main__":
    run(main)
