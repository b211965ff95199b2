"""Kernels of a graphics card recorded once, as a CUDA graph, and started together from then on.

One by one, Python takes longer to start the kernels of a light network than the card to run them. They are the same
kernels in the same order, so that recorded passes give the bits that unrecorded ones give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

WARM = 2
"""Passes before a recording: libraries choose their kernels and set themselves up in the first."""


class RecordedForward:
    """A function of one tensor, for inputs of one shape, without gradients."""

    def __init__(self, run: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> None:
        self._inputs = inputs.clone()
        with _aside():
            for _ in range(WARM):
                run(self._inputs)
        self._graph = torch.cuda.CUDAGraph()
        with _recording(self._graph):
            self._outputs = run(self._inputs)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give what the function gives; the next call writes over it."""
        self._inputs.copy_(inputs, non_blocking=True)
        self._graph.replay()
        return self._outputs


class RecordedPasses:
    """Forward and backward pass of a network in training, for inputs of one shape.

    Between both stands the loss, which is the caller's. Batch norms' statistics and the state of random numbers are
    after the recording what they were before.
    """

    def __init__(
        self, run: Callable[[torch.Tensor], Sequence[torch.Tensor]], network: nn.Module, inputs: torch.Tensor
    ) -> None:
        self.shape = inputs.shape
        self._inputs = inputs.clone()
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
        with _aside(), torch.random.fork_rng(devices=[inputs.device]):
            for _ in range(WARM):
                torch.autograd.backward(found := run(self._inputs), [torch.zeros_like(each) for each in found])
                del found
        for buffer, before in buffers:
            buffer.copy_(before)
        _forget(parameters)
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with _recording(self._forward):
            outputs = run(self._inputs)
        self._outputs = [each.detach() for each in outputs]
        self._flowing = [torch.zeros_like(each) for each in self._outputs]
        with _recording(self._backward, beside=self._forward):
            torch.autograd.backward(outputs, self._flowing)
        self._gradients = [(parameter, parameter.grad) for parameter in parameters]
        _forget(parameters)

    def forward(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Give the outputs, as leaves whose gradients `backward` takes up; the next call writes over them."""
        self._inputs.copy_(inputs, non_blocking=True)
        self._forward.replay()
        return [each.detach().requires_grad_() for each in self._outputs]

    def backward(self, outputs: Sequence[torch.Tensor]) -> None:
        """Set the parameters' gradients, given those of the outputs."""
        for flowing, output in zip(self._flowing, outputs, strict=True):
            if output.grad is not None:
                flowing.copy_(output.grad)
        self._backward.replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient


def _forget(parameters: Sequence[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None


@contextmanager
def _aside() -> Iterator[None]:
    """Run on a stream of its own, after all that was started before, and before all that is started after."""
    usual, own = torch.cuda.current_stream(), torch.cuda.Stream()
    own.wait_stream(usual)
    with torch.cuda.stream(own):
        yield
    usual.wait_stream(own)


def _recording(graph: torch.cuda.CUDAGraph, beside: torch.cuda.CUDAGraph | None = None) -> torch.cuda.graph:
    """Record what is started in this thread, in memory of its own or `beside` another graph's.

    Other threads may meanwhile copy the next batch.
    """
    pool = None if beside is None else beside.pool()
    return torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local")
