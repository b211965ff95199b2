"""Heads that train in step with each other, each on batches of its own of the same kept features."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from medtransfer.features.embedder import Embedder
from medtransfer.training.head_batches import BatchReader, HeadBatches
from medtransfer.training.head_losses import HeadLosses, Totals
from medtransfer.training.loop import Epoch, Job
from medtransfer.training.schedules import goes_on, is_finished, lowest, rate_factor
from medtransfer.training.stacked_heads import StackedHeads, State
from medtransfer.training.stacked_optimizers import StackedOptimizer
from medtransfer.util.seeds import Key, seed_from

VALIDATION_BATCH = 512


@dataclass(eq=False)
class Run:
    """One run: its job, its epochs so far, and its head as it is to be kept."""

    job: Job
    epochs: list[Epoch] = field(default_factory=list)
    kept: State = field(default_factory=dict)

    @property
    def losses(self) -> list[float]:
        """The validation losses so far."""
        return [epoch.validation_loss for epoch in self.epochs]

    @property
    def trains(self) -> bool:
        """Whether there are epochs left."""
        return not is_finished(self.losses, self.job.strategy)


class HeadGroup:
    """The runs that still train, those with the most training rows in front, those of one fold and seed side by side.

    Where some have no batch left in a step of an epoch, the others are then the first ones: a slice of every stack.
    Runs of one fold and seed, which differ in their rates alone, see the same batches.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = sorted(runs, key=lambda run: (-len(run.job.train), _rows_of(run), run.job.key))
        jobs = [run.job for run in self.runs]
        self._strategy, self._compute = jobs[0].strategy, jobs[0].compute
        train = jobs[0].train.of(np.unique(np.concatenate([job.train.rows for job in jobs])))
        self._reader = BatchReader(train, _embedder(jobs[0]), self._compute.device, self._strategy.batch_size)
        self.heads = StackedHeads([job.network.head for job in jobs])
        self.optimizer = StackedOptimizer(self._strategy, self.heads.parameters(slice(None)))
        weights = [weight for job in jobs for weight in job.loss.to(self._compute.device).buffers()]
        self._losses = HeadLosses(self._strategy.loss, weights)
        self._validation = {_rows_of(run): run.job.validation for run in self.runs}
        for examples in self._validation.values():
            examples.start(0)

    def keep(self, places: list[int]) -> None:
        """Let go of all runs but those at `places`."""
        self.runs = [self.runs[place] for place in places]
        self.heads.keep(places)
        self.optimizer.keep(places)
        self._losses.keep(places)

    def epoch(self) -> None:
        """Train one epoch of every run, validate, note both, and let go of the runs that are finished."""
        strategy, number = self._strategy, len(self.runs[0].epochs)
        for place, run in enumerate(self.runs):
            if goes_on(run.losses, strategy):
                self.heads.put(place, run.kept)
                self.optimizer.reset(place)
        rates = [
            run.job.strategy.lr * rate_factor(strategy.schedule, number, strategy.epochs, run.losses)
            for run in self.runs
        ]
        found = torch.cat([self._train_epoch(number, torch.tensor(rates, dtype=torch.float64)), self._validate()])
        for place, (run, rate, values) in enumerate(zip(self.runs, rates, found.T.tolist(), strict=True)):
            run.epochs.append(Epoch(number, rate, *values))
            if not run.trains if strategy.patience is None else lowest(run.losses) == number:
                run.kept = self.heads.one(place)
        going = [place for place, run in enumerate(self.runs) if run.trains]
        if len(going) < len(self.runs):
            self.keep(going)

    def _train_epoch(self, number: int, rates: torch.Tensor) -> torch.Tensor:
        """Take all steps of an epoch; give each run's mean loss and score [2, runs]."""
        keys = [run.job.key for run in self.runs]
        shared = _shared(keys)
        jobs = [run.job for run in self.runs[::shared]]
        generators = [self._generator(job, number) for job in jobs] if self.heads.draws else []
        totals = Totals(self._losses)
        for batches in self._reader.epoch(number, jobs):
            totals.add(self._step(batches, shared, generators, rates), batches)
        return totals.of(len(keys)) / torch.tensor([len(run.job.train) for run in self.runs])

    def _generator(self, job: Job, number: int) -> torch.Generator:
        return torch.Generator(self._compute.device).manual_seed(seed_from("epoch", *job.key, number))

    def _step(
        self, batches: HeadBatches, shared: int, generators: list[torch.Generator], rates: torch.Tensor
    ) -> torch.Tensor:
        """Move the heads of the first runs, of which `shared` in a row see a batch; give their logits before that,
        [runs, classes, n]."""
        shares, runs = batches.shares, slice(shared * len(batches.counts))
        training = list(zip(generators, batches.counts, strict=False))
        with self._compute.autocast():
            passed = self.heads.train(batches.features, runs, training)
        with torch.no_grad():
            slopes = self._losses.slopes(passed.logits, batches.labels, runs)
            slopes *= shares.repeat_interleave(shared, dim=0)[:, None] if isinstance(shares, torch.Tensor) else shares
        with self._compute.autocast():
            gradients = passed.gradients(slopes)
        self.optimizer.step(self.heads.parameters(runs), gradients, rates[runs])
        return passed.logits

    @torch.inference_mode()
    def _validate(self) -> torch.Tensor:
        """Give each run's mean loss and score over its validation rows [2, runs]; those with the same rows adjoin."""
        totals = torch.zeros(2, len(self.runs), dtype=torch.float64)
        done = 0
        for rows, alike in itertools.groupby(self.runs, _rows_of):
            runs, examples = slice(done, done := done + len(list(alike))), self._validation[rows]
            for start in range(0, len(examples), VALIDATION_BATCH):
                positions = np.arange(start, min(start + VALIDATION_BATCH, len(examples)))
                features, labels = (values[None] for values in self._reader.rows(examples, positions, 0))
                with self._compute.autocast():
                    logits = self.heads.logits(features, self.heads.parameters(runs), runs)
                values = torch.stack(self._losses.losses_and_scores(logits, labels, runs))
                totals[:, runs] += values.sum(dim=2).cpu() / len(examples)
        return totals


def _rows_of(run: Run) -> bytes:
    """Identify the rows that a run validates on."""
    return run.job.validation.rows.tobytes()


def _shared(keys: Sequence[tuple[Key, ...]]) -> int:
    """Count the runs in a row that have one key, where that number is the same all along; else 1."""
    found = {len(list(alike)) for _, alike in itertools.groupby(keys)}
    return found.pop() if len(found) == 1 else 1


def _embedder(job: Job) -> Embedder:
    if job.embedder is None:
        raise TypeError("expected a frozen body, whose features are kept")
    return job.embedder
