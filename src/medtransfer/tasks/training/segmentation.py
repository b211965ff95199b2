"""A class for every pixel: U-Nets, plain or on a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from medtransfer.data.prepared import Prepared
from medtransfer.models.assemble import Weights
from medtransfer.models.freezing import freeze
from medtransfer.models.network import Network, Normalise, to_channels_last
from medtransfer.models.unet import build_segmenter, load_encoder
from medtransfer.study import Loss, Variant
from medtransfer.training.losses import MaskLoss
from medtransfer.util.seeds import Key, seed_from

BACKGROUND = "background"


class Segmentation:
    """See `Task`. The score of an image is its Dice, averaged over the classes of the masks."""

    score = "dice"
    flat_features = False

    def outputs(self, prepared: Prepared) -> list[str]:
        """Name the background and the classes of the masks."""
        return [BACKGROUND, *prepared.mask_classes]

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
        strategy = variant.strategy
        torch.manual_seed(seed_from("init", *key))
        encoder, decoder = build_segmenter(variant.model, variant.backbone, outputs, strategy.dropout or 0.0)
        if strategy.init == "pretrained":
            if weights.state is None:
                raise ValueError(f"{variant.name}: init: pretrained without weights")
            load_encoder(encoder, weights.state, str(weights.file))
        network = Network(normalise, encoder, decoder)
        to_channels_last(network)
        freeze(network, strategy)
        return network.eval()

    def loss(self, loss: Loss, prepared: Prepared, rows: np.ndarray) -> nn.Module:
        """Build the loss against masks; classes are weighed by their pixels in the masks of `rows`."""
        count = len(prepared.mask_classes) + 1
        pixels = np.zeros(count, np.int64)
        if loss.class_weights is not None:
            pixels = sum((np.bincount(prepared.targets(row).ravel(), minlength=count) for row in rows), start=pixels)
        return MaskLoss(loss, pixels)

    def scores(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Give each image's Dice, averaged over classes; where a class is neither there nor found it is 1."""
        predicted, found = logits.argmax(dim=1), []
        for number in range(1, logits.shape[1]):
            guess, truth = predicted == number, targets == number
            sizes = guess.sum(dim=(1, 2)) + truth.sum(dim=(1, 2))
            shared = (guess & truth).sum(dim=(1, 2))
            found.append(torch.where(sizes > 0, 2 * shared / sizes.clamp(min=1), 1.0))
        return torch.stack(found).mean(dim=0)

    def answers(self, logits: torch.Tensor, loss: Loss) -> np.ndarray:
        """Give each pixel's most probable class, uint8 [n, h, w]."""
        return logits.argmax(dim=1).to(torch.uint8).numpy()

    def probabilities(self, logits: torch.Tensor, loss: Loss) -> torch.Tensor:
        """Give each pixel's class probabilities [n, outputs, h, w]: the softmax."""
        return logits.float().softmax(dim=1)

    def joint_answers(self, logits: Sequence[torch.Tensor], loss: Loss) -> np.ndarray:
        """Give each pixel's most probable class by the mean of the probabilities, uint8 [n, h, w]."""
        if len(logits) == 1:  # a softmax rounds, and ties would be broken in another way
            return self.answers(logits[0], loss)
        mean = torch.stack([self.probabilities(found, loss) for found in logits]).double().mean(dim=0)
        return self.answers(mean, loss)
