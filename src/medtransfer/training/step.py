"""One step of training: forward pass, loss and backward pass of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from medtransfer.backbones.recording import RecordedPasses
from medtransfer.training.examples import Batch

if TYPE_CHECKING:
    from medtransfer.training.loop import Job


class Step:
    """The passes of a job's network; a graphics card's are recorded at the first batch for all of its shape.

    Those of a network that computes again what it forgot are not: it looks at the random numbers on the way.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._records = job.compute.device.type == "cuda" and not job.strategy.gradient_checkpointing
        self._recorded: RecordedPasses | None = None

    def gradients(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Leave a batch's gradients in parameters without any; give its mean loss and the score of each image."""
        recorded = self._recording(batch.inputs)
        outputs = self._outputs(batch.inputs) if recorded is None else recorded.forward(batch.inputs)
        loss = self._loss(outputs, batch.labels)
        loss.backward()
        if recorded is not None:
            recorded.backward(outputs)
        return loss.detach(), self._job.task.scores(outputs[0].detach(), batch.labels)

    def _recording(self, inputs: torch.Tensor) -> RecordedPasses | None:
        if not self._records:
            return None
        if self._recorded is None:
            self._recorded = RecordedPasses(self._outputs, self._job.network, inputs)
        return self._recorded if inputs.shape == self._recorded.shape else None

    def _outputs(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Give the logits of a batch, and behind them those of auxiliary heads."""
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
