"""Heads of the same layers with stacked parameters, so that one call computes or moves all of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn import functional

from medtransfer.models.tokens import Select
from medtransfer.study import Strategy
from medtransfer.training.optimizers import OPTIMIZERS, optimizer_of
from medtransfer.util.registry import options_of

LAYERS = (nn.Linear, nn.Dropout, nn.BatchNorm1d, nn.Identity, Select)
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Hardswish, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid)
ELEMENTWISE = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adagrad)
"""Optimizers that treat each element by itself and move it in proportion to the learning rate."""

State = dict[str, torch.Tensor]
Moments = dict[str, dict[str, torch.Tensor]]
"""The optimizer's state of one head: by parameter, then by the optimizer's own names."""


def is_stackable(head: nn.Module, strategy: Strategy) -> bool:
    """Whether heads like this one can be stacked: known layers in a row, and an optimizer of single elements."""
    if type(head).forward is not nn.Sequential.forward or not any(
        isinstance(layer, nn.Linear) for layer in head.children()
    ):
        return False
    known = all(type(layer) in LAYERS + ACTIVATIONS for layer in head.children())
    return known and type(optimizer_of([{"params": [torch.zeros(1)], "lr": 1.0}], strategy)) in ELEMENTWISE


def depends_on_batch(head: nn.Module) -> bool:
    """Whether the output of a head for one row depends on the other rows of the batch."""
    return any(isinstance(layer, nn.BatchNorm1d) for layer in head.modules())


class StackedHeads:
    """Stacks of the tensors of `runs` heads, [runs, ...], and the optimizer of those that train.

    The heads' own tensors become views of the stacks. Heads that share a batch are multiplied as one tall matrix, which
    `vmap` over whole heads does not see: its step takes 2.3 times as long (`benchmarks/against_libraries.py`).
    cohorts: numbers of neighbouring runs whose optimizers have taken the same number of steps, and will. moments: the
    optimizer's state of each run; empty for a new optimizer. decays: the weight decay of each run, if not that of the
    strategy.
    """

    def __init__(
        self,
        heads: Sequence[nn.Module],
        strategy: Strategy,
        cohorts: Sequence[int],
        moments: Sequence[Moments],
        decays: Sequence[float] = (),
    ) -> None:
        self._layers = dict(heads[0].named_children())
        self._dropouts = {
            name: [float(head.get_submodule(name).p) for head in heads]  # type: ignore[arg-type]
            for name, layer in self._layers.items()
            if isinstance(layer, nn.Dropout)
        }
        self._decays: torch.Tensor | None = None
        if len(set(decays)) > 1 and "weight_decay" in options_of(OPTIMIZERS[strategy.optimizer]):
            self._decays = torch.tensor(decays, device=next(heads[0].parameters()).device)
            strategy = strategy.model_copy(update={"weight_decay": 0.0})
        states = [head.state_dict() for head in heads]
        self.tensors: State = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        for run, head in enumerate(heads):
            for name, tensor in (*head.named_parameters(), *head.named_buffers()):
                tensor.data = self.tensors[name][run]
        self._cohorts = [slice(start, stop) for start, stop in pairwise(accumulate(cohorts, initial=0))]
        self._parts = {
            name: [nn.Parameter(self.tensors[name][runs]) for runs in self._cohorts]
            for name, _ in heads[0].named_parameters()
        }
        parts = [part for parts in self._parts.values() for part in parts]
        self._optimizer = optimizer_of([{"params": parts, "lr": 1.0}], strategy)
        states = [
            _joined([run.get(name, {}) for run in moments[runs]]) for name in self._parts for runs in self._cohorts
        ]
        self._optimizer.load_state_dict(self._optimizer.state_dict() | {"state": dict(enumerate(states))})

    @property
    def draws(self) -> bool:
        """Whether a training step draws random numbers."""
        return any(rate > 0 for rates in self._dropouts.values() for rate in rates)

    def parameters(self, runs: slice) -> State:
        """Return new leaves for gradients of some runs; they share memory with the stacks."""
        return {name: self.tensors[name][runs].detach().requires_grad_() for name in self._parts}

    def logits(
        self,
        features: torch.Tensor,
        runs: slice,
        parameters: State | None = None,
        training: Sequence[tuple[torch.Generator, int]] | None = None,
    ) -> torch.Tensor:
        """Map features [s, n, width] to the logits [m, n, classes] of the m `runs`; m / s runs in a row share a batch.

        training: for each of the s batches the generator of its dropout, the same for all runs that share it, and how
        many of its n rows are not padding; empty where nothing `draws`, None for eval mode.
        """
        tensors = {name: tensor[runs] for name, tensor in self.tensors.items()} | (parameters or {})
        count, values = len(next(iter(tensors.values()))), features
        for name, layer in self._layers.items():
            own = {key: tensors[f"{name}.{key}"] for key in layer.state_dict()}
            if isinstance(layer, nn.Linear):
                values = _dense(values, own["weight"], own.get("bias"))
            elif isinstance(layer, nn.Dropout):
                rates = self._dropouts[name][runs]
                if training is not None and any(rates):
                    noise = _dropout_noise(values, rates, layer.inplace, training)
                    values = values.repeat_interleave(len(noise) // len(values), dim=0) * noise
            elif own:
                layer.train(training is not None)
                apply = vmap(lambda state, rows, layer=layer: functional_call(layer, state, (rows,)))
                values = apply(own, values.repeat_interleave(count // len(values), dim=0))
            else:
                values = layer(values)
        return values

    def step(self, gradients: State, rates: torch.Tensor) -> None:
        """Move the first m runs, whole cohorts, by gradients [m, ...] at learning rates [m].

        The optimizer takes a step at rate 1, of which each run keeps the share of its own rate.
        """
        before = {name: self.tensors[name][: len(rates)].clone() for name in gradients}
        decays = None if self._decays is None else self._decays[: len(rates)]
        decoupled = isinstance(self._optimizer, torch.optim.AdamW)
        for name, gradient in gradients.items():
            if decays is not None and not decoupled:
                gradient = torch.addcmul(gradient, _of_runs(decays, gradient), before[name])  # noqa: PLW2901
            for part, runs in zip(self._parts[name], self._cohorts, strict=True):
                part.grad = gradient[runs] if runs.stop <= len(rates) else None
        self._optimizer.step()
        for name, old in before.items():
            new = self.tensors[name][: len(rates)]
            if decays is not None and decoupled:
                new.sub_(_of_runs(decays, old) * old)
            torch.lerp(old, new, _of_runs(rates, new), out=new)

    def moments(self) -> list[Moments]:
        """Return the optimizer's state of each run."""
        found: list[Moments] = [{} for run in range(self._cohorts[-1].stop)]
        for name, parts in self._parts.items():
            for part, runs in zip(parts, self._cohorts, strict=True):
                state = self._optimizer.state[part]
                for number, run in enumerate(found[runs]):
                    run[name] = {key: value[number] if value.ndim else value for key, value in state.items()}
        return found


