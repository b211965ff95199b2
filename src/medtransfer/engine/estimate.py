"""What each stage will cost: the images that it runs, times what a probe says of one."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from medtransfer.data.prepared import Prepared
from medtransfer.engine.probe import Probe
from medtransfer.features.cache import PAGE, limit
from medtransfer.study import Policy, Study, Variant

PROBED_VIEWS = 32


@dataclass(frozen=True)
class Estimate:
    """What a stage will cost: seconds, the most memory in MB, what it writes in MB; and of what, in words."""

    seconds: float
    memory: float | None
    disk: float
    what: str


class Estimator:
    """Estimates stages in the order that they run in, since what one keeps the next need not compute.

    Where training stops early, the estimate is too high.
    """

    def __init__(self, study: Study, prepared: Prepared) -> None:
        self._study, self._prepared = study, prepared
        self._learnable = len(prepared.learnable_rows)
        self._pixel_bytes = int(np.prod(prepared.images.shape[1:]))
        self._kept: dict[tuple[str, ...], int] = defaultdict(int)

    def augment(self, name: str) -> Estimate | None:
        """Estimate drawing the views of a policy; None where it keeps none."""
        policy = self._study.params.augmentation[name]
        if policy.distinct is None or policy.original:
            return None
        images = policy.distinct * self._learnable
        seconds = images * self._view_seconds(policy)
        return Estimate(seconds, None, images * self._pixel_bytes / 1e6, f"{images:,} views")

    def train(self, variant: Variant, probe: Probe) -> Estimate:
        """Estimate the training of all runs of a variant; heads at once cost little more than one of them."""
        strategy = variant.strategy
        from medtransfer.models.heads import HEADS

        one_step = HEADS[strategy.head].fitted or strategy.train == "none"
        epochs = 1 if one_step else strategy.epochs
        trained, validated = (epochs * count for count in self._images(variant))
        missing = None if probe.row_bytes is None else self._missing(variant, probe.row_bytes)
        kept_bytes = 0 if missing is None else probe.row_bytes or 0
        new = trained + validated if missing is None else missing
        runs = self._prepared.folds * len(self._study.params.training.seeds)
        at_once = runs if missing is not None and strategy.train == "head" and not one_step else 1 / len(strategy.rates)
        seconds = probe.start + new * probe.prefix + (trained * probe.step + validated * probe.forward) / at_once
        what = f"{runs} runs" if one_step else f"{runs} runs, {epochs} epochs, {trained:,} images to train on"
        if probe.row_bytes is not None:
            what += f", {new:,} through frozen layers"
        mapped = kept_bytes * (self._learnable + len(self._prepared.table)) if kept_bytes < PAGE else 0
        return Estimate(seconds, probe.memory + mapped / 1e6, new * kept_bytes / 1e6, what)

    def evaluate(self, variant: Variant, probe: Probe) -> Estimate:
        """Estimate predicting the validation and test images of all runs of a variant."""
        seeds = len(self._study.params.training.seeds)
        roles = [self._prepared.roles(fold) for fold in range(self._prepared.folds)]
        images = seeds * sum(len(role.validation) + len(role.test) for role in roles)
        once = probe.prefix * (0 if probe.row_bytes is not None else 1)
        return Estimate(probe.start + images * (once + probe.forward), probe.memory, 0.0, f"{images:,} images")

    def _images(self, variant: Variant) -> tuple[int, int]:
        """Count the images that one epoch of all runs trains on, and those it validates."""
        seeds, shots = len(self._study.params.training.seeds), variant.strategy.shots
        roles = [self._prepared.roles(fold) for fold in range(self._prepared.folds)]
        most = np.inf if shots is None else shots * len(self._prepared.classes)
        return (
            seeds * int(sum(min(len(role.train), most) for role in roles)),
            seeds * sum(len(role.validation) for role in roles),
        )

    def _missing(self, variant: Variant, row_bytes: int) -> int | None:
        """Count the views and images whose activations are not kept yet; None where they are never kept."""
        strategy, views = variant.strategy, variant.strategy.views_used(variant.policy.distinct)
        rows = min(self._images(variant)[0], self._learnable)
        if (rows * views + len(self._prepared.table)) * row_bytes > limit():
            return None
        frozen = str(strategy.train) if strategy.trains_backbone else strategy.head == "own"
        prefix = (variant.model, str(variant.backbone.weights), strategy.init, str(frozen))
        wanted = {(*prefix, "images"): len(self._prepared.table)}
        if not variant.policy.original:
            wanted[(*prefix, variant.augmentation_name)] = rows * views
        missing = sum(max(0, count - self._kept[key]) for key, count in wanted.items())
        self._kept |= {key: max(count, self._kept[key]) for key, count in wanted.items()}
        return missing

    def _view_seconds(self, policy: Policy) -> float:
        from medtransfer.augmentation.drawers import drawer_count
        from medtransfer.augmentation.views import ViewMaker

        maker = ViewMaker(self._prepared, policy, self._study.params.study.seed)
        rows = np.resize(self._prepared.learnable_rows, PROBED_VIEWS + 1).tolist()
        maker.draw(rows[0], 0)
        started = time.perf_counter()
        for row in rows[1:]:
            maker.draw(row, 0)
        return (time.perf_counter() - started) / PROBED_VIEWS / drawer_count()
