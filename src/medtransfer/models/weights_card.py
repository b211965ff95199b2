"""The card of a backbone's weights, without torch: a backbone without weights needs no more."""

from __future__ import annotations

from pydantic import BaseModel

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class WeightsCard(BaseModel):
    """Where weights came from and what input they expect.

    sha256: of the file as it was found.
    """

    model: str
    source: str
    reference: str
    sha256: str | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    transform_input: bool = False


def without_weights(model: str, reference: str = "random") -> WeightsCard:
    """Return the card of a backbone that starts from random weights, or whose weights were not fetched."""
    return WeightsCard(
        model=model, source="none", reference=reference, sha256=None, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
