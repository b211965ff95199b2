"""One line of the comparison with its parts filled in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from medtransfer.study.schema import Backbone, Policy, UNet
from medtransfer.study.strategy import Strategy


@dataclass(frozen=True)
class Variant:
    """A backbone, a strategy and an augmentation, each by name and in full."""

    name: str
    backbone_name: str
    backbone: Backbone
    strategy_name: str
    strategy: Strategy
    augmentation_name: str
    policy: Policy

    @property
    def model(self) -> str:
        """The name of the model: that of the backbone, unless it sets another."""
        return self.backbone.model or self.backbone_name

    def resolved(self) -> dict[str, Any]:
        """Return everything that decides what the variant trains, as plain values: for cards, tracking and keys."""
        without = {"unet"} if self.model != "unet" and self.backbone.unet == UNet() else set()
        return {
            "model": self.model,
            "backbone": self.backbone.model_dump(mode="json", exclude=without),
            "strategy": self.strategy.model_dump(mode="json"),
            "augmentation": self.policy.model_dump(mode="json"),
        }

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> Variant:
        """Return the variant that a model's card describes; its parts have no names."""
        return cls(
            name=card["variant"],
            backbone_name=card["model"],
            backbone=Backbone.model_validate(card["backbone"] | {"model": card["model"]}),
            strategy_name="",
            strategy=Strategy.model_validate(card["strategy"]),
            augmentation_name="",
            policy=Policy.model_validate(card["augmentation"]),
        )

    def key(self) -> str:
        """Return the resolved variant as canonical JSON: equal text, equal training."""
        return json.dumps(self.resolved(), sort_keys=True)
