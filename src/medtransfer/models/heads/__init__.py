"""Heads: each maps features to logits, one file per head, registered by the name that a strategy gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import nn

from medtransfer.models.tokens import Select
from medtransfer.study import Strategy, Variant
from medtransfer.util.registry import Registry, options_of

if TYPE_CHECKING:
    from medtransfer.models.assemble import Weights


class Head(nn.Module):
    """A module that maps features [n, width], or tokens [n, tokens, width], to logits [n, classes].

    Subclasses are built from `(width, classes)` and from those fields of a strategy (`hidden`, `dropout`,
    `neighbours`, `head_batch_norm`) that are keyword-only parameters of theirs; `classifier` is the layers of the
    backbone's own classifier. Fields that are None keep the parameter's default.

    fitted: whether the head is computed from features in one step by `fit`, rather than trained over epochs.
    differentiable: whether its outputs have gradients with respect to the features.
    takes_tokens: whether it needs tokens.
    keeps_spatial: whether its features are those that the backbone's own classifier saw, not averaged over space.
    """

    fitted: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True
    keeps_spatial: ClassVar[bool] = False
    takes_tokens: ClassVar[bool] = False

    @classmethod
    def variant_problems(cls, variant: Variant) -> list[str]:
        """List why a variant cannot have this head, each as it follows the variant's place in `params.yaml`."""
        return []

    def begin(self, variant: Variant, weights: Weights, outputs: Sequence[str]) -> None:
        """Take what the head starts from in a new network, whose outputs have these names; a loaded one has it."""
        return

    def fit(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Fit a head whose `fitted` is set, from features [n, width] and labels [n]."""
        raise TypeError(f"{type(self).__name__} is trained over epochs, not fitted")


HEADS: Registry[type[Head]] = Registry("head", package="medtransfer.models.heads")


def build_head(
    strategy: Strategy,
    width: int,
    classes: int,
    classifier: list[nn.Module],
    spans: list[tuple[int, int]] | None = None,
) -> Head:
    """Build the head that a strategy names; new layers are drawn from torch's default generator.

    spans: the columns, from and to, of the features that it uses; None for all.
    """
    kind = HEADS[strategy.head]
    given = strategy.model_dump() | {"classifier": classifier}
    options = {name: given[name] for name in options_of(kind) if given.get(name) is not None}
    if spans is None:
        return kind(width, classes, **options)
    head = kind(sum(stop - start for start, stop in spans), classes, **options)
    cast(nn.Sequential, head).insert(0, Select(spans))
    return head
