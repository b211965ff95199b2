"""Heads of one make whose parameters are stacked, so that one call computes all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

ELEMENTWISE = (nn.Identity, nn.ReLU, nn.LeakyReLU, nn.Hardswish, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid)
State = dict[str, torch.Tensor]


def is_stackable(head: nn.Module) -> bool:
    """Say whether a head is a row of dense layers, dropout, batch norm and elementwise functions, dense at last."""
    known = (nn.Linear, nn.Dropout, nn.BatchNorm1d, *ELEMENTWISE)
    layers = list(head) if isinstance(head, nn.Sequential) else []
    return all(type(layer) in known for layer in layers) and [type(layer) for layer in layers[-1:]] == [nn.Linear]


def looks_at_the_batch(head: nn.Module) -> bool:
    """Say whether what a head gives for a row depends on the rows beside it."""
    return any(isinstance(layer, nn.BatchNorm1d) for layer in head.children())


@dataclass(frozen=True)
class Pass:
    """Some runs' way through a batch: their logits [m, classes, n], their parameters, and what came to the last layer.

    last: how the names of that layer's parameters begin.
    """

    logits: torch.Tensor
    hidden: torch.Tensor
    parameters: State
    last: str

    def gradients(self, slopes: torch.Tensor) -> State:
        """Give the gradients of all parameters, for the derivatives of what is minimised by the logits.

        Those of the last layer are two products; only where others train does autograd go on from there.
        """
        found, (shares, width, rows) = {}, self.hidden.shape
        tall = slopes.reshape(shares, -1, rows)
        for name, parameter in self.parameters.items():
            if name == f"{self.last}.weight":
                found[name] = torch.bmm(tall, self.hidden.detach().transpose(1, 2)).view_as(parameter).float()
            elif name == f"{self.last}.bias":
                found[name] = slopes.sum(dim=2)
        if others := {name: value for name, value in self.parameters.items() if name not in found}:
            weight = self.parameters[f"{self.last}.weight"].detach().reshape(shares, -1, width)
            back = torch.bmm(weight.transpose(1, 2), tall).to(self.hidden.dtype)
            found |= zip(others, torch.autograd.grad(self.hidden, list(others.values()), back), strict=True)
        return found


class StackedHeads:
    """`runs` heads of the same layers. state: their parameters and buffers by name, each [runs, ...]."""

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        self._layers = list(heads[0].children())
        self._last = str(len(self._layers) - 1)
        states = [head.state_dict() for head in heads]
        self.state: State = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        self._trained = [name for name, _ in heads[0].named_parameters()]

    @property
    def draws(self) -> bool:
        """Whether a training step draws random numbers."""
        return any(isinstance(layer, nn.Dropout) and layer.p > 0 for layer in self._layers)

    def parameters(self, runs: slice) -> State:
        """Give what trains of some runs, sharing memory."""
        return {name: self.state[name][runs] for name in self._trained}

    def keep(self, runs: list[int]) -> None:
        """Let go of all runs but these."""
        self.state = {name: tensor[runs] for name, tensor in self.state.items()}

    def load(self, state: State) -> None:
        """Take over a stored state."""
        self.state = {name: tensor.to(self.state[name].device) for name, tensor in state.items()}

    def one(self, run: int) -> State:
        """Copy the state of one run."""
        return {name: tensor[run].clone() for name, tensor in self.state.items()}

    def put(self, run: int, state: State) -> None:
        """Set the state of one run."""
        for name, tensor in self.state.items():
            tensor[run] = state[name]

    def logits(
        self,
        features: torch.Tensor,
        parameters: State,
        runs: slice,
        training: Sequence[tuple[torch.Generator, int]] | None = None,
    ) -> torch.Tensor:
        """Map features [s, n, width] to the logits of the m `runs`, [m, classes, n]; m / s runs in a row share theirs.

        Images stand behind classes: one product then gives the logits of all runs that share features, and the softmax
        goes over whole vectors of images, many times faster than over a few classes at a time.

        parameters: those to use, each [m, ...]. training: for each of the s the generator that its dropout, the same
        for all runs that share it, is drawn from, and how many of its n rows are real, the others being padding; none
        are needed where nothing `draws`. None for eval mode.
        """
        return self._dense(self._last, self._hidden(features, parameters, runs, training), parameters)

    def train(self, features: torch.Tensor, runs: slice, training: Sequence[tuple[torch.Generator, int]]) -> Pass:
        """Take some runs through a batch, for which gradients are wanted; arguments as in `logits`."""
        parameters = {name: value.requires_grad_() for name, value in self.parameters(runs).items()}
        hidden = self._hidden(features, parameters, runs, training)
        with torch.no_grad():
            return Pass(self._dense(self._last, hidden, parameters), hidden, parameters, self._last)

    def _hidden(
        self,
        features: torch.Tensor,
        parameters: State,
        runs: slice,
        training: Sequence[tuple[torch.Generator, int]] | None,
    ) -> torch.Tensor:
        """Take features through all layers but the last, [s or m, width, n]."""
        values, count = features.transpose(1, 2), len(next(iter(parameters.values())))
        for number, layer in enumerate(self._layers[:-1]):
            if isinstance(layer, nn.Linear):
                values = self._dense(str(number), values, parameters)
            elif isinstance(layer, nn.BatchNorm1d):
                values = values.repeat_interleave(count // len(values), dim=0)
                values = self._batch_norm(number, layer, values, parameters, runs, training is not None)
            elif not isinstance(layer, nn.Dropout):
                values = layer(values)
            elif training is not None and layer.p > 0:
                values = _dropout(values, layer, training)
        return values

    @staticmethod
    def _dense(layer: str, values: torch.Tensor, parameters: State) -> torch.Tensor:
        """Map values [s, width, n] by m weights [m, outputs, width], those that share values as one tall matrix."""
        weight, bias = parameters[f"{layer}.weight"], parameters.get(f"{layer}.bias")
        (shares, width, rows), (runs, outputs) = values.shape, weight.shape[:2]
        tall = weight.reshape(shares, -1, width)
        found = torch.bmm(tall, values) if bias is None else torch.baddbmm(bias.reshape(shares, -1, 1), tall, values)
        return found.view(runs, outputs, rows)

    def _batch_norm(
        self, number: int, layer: nn.BatchNorm1d, values: torch.Tensor, parameters: State, runs: slice, training: bool
    ) -> torch.Tensor:
        """Normalise each run's channels, laid side by side: no statistic crosses from one to another."""
        count, width, rows = values.shape
        mean, variance = (self.state[f"{number}.{name}"][runs] for name in ("running_mean", "running_var"))
        flat = functional.batch_norm(
            values.reshape(1, count * width, rows),
            mean.view(-1),
            variance.view(-1),
            parameters[f"{number}.weight"].reshape(-1),
            parameters[f"{number}.bias"].reshape(-1),
            training,
            layer.momentum or 0.0,
            layer.eps,
        )
        if training:
            self.state[f"{number}.num_batches_tracked"][runs] += 1
        return flat.view(count, width, rows)


