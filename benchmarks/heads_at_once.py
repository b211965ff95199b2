"""Time linear heads of 3 seeds, 5 folds and 4 learning rates on cached features: all together against one.

    python benchmarks/heads_at_once.py          # writes benchmarks/results/heads_at_once.md
    python benchmarks/heads_at_once.py quick    # few images and epochs, as a smoke test

The features are cached beforehand. A single head is measured in a plain torch loop and as a batch of one; since folds
differ in size, its time is the mean of one head per fold.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

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
    with_rate,
)

from medtransfer.data.prepared import Prepared
from medtransfer.training.checkpoint import Checkpoint
from medtransfer.training.heads_together import fit_heads, groups
from medtransfer.training.loop import Job, fit
from medtransfer.training.runs import Inputs, make_job
from medtransfer.util.text import markdown_table

MODEL, VIEWS, EPOCHS, REPEATS = "mobilenet_v3_small", 2, 20, 5
FOLDS, SEEDS, RATES = 5, [0, 1, 2], (1e-4, 3e-4, 1e-3, 3e-3)
KFOLD = {"split": {"method": "kfold", "folds": FOLDS}}


def jobs_of(inputs: Inputs, rates: Sequence[float], folds: int, seeds: Sequence[int]) -> list[Job]:
    """Make a job for each rate, fold and seed."""
    return [make_job(with_rate(inputs, rate), fold, seed) for rate in rates for fold in range(folds) for seed in seeds]


def together(make: Callable[[], list[Job]], folder: Path) -> list[Job]:
    """Train jobs as batched problems and return them."""
    jobs = make()
    for number, group in enumerate(groups(jobs)):
        fit_heads(group, Checkpoint(folder, str(number)), lambda *_: None)
    shutil.rmtree(folder)
    return jobs


def one_by_one(make: Callable[[], list[Job]], folder: Path) -> None:
    """Train jobs as batches of one."""
    for number, job in enumerate(make()):
        fit_heads([job], Checkpoint(folder, str(number)), lambda *_: None)
    shutil.rmtree(folder)


def alone(make: Callable[[], list[Job]], folder: Path) -> list[Job]:
    """Train jobs one after another and return them."""
    jobs = make()
    for number, job in enumerate(jobs):
        fit(job, Checkpoint(folder, str(number)), lambda _: None)
    shutil.rmtree(folder)
    return jobs


def largest_difference(one: list[Job], other: list[Job]) -> float:
    """Return the largest difference between the weights of two lists of heads."""
    pairs = zip(one, other, strict=True)
    return max(
        float((mine - yours).abs().max())
        for job, twin in pairs
        for mine, yours in zip(
            job.network.head.state_dict().values(), twin.network.head.state_dict().values(), strict=True
        )
    )


def measure(prepared: Prepared, folder: Path, epochs: int, repeats: int) -> list[str]:
    """Return the parts of the page."""
    policy = policy_of(VIEWS)
    views = drawn(prepared, policy, folder / "views")
    inputs = inputs_of(prepared, views, policy, weights_of(MODEL, folder / "weights"), SEEDS, epochs=epochs)
    of_each_fold, all_of_them = (
        partial(jobs_of, inputs, rates, folds, seeds)
        for rates, folds, seeds in ((RATES[:1], FOLDS, SEEDS[:1]), (RATES, FOLDS, SEEDS))
    )
    checkpoints = folder / "checkpoints"
    found = together(all_of_them, checkpoints)  # fills the cache
    difference = largest_difference(found[: len(SEEDS)], alone(lambda: all_of_them()[: len(SEEDS)], checkpoints))
    times = medians(
        repeats,
        **{
            "one head, plain torch loop": partial(alone, of_each_fold, checkpoints),
            "one head, batch of one": partial(one_by_one, of_each_fold, checkpoints),
            f"{len(found)} heads together": partial(together, all_of_them, checkpoints),
        },
    )
    times = {name: time / FOLDS if name.startswith("one") else time for name, time in times.items()}
    usual = next(iter(times.values()))
    rows = [[name, f"{time:.2f}", f"{time / usual:.2f}"] for name, time in times.items()]
    said = f"The weights of the first {len(SEEDS)} heads differ from those trained alone by at most {difference:.0e}."
    images = sum(len(job.train) for job in found) / len(found)
    header = [f"{epochs} epochs of {images:.0f} images", "seconds", "relative"]
    return [markdown_table(header, rows), said]


def main(quick: bool) -> None:
    """Measure and publish."""
    with scratch() as folder:
        prepared = prepared_set(folder / "set", **KFOLD)
        said = about(prepared)
        if quick:
            prepared = part_of(prepared, folder / "part", first_rows(prepared, 96, 32, 32))
        work = (2, 1) if quick else (EPOCHS, REPEATS)
        publish("heads_at_once", *measure(prepared, folder, *work), said, keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
