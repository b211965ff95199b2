"""Simulated test sets with known metrics: grouped images and the scores of variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.scores import Scores, score
from medtransfer.statistics.metrics import Outcomes
from medtransfer.statistics.resampling import Resamples, draw, the_sample
from medtransfer.tasks.classes.metrics import ClassOutcomes
from medtransfer.tasks.masks.metrics import MaskOutcomes, measures
from medtransfer.tasks.numbers.metrics import NumberOutcomes
from medtransfer.util.hardware import cpu_count

METRICS = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc")
SHARES = {2: (0.37, 0.63), 5: (0.35, 0.25, 0.2, 0.12, 0.08), 14: tuple(np.arange(4, 18) / 147)}
"""Class frequencies: those of a set of chest X-rays, and decreasing ones."""

DICE_LOGIT = 1.5
NUMBER_NOISE = 0.5
"""The standard deviation of the errors of predicted numbers, whose own is 1."""

GRADE_NOISE = 0.8
"""The standard deviation of predicted grades around the label, before they are rounded."""

WITHIN_GROUP = 0.5
"""Share of the noise that images of a group have in common."""


@dataclass(frozen=True)
class Population:
    """A population of test sets: `groups` groups of `size` images each.

    The score of the right class is `skill` above the others, plus noise of variance 1, of which images of a group share
    half and variants share `shared`. label_of_group: all images of a group have the same label. sizes, labels: the
    sizes and labels of the groups, if these are drawn already; see `Uneven`.
    """

    classes: int
    groups: int
    size: int = 1
    label_of_group: bool = False
    sizes: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()

    @property
    def images(self) -> int:
        """The number of test images."""
        return sum(self.sizes) or self.groups * self.size

    def draw(
        self, skills: Sequence[float], rng: np.random.Generator, shared: float = 0.5
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Draw labels [images] that cover all classes, and the probabilities [images, classes] of each variant."""
        labels = np.array(self.labels, int)[self._groups()] if self.labels else self._draw_labels(rng)
        common = self._noise(rng)
        variants = []
        for skill in skills:
            own = np.sqrt(shared) * common + np.sqrt(1 - shared) * self._noise(rng)
            logits = skill * np.eye(self.classes)[labels] + own
            scores = np.exp(2 * logits)
            variants.append((scores / scores.sum(axis=1, keepdims=True)).astype(np.float32))
        return labels, variants

    def _draw_labels(self, rng: np.random.Generator) -> np.ndarray:
        shares = np.array(SHARES[self.classes])
        while True:
            units = self.groups if self.label_of_group else self.images
            labels = rng.choice(self.classes, units, p=shares / shares.sum())
            labels = np.repeat(labels, self.size) if self.label_of_group else labels
            if len(np.unique(labels)) == self.classes:
                return labels

    def draw_dice(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a Dice-like value in (0, 1) for each image of one run: [images]."""
        return expit(DICE_LOGIT + self._noise(rng)[:, 0])

    def draw_grades(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the grade that one run predicts for each image, near its label: [images]."""
        return np.clip(np.rint(labels + GRADE_NOISE * self._noise(rng)[:, 0]), 0, self.classes - 1).astype(int)

    def draw_numbers(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a number for each image, and the one that a run predicts: each [images]."""
        numbers = self._noise(rng)[:, 0]
        return numbers, numbers + NUMBER_NOISE * self._noise(rng)[:, 0]

    def _noise(self, rng: np.random.Generator) -> np.ndarray:
        share = WITHIN_GROUP if self.images > self.groups else 0.0
        of_group = rng.normal(size=(self.groups, self.classes))[self._groups()]
        return np.sqrt(share) * of_group + np.sqrt(1 - share) * rng.normal(size=(self.images, self.classes))

    def resamples(self, number: int, rng: np.random.Generator) -> Resamples:
        """Draw resamples of the groups; they are independent of the images and can be shared by test sets."""
        return draw(self._groups(), number, rng)

    def test_set(self, labels: np.ndarray, resamples: Resamples) -> EvaluationSet:
        """Return a test set with these labels."""
        images = pd.DataFrame({"path": np.arange(self.images), "group": self._groups(), "label": labels})
        names = tuple(f"class{number}" for number in range(self.classes))
        return EvaluationSet(images, names, the_sample(self._groups()), resamples)

    def _groups(self) -> np.ndarray:
        return np.repeat(np.arange(self.groups), self.sizes or self.size)

    def describe(self) -> str:
        """Describe the test set in words."""
        if self.size == 1:
            return f"{self.images} single images"
        labels = "one label per group" if self.label_of_group else "labels vary within groups"
        return f"{self.images} in {self.groups} groups, {labels}"


@dataclass(frozen=True)
class Uneven:
    """A population of test sets whose groups differ in size, and whose images of one group have one label of two.

    positive: the share of groups with the second label, of which there are at least `LEAST_OF_A_LABEL` each. kind:
    `lognormal` (sigma 1, median 3) or `zipf` (exponent 2, at most 60). longer: how many times as large positive groups
    are.
    """

    groups: int
    positive: float
    kind: str = "lognormal"
    longer: float = 1.0

    def realised(self, rng: np.random.Generator) -> Population:
        """Draw the sizes and labels of the groups."""
        labels = np.zeros(self.groups, int)
        while not LEAST_OF_A_LABEL <= labels.sum() <= self.groups - LEAST_OF_A_LABEL:
            labels = (rng.random(self.groups) < self.positive).astype(int)
        if self.kind == "zipf":
            sizes = np.minimum(rng.zipf(2.0, self.groups), 60).astype(float)
        else:
            sizes = 3 * np.exp(rng.normal(size=self.groups))
        sizes = np.maximum(np.rint(sizes * np.where(labels == 1, self.longer, 1.0)), 1).astype(int)
        return Population(2, self.groups, 0, True, tuple(sizes.tolist()), tuple(labels.tolist()))

    def describe(self) -> str:
        """Describe the test set in words."""
        longer = f", positive ones {self.longer:g} times as large" if self.longer != 1 else ""
        return f"{self.groups} groups, {self.positive:.0%} positive, {self.kind} sizes{longer}"


LEAST_OF_A_LABEL = 2
UNEVEN = [
    Uneven(groups, positive, kind, longer)
    for groups, positive in ((25, 0.15), (40, 0.3), (80, 0.15))
    for kind, longer in (("lognormal", 1.0), ("lognormal", 2.0), ("zipf", 1.0))
]


class OneRun:
    """The predictions of one run, as far as `score` needs them: its `outcomes` for any resamples."""

    def __init__(self, task: str, outcomes: Callable[[Resamples], Outcomes]) -> None:
        self.task, self._outcomes = task, outcomes

    def outcomes(self, weights: Resamples) -> list[Outcomes]:
        """Return the outcomes of the run."""
        return [self._outcomes(weights)]


def run_of(labels: np.ndarray, probabilities: np.ndarray) -> OneRun:
    """Return a run of a classification: labels [images], probabilities [images, classes]."""
    return OneRun("classification", lambda weights: ClassOutcomes(weights, labels, probabilities))


def dice_run(values: np.ndarray) -> OneRun:
    """Return a run of a segmentation, all of whose metrics have these values [images]."""
    return OneRun("segmentation", lambda weights: MaskOutcomes(weights, dict.fromkeys(measures(), values)))


def grade_run(labels: np.ndarray, predicted: np.ndarray, grades: int) -> OneRun:
    """Return a run of an ordinal task: labels and predicted grades, [images]."""
    probabilities = np.eye(grades, dtype=np.float32)[predicted]
    return OneRun("ordinal", lambda weights: ClassOutcomes(weights, labels, probabilities))


def number_run(truth: np.ndarray, predicted: np.ndarray) -> OneRun:
    """Return a run of a regression: numbers and predicted ones, [images]."""
    unknown = np.full(len(truth), np.nan)
    return OneRun("regression", lambda weights: NumberOutcomes(weights, truth, predicted, unknown, unknown))


def processes() -> ProcessPoolExecutor:
    """Open a pool with one spawned process per CPU core."""
    return ProcessPoolExecutor(cpu_count(), get_context("spawn"))


def scored(labels: np.ndarray, variants: list[np.ndarray], test: EvaluationSet) -> dict[str, Scores]:
    """Score variants with one run each, as `compare` does."""
    return {
        f"variant{number}": score(run_of(labels, probabilities), test) for number, probabilities in enumerate(variants)
    }


def true_dice() -> float:
    """Return the expected value of `draw_dice`."""
    points, weights = np.polynomial.hermite_e.hermegauss(64)
    return float((weights * expit(DICE_LOGIT + points)).sum() / weights.sum())


def true_numbers() -> dict[str, float]:
    """Return the mean absolute error and R² of `draw_numbers`."""
    return {"mae": NUMBER_NOISE * float(np.sqrt(2 / np.pi)), "r2": 1 - NUMBER_NOISE**2}


def true_kappa(classes: int, images: int = 1_000_000) -> float:
    """Return the quadratic kappa of `draw_grades`, estimated from a million images."""
    rng = np.random.default_rng(0)
    population = Population(classes, images)
    labels, _ = population.draw([], rng)
    test = population.test_set(labels, population.resamples(2, rng))
    run = grade_run(labels, population.draw_grades(labels, rng), classes)
    return score(run, test).estimates["kappa_quadratic"].value


def truth(classes: int, skill: float, images: int = 1_000_000) -> dict[str, float]:
    """Return the metrics of the population, estimated from a million images: accurate to a few in ten thousand."""
    rng = np.random.default_rng(0)
    return values_of(Population(classes, images), skill, rng)


def truth_of_uneven(population: Uneven, skill: float) -> dict[str, float]:
    """Return the metrics of a population of uneven groups, estimated from two hundred thousand of them."""
    rng = np.random.default_rng(0)
    return values_of(replace(population, groups=200_000).realised(rng), skill, rng)


def values_of(population: Population, skill: float, rng: np.random.Generator) -> dict[str, float]:
    """Return the metrics of one test set."""
    labels, (probabilities,) = population.draw([skill], rng)
    test = population.test_set(labels, population.resamples(2, rng))
    found = score(run_of(labels, probabilities), test)
    return {metric: found.estimates[metric].value for metric in METRICS}


def skill_of(classes: int, accuracy: float) -> float:
    """Find the skill with an accuracy: the probability that the right class has the highest score."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(400_000, classes))
    margin = noise[:, 1:].max(axis=1) - noise[:, 0]
    return float(brentq(lambda skill: (margin < skill).mean() - accuracy, 0.0, 10.0, xtol=1e-4))