def _dropout(values: torch.Tensor, layer: nn.Dropout, training: Sequence[tuple[torch.Generator, int]]) -> torch.Tensor:
    """Drop out as `layer` would in each run alone, from the same random numbers, drawn image by image."""
    (_, width, rows), shares = values.shape, len(training)
    kept = torch.zeros(shares, rows, width, dtype=values.dtype, device=values.device)
    draw = _draw_on_card if values.device.type == "cuda" and not layer.inplace else _draw
    for noise, (generator, real) in zip(kept, training, strict=True):
        draw(noise[:real], layer.p, generator)
    return (values.unflatten(0, (shares, -1)) * kept.transpose(1, 2)[:, None]).flatten(0, 1)


def _draw(noise: torch.Tensor, share: float, generator: torch.Generator) -> None:
    """Fill with what `nn.Dropout` multiplies by."""
    noise.bernoulli_(1 - share, generator=generator).div_(1 - share)


def _draw_on_card(noise: torch.Tensor, share: float, generator: torch.Generator) -> None:
    """Do the same on a graphics card, where dropout, unless in place, is a kernel that draws from one generator."""
    usual = torch.cuda.default_generators[noise.device.index]
    before = usual.get_state()
    usual.set_state(generator.get_state())
    noise.copy_(functional.dropout(torch.ones_like(noise), share))
    generator.set_state(usual.get_state())
    usual.set_state(before)
