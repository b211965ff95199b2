"""Measure how often 95 % intervals contain the true value, on simulated test sets.

    python benchmarks/coverage.py        # ten minutes; writes benchmarks/results/coverage.md

Test sets from `simulation.py` are scored as `compare` scores them. The intervals of `compare` are compared with the
percentile and BCa (Efron 1987) bootstrap intervals from the same resamples.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm
from simulation import METRICS as CLASS_METRICS
from simulation import (
    UNEVEN,
    OneRun,
    Population,
    Uneven,
    dice_run,
    grade_run,
    number_run,
    processes,
    run_of,
    skill_of,
    true_dice,
    true_kappa,
    true_numbers,
    truth,
    truth_of_uneven,
)
from threadpoolctl import threadpool_limits

from medtransfer.comparison.evaluation_set import EvaluationSet, draw_evaluation_set
from medtransfer.comparison.scores import score
from medtransfer.statistics.metrics import title_of
from medtransfer.statistics.resampling import Resamples
from medtransfer.tasks.findings.metrics import FindingOutcomes
from medtransfer.util.text import markdown_table

RESULTS = Path(__file__).parent / "results" / "coverage.md"
RESAMPLES, MOST_BLOCKS, CHUNK = 1000, 100, 50
METRICS = (*CLASS_METRICS, "dice", "kappa_quadratic", "mae", "r2")
METHODS = ("percentile", "BCa", "compare")
SHAPES = ((1, False), (10, False), (10, True))
ACCURACY = {2: 0.85, 5: 0.75}
MAIN = [
    (Population(classes, round(images / size), size, label_of_group), accuracy)
    for classes, accuracy in ACCURACY.items()
    for size, label_of_group in SHAPES
    for images in (139, 600, 5000)
    if not (classes == 5 and images == 139 and label_of_group)
]
HARD = [
    (Population(2, 139), 0.97),
    (Population(2, 14, 10), 0.97),
    (Population(2, 14, 10, label_of_group=True), 0.97),
    (Population(5, 14, 10, label_of_group=True), 0.75),
    (Population(14, 139), 0.6),
]


def main() -> None:
    """Measure and write the tables."""
    started = time.perf_counter()
    parts = []
    for title, cases in (("", MAIN), ("## Difficult cases", HARD)):
        with processes() as pool:
            rows = [row for population, accuracy in cases for row in measure(pool, population, accuracy)]
        header = ["Classes", "Test images", "Metric", "Truth", "percentile", "BCa", "compare", "too high", "too low"]
        parts += [title, markdown_table(header, rows, left=3)]
    with processes() as pool:
        rows = [measure_findings(pool, images, size) for images, size in FINDINGS]
    parts += ["## Several findings, a rare one among them", markdown_table(header, rows, left=3)]
    with processes() as pool:
        rows = [row for population in UNEVEN for row in measure_uneven(pool, population)]
    header = ["Test images", "Metric", "Truth", "bootstrap", "compare", "too high", "too low"]
    parts += ["## Groups of several sizes", markdown_table(header, rows, left=2), UNEVEN_NOTE]
    minutes = (time.perf_counter() - started) / 60
    RESULTS.parent.mkdir(exist_ok=True)
    told = [part for part in (INTRODUCTION, *parts, LIMITS) if part]
    RESULTS.write_text("\n\n".join(told) + f"\n\nMeasured in {minutes:.0f} minutes.\n", encoding="utf-8")


def measure(pool: Executor, population: Population, accuracy: float) -> list[list[str]]:
    """Return one row per metric: the percentages of test sets whose interval contains the true value."""
    skill = skill_of(population.classes, accuracy)
    known = truth(population.classes, skill) | {
        "dice": true_dice(),
        "kappa_quadratic": true_kappa(population.classes),
        **true_numbers(),
    }
    trials = 2000 if population.images < 200 else 1000
    work = partial(count_misses, population, skill, known)
    missed = sum(pool.map(work, range(trials // CHUNK)))
    rows = []
    for number, metric in enumerate(METRICS):
        held = 100 - 100 * missed[:, number].sum(axis=1) / trials
        sides = 100 * missed[METHODS.index("compare"), number] / trials
        what = [str(population.classes), population.describe(), title_of(metric), f"{known[metric]:.3f}"]
        rows.append([*what, *(f"{share:.1f}" for share in [*held, *sides])])
        print("  ".join(rows[-1]), flush=True)
    return rows


UNEVEN_METRICS = (*METRICS, "sensitivity", "specificity")
UNEVEN_SETS, FEW_RESAMPLES = 1500, 200


def measure_uneven(pool: Executor, population: Uneven) -> list[list[str]]:
    """Return one row per metric: the percentages of test sets of uneven groups whose interval has the true value."""
    skill = skill_of(2, ACCURACY[2])
    known = truth_of_uneven(population, skill) | dict.fromkeys(("sensitivity", "specificity"), ACCURACY[2])
    known |= {"dice": true_dice(), **true_numbers(), "kappa_quadratic": true_kappa_of_uneven(population)}
    work = partial(count_uneven_misses, population, skill, known)
    missed = sum(pool.map(work, range(UNEVEN_SETS // CHUNK))) * 100 / UNEVEN_SETS
    rows = []
    for metric, (bootstrap, own) in zip(UNEVEN_METRICS, missed, strict=True):
        shares = [100 - bootstrap.sum(), 100 - own.sum(), *own]
        rows.append([population.describe(), title_of(metric), f"{known[metric]:.3f}", *(f"{s:.1f}" for s in shares)])
        print("  ".join(rows[-1]), flush=True)
    return rows


def true_kappa_of_uneven(population: Uneven) -> float:
    """Return the quadratic kappa of `draw_grades` on uneven groups, estimated from two hundred thousand of them."""
    rng = np.random.default_rng(0)
    whole = replace(population, groups=200_000).realised(rng)
    labels, _ = whole.draw([], rng)
    run = grade_run(labels, whole.draw_grades(labels, rng), 2)
    test = whole.test_set(labels, whole.resamples(2, rng))
    return score(run, test, only=("kappa_quadratic",)).estimates["kappa_quadratic"].value


def count_uneven_misses(population: Uneven, skill: float, known: dict[str, float], chunk: int) -> np.ndarray:
    """Count the intervals [metric, (bootstrap alone, compare), side] that are above or below the true value."""
    rng = np.random.default_rng([chunk, population.groups, int(10 * population.longer), len(population.kind)])
    missed = np.zeros((len(UNEVEN_METRICS), 2, 2))
    with threadpool_limits(1):
        for _ in range(CHUNK):
            drawn = population.realised(rng)
            labels, (probabilities,) = drawn.draw([skill], rng)
            test = drawn.test_set(labels, drawn.resamples(FEW_RESAMPLES, rng))
            alike = drawn.test_set(labels, test.resamples)
            alike.__dict__["without"] = None  # what the intervals are if all groups count alike
            runs = {
                run_of(labels, probabilities): (*CLASS_METRICS, "sensitivity", "specificity"),
                dice_run(drawn.draw_dice(rng)): ("dice",),
                grade_run(labels, drawn.draw_grades(labels, rng), 2): ("kappa_quadratic",),
                number_run(*drawn.draw_numbers(rng)): ("mae", "r2"),
            }
            for run, metrics in runs.items():
                for method, of in enumerate((alike, test)):
                    estimates = score(run, of, only=metrics).estimates
                    for metric in metrics:
                        found, place = estimates[metric], UNEVEN_METRICS.index(metric)
                        missed[place, method] += known[metric] < found.low, known[metric] > found.high
    return missed


FINDINGS = [(images, size) for size in (1, 10) for images in (200, 600)]
RARE, OTHERS, SKILL = 10, (0.15, 0.3, 0.5), 1.2
"""The images with the rare finding, the frequencies of the other ones, and the mean score of those that are present."""


def measure_findings(pool: Executor, images: int, size: int) -> list[str]:
    """Return a row on the macro ROC-AUC of several findings, one of which only `RARE` images have."""
    trials = 1000
    missed = sum(pool.map(partial(count_finding_misses, images, size), range(trials // CHUNK)))
    held = 100 - 100 * missed.sum(axis=1) / trials
    known, sides = norm.cdf(SKILL / np.sqrt(2)), 100 * missed[METHODS.index("compare")] / trials
    what = [f"{1 + len(OTHERS)} findings", f"{images} in groups of {size}", title_of("roc_auc"), f"{known:.3f}"]
    row = [*what, *(f"{share:.1f}" for share in [*held, *sides])]
    print("  ".join(row), flush=True)
    return row


def count_finding_misses(images: int, size: int, chunk: int) -> np.ndarray:
    """Count the intervals [method, side] above or below the true area; a tenth of the findings is not known."""
    rng = np.random.default_rng([chunk, images, size, 99])
    group = np.arange(images) // size
    missed, known = np.zeros((len(METHODS), 2)), norm.cdf(SKILL / np.sqrt(2))
    counts = [RARE, *(round(rate * images) for rate in OTHERS)]
    names = tuple(f"finding {number}" for number in range(len(counts)))
    with threadpool_limits(1):
        for _ in range(CHUNK):
            truth = np.stack([rng.permutation(np.arange(images) < count) for count in counts], axis=1).astype(float)
            noise = rng.normal(size=(images, len(counts))) + rng.normal(size=(images // size, len(counts)))[group]
            scores = norm.cdf(SKILL * truth + noise / np.sqrt(2)).astype(np.float32)
            truth[:, 1:][rng.random((images, len(OTHERS))) < 0.1] = np.nan
            members = np.where(np.nanmean(truth, axis=0) <= 0.5, truth == 1, truth == 0)
            table = pd.DataFrame({"path": np.arange(images), "group": group})
            test = draw_evaluation_set(table, names, RESAMPLES, rng, members)
            outcomes = partial(FindingOutcomes, truth=truth, probabilities=scores, called=scores > 0.5)
            found = intervals(OneRun("multilabel", outcomes), test, ("roc_auc",))
            for method, (low, high) in enumerate(found[0]):
                missed[method] += known < low, known > high
    return missed


def count_misses(population: Population, skill: float, known: dict[str, float], chunk: int) -> np.ndarray:
    """Count the intervals [method, metric, side] that are above or below the true value."""
    rng = np.random.default_rng([chunk, population.images, population.classes, population.label_of_group])
    missed = np.zeros((len(METHODS), len(METRICS), 2))
    resamples = population.resamples(RESAMPLES, rng)
    with threadpool_limits(1):
        for _ in range(CHUNK):
            labels, (probabilities,) = population.draw([skill], rng)
            test = population.test_set(labels, resamples)
            dice = dice_run(population.draw_dice(rng))
            grades = grade_run(labels, population.draw_grades(labels, rng), population.classes)
            found = intervals(run_of(labels, probabilities), test, CLASS_METRICS)
            numbers = number_run(*population.draw_numbers(rng))
            found += intervals(dice, test, ("dice",)) + intervals(grades, test, ("kappa_quadratic",))
            found += intervals(numbers, test, ("mae", "r2"))
            for metric, of_methods in enumerate(found):
                for method, (low, high) in enumerate(of_methods):
                    missed[method, metric] += known[METRICS[metric]] < low, known[METRICS[metric]] > high
    return missed


def intervals(run: OneRun, test: EvaluationSet, metrics: tuple[str, ...]) -> list[list[tuple[float, float]]]:
    """Return the interval of each method, for each metric."""
    scores = score(run, test, only=metrics)
    without = score(run, replace(test, resamples=leave_out(test)), 0.95, only=metrics)
    found = []
    for metric in metrics:
        own, drawn = scores.estimates[metric], scores.resampled[metric]
        drawn = drawn[np.isfinite(drawn)]
        percentile = tuple(np.quantile(drawn, [0.025, 0.975]))
        found.append([percentile, bca(own.value, drawn, without.resampled[metric]), (own.low, own.high)])
    return found


def leave_out(test: EvaluationSet) -> Resamples:
    """Return jackknife resamples that leave out one group, or one of up to MOST_BLOCKS blocks of groups, at a time."""
    blocks = min(test.groups, MOST_BLOCKS)
    kept = np.arange(test.groups) % blocks != np.arange(blocks)[:, None]
    return Resamples(test.sample.group, kept.astype(np.float32))


def bca(value: float, drawn: np.ndarray, without: np.ndarray) -> tuple[float, float]:
    """Return the bias-corrected and accelerated (BCa) interval."""
    below = (drawn < value).mean() + (drawn == value).mean() / 2
    bias = norm.ppf(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    gaps = np.nanmean(without) - without[np.isfinite(without)]
    spread = (gaps**2).sum() ** 1.5
    acceleration = (gaps**3).sum() / (6 * spread) if spread > 0 else 0.0
    shifted = bias + norm.ppf([0.025, 0.975])
    low, high = np.quantile(drawn, norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)


UNEVEN_NOTE = f"""\
Percentages of {UNEVEN_SETS:,} test sets (standard error 0.6); each group has one label, and its images share half of
their noise. `bootstrap` takes the standard error from resamples of groups and counts them as if each weighed the same;
`compare` takes it from leaving out each group (CR3, MacKinnon, Nielsen and Webb 2023) and its degrees of freedom from
the tails of the groups' influences, which follow the sizes of groups. Effective numbers of groups by their sizes alone
(Kish; Carter, Schnepel and Steigerwald 2017) were tried: with the bootstrap's error they hold too seldom, and with
the correlation within groups unknown they are too few or too many."""

INTRODUCTION = """\
# Coverage of 95 % intervals

Percentage of simulated test sets whose interval contains the true value: 2,000 sets of 139 or 140 images, 1,000 of
larger ones, so that the standard error of 95 % is 0.5 or 0.7. `percentile` and `BCa` are the plain bootstrap
intervals, from the same 1,000 resamples of groups; `compare` is the interval in the project's tables; `too high` and
`too low` say on which side it misses. Images of a group share half of their noise. Dice represents any metric that is
measured per image; quadratic kappa is that of grades, predicted with normal errors around the label; mean
absolute error and R² are those of normal numbers, predicted with normal errors. Test sets without all classes are
redrawn."""

LIMITS = """\
`compare` uses the bootstrap only for the standard error, and quantiles of Student's t on the logit scale for the
interval: percentiles are too narrow with few groups, and BCa corrects their skewness but not their width. There are
groups - 1 degrees of freedom for means over images; for balanced accuracy and ROC areas they depend on the groups of
each class, and for ROC areas also on the influence of single groups. Stratifying the resamples by class was tried and
rejected: it fixes the class frequencies, which vary between test sets, and lowers the coverage."""


if __name__ == "__main__":
    main()
