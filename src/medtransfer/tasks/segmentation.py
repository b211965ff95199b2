"""One class per pixel: U-Nets, plain or on a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from medtransfer.data.images.packed import IGNORED
from medtransfer.data.prepared import Prepared
from medtransfer.study import Loss, Variant
from medtransfer.tasks import TASKS
from medtransfer.tasks.baselines import constant, majority_mask, nearest, nearest_mask
from medtransfer.tasks.masks.predictions import MaskPredictions, mask_columns
from medtransfer.tasks.task import Task
from medtransfer.util.seeds import Key, seed_from
from medtransfer.util.text import code

if TYPE_CHECKING:
    import torch
    from torch import nn

    from medtransfer.models.assemble import Weights
    from medtransfer.models.network import Network, Normalise
    from medtransfer.study.schema import Params
    from medtransfer.training.losses import LossFunction
    from medtransfer.util.registry import Registry

BACKGROUND = "background"


class Segmentation(Task):
    """See `Task`; answers are masks of class numbers, uint8 [n, h, w].

    The score of an image is its Dice, averaged over the classes of the masks.
    """

    target = "masks"
    score = "dice"
    curve = "mean Dice"
    per_pixel = True
    tables = "segmentation"
    baselines: ClassVar = {"constant": constant(majority_mask), "nearest_neighbour": nearest(nearest_mask, 1)}

    @property
    def losses(self) -> Registry[LossFunction]:
        """Return the losses of masks."""
        from medtransfer.training.losses import MASK_LOSSES

        return MASK_LOSSES

    def problems(self, params: Params) -> list[str]:
        """Require masks."""
        problems = super().problems(params)
        if params.data.masks is None:
            problems.append("data.masks: segmentation needs masks; auto finds them by file and folder names")
        return problems

    def variant_problems(self, variant: Variant) -> list[str]:
        """Refuse heads that classify images."""
        head = variant.strategy.head
        if head == "linear":
            return []
        return [f": head: {head} classifies images; in segmentation the decoder is the head: omit it"]

    def outputs(self, prepared: Prepared) -> list[str]:
        """Return the names of the background and of the masks' classes."""
        return [BACKGROUND, *prepared.mask_classes]

    def purpose(self, outputs: list[str]) -> str:
        """Return the classes of the masks."""
        return f"segment {', '.join(map(code, outputs[1:]))} in images"

    def assemble(
        self,
        variant: Variant,
        weights: Weights,
        outputs: int,
        image_size: int,
        normalise: Normalise,
        key: tuple[Key, ...],
    ) -> Network:
        """Build a U-Net: the encoder is the network's body, the decoder its head."""
        import torch

        from medtransfer.models.families import SegmenterFamily
        from medtransfer.models.network import Network, to_channels_last
        from medtransfer.models.weights import load_encoder

        strategy = variant.strategy
        torch.manual_seed(seed_from("init", *key))
        family = SegmenterFamily.of(variant.model)
        encoder, decoder = family.build(variant.model, variant.backbone, outputs, strategy.dropout or 0.0)
        if strategy.init == "pretrained":
            if weights.state is None:
                raise ValueError(f"{variant.name}: init: pretrained without weights")
            load_encoder(encoder, weights.state, str(weights.file))
        network = Network(normalise, encoder, decoder)
        to_channels_last(network)
        network.freeze(strategy)
        return network.eval()

    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss against masks; classes are weighted by their pixels in the masks of `rows`."""
        from medtransfer.training.losses import MaskLoss

        count = len(prepared.mask_classes) + 1
        pixels = np.zeros(count, np.int64)
        if loss.class_weights is not None:
            counts = (np.bincount(prepared.targets(row).ravel(), minlength=count)[:count] for row in rows)
            pixels = sum(counts, start=pixels)
        return MaskLoss(loss, pixels, prepared.ignores)

    def scores(
        self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return each image's Dice, averaged over classes; 1 for a class that is neither there nor found."""
        import torch

        predicted, found = logits.argmax(dim=1).masked_fill(targets == IGNORED, 0), []
        for number in range(1, logits.shape[1]):
            guess, truth = predicted == number, targets == number
            sizes = guess.sum(dim=(1, 2)) + truth.sum(dim=(1, 2))
            shared = (guess & truth).sum(dim=(1, 2))
            found.append(torch.where(sizes > 0, 2 * shared / sizes.clamp(min=1), 1.0))
        return torch.stack(found).mean(dim=0)

    def answers(self, logits: torch.Tensor, loss: Loss) -> np.ndarray:
        """Return each pixel's most probable class, uint8 [n, h, w]."""
        return np.asarray(logits.argmax(dim=1).byte().numpy())

    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Return each pixel's class probabilities [n, outputs, h, w], by softmax."""
        return logits.float().softmax(dim=1)

    def joint_answers(self, logits: Sequence[torch.Tensor], loss: Loss) -> np.ndarray:
        """Return each pixel's most probable class by the mean of the probabilities, uint8 [n, h, w]."""
        import torch

        if len(logits) == 1:  # a softmax rounds, and ties would be broken differently
            return self.answers(logits[0], loss)
        mean = torch.stack([self.probabilities(found, loss) for found in logits]).double().mean(dim=0)
        return self.answers(mean, loss)

    def stored(self, prepared: Prepared, rows: np.ndarray, answers: np.ndarray) -> pd.DataFrame:
        """Return the columns of `MaskPredictions`."""
        return mask_columns(prepared, rows, answers)

    def predictions(self, table: pd.DataFrame) -> MaskPredictions:
        """Return rows of predictions as an object."""
        return MaskPredictions(table)

    def summary(self, table: pd.DataFrame, prepared: Prepared) -> dict[str, Any]:
        """Compute metrics by run, their means, and those of each class."""
        test = self.predictions(table).tests
        return test.summary() | {
            "classes": test.of_classes(prepared.mask_classes),
            "unit": prepared.unit,
            "empty": test.empty(),
            "test_images": len(test.images),
        }

    def figure(
        self, name: str, history: Path, table: pd.DataFrame, found: dict[str, Any], prepared: Prepared, path: Path
    ) -> None:
        """Draw learning curves, the images' Dice, and the best, median and worst masks over their images."""
        from medtransfer.tasks.masks.figures import write_mask_figure

        write_mask_figure(name, history, self.predictions(table), prepared, path)


TASKS.register("segmentation", Segmentation())
