"""The interface of a task: all that the rest of the project asks of it. Nothing else asks which task it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from torch import nn

    from medtransfer.data.prepared import Prepared
    from medtransfer.models.assemble import Weights
    from medtransfer.models.network import Network, Normalise
    from medtransfer.study import Loss, Variant
    from medtransfer.study.schema import Params
    from medtransfer.tasks.predictions import Predictions
    from medtransfer.training.losses import LossFunction
    from medtransfer.util.registry import Registry
    from medtransfer.util.seeds import Key

Baselines = dict[str, "Callable[[Prepared], Iterator[pd.DataFrame]]"]


class Task(ABC):
    """What a network learns, how its answers are scored, and how they are shown.

    A task imports torch within the methods that need it: stages without networks load tasks, too.

    score: the name of the validation score in histories, next to the loss. flat_features: whether a frozen body yields
    one short row of features per image, which is worth caching. per_pixel: whether a network predicts a class for each
    pixel rather than for the image.
    """

    score: str
    flat_features: bool
    per_pixel: bool

    @property
    @abstractmethod
    def baselines(self) -> Baselines:
        """Return the predictors that need no network, by the names of `study.BASELINES`."""

    @property
    @abstractmethod
    def losses(self) -> Registry[LossFunction]:
        """Return the losses that `loss` can build."""

    def problems(self, params: Params) -> list[str]:
        """List which parts of a study do not fit this task, each with its place in `params.yaml`."""
        return []

    def variant_problems(self, variant: Variant) -> list[str]:
        """List which parts of a variant do not fit this task, each as it follows the variant's place."""
        return []

    @abstractmethod
    def outputs(self, prepared: Prepared) -> list[str]:
        """Return the names of the network's outputs, in order."""

    @abstractmethod
    def purpose(self, outputs: list[str]) -> str:
        """Return what a network with these outputs is trained to do, after "trained to"."""

    @abstractmethod
    def assemble(
        self,
        variant: Variant,
        weights: Weights,
        outputs: int,
        image_size: int,
        normalise: Normalise,
        key: tuple[Key, ...],
    ) -> Network:
        """Build a variant's network, frozen as its strategy says; everything random is drawn from `key`."""

    @abstractmethod
    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss of (logits, targets), a mean over images; `rows` are those that train."""

    @abstractmethod
    def scores(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the score of each image of a batch, float32 [n], in [0, 1]."""

    @abstractmethod
    def answers(self, logits: torch.Tensor, loss: Loss) -> np.ndarray:
        """Return a network's answers for a batch: probabilities [n, classes], or class numbers of pixels [n, h, w]."""

    @abstractmethod
    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Return the probabilities of the outputs, float32, shaped like the logits, summing to 1 over dimension 1."""

    @abstractmethod
    def joint_answers(self, logits: Sequence[torch.Tensor], loss: Loss) -> np.ndarray:
        """Return the answers of several networks by the mean of their probabilities; of one, its own answers."""

    @abstractmethod
    def frame(
        self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray, fold: int, seed: int, role: str
    ) -> pd.DataFrame:
        """Return the rows of predictions of one run and role, made from `answers`."""

    @abstractmethod
    def predictions(self, table: pd.DataFrame) -> Predictions:
        """Return rows of predictions as an object."""

    @abstractmethod
    def summary(self, table: pd.DataFrame, prepared: Prepared) -> dict[str, Any]:
        """Compute the test metrics of rows of predictions: `runs`, `mean` and `sd` by metric, and `test_images`."""

    @abstractmethod
    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw how a variant learned and how good its predictions are."""
