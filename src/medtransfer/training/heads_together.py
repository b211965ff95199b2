"""All runs of a frozen variant as one batched problem: each step moves the heads of every fold, seed and rate."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np
import torch

from medtransfer.features.embedder import Embedder
from medtransfer.models.heads import HEADS
from medtransfer.training.batches import Batch, Examples, Resident, ViewExamples, on_device
from medtransfer.training.checkpoint import Checkpoint
from medtransfer.training.loop import Epoch, Fit, Job
from medtransfer.training.losses import ImageLoss
from medtransfer.training.schedules import lowest, rate_factor, resumes
from medtransfer.training.stacked_heads import Moments, StackedHeads, State, depends_on_batch, is_stackable
from medtransfer.util.seeds import seed_from

MOST_PARAMETERS = 50_000_000
"""More in all heads are trained one by one: each step computes long enough, and memory is short."""

READ_BYTES = 16_000_000
"""Steps are read together up to this size, since each read has a fixed cost."""

VALIDATION_BATCH = 512
MAY_DIFFER = {"lr", "weight_decay", "dropout", "fraction"}
"""The fields of strategies that may differ between heads that are trained together."""


def can_train_together(job: Job, runs: int) -> bool:
    """Whether that many runs like `job` can be trained together: heads of one frozen, pretrained body."""
    head, strategy = job.network.head, job.strategy
    trained = strategy.train == "head" and not HEADS[strategy.head].fitted and strategy.init == "pretrained"
    parameters = runs * sum(parameter.numel() for parameter in head.parameters())
    cached = runs > 1 and trained and job.embedder is not None and parameters <= MOST_PARAMETERS
    batched = isinstance(job.loss, ImageLoss) and job.loss.takes_more_dimensions()
    return cached and batched and is_stackable(head, strategy)


def groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """Divide jobs into those to train together: heads on the same features.

    Shorter batches are padded, so that heads whose output depends on the batch need equal numbers of rows too. Of
    their strategies, the rate, the weight decay, the dropout and the fraction of rows may differ.
    """
    found: dict[object, list[Job]] = {}
    for job in jobs:
        rows = len(job.train) if depends_on_batch(job.network.head) else 0
        alike = job.strategy.model_dump_json(exclude=MAY_DIFFER)
        found.setdefault((_embedder(job).key, rows, alike), []).append(job)
    return list(found.values())


def fit_heads(jobs: Sequence[Job], checkpoint: Checkpoint, report: Callable[[Job, Epoch], None]) -> list[Fit]:
    """Train the heads of a group, each as `fit` would alone, and return the outcome of each.

    Their strategies are equal but for `MAY_DIFFER`. Order and dropout are drawn from each job's own key, and a job
    that stops early does not affect the others. Resumes from `checkpoint`.
    """
    runs = [_Run(job) for job in jobs]
    seconds = _restore(runs, checkpoint)
    for number in range(max(len(run.epochs) for run in runs)):
        for run in runs:
            if number < len(run.epochs):
                report(run.job, run.epochs[number])
    group, clock = _Group(runs), jobs[0].clock
    while training := [run for run in runs if run.trains]:
        started = clock()
        group.epoch()
        seconds += clock() - started
        checkpoint.save(partial(_state, group, runs, seconds), last=not any(run.trains for run in runs))
        for run in training:
            report(run.job, run.epochs[-1])
    return [run.finish(seconds / len(runs)) for run in runs]


@dataclass(eq=False)
class _Run:
    """A job, its epochs so far, its best head, and its optimizer's state and first epoch.

    best: of the epoch with the lowest validation loss; empty without patience. moments: see `StackedHeads`; up to date
    only while the run is not stacked.
    """

    job: Job
    epochs: list[Epoch] = field(default_factory=list)
    best: State = field(default_factory=dict)
    moments: Moments = field(default_factory=dict)
    since: int = 0

    def __post_init__(self) -> None:
        self.steps = len(self.job.batches(0))
        self.validation_rows = self.job.validation.rows.tobytes()

    @property
    def losses(self) -> list[float]:
        return list(map(self.job.monitored, self.epochs))

    @property
    def trains(self) -> bool:
        return not self.job.is_finished(self.losses)

    def start_again(self) -> None:
        """Return to the best epoch with a new optimizer."""
        self.job.network.head.load_state_dict(self.best)
        self.moments, self.since = {}, len(self.epochs)

    def add(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if self.job.strategy.patience is not None and lowest(self.losses) == epoch.epoch:
            self.best = {name: tensor.clone() for name, tensor in self.job.network.head.state_dict().items()}

    def finish(self, seconds: float) -> Fit:
        if not self.best:
            return Fit(self.epochs, len(self.epochs) - 1, seconds)
        self.job.network.head.load_state_dict(self.best)
        return Fit(self.epochs, lowest(self.losses), seconds)


class _Group:
    """The runs that still train, those with the most training rows first.

    In a step for which some have no batch left, the others are then the first ones: a slice of each stack. Runs of one
    fold, seed and number of rows are neighbours and share their batches.
    """

    def __init__(self, runs: Sequence[_Run]) -> None:
        first = runs[0].job
        self._strategy, self._compute, self._task = first.strategy, first.compute, first.task
        rows = np.unique(np.concatenate([run.job.train.rows for run in runs]))
        self._reader = _Reader(first.train.of(rows), _embedder(first), self._compute.device)
        self._validation = {run.validation_rows: run.job.validation for run in runs}
        for examples in self._validation.values():
            examples.start(0)
        self._stack(runs)

    def _stack(self, runs: Sequence[_Run]) -> None:
        """Stack the heads of those of the runs that train."""
        order = lambda run: (-len(run.job.train), run.validation_rows, run.job.key)  # noqa: E731
        self.runs = sorted((run for run in runs if run.trains), key=order)
        if not self.runs:
            return
        jobs = [run.job for run in self.runs]
        cohorts = [len(list(alike)) for _, alike in itertools.groupby(self.runs, lambda run: (run.steps, run.since))]
        moments = [run.moments for run in self.runs]
        decays = [job.strategy.weight_decay for job in jobs]
        self._heads = StackedHeads([job.network.head for job in jobs], self._strategy, cohorts, moments, decays)
        alike = {len(list(same)) for _, same in itertools.groupby((job.key, len(job.train)) for job in jobs)}
        self._shared = alike.pop() if len(alike) == 1 else 1  # runs in a row that share their batches
        losses = [cast("ImageLoss", job.loss) for job in jobs]
        self._loss, constants = losses[0], [loss.constants for loss in losses if loss.constants is not None]
        self._constants = torch.stack(constants).to(self._compute.device) if constants else None

    def store_moments(self) -> None:
        """Copy the optimizer's state to the runs."""
        for run, moments in zip(self.runs, self._heads.moments() if self.runs else [], strict=True):
            run.moments = moments

    def epoch(self) -> None:
        """Train every run for one epoch and validate it."""
        strategy, number = self._strategy, len(next(run for run in self.runs if run.trains).epochs)
        resumed = [run for run in self.runs if run.trains and resumes(run.losses, strategy)]
        if resumed or not all(run.trains for run in self.runs):
            self.store_moments()
            for run in resumed:
                run.start_again()
            self._stack(self.runs)
        rates = [
            run.job.strategy.lr * rate_factor(strategy.schedule, number, strategy.epochs, run.losses)
            for run in self.runs
        ]
        trained = self._train(number, torch.tensor(rates, device=self._compute.device))
        for run, rate, values in zip(self.runs, rates, torch.cat([trained, self._validate()]).T.tolist(), strict=True):
            run.add(Epoch(number, rate, *values))

    def _train(self, number: int, rates: torch.Tensor) -> torch.Tensor:
        """Take all steps of an epoch; return each run's mean loss and score, [2, runs]."""
        jobs = [run.job for run in self.runs[:: self._shared]]
        device = self._compute.device
        generators = [
            torch.Generator(device).manual_seed(seed_from("epoch", *job.key, number))
            for job in (jobs if self._heads.draws else [])
        ]
        found = []
        for batches in self._reader.epoch(number, jobs):
            runs = slice(self._shared * len(batches.counts))
            parameters = self._heads.parameters(runs)
            with self._compute.autocast():
                training = list(zip(generators, batches.counts, strict=False))
                logits = self._heads.logits(batches.features, runs, parameters, training)
            losses, scores = self._losses_and_scores(logits, batches.labels, runs)
            values = torch.stack([losses, scores])
            if batches.padded:
                own = batches.own.repeat_interleave(self._shared, dim=0)
                sums = (values * own).sum(dim=2)
                means = sums[0] / own.sum(dim=1)
            else:
                sums = values.sum(dim=2)
                means = sums[0] / values.shape[2]
            gradients = torch.autograd.grad(means.sum(), list(parameters.values()))
            self._heads.step(dict(zip(parameters, gradients, strict=True)), rates[runs])
            found.append(sums.detach())
        totals = torch.zeros(2, len(self.runs), dtype=torch.float64)
        for values in found:  # a GPU has all steps queued by now; fetching a sum waits for it
            totals[:, : values.shape[1]] += values.cpu()
        return totals / torch.tensor([len(run.job.train) for run in self.runs])

    def _losses_and_scores(
        self, logits: torch.Tensor, labels: torch.Tensor, runs: slice
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each image's loss and score, [m, n], of logits [m, n, classes] and labels [s, n, classes]."""
        logits, labels = logits.transpose(1, 2), labels.transpose(1, 2)
        labels = labels.repeat_interleave(len(logits) // len(labels), dim=0)
        constants = None if self._constants is None else self._constants[runs, :, None]
        return self._loss.each(logits, labels, constants), self._task.scores(
            self._loss.scored(logits.detach()), labels, constants
        )

    @torch.no_grad()
    def _validate(self) -> torch.Tensor:
        """Return each run's mean loss and score over its validation rows, [2, runs]."""
        totals = torch.zeros(2, len(self.runs), dtype=torch.float64)
        done = 0
        for rows, alike in itertools.groupby(self.runs, lambda run: run.validation_rows):
            runs, examples = slice(done, done := done + len(list(alike))), self._validation[rows]
            for start in range(0, len(examples), VALIDATION_BATCH):
                positions = np.arange(start, min(start + VALIDATION_BATCH, len(examples)))
                features, labels = (values[None] for values in self._reader.rows(examples, positions, 0))
                with self._compute.autocast():
                    logits = self._heads.logits(features, runs)
                values = torch.stack(self._losses_and_scores(logits, labels, runs))
                totals[:, runs] += values.sum(dim=2).cpu() / len(examples)
        return totals


@dataclass(frozen=True)
class _Batches:
    """The batches of a step: features [s, n, width], labels [s, n, classes], and how many rows of each are its own.

    The rows behind those are padding: some of them again.
    """

    features: torch.Tensor
    labels: torch.Tensor
    counts: list[int]

    @property
    def padded(self) -> bool:
        """Whether any row is padding."""
        return min(self.counts) < self.features.shape[1]

    @property
    def own(self) -> torch.Tensor:
        """1 for a batch's own rows, 0 for padding; float32 [s, n]."""
        own = np.arange(self.features.shape[1]) < np.array(self.counts)[:, None]
        return torch.from_numpy(own).float().to(self.features.device, non_blocking=True)


class _Reader:
    """Reads features of views of training rows, and of images as they are."""

    def __init__(self, train: ViewExamples, embedder: Embedder, device: torch.device) -> None:
        self._train, self._embedder, self._device = train, embedder, device
        self._resident = Resident(train, device)

    def epoch(self, number: int, jobs: Sequence[Job]) -> Iterator[_Batches]:
        """Yield the batches of each step, each job's in its own order; the longest jobs come first."""
        whole = self._resident.view(number)
        if whole is None:
            self._train.start(number)
        size = jobs[0].strategy.batch_size
        places = [np.searchsorted(self._train.rows, job.train.rows) for job in jobs]
        orders = [job.batches(number) for job in jobs]
        steps = [
            [place[order[step]] for place, order in zip(places, orders, strict=True) if step < len(order)]
            for step in range(len(orders[0]))
        ]
        together = max(1, READ_BYTES // (len(jobs) * size * self._embedder.row_bytes))
        for start in range(0, len(steps), together):
            yield from self._read(steps[start : start + together], number, whole)

    def rows(self, examples: Examples, positions: np.ndarray, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features [n, width] and labels [n, classes] of examples, on the device."""
        batch = examples.batch(positions, epoch)
        return on_device(self._embedder.features(batch.inputs), self._device), on_device(batch.labels, self._device)

    def _read(self, steps: Sequence[Sequence[np.ndarray]], number: int, whole: Batch | None) -> Iterator[_Batches]:
        padded = [[_padded(batch, max(map(len, batches))) for batch in batches] for batches in steps]
        positions = np.concatenate([batch for batches in padded for batch in batches])
        if whole is None:
            found = self.rows(self._train, positions, number)
        else:
            chosen = on_device(torch.from_numpy(positions), self._device)
            found = self._embedder.features(whole.inputs[chosen]), whole.labels[chosen]
        sizes = [sum(map(len, batches)) for batches in padded]
        for batches, *parts in zip(steps, *(values.split(sizes) for values in found), strict=True):
            features, labels = (part.unflatten(0, (len(batches), -1)) for part in parts)
            yield _Batches(features, labels, [len(batch) for batch in batches])


def _padded(rows: np.ndarray, length: int) -> np.ndarray:
    """Repeat rows up to a length; most batches have it already, and `np.resize` takes as long as a read."""
    return rows if len(rows) == length else np.resize(rows, length)


def _embedder(job: Job) -> Embedder:
    if job.embedder is None:
        raise TypeError("expected a frozen body, whose features are cached")
    return job.embedder


def _state(group: _Group, runs: list[_Run], seconds: float) -> dict[str, Any]:
    group.store_moments()
    about = [
        {
            "epochs": torch.tensor([astuple(epoch) for epoch in run.epochs], dtype=torch.float64),
            "head": run.job.network.head.state_dict(),
            "best": run.best,
            "moments": run.moments,
            "since": run.since,
        }
        for run in runs
    ]
    return {"runs": about, "seconds": seconds}


def _restore(runs: list[_Run], checkpoint: Checkpoint) -> float:
    state = checkpoint.load()
    if state is None:
        return 0.0
    for run, stored in zip(runs, state["runs"], strict=True):
        run.job.network.head.load_state_dict(stored["head"])
        run.epochs = [Epoch(int(number), *values) for number, *values in stored["epochs"].tolist()]
        run.best, run.moments, run.since = stored["best"], stored["moments"], stored["since"]
    return float(state["seconds"])
