"""Record the kernels of a pass as a CUDA graph, and replay them together from then on.

Started one by one by Python, the kernels of a light network take longer to start than to run. A replay runs the same
kernels in the same order and gives the same bits.

`torch.cuda.make_graphed_callables` (torch 2.13) records both passes, too, but cannot replace this module: its warm-up
changes the statistics of batch norms and the state of random numbers; it captures in the mode `global`, in which other
threads must not allocate memory, such as pinned memory for the next batch; and it replaces the `forward` of a module by
one for a single shape, so that the shorter last batch of an epoch would fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

WARM_UP = 2
"""Passes before a recording: in the first, libraries choose their kernels and initialise."""


class RecordedForward:
    """A function of one tensor, for inputs of one shape, without gradients."""

    def __init__(self, run: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> None:
        self._inputs = inputs.clone()
        with _side_stream():
            for _ in range(WARM_UP):
                run(self._inputs)
        self._graph = torch.cuda.CUDAGraph()
        with _recording(self._graph):
            self._outputs = run(self._inputs)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the function's output; the next call overwrites it."""
        self._inputs.copy_(inputs, non_blocking=True)
        self._graph.replay()
        return self._outputs


class RecordedPasses:
    """Forward and backward pass of a network in training, for inputs of one shape.

    The caller computes the loss in between. A recording leaves the statistics of batch norms and the state of random
    numbers as they were.
    """

    def __init__(
        self, run: Callable[[torch.Tensor], Sequence[torch.Tensor]], network: nn.Module, inputs: torch.Tensor
    ) -> None:
        self.shape = inputs.shape
        self._inputs = inputs.clone()
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
        with _side_stream(), torch.random.fork_rng(devices=[inputs.device]):
            for _ in range(WARM_UP):
                torch.autograd.backward(found := run(self._inputs), [torch.zeros_like(each) for each in found])
                del found
        for buffer, before in buffers:
            buffer.copy_(before)
        _clear_gradients(parameters)
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with _recording(self._forward):
            outputs = run(self._inputs)
        self._outputs = [each.detach() for each in outputs]
        self._output_gradients = [torch.zeros_like(each) for each in self._outputs]
        with _recording(self._backward, shared=self._forward):
            torch.autograd.backward(outputs, self._output_gradients)
        self._gradients = [(parameter, parameter.grad) for parameter in parameters]
        _clear_gradients(parameters)

    def forward(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Return the outputs as leaves, whose gradients `backward` reads; the next call overwrites them."""
        self._inputs.copy_(inputs, non_blocking=True)
        self._forward.replay()
        return [each.detach().requires_grad_() for each in self._outputs]

    def backward(self, outputs: Sequence[torch.Tensor]) -> None:
        """Set the gradients of the parameters from those of the outputs."""
        for gradient, output in zip(self._output_gradients, outputs, strict=True):
            if output.grad is not None:
                gradient.copy_(output.grad)
        self._backward.replay()
        for parameter, recorded in self._gradients:
            parameter.grad = recorded


def _clear_gradients(parameters: Sequence[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None


@contextmanager
def _side_stream() -> Iterator[None]:
    """Run on a new stream, after all that was started before it and before all that is started after it."""
    usual, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(usual)
    with torch.cuda.stream(side):
        yield
    usual.wait_stream(side)


def _recording(graph: torch.cuda.CUDAGraph, shared: torch.cuda.CUDAGraph | None = None) -> torch.cuda.graph:
    """Record what this thread starts, in memory `shared` with another graph; other threads may copy the next batch."""
    pool = None if shared is None else shared.pool()
    return torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local")
