"""What each task allows in a study: its losses, heads and metrics, by name."""

from __future__ import annotations

from dataclasses import dataclass

from medtransfer.study.schema import Params
from medtransfer.study.variant import Variant


@dataclass(frozen=True)
class Rules:
    """The names that go with a task. headline: the metrics that get intervals and tests, the chief one first."""

    losses: tuple[str, ...]
    heads: tuple[str, ...]
    headline: tuple[str, ...]


RULES = {
    "classification": Rules(
        losses=("cross_entropy", "binary_cross_entropy"),
        heads=("linear", "mlp", "own", "prototypes", "knn", "logistic"),
        headline=("accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "roc_auc"),
    ),
    "segmentation": Rules(
        losses=("cross_entropy", "binary_cross_entropy", "dice", "dice_cross_entropy", "focal", "tversky"),
        heads=("linear",),
        headline=("dice", "iou", "precision", "recall", "hd95", "assd"),
    ),
}


def task_problems(params: Params) -> list[str]:
    """List what in a study as a whole does not go with its task."""
    task, problems = params.study.task, []
    if task == "segmentation" and params.data.masks is None:
        problems.append("data.masks: segmentation needs masks; auto finds those that names speak of")
    if task == "classification" and params.data.layout.kind == "images":
        problems.append("data.layout: images has no labels; classification needs a layout with classes")
    if task == "segmentation" and params.explain.variants:
        problems.append("explain.variants: maps show what speaks for a class of images; segmentation has none: use []")
    headline = RULES[task].headline
    if params.comparison.metric not in headline:
        problems.append(
            f"comparison.metric: {params.comparison.metric} is no metric of {task}; expected one of "
            f"{', '.join(headline)}"
        )
    return problems


def variant_problems(variant: Variant, task: str) -> list[str]:
    """List what in one variant does not go with the study's task."""
    rules, strategy, problems = RULES[task], variant.strategy, []
    if strategy.loss.kind not in rules.losses:
        problems.append(f": loss: {strategy.loss.kind} is for masks; {task} has {', '.join(rules.losses)}")
    if strategy.head not in rules.heads:
        problems.append(f": head: {strategy.head} classifies images; in {task} the decoder is the head: leave it out")
    if task == "segmentation" and variant.policy.mix is not None and variant.policy.mix.method == "mixup":
        problems.append(": mixup would blend masks, whose classes are not shared; use cutmix, which pastes them")
    return problems
