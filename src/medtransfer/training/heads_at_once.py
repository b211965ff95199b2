"""All runs of a frozen variant as one batched problem: each step moves the heads of every fold and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from medtransfer.models.heads import HEADS
from medtransfer.training.checkpoint import Checkpoint
from medtransfer.training.head_group import HeadGroup, Run
from medtransfer.training.loop import Epoch, Fit, Job
from medtransfer.training.schedules import lowest
from medtransfer.training.stacked_heads import is_stackable, looks_at_the_batch

MOST_PARAMETERS = 50_000_000
"""Heads with more of them in all are trained one by one: each step computes long enough, and memory is short."""


def train_at_once(job: Job, runs: int) -> bool:
    """Say whether so many runs like `job` can be trained at once: heads of one frozen, pretrained body."""
    parameters = runs * sum(parameter.numel() for parameter in job.network.head.parameters())
    trained = job.strategy.train == "head" and not HEADS[job.strategy.head].fitted and job.strategy.init == "pretrained"
    return trained and job.embedder is not None and is_stackable(job.network.head) and parameters <= MOST_PARAMETERS


def groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """Divide jobs that can be trained at once into those that are.

    Together are heads on the same features; those that look at the batch need equal numbers of rows too, for
    shorter batches are padded.
    """
    found: dict[object, list[Job]] = {}
    for job in jobs:
        rows = len(job.train) if looks_at_the_batch(job.network.head) else 0
        found.setdefault((job.embedder and job.embedder.key, rows), []).append(job)
    return list(found.values())


def fit_heads(jobs: Sequence[Job], checkpoint: Checkpoint, report: Callable[[Job, Epoch], None]) -> list[Fit]:
    """Train the heads of a group, each as `fit` would train it alone; give what happened to each.

    Their strategies may differ in the learning rate alone. Order and dropout come from each job's own key, and a
    job that stops early leaves the others as they are. Goes on from `checkpoint`.
    """
    runs = [Run(job) for job in jobs]
    group = HeadGroup(runs)
    clock = group.runs[0].job.clock
    seconds = _restore(group, runs, checkpoint)
    for number in range(max(len(run.epochs) for run in runs)):
        for run in runs:
            if number < len(run.epochs):
                report(run.job, run.epochs[number])
    while group.runs:
        started, trained = clock(), group.runs
        group.epoch()
        seconds += clock() - started
        checkpoint.save(partial(_state, group, runs, seconds), last=not group.runs)
        for run in runs:
            if run in trained:
                report(run.job, run.epochs[-1])
    return [_finish(run, seconds / len(runs)) for run in runs]


def _finish(run: Run, seconds: float) -> Fit:
    run.job.network.head.load_state_dict(run.kept)
    kept = len(run.epochs) - 1 if run.job.strategy.patience is None else lowest(run.losses)
    return Fit(run.epochs, kept, seconds)


def _state(group: HeadGroup, runs: list[Run], seconds: float) -> dict[str, Any]:
    return {
        "epochs": [[dict(vars(epoch)) for epoch in run.epochs] for run in runs],
        "kept": [run.kept for run in runs],
        "training": [runs.index(run) for run in group.runs],
        "heads": group.heads.state,
        "optimizer": group.optimizer.state,
        "seconds": seconds,
    }


def _restore(group: HeadGroup, runs: list[Run], checkpoint: Checkpoint) -> float:
    state = checkpoint.load()
    if state is None:
        return 0.0
    for run, epochs, kept in zip(runs, state["epochs"], state["kept"], strict=True):
        run.epochs, run.kept = [Epoch(**epoch) for epoch in epochs], kept
    group.keep([group.runs.index(runs[number]) for number in state["training"]])
    group.heads.load(state["heads"])
    group.optimizer.load(state["optimizer"])
    return float(state["seconds"])
