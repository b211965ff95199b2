"""Heads that train in step with each other, each on batches of its own of the same kept features."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from medtransfer.embeddings.embedder import Embedder
from medtransfer.seeding import Key, seed_from
from medtransfer.training.examples import Batch, Examples, shuffled_batches
from medtransfer.training.head_losses import HeadLosses
from medtransfer.training.loading import Resident, on_device
from medtransfer.training.loop import Epoch, Job
from medtransfer.training.schedules import rate_factor
from medtransfer.training.stacked_heads import StackedHeads, State
from medtransfer.training.stacked_optimizers import StackedOptimizer
from medtransfer.training.stopping import goes_on, is_finished, lowest

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
        self._embedder = _embedder(jobs[0])
        self._train = jobs[0].train.of(np.unique(np.concatenate([job.train.rows for job in jobs])))
        self._resident = Resident(self._train, self._compute.device)
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
        whole = self._resident.view(number)
        if whole is None:
            self._train.start(number)
        keys = [run.job.key for run in self.runs]
        shared = _shared(keys)
        jobs = [run.job for run in self.runs[::shared]]
        places = [np.searchsorted(self._train.rows, job.train.rows) for job in jobs]
        size = self._strategy.batch_size
        orders = [list(shuffled_batches(len(job.train), size, number, job.key)) for job in jobs]
        generators = [self._generator(job, number) for job in jobs] if self.heads.draws else []
        found = []
        for step in range(len(orders[0])):
            batches = [place[order[step]] for place, order in zip(places, orders, strict=True) if step < len(order)]
            found.append(self._step(number, whole, batches, shared, generators, rates))
        totals = torch.zeros(2, len(keys), dtype=torch.float64)
        for sums in found:  # a graphics card has by now been given all steps: fetching a sum waits for it
            totals[:, : sums.shape[1]] += sums.cpu()
        return totals / torch.tensor([len(run.job.train) for run in self.runs])

    def _generator(self, job: Job, number: int) -> torch.Generator:
        return torch.Generator(self._compute.device).manual_seed(seed_from("epoch", *job.key, number))

    def _step(
        self,
        number: int,
        whole: Batch | None,
        batches: list[np.ndarray],
        shared: int,
        generators: list[torch.Generator],
        rates: torch.Tensor,
    ) -> torch.Tensor:
        """Move the heads of the first runs, of which `shared` in a row see a batch; give the sums of their losses and
        scores [2, runs]."""
        counts = [len(batch) for batch in batches]
        runs, rows = slice(shared * len(batches)), max(counts)
        features, labels = self._gather(number, whole, batches, rows)
        leaves = {name: value.requires_grad_() for name, value in self.heads.parameters(runs).items()}
        with self._compute.autocast():
            logits = self.heads.logits(features, leaves, runs, list(zip(generators, counts, strict=False)))
        with torch.no_grad():
            losses, right = self._losses.losses_and_scores(logits, labels, runs)
            slopes = self._losses.slopes(logits, labels, runs)
            if min(counts) < rows:
                numbers = torch.tensor(counts, device=losses.device).repeat_interleave(shared)[:, None]
                real = torch.arange(rows, device=losses.device) < numbers
                losses, right, slopes = losses * real, right * real, slopes * (real / numbers)[:, None]
            else:
                slopes /= rows
        gradients = torch.autograd.grad(logits, list(leaves.values()), slopes.to(logits.dtype))
        parameters = {name: leaf.detach() for name, leaf in leaves.items()}
        self.optimizer.step(parameters, dict(zip(leaves, gradients, strict=True)), rates[runs])
        return torch.stack([losses.sum(dim=1), right.sum(dim=1)])

    def _gather(
        self, number: int, whole: Batch | None, batches: list[np.ndarray], rows: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the features [s, rows, width] and labels [s, rows, classes] of batches, short ones repeated."""
        padded = np.concatenate([batch if len(batch) == rows else np.resize(batch, rows) for batch in batches])
        if whole is None:
            found = self._batch(self._train, padded, number)
        else:
            positions = on_device(torch.from_numpy(padded), whole.inputs.device)
            found = self._embedder.features(whole.inputs[positions]), whole.labels[positions]
        features, labels = (values.view(len(batches), rows, -1) for values in found)
        return features, labels

    @torch.inference_mode()
    def _validate(self) -> torch.Tensor:
        """Give each run's mean loss and score over its validation rows [2, runs]; those with the same rows adjoin."""
        totals = torch.zeros(2, len(self.runs), dtype=torch.float64)
        done = 0
        for rows, alike in itertools.groupby(self.runs, _rows_of):
            runs, examples = slice(done, done := done + len(list(alike))), self._validation[rows]
            for start in range(0, len(examples), VALIDATION_BATCH):
                positions = np.arange(start, min(start + VALIDATION_BATCH, len(examples)))
                features, labels = (values[None] for values in self._batch(examples, positions, 0))
                with self._compute.autocast():
                    logits = self.heads.logits(features, self.heads.parameters(runs), runs)
                values = torch.stack(self._losses.losses_and_scores(logits, labels, runs))
                totals[:, runs] += values.sum(dim=2).cpu() / len(examples)
        return totals

    def _batch(self, examples: Examples, positions: np.ndarray, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        batch, device = examples.batch(positions, epoch), self._compute.device
        return on_device(self._embedder.features(batch.inputs), device), on_device(batch.labels, device)


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
