"""The training of one run: epochs over batches, validated after each; the best or the last epoch is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from medtransfer.features.cut import Rest
from medtransfer.features.embedder import Embedder
from medtransfer.models.cuda_graphs import RecordedPasses
from medtransfer.models.network import Network, load_tensors
from medtransfer.study import Strategy
from medtransfer.training.batches import Batch, Examples, Resident, ViewExamples, load, shuffled_batches
from medtransfer.training.checkpoint import Checkpoint
from medtransfer.training.losses import ImageLoss
from medtransfer.training.optimizers import build_optimizer, set_rate
from medtransfer.training.prediction import predict_batches
from medtransfer.training.schedules import is_finished, lowest, rate_factor, resumes
from medtransfer.util.compute import Compute
from medtransfer.util.seeds import Key, seed_from

if TYPE_CHECKING:
    from medtransfer.tasks.task import Task


@dataclass(eq=False)
class Job:
    """A run to train: its task, network, rows, loss, fold and seed.

    embedder: if given, the rows are activations that it computes, and only the layers behind them are run. balanced:
    the class of each training row, if an epoch takes equally many of every class. bars: by epoch, what ends the
    training unless something monitored was at most that until then.
    """

    task: Task
    network: Network
    strategy: Strategy
    train: ViewExamples
    validation: Examples
    loss: nn.Module
    compute: Compute
    fold: int
    seed: int
    embedder: Embedder | None
    balanced: np.ndarray | None = None
    bars: Sequence[float] = ()

    @property
    def key(self) -> tuple[Key, ...]:
        """The key from which everything random in the run is drawn."""
        return (self.seed, self.fold)

    @cached_property
    def resident(self) -> Resident:
        """The views that stay on a GPU."""
        return Resident(self.train, self.compute.device)

    def clock(self) -> float:
        """Return the time in seconds, without the time in which activations were computed for the cache."""
        return time.perf_counter() - (0.0 if self.embedder is None else self.embedder.seconds)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the positions of the training rows in each batch of an epoch."""
        return shuffled_batches(len(self.train), self.strategy.batch_size, epoch, self.key, self.balanced)

    @property
    def run(self) -> nn.Module:
        """The module that maps the rows' inputs to logits.

        Heads that train together share the frozen layers of one network, and so its embedder.
        """
        if self.embedder is None:
            return self.network
        rest = cast(Rest, self.embedder.rest)
        return rest if rest.head is self.network.head else Rest(rest.specs, rest.body, self.network.head)

    def scores(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the score of each image."""
        scored = self.loss.scored(logits) if isinstance(self.loss, ImageLoss) else logits
        return self.task.scores(scored, targets, getattr(self.loss, "constants", None))

    def monitored(self, epoch: Epoch) -> float:
        """Return the value compared between epochs and rates; smaller is better, nan if training diverged."""
        if self.strategy.monitor == "loss" or not math.isfinite(epoch.validation_loss):
            return epoch.validation_loss
        return epoch.validation_score if self.task.lower_is_better else 1 - epoch.validation_score

    def pruned(self, monitored: Sequence[float]) -> bool:
        """Whether training ends after these epochs because others were better at the same epoch."""
        last = len(monitored) - 1
        return 0 <= last < len(self.bars) and min(monitored) > self.bars[last]

    def is_finished(self, monitored: Sequence[float]) -> bool:
        """Whether training ends with these epochs; see `schedules.is_finished` and `pruned`."""
        return is_finished(monitored, self.strategy) or self.pruned(monitored)

    def logits(self, inputs: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the logits of a batch in training, and those of auxiliary heads."""
        if self.embedder is None:
            return self.network.forward_with_auxiliary(inputs)
        return self.run(inputs), []


@dataclass(frozen=True)
class Epoch:
    """The results of one epoch, means over images; the task says which score it is, such as accuracy or Dice."""

    epoch: int
    lr: float
    train_loss: float
    train_score: float
    validation_loss: float
    validation_score: float

    def named(self, score: str) -> dict[str, float]:
        """Return the values by their names in histories, such as `train_accuracy` if the score is `accuracy`."""
        return {name.replace("score", score): value for name, value in asdict(self).items()}


@dataclass
class Fit:
    """A finished training: its epochs, the index of the one kept, and its seconds by `Job.clock`.

    frozen_seconds: those in which activations were computed for the cache, not part of `seconds`.
    """

    epochs: list[Epoch]
    kept: int
    seconds: float
    frozen_seconds: float = 0.0


def fit(job: Job, checkpoint: Checkpoint, report: Callable[[Epoch], None]) -> Fit:
    """Train for `strategy.epochs`, or until what is monitored has not improved for `patience` epochs.

    With a patience the network of the best epoch is kept, without one the last. With
    `resume_patience` training resumes once from the epoch kept so far, with a new optimizer. An interrupted run resumes
    from `checkpoint`; everything random is drawn from (key, epoch), so the result is identical to the bit. `report` is
    called for every epoch, including those of the checkpoint.
    """
    strategy = job.strategy
    job.network.to(job.compute.device)
    job.loss.to(job.compute.device)
    optimizer, step = build_optimizer(job.network, strategy), Step(job)
    epochs, best, seconds = _restore(job, optimizer, checkpoint)
    for record in epochs:
        report(record)
    while not job.is_finished(losses := list(map(job.monitored, epochs))):
        started = job.clock()
        number = len(epochs)
        if resumes(losses, strategy):
            load_tensors(job.network, best, strict=False)
            optimizer = build_optimizer(job.network, strategy)
        factor = rate_factor(strategy.schedule, number, strategy.epochs, losses)
        set_rate(optimizer, factor)
        trained = train_epoch(job, step, optimizer, number)
        epochs.append(Epoch(number, strategy.lr * factor, *trained, *loss_and_score(job, job.validation)))
        losses = [*losses, job.monitored(epochs[-1])]
        if strategy.patience is not None and lowest(losses) == number:
            best = trained_state(job.network)
        seconds += job.clock() - started
        state = partial(_state, job, optimizer, epochs, best, seconds)
        checkpoint.save(state, last=job.is_finished(losses))
        report(epochs[-1])
    kept = len(epochs) - 1
    if strategy.patience is not None:
        kept = lowest(losses)
        load_tensors(job.network, best, strict=False)
    job.network.eval()
    return Fit(epochs, kept, seconds)


def train_epoch(job: Job, step: Step, optimizer: torch.optim.Optimizer, number: int) -> tuple[float, float]:
    """Train on every row once; return the mean loss and the mean score."""
    torch.manual_seed(seed_from("epoch", *job.key, number))  # dropout, drop path
    job.network.train()
    order = job.batches(number)
    found = []
    for batch in load(job.train, order, number, job.resident):
        optimizer.zero_grad(set_to_none=True)
        loss, scores = step.gradients(batch)
        optimizer.step()
        found.append(torch.stack([loss * len(scores), scores.sum()]))
    mean_loss, mean_score = (torch.stack(found).cpu().double().sum(dim=0) / len(job.train)).tolist()
    return mean_loss, mean_score


class Step:
    """The forward and backward pass of a job's network; recorded at the first batch on a GPU, for batches of its shape.

    With gradient checkpointing nothing is recorded: it reads the random state in between.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._records = job.compute.device.type == "cuda" and not job.strategy.gradient_checkpointing
        self._recorded: RecordedPasses | None = None

    def gradients(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Fill the gradients of parameters without any; return the mean loss and the score of each image."""
        recorded = self._recording(batch.inputs)
        outputs = self._outputs(batch.inputs) if recorded is None else recorded.forward(batch.inputs)
        loss = self._loss(outputs, batch.labels)
        loss.backward()
        if recorded is not None:
            recorded.backward(outputs)
        return loss.detach(), self._job.scores(outputs[0].detach(), batch.labels)

    def _recording(self, inputs: torch.Tensor) -> RecordedPasses | None:
        if not self._records:
            return None
        if self._recorded is None:
            self._recorded = RecordedPasses(self._outputs, self._job.network, inputs)
        return self._recorded if inputs.shape == self._recorded.shape else None

    def _outputs(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of a batch, followed by those of auxiliary heads."""
        with self._job.compute.autocast():
            logits, auxiliary = self._job.logits(inputs)
        return [logits, *auxiliary]

    def _loss(self, outputs: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        job, (logits, *auxiliary) = self._job, outputs
        with job.compute.autocast():
            loss: torch.Tensor = job.loss(logits, labels)
            for each in auxiliary:
                loss = loss + job.network.auxiliary_weight * job.loss(each, labels)
        return loss


def loss_and_score(job: Job, examples: Examples) -> tuple[float, float]:
    """Return the mean loss and the mean score over rows in eval mode; a batch of 32 counts by its images."""
    total, score = 0.0, 0.0
    for batch in predict_batches(job.run, examples, job.compute):
        logits, targets = (tensor.to(job.compute.device) for tensor in batch)
        total += float(job.loss(logits, targets)) * len(targets)
        score += float(job.scores(logits, targets).sum())
    return total / len(examples), score / len(examples)


def trained_state(network: Network) -> dict[str, torch.Tensor]:
    """Copy the tensors that training changes: parameters that train, and buffers of modules that are not frozen."""
    frozen = {id(module) for module in network.frozen}
    names = {name for name, parameter in network.named_parameters() if parameter.requires_grad} | {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if id(module) not in frozen
        for name in module._buffers
    }
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items() if name in names}


def _state(
    job: Job, optimizer: torch.optim.Optimizer, epochs: list[Epoch], best: dict[str, torch.Tensor], seconds: float
) -> dict[str, Any]:
    return {
        "epochs": [asdict(record) for record in epochs],
        "network": trained_state(job.network),
        "optimizer": optimizer.state_dict(),
        "best": best,
        "seconds": seconds,
    }


def _restore(
    job: Job, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint
) -> tuple[list[Epoch], dict[str, torch.Tensor], float]:
    state = checkpoint.load()
    if state is None:
        return [], {}, 0.0
    load_tensors(job.network, state["network"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    return [Epoch(**record) for record in state["epochs"]], state["best"], state["seconds"]
