"""One grade per image: classes with an order, of which errors count by how many grades they are off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import pandas as pd

from medtransfer.tasks import TASKS
from medtransfer.tasks.baselines import constant, median_grade, nearest, votes
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.classification import Classification
from medtransfer.tasks.task import Validation
from medtransfer.util.text import code

if TYPE_CHECKING:
    import torch
    from torch import nn

    from medtransfer.models.assemble import Weights
    from medtransfer.models.network import Network, Normalise
    from medtransfer.study import Loss, Variant
    from medtransfer.study.schema import Params
    from medtransfer.training.losses import LossFunction
    from medtransfer.util.registry import Registry
    from medtransfer.util.seeds import Key


@dataclass(frozen=True, eq=False)
class GradePredictions(ClassPredictions):
    """See `ClassPredictions`; the classes are grades, from the lowest to the highest."""

    task: ClassVar[str] = "ordinal"


class Ordinal(Classification):
    """See `Classification`; the classes are those of `data.order`, or numbers.

    The predicted grade of an image is the most probable one; with `loss: squared_error`, that between whose thresholds
    the predicted mean lies. The score of an image is the number of grades that it is
    off; a mixed view has the mean grade of its parts.
    """

    target = "grades"
    score = "mae_grades"
    lower_is_better = True
    baselines: ClassVar = {"constant": constant(median_grade), "nearest_neighbour": nearest(votes)}

    @property
    def losses(self) -> Registry[LossFunction]:
        """Return the losses of grades."""
        from medtransfer.training.losses import GRADE_LOSSES

        return GRADE_LOSSES

    def problems(self, params: Params) -> list[str]:
        """Refuse a layout without labels, and a positive one of two classes."""
        problems = []
        if params.data.layout.kind == "images":
            problems.append("data.layout: images has no labels; ordinal needs a layout with classes")
        if params.data.labels.positive is not None:
            problems.append("data.labels.positive: grades have an order; set data.order: [LOWEST, ..., HIGHEST]")
        return problems

    def variant_problems(self, variant: Variant) -> list[str]:
        """Refuse losses whose outputs are not one score per grade, for heads that are fitted without a loss."""
        from medtransfer.models.heads import HEADS
        from medtransfer.training.losses import OF_GRADES

        head, loss = variant.strategy.head, variant.strategy.loss.kind
        if HEADS[head].fitted and loss in OF_GRADES:
            return [f": head: {head} is fitted without a loss; omit loss: {loss}"]
        if loss == "coral" and head not in ("linear", "mlp"):
            return [
                f": loss: coral shares the weights of the last dense layer; it needs head: linear or mlp, not {head}"
            ]
        return []

    def assemble(
        self,
        variant: Variant,
        weights: Weights,
        outputs: int,
        image_size: int,
        normalise: Normalise,
        key: tuple[Key, ...],
    ) -> Network:
        """Build a variant's network; with `loss: coral`, its last layer has one score for all steps."""
        network = super().assemble(variant, weights, outputs, image_size, normalise, key)
        if variant.strategy.loss.kind == "coral":
            import torch

            from medtransfer.models.heads.linear import SharedSteps
            from medtransfer.util.seeds import seed_from

            torch.default_generator.manual_seed(seed_from("coral", *key))
            head = cast("torch.nn.Sequential", network.head)
            head[-1] = SharedSteps(cast("torch.nn.Linear", head[-1]).in_features, outputs)
            network.eval()
        return network

    def width(self, outputs: int, loss: Loss) -> int:
        """Return the number of grades, or of the steps between them."""
        return outputs - 1 if loss.kind in ("coral", "cumulative_logits") else outputs

    def scores(
        self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the number of grades between the most probable grade of each image and its label."""
        from medtransfer.training.losses import mean_grade

        return (logits.max(dim=1).indices - mean_grade(targets)).abs()

    def finish(self, network: Network, loss: nn.Module, validation: Validation) -> None:
        """Add the thresholds between grades, fitted on validation rows, to a network that predicts the mean grade."""
        from medtransfer.training.losses import ClassLoss, mean_grade

        if not isinstance(loss, ClassLoss) or loss.loss.kind != "squared_error":
            return
        import torch

        from medtransfer.tasks.classes.grade_thresholds import GradeThresholds, fit_thresholds

        logits, targets = map(torch.cat, zip(*validation(), strict=True))
        means = mean_grade(logits.float().softmax(dim=1)).numpy()
        fitted = fit_thresholds(means, targets.argmax(dim=1).numpy(), logits.shape[1])
        self.as_finished(network, loss.loss, logits.shape[1])
        added = cast("torch.nn.Sequential", network.head)[-1]
        cast("GradeThresholds", added).thresholds.copy_(torch.from_numpy(fitted))

    def as_finished(self, network: Network, loss: Loss, outputs: int) -> None:
        """Add thresholds that change nothing to a network that predicts the mean grade."""
        if loss.kind == "squared_error":
            from torch import nn

            from medtransfer.tasks.classes.grade_thresholds import GradeThresholds

            device = next(network.normalise.buffers()).device
            network.head = nn.Sequential(network.head, GradeThresholds(outputs).to(device)).eval()

    def purpose(self, outputs: list[str]) -> str:
        """Return the range of the grades."""
        return f"grade images from {code(outputs[0])} to {code(outputs[-1])}"

    def predictions(self, table: pd.DataFrame) -> GradePredictions:
        """Return rows of predictions as an object."""
        return GradePredictions(table)


TASKS.register("ordinal", Ordinal())
