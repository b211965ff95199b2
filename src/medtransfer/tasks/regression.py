"""A number for each image: any backbone with a head of one output, or of two, which also predict its deviation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.statistics.label_errors import LabelDoubts, number_doubts
from medtransfer.study import Loss, Policy, Variant
from medtransfer.tasks import TASKS
from medtransfer.tasks.baselines import constant, mean_number, median_number, nearest
from medtransfer.tasks.numbers.predictions import NumberPredictions, with_intervals
from medtransfer.tasks.task import Task, Validation
from medtransfer.util.text import code, listed

if TYPE_CHECKING:
    import torch
    from torch import nn

    from medtransfer.models.network import Network
    from medtransfer.study.schema import Params
    from medtransfer.training.losses import LossFunction
    from medtransfer.util.registry import Registry

SIZES = frozenset(
    ("nm", "um", "µm", "mm", "cm", "dm", "m", "in", "inch", "inches", "px", "pixel", "pixels", "ml", "l", "cc")
)
"""Units of lengths, areas and volumes, without their power."""

RESCALING = frozenset(
    (
        "AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "CenterCrop", "Crop", "CropAndPad",
        "CropNonEmptyMaskIfExists", "ElasticTransform", "GridDistortion", "GridElasticDeform", "OpticalDistortion",
        "Perspective", "PiecewiseAffine", "RandomCrop", "RandomCropFromBorders", "RandomCropNearBBox",
        "RandomResizedCrop", "RandomScale", "RandomSizedBBoxSafeCrop", "RandomSizedCrop", "ThinPlateSpline",
    )
)  # fmt: skip
"""Transforms after which a length in the image is another one, because every image keeps its number of pixels."""

RESCALING_OPTIONS = {"Affine": ("scale", "shear"), "ShiftScaleRotate": ("scale_limit",)}
"""Transforms that do so if an option is set to something else than no change."""

UNCHANGED = (None, 0, 1, [0, 0], [1, 1], (0, 0), (1, 1))


TRIAL_SIZE, TRIAL_WIDTH = 224, 512
"""The size and the features of a head that is built for its structure alone."""


class Regression(Task):
    """See `Task`; answers are numbers in their unit, [n, 1], or with the predicted deviations [n, 2].

    The score of an image is its absolute error.
    """

    target = "numbers"
    score = "absolute_error"
    lower_is_better = True
    loss_unit = "standardised"
    curve = "mean absolute error"
    answer = "values"
    tables = "regression"
    baselines: ClassVar = {"constant": constant(median_number), "nearest_neighbour": nearest(mean_number)}

    @property
    def losses(self) -> Registry[LossFunction]:
        """Return the losses of numbers."""
        from medtransfer.training.number_losses import NUMBER_LOSSES

        return NUMBER_LOSSES

    def problems(self, params: Params) -> list[str]:
        """Require a column of numbers, its unit, and a precision that does not round numbers."""
        problems = super().problems(params)
        if params.data.layout.kind not in ("auto", "label_csv"):
            problems.append(f"data.layout: {params.data.layout.kind} has no numbers; regression needs label_csv")
        if params.data.unit is None:
            problems.append(
                "data.unit: regression needs the unit of its numbers, such as mm or months; '' if they have none"
            )
        if params.training.precision != "float32":
            wanted = params.training.precision
            problems.append(f"training.precision: {wanted} rounds predicted numbers to three digits; use float32")
        return problems

    def variant_problems(self, variant: Variant) -> list[str]:
        """Refuse mixes whose number is unknown, and heads whose last layer is bounded."""
        problems, mix, head = super().variant_problems(variant), variant.policy.mix, variant.strategy.head
        if mix is not None and mix.method == "cutmix":
            problems.append(": cutmix pastes parts of images, whose numbers are not known; use mixup")
        if not problems and not _ends_dense(variant):
            problems.append(f": head: {head} of {variant.model} does not end in a dense layer; use linear or mlp")
        return problems

    def warnings(self, params: Params) -> list[str]:
        """Name the transforms that change a length, area or volume, but not the number to predict."""
        unit = (params.data.unit or "").strip().lower().rstrip("^23²³")
        used = {line.augmentation for line in params.variants.values()} if unit in SIZES else set()
        return [
            f"SCALE: augmentation {name} rescales the images, but not their number in "
            f"{params.data.unit}; leave {listed(found)} out"
            for name, policy in params.augmentation.items()
            if name in used and (found := rescaling(policy))
        ]

    def width(self, outputs: int, loss: Loss) -> int:
        """Return one output for each number, or two where the loss has the network predict its deviation."""
        from medtransfer.training.number_losses import width_of

        return width_of(outputs, loss)

    def purpose(self, outputs: list[str]) -> str:
        """Return the name of the number."""
        return f"predict {code(outputs[0])} from images"

    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss against numbers, standardised by those of `rows`."""
        from medtransfer.training.number_losses import NumberLoss

        return NumberLoss(loss, prepared.values[rows])

    def scores(
        self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return each image's absolute error in the unit of its number."""
        from medtransfer.training.number_losses import scale_of

        assert constants is not None
        mean, deviation = scale_of(constants)
        return (logits[:, :1].float() * deviation + mean - targets).abs()[:, 0]

    def finish(self, network: Network, loss: nn.Module, validation: Validation) -> None:
        """Fold the standardisation into the last layer, so that the network's output is in the unit of the number."""
        import torch

        from medtransfer.training.number_losses import NumberLoss, scale_of

        layer = _last_dense(network.head)
        if layer is None or not isinstance(loss, NumberLoss):
            raise TypeError("the check lets no such head pass")
        mean, deviation = (value.to(layer.weight.device) for value in scale_of(loss.constants))
        with torch.no_grad():
            layer.weight[0] *= deviation
            layer.bias[0] = layer.bias[0] * deviation + mean

    def answers(self, logits: torch.Tensor, loss: Loss) -> np.ndarray:
        """Return the numbers, float32 [n, 1], and their predicted deviations, if there are any, in a second column."""
        import torch

        from medtransfer.training.number_losses import deviation_of

        return np.asarray(torch.cat([logits[:, :1], deviation_of(logits[:, 1:])], dim=1).float().numpy())

    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Return the numbers, float32 [n, 1]."""
        return logits[:, :1].float()

    def columns(self, outputs: Sequence[str]) -> list[str]:
        """Return the name of the number."""
        return list(outputs)

    def stored(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> pd.DataFrame:
        """Return the columns of `NumberPredictions` but those of intervals."""
        truth, found = prepared.values[rows, 0].astype(np.float64), answers.astype(np.float64)
        deviation = found[:, 1] if found.shape[1] > 1 else np.nan
        return pd.DataFrame({"truth": truth, "predicted": found[:, 0], "deviation": deviation})

    def predictions(self, table: pd.DataFrame) -> NumberPredictions:
        """Return rows of predictions, validation rows among them, as an object; its intervals are made of these."""
        return NumberPredictions(with_intervals(table))

    def fit_features(self, features: np.ndarray, prepared: Prepared, rows: np.ndarray) -> Callable[[np.ndarray], Any]:
        """Fit a ridge regression, its penalty by leaving each image out; see `Task`."""
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13)))
        ridge.fit(features.astype(np.float64), prepared.values[rows, 0])
        return lambda others: np.asarray(ridge.predict(others.astype(np.float64)))[:, None]

    def doubts(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> LabelDoubts:
        """Judge numbers by their distance from the predicted ones."""
        return number_doubts(prepared.values[rows, 0].astype(np.float64), answers[:, 0])

    def shown_labels(self, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
        """Return the numbers; the table shows their ranges."""
        return prepared.values[rows, 0].astype(str)

    def suggestions(self, prepared: Prepared, rows: np.ndarray, doubts: LabelDoubts) -> np.ndarray:
        """Return predicted numbers."""
        return np.array([f"{number:.4g}" for number in doubts.suggested])

    def summary(self, table: pd.DataFrame, prepared: Prepared) -> dict[str, Any]:
        """Add the unit to the summary."""
        return super().summary(table, prepared) | {"unit": prepared.unit}

    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw learning curves, predicted against true numbers, and Bland and Altman's plot."""
        from medtransfer.tasks.numbers.figures import write_number_figure

        write_number_figure(name, history, self.predictions(table).tests, found, prepared.unit, path)


def rescaling(policy: Policy) -> list[str]:
    """Return the names of the transforms of a policy that change lengths in an image."""
    used = [transform for item in policy.transforms for transform in item.items()]
    found = [
        name
        for name, arguments in used
        if name in RESCALING
        or any((arguments or {}).get(option) not in UNCHANGED for option in RESCALING_OPTIONS.get(name, ()))
    ]
    return list(dict.fromkeys(found))


def _last_dense(head: nn.Module) -> nn.Linear | None:
    """Return the dense layer, with a bias, that a head ends in; None if it ends in something else."""
    from torch import nn

    leaves = [module for module in head.modules() if not list(module.children())]
    layers = [module for module in leaves if not isinstance(module, nn.Identity | nn.Dropout | nn.Flatten)]
    last = layers[-1] if layers else None
    return last if isinstance(last, nn.Linear) and last.bias is not None else None


def _ends_dense(variant: Variant) -> bool:
    """Return whether the head of a variant ends in a dense layer; True if there is no such head or model at all."""
    import torch

    from medtransfer.models.families import ClassifierFamily, build_on_meta
    from medtransfer.models.heads import HEADS, build_head

    strategy, model = variant.strategy, variant.model
    if strategy.head not in HEADS or ClassifierFamily.find(model) is None:
        return True
    classifier = []
    if HEADS[strategy.head].keeps_spatial:
        classifier = ClassifierFamily.of(model).remove_classifier(build_on_meta(model, TRIAL_SIZE), keep_spatial=True)
    with torch.device("meta"):
        return _last_dense(build_head(strategy, TRIAL_WIDTH, 1, classifier)) is not None


TASKS.register("regression", Regression())
