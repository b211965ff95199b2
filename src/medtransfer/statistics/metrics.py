"""The registry of metrics: one function each, which gives the value and, over resamples, its interval."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from medtransfer.statistics.intervals import SHARE, Bounds
from medtransfer.statistics.resampling import Resamples
from medtransfer.util.registry import Registry

Compute = Callable[[Any], np.ndarray]
Average = Literal["images", "classes", "pairs"]
PROPER_NAMES = ("Brier", "Dice", "Lin", "Pearson", "Spearman")


@dataclass(frozen=True)
class Outcomes:
    """The predictions of one run for test images, with their targets, and the resamples in which the images count.

    Each task has a subclass with the targets and predictions that its metrics take.
    """

    weights: Resamples

    @property
    def right(self) -> np.ndarray | None:
        """Whether each image is predicted right, bool [images]; None if the task does not define that."""
        return None

    @property
    def influence(self) -> np.ndarray | None:
        """The influence of each group on `roc_auc`, float [groups]; None if the task has no such metric."""
        return None


@dataclass(frozen=True)
class Metric:
    """A metric of predictions for test images.

    compute: takes the `Outcomes` of a run and returns a value for each resample [resamples], nan where it is not
    defined. undefined: the value if the test set itself leaves it undefined. average: what the metric averages over,
    which decides the degrees of freedom of its standard error: `images`, `classes` (each measured on its own images),
    `pairs` of images of a class and the rest, or the number of the one class whose images it measures.
    difference_average: the same for the differences between variants. proportion: whether it is the share of images
    that are predicted right. headline: whether it is in the main table and is tested. on_request: further tasks, in
    which it is computed only if a study asks for it; see `Comparison.requested`. in_summary: whether
    `dvc metrics diff` shows it. has_interval: False if resampling biases it. ranks: False if a better value does not
    make a better variant, so that no study can be ranked by it. binary: whether it needs exactly two classes. in_unit:
    whether it is in the unit of what is measured; see `Prepared.unit`. of_image: its value for a single image, if
    predictions store one.
    """

    title: str
    tasks: tuple[str, ...]
    compute: Compute
    lower_is_better: bool = False
    bounds: Bounds = SHARE
    undefined: float = np.nan
    average: Average | int = "images"
    difference_average: Average | None = None
    proportion: bool = False
    headline: bool = False
    on_request: tuple[str, ...] = ()
    in_summary: bool = False
    has_interval: bool = True
    ranks: bool = True
    binary: bool = False
    in_unit: bool = False
    of_image: Callable[[Any], float] | None = None

    def value(self, sample: Outcomes) -> float:
        """Compute the value for a test set that is its own only resample."""
        value = float(self.compute(sample)[0])
        return self.undefined if np.isnan(value) else value

    def sort_key(self, value: Any) -> Any:
        """Return a sort key of values; smaller is better."""
        return value if self.lower_is_better else -value


METRICS: Registry[Metric] = Registry("metric", package="medtransfer.tasks")


def metric(
    name: str, title: str, *tasks: str, **described: Any
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Return a decorator that registers a function of `Outcomes` as a metric of tasks; see `Metric`."""

    def add(compute: Compute) -> Compute:
        METRICS.register(name, Metric(title, tasks, compute, **described))
        return compute

    return add


def metrics_of(task: str, classes: int = 2, requested: Collection[str] = ()) -> dict[str, Metric]:
    """Return the metrics of a task by name; those of binary tasks only if there are two classes.

    requested: names of metrics that a study asks for, which the task may have on request alone.
    """
    return {
        name: metric
        for name, metric in METRICS.items()
        if (task in metric.tasks or (task in metric.on_request and name in requested))
        and (classes == 2 or not metric.binary)
    }


def ranking_metrics(task: str) -> dict[str, Metric]:
    """Return the metrics that a study of a task can be ranked by, whatever the number of its classes."""
    return {name: found for name, found in metrics_of(task, 3, METRICS).items() if found.has_interval and found.ranks}


def headline_metrics(task: str) -> tuple[str, ...]:
    """Return the names of the metrics that a task's variants are compared by."""
    return tuple(name for name, metric in metrics_of(task).items() if metric.headline)


def title_of(name: str, unit: str = "") -> str:
    """Return a metric's title for the head of a column; `unit`: see `Metric.in_unit`."""
    if name not in METRICS:
        return name.replace("_", " ")
    found = METRICS[name]
    return f"{found.title} ({unit})" if unit and found.in_unit else found.title


def phrase_of(name: str, unit: str = "") -> str:
    """Return a metric's title for use within a sentence; abbreviations and proper names keep their capitals."""
    title = title_of(name, unit)
    return title[0].lower() + title[1:] if title[1:2].islower() and not title.startswith(PROPER_NAMES) else title
