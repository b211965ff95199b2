"""Time a search of linear heads on cached features, 20 trials in 3 seeds of 5 folds, against training one head a run.

    python benchmarks/search_cost.py          # writes benchmarks/results/search_cost.md
    python benchmarks/search_cost.py quick    # few images and epochs, as a smoke test

The features are cached beforehand. One head a run is the same stage without a search: 15 heads, trained together.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from workload import (
    about,
    drawn,
    first_rows,
    inputs_of,
    medians,
    part_of,
    policy_of,
    prepared_set,
    publish,
    scratch,
    weights_of,
)

from medtransfer.data.prepared import Prepared
from medtransfer.study import Strategy
from medtransfer.training.runs import Inputs, train_runs
from medtransfer.training.subsets import runs_of
from medtransfer.util.text import markdown_table

MODEL, VIEWS, EPOCHS, REPEATS, TRIALS = "mobilenet_v3_small", 2, 20, 3, 20
FOLDS, SEEDS = 5, [0, 1, 2]
KFOLD = {"split": {"method": "kfold", "folds": FOLDS}}
RATE, DECAY = {"lr": {"log": [1e-5, 1e-2]}}, {"weight_decay": {"log": [1e-6, 1e-2]}}
SPACES: dict[str, Any] = {
    "lr, weight_decay; tpe": {"space": RATE | DECAY},
    "lr, weight_decay; random": {"space": RATE | DECAY, "sampler": "random"},
    "lr, weight_decay, dropout of three values; tpe": {"space": RATE | DECAY | {"dropout": [0.0, 0.2, 0.5]}},
}


def searching(inputs: Inputs, search: dict[str, Any] | None) -> Inputs:
    """Return the inputs of a variant that searches, or not."""
    given = inputs.variant.strategy.model_dump(exclude_unset=True)
    strategy = Strategy.model_validate(given if search is None else given | {"search": search | {"trials": TRIALS}})
    return replace(inputs, variant=replace(inputs.variant, strategy=strategy))


def run(inputs: Inputs, checkpoints: Path) -> None:
    """Train every run of a variant."""
    for _ in train_runs(inputs, runs_of(inputs.variant.strategy, FOLDS, SEEDS), checkpoints, lambda *_: None):
        pass
    shutil.rmtree(checkpoints)


def measure(prepared: Prepared, folder: Path, epochs: int, repeats: int) -> list[str]:
    """Return the parts of the page."""
    policy = policy_of(VIEWS)
    views = drawn(prepared, policy, folder / "views")
    inputs = inputs_of(prepared, views, policy, weights_of(MODEL, folder / "weights"), SEEDS, epochs=epochs)
    run(inputs, folder / "checkpoints")  # fills the cache
    ways = {"one head a run": None, **SPACES}
    times = medians(
        repeats,
        **{name: partial(run, searching(inputs, search), folder / "checkpoints") for name, search in ways.items()},
    )
    usual = next(iter(times.values()))
    rows = [[name, f"{time:.2f}", f"{time / usual:.2f}"] for name, time in times.items()]
    header = [f"{len(SEEDS) * FOLDS} runs, {epochs} epochs; {TRIALS} trials each", "seconds", "relative"]
    return [markdown_table(header, rows)]


def main(quick: bool) -> None:
    """Measure and publish."""
    with scratch() as folder:
        prepared = prepared_set(folder / "set", **KFOLD)
        said = about(prepared)
        if quick:
            prepared = part_of(prepared, folder / "part", first_rows(prepared, 96, 32, 32))
        work = (2, 1) if quick else (EPOCHS, REPEATS)
        publish("search_cost", *measure(prepared, folder, *work), said, keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