def _of_runs(values: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """Shape a value for each run, [m], so that it is broadcast over a stack [m, ...]."""
    return values.view(-1, *[1] * (tensor.ndim - 1))


def _joined(states: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Stack the optimizer's states of a parameter; scalars, such as the number of steps, are equal in a cohort."""
    return {
        key: torch.stack([state[key] for state in states]) if value.ndim else value.clone()
        for key, value in states[0].items()
    }


def _dense(values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Map values [s, n, width] by weights [m, outputs, width] to [m, n, outputs]; runs of a batch as one tall matrix.

    In memory images are last: the softmax of a few classes then runs along whole vectors of images.
    """
    (shares, rows, width), outputs = values.shape, weight.shape[1]
    tall, last = weight.reshape(shares, -1, width), values.transpose(1, 2)
    found = torch.bmm(tall, last) if bias is None else torch.baddbmm(bias.reshape(shares, -1, 1), tall, last)
    return found.view(-1, outputs, rows).transpose(1, 2)


def _dropout_noise(
    values: torch.Tensor, rates: Sequence[float], inplace: bool, training: Sequence[tuple[torch.Generator, int]]
) -> torch.Tensor:
    """Draw the factors of dropout, one batch after another, from the numbers that each head alone would draw.

    rates: those of the m runs, of which m / s in a row share a batch. Returns factors for each of the `values`; for
    each run if rates differ.
    """
    share = len(rates) // len(training)
    drawn = 1 if len(set(rates)) == 1 else share
    factors = values.new_ones(len(training) * drawn, *values.shape[1:])
    default = torch.cuda.default_generators[values.device.index] if values.is_cuda else torch.default_generator
    before = default.get_state()
    for batch, (generator, real) in enumerate(training):
        start = end = generator.get_state()
        found: dict[float, tuple[torch.Tensor, torch.Tensor]] = {}  # heads of equal rates draw the same
        for place in range(drawn):
            rate, noise = rates[batch * share + place], factors[batch * drawn + place]
            if rate > 0:  # without dropout, none is drawn
                if rate not in found:
                    default.set_state(start)
                    own = functional.dropout(torch.ones_like(noise[:real]), rate, inplace=inplace)
                    found[rate] = own, default.get_state()
                noise[:real], end = found[rate]
        generator.set_state(end)
    default.set_state(before)
    return factors.repeat_interleave(max(len(values) // len(factors), 1), dim=0)
