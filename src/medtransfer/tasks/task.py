"""The interface of a task: all that the rest of the project asks of it. Nothing else asks which task it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from medtransfer.tasks.baselines import Baseline
from medtransfer.tasks.predictions import Predictions, rows_of_run

if TYPE_CHECKING:
    import torch
    from torch import nn

    from medtransfer.data.prepared import Prepared
    from medtransfer.models.assemble import Weights
    from medtransfer.models.network import Network, Normalise
    from medtransfer.statistics.label_errors import LabelDoubts
    from medtransfer.study import Loss, Variant
    from medtransfer.study.schema import Params
    from medtransfer.training.losses import LossFunction
    from medtransfer.util.registry import Registry
    from medtransfer.util.seeds import Key

Validation = Callable[[], "Iterator[tuple[torch.Tensor, torch.Tensor]]"]


class Task(ABC):
    """What a network learns, how its answers are scored, and how they are shown.

    A task imports torch within the methods that need it: stages without networks load tasks, too.

    target: the name of what it predicts in `data.targets.TARGETS`. score: the name of the validation score in
    histories, next to the loss; lower_is_better: whether smaller scores are better, where others are at most 1.
    loss_unit: that of the loss, for figures; curve: what the score is called there if it is drawn instead, because
    losses of several kinds have no common scale. answer: the name of the output of exported models. per_pixel: whether
    a network predicts a class for each pixel rather than for the image, from features too large to cache. one_class:
    whether each image has one of several exclusive classes, which fitted heads, few shots and maps need. tables: the
    name of its tables in `comparison.tables.TABLES`, if it has any. baselines: the predictors that need no network, by
    the names of `study.BASELINES`.
    """

    target: str
    score: str
    lower_is_better: bool = False
    loss_unit: str = "nats"
    curve: str = ""
    answer: str = "probabilities"
    per_pixel: bool = False
    one_class: bool = False
    tables: str | None = None
    baselines: ClassVar[dict[str, Baseline]]

    @property
    @abstractmethod
    def losses(self) -> Registry[LossFunction]:
        """Return the losses that `loss` can build."""

    def problems(self, params: Params) -> list[str]:
        """List which parts of a study do not fit this task, each with its place in `params.yaml`."""
        if self.one_class:
            return []
        problems, lacking = [], "which this task does not have"
        if params.comparison.costs is not None:
            problems.append(f"comparison.costs: they belong to exclusive classes, {lacking}; omit them")
        if params.explain.variants:
            problems.append(f"explain.variants: maps need one class for each image, {lacking}; use []")
        return problems

    def variant_problems(self, variant: Variant) -> list[str]:
        """List which parts of a variant do not fit this task, each as it follows the variant's place."""
        if self.one_class:
            return []
        from medtransfer.models.heads import HEADS

        strategy, problems = variant.strategy, []
        if strategy.head in HEADS and HEADS[strategy.head].fitted:
            problems.append(f": head: {strategy.head} needs one class for each image, which this task does not have")
        if strategy.shots is not None:
            problems.append(": shots: they are drawn by class, which images of this task do not have; omit them")
        return problems

    def warnings(self, params: Params) -> list[str]:
        """Return warnings that belong on every table: what in a study is allowed, but may mislead."""
        return []

    def outputs(self, prepared: Prepared) -> list[str]:
        """Return the names of what is predicted, in order."""
        return prepared.classes or prepared.outputs

    def width(self, outputs: int, loss: Loss) -> int:
        """Return the number of the network's outputs for that many predicted ones; a loss may need more of them."""
        return outputs

    @abstractmethod
    def purpose(self, outputs: list[str]) -> str:
        """Describe the training goal of a network with these outputs, in words that follow "trained to"."""

    def assemble(
        self,
        variant: Variant,
        weights: Weights,
        outputs: int,
        image_size: int,
        normalise: Normalise,
        key: tuple[Key, ...],
    ) -> Network:
        """Build a variant's network, frozen as its strategy says; everything random is drawn from `key`.

        By default it is a backbone with a new head.
        """
        from medtransfer.models.assemble import assemble

        return assemble(variant, weights, outputs, image_size, normalise, key)

    @abstractmethod
    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss of (logits, targets), a mean over images; `rows` are those that train.

        A subclass of `losses.ImageLoss` lets heads train together.
        """

    @abstractmethod
    def scores(
        self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the score of each image of a batch, float32 [n].

        constants: those of the loss; see `losses.ImageLoss`. Dimensions of logits and targets after the first two are
        more images.
        """

    def finish(self, network: Network, loss: nn.Module, validation: Validation) -> None:
        """Change a trained network so that its outputs alone give the answers, without its loss.

        validation: yields the network's logits and the targets of the validation rows, in batches.
        """
        return  # for most tasks they do

    def as_finished(self, network: Network, loss: Loss, outputs: int) -> None:
        """Add to a network, before it is loaded, the layers that `finish` adds for this loss and number of outputs."""
        return

    def answers(self, logits: torch.Tensor, loss: Loss) -> np.ndarray:
        """Return a network's answers for a batch: values [n, outputs], or class numbers of pixels [n, h, w]."""
        return np.asarray(self.probabilities(logits, loss).numpy())

    @abstractmethod
    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Return outputs of an exported model, such as probabilities, float32 [n, outputs] or [n, outputs, h, w]."""

    def joint_answers(self, logits: Sequence[torch.Tensor], loss: Loss) -> np.ndarray:
        """Return the answers of several networks by the mean of their probabilities; of one, its own answers.

        Sums are in float64.
        """
        each = np.stack([self.probabilities(found, loss).numpy() for found in logits])
        return each.astype(np.float64).mean(axis=0).astype(np.float32)

    def columns(self, outputs: Sequence[str]) -> list[str]:
        """Return the columns of a table of predictions of images, besides their paths."""
        raise NotImplementedError

    def cells(self, outputs: Sequence[str], answer: np.ndarray) -> list[str]:
        """Return an image's row of such a table from its answer, [outputs], with as many digits as float32 needs."""
        return list(map(str, answer))

    def baseline_frames(self, name: str, prepared: Prepared) -> Iterator[pd.DataFrame]:
        """Yield the rows of predictions of a baseline: validation and test rows, fold by fold."""
        learn = self.baselines[name](prepared)
        for fold in range(prepared.folds):
            roles = prepared.roles(fold)
            predict = learn(roles.train)
            for role, rows in (("validation", roles.validation), ("test", roles.test)):
                if len(rows):
                    yield self.frame(prepared, rows, predict(rows), fold, 0, role)

    def frame(
        self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray, fold: int, seed: int, role: str
    ) -> pd.DataFrame:
        """Return the rows of predictions of one run and role, made from `answers`."""
        own = self.stored(prepared, rows, answers)
        return rows_of_run(prepared.table.iloc[rows], own, fold, seed, role)

    @abstractmethod
    def stored(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> pd.DataFrame:
        """Return the columns of rows of predictions that are the task's own; see `Predictions`."""

    @abstractmethod
    def predictions(self, table: pd.DataFrame) -> Predictions:
        """Return rows of predictions as an object."""

    def fit_features(self, features: np.ndarray, prepared: Prepared, rows: np.ndarray) -> Callable[[np.ndarray], Any]:
        """Fit a plain model of the labels of rows on their features [rows, width], for `medtransfer suspects`.

        Returns the function from features to answers, [n, outputs].
        """
        raise NotImplementedError

    def doubts(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> LabelDoubts:
        """Judge the labels of rows by answers of models that they did not train, [rows, outputs]."""
        raise NotImplementedError

    def shown_labels(self, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
        """Return the labels of rows as `data.labels.corrections` takes them, text [rows]."""
        return prepared.table["label"].to_numpy()[rows].astype(str)

    def suggestions(self, prepared: Prepared, rows: np.ndarray, doubts: LabelDoubts) -> np.ndarray:
        """Return the labels that doubts suggest, in the same form."""
        raise NotImplementedError

    def summary(self, table: pd.DataFrame, prepared: Prepared) -> dict[str, Any]:
        """Compute the test metrics of rows of predictions: `runs`, `mean` and `sd` by metric, and `test_images`."""
        return self.predictions(table).tests.summary()

    @abstractmethod
    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw how a variant learned and how good its predictions are."""
