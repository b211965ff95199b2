"""DVC stage `baselines`: predictions that need no network and no training."""

from __future__ import annotations

from medtransfer.data.prepared import Prepared
from medtransfer.study import load_study
from medtransfer.tasks import TASKS
from medtransfer.tasks.predictions import write_rows
from medtransfer.util.command import run
from medtransfer.util.files import write_json
from medtransfer.util.places import HERE


def main() -> None:
    """Predict and evaluate the most frequent class and the nearest neighbour."""
    load_study()  # imports the extensions, which may register the task
    prepared = Prepared(HERE.prepared)
    task = TASKS[prepared.task]
    for name in task.baselines:
        table = write_rows(HERE.predictions(name), list(task.baseline_frames(name, prepared)))
        write_json(HERE.metrics(name), task.summary(table, prepared))


if __name__ == "__main__":
    run(main)
