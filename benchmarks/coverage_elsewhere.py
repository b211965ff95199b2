"""Measure how often the intervals of drops, subgroup gaps and Kendall's tau contain the true value.

    python benchmarks/coverage_elsewhere.py        # half an hour; writes benchmarks/results/coverage_elsewhere.md

Pairs of test sets are simulated (`simulation.py`), and compared as `compare` compares external sets and subgroups.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from simulation import METRICS, Population, Uneven, processes, run_of, skill_of, truth, truth_of_uneven
from threadpoolctl import threadpool_limits

from medtransfer.comparison.evaluation_set import EvaluationSet
from medtransfer.comparison.external import drop_row, ranking_row
from medtransfer.comparison.results import GAPS
from medtransfer.comparison.scores import Scores, score
from medtransfer.comparison.subgroups import corrected, gap_rows
from medtransfer.statistics.metrics import title_of
from medtransfer.statistics.ranks import pairwise_tau
from medtransfer.util.text import markdown_table

RESULTS = Path(__file__).parent / "results" / "coverage_elsewhere.md"
RESAMPLES, CHUNK, SETS, STUDIES = 400, 10, 200, 100
LEVELS, VARIANTS = 6, 10
Source = Population | Uneven
PAIRS: list[tuple[Source, Source]] = [
    (Population(2, 139), Population(2, 300)),
    (Population(2, 60, 10, label_of_group=True), Population(2, 60, 10, label_of_group=True)),
    (Uneven(80, 0.15), Uneven(40, 0.3)),
    (Uneven(40, 0.3), Uneven(40, 0.3, "zipf")),
    (Uneven(40, 0.3), Uneven(25, 0.15, longer=2.0)),
]
ACCURACIES = (0.85, 0.75)
"""Those at home and elsewhere, or of both levels of a subgroup."""

RANKED = {
    "the same ranking, far apart": ((0.70, 0.76, 0.82, 0.88, 0.94), (0.60, 0.66, 0.72, 0.78, 0.84)),
    "the same ranking, close together": ((0.80, 0.82, 0.84, 0.86, 0.88), (0.70, 0.72, 0.74, 0.76, 0.78)),
    "a ranking of its own": ((0.70, 0.76, 0.82, 0.88, 0.94), (0.78, 0.66, 0.84, 0.60, 0.72)),
    "the reverse": ((0.80, 0.82, 0.84, 0.86, 0.88), (0.78, 0.76, 0.74, 0.72, 0.70)),
}
OF_RANKINGS: list[Source] = [Population(2, 139), Population(2, 600), Uneven(80, 0.3)]


def main() -> None:
    """Measure and write the tables."""
    started = time.perf_counter()
    with processes() as pool:
        shifts = [row for pair in PAIRS for row in of_shifts(pool, *pair)]
        taus = [of_rankings(pool, source, name) for source in OF_RANKINGS for name in RANKED]
        false = [false_gaps(pool, size) for size in (1, 5)]
    minutes = (time.perf_counter() - started) / 60
    header = ["Here", "There", "Metric", "true drop", "drop", "gap", "gap of equal levels"]
    parts = [INTRODUCTION, markdown_table(header, shifts, left=3), OF_TAU]
    parts.append(markdown_table(["Test images", "Variants there", "true tau", "held", "width"], taus, left=2))
    header = ["Images of each level", "wrong interval", "false gap, 3 variants", "false gap, 10 variants"]
    parts += [OF_GAPS, markdown_table(header, false, left=1), f"Measured in {minutes:.0f} minutes."]
    RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def drawn(source: Source, skills: list[float], rng: np.random.Generator) -> tuple[EvaluationSet, list[Scores]]:
    """Draw a test set and score the variants on it, one run each."""
    population = source.realised(rng) if isinstance(source, Uneven) else source
    labels, variants = population.draw(skills, rng)
    test = population.test_set(labels, population.resamples(RESAMPLES, rng))
    return test, [score(run_of(labels, each), test, only=METRICS) for each in variants]


def true_values(source: Source, skill: float) -> dict[str, float]:
    """Return the metrics of a population."""
    return truth_of_uneven(source, skill) if isinstance(source, Uneven) else truth(2, skill)


def of_shifts(pool: Executor, here: Source, there: Source) -> list[list[str]]:
    """Return a row for each metric: how often the intervals of a drop, of a gap and of no gap hold."""
    skills = [skill_of(2, accuracy) for accuracy in ACCURACIES]
    known = [
        true_values(source, skill) for source, skill in zip((here, there, there), (*skills, skills[0]), strict=True)
    ]
    held = 100 * sum(pool.map(partial(count_held, here, there, skills, known), range(SETS // CHUNK))) / SETS
    rows = []
    for metric, shares in zip(METRICS, held, strict=True):
        drop = known[0][metric] - known[1][metric]
        row = [
            here.describe(),
            there.describe(),
            title_of(metric),
            f"{drop:.3f}",
            *(f"{share:.1f}" for share in shares),
        ]
        print("  ".join(row), flush=True)
        rows.append(row)
    return rows


def count_held(
    here: Source, there: Source, skills: list[float], known: list[dict[str, float]], chunk: int
) -> np.ndarray:
    """Count the intervals that hold, [metric, kind]: of a drop, a gap, and a gap of levels of equal skill."""
    rng = np.random.default_rng([chunk, *map(ord, here.describe() + there.describe())])
    found = np.zeros((len(METRICS), 3), int)
    with threadpool_limits(1):
        for _ in range(CHUNK):
            home, (own,) = drawn(here, skills[:1], rng)
            away, both = drawn(there, [skills[1], skills[0]], rng)
            for number, metric in enumerate(METRICS):
                row = drop_row("there", "a", metric, own, both[0], away)
                found[number, 0] += row["drop_low"] <= known[0][metric] - known[1][metric] <= row["drop_high"]
                for kind, (other, values) in enumerate(zip(both, known[1:], strict=True), 1):
                    levels = {("s", "x"): (home, {"a": own.estimates}), ("s", "y"): (away, {"a": other.estimates})}
                    (gap,) = gap_rows("home", metric, ["a"], levels, 0.95)
                    sign = 1 if gap["higher"] == "x" else -1
                    found[number, kind] += (
                        gap["gap_low"] <= sign * (known[0][metric] - values[metric]) <= gap["gap_high"]
                    )
    return found


def of_rankings(pool: Executor, source: Source, name: str) -> list[str]:
    """Return a row: how often the interval of Kendall's tau of accuracy holds."""
    accuracies = RANKED[name]
    known = pairwise_tau(*(np.array(each) for each in accuracies))
    skills = [[skill_of(2, each) for each in side] for side in accuracies]
    held, width = sum(pool.map(partial(count_taus, source, skills, known), range(STUDIES // CHUNK))) / STUDIES
    row = [source.describe(), name, f"{known:.1f}", f"{100 * held:.1f}", f"{width:.2f}"]
    print("  ".join(row), flush=True)
    return row


def count_taus(source: Source, skills: list[list[float]], known: float, chunk: int) -> np.ndarray:
    """Count the intervals of tau that contain the true one, and sum their widths."""
    rng = np.random.default_rng([chunk, *map(ord, source.describe()), int(1000 * skills[1][0])])
    found = np.zeros(2)
    with threadpool_limits(1):
        for _ in range(CHUNK):
            sides = [drawn(source, side, rng) for side in skills]
            named = [(test, {f"variant{number}": each for number, each in enumerate(scores)}) for test, scores in sides]
            row = ranking_row("there", "accuracy", *named)
            found += row["tau_low"] - 1e-9 <= known <= row["tau_high"] + 1e-9, row["tau_high"] - row["tau_low"]
    return found


def false_gaps(pool: Executor, size: int) -> list[str]:
    """Return a row: the percentages of studies of equal levels with a wrong interval or a false gap."""
    source = Population(2, 40, size, label_of_group=size > 1)
    found = 100 * sum(pool.map(partial(count_false_gaps, source), range(STUDIES // CHUNK))) / STUDIES
    row = [source.describe(), *(f"{share:.1f}" for share in found)]
    print("  ".join(row), flush=True)
    return row


def count_false_gaps(source: Population, chunk: int) -> np.ndarray:
    """Count studies: any gap of the first variant outside its interval; a false gap of three and of ten variants."""
    rng = np.random.default_rng([chunk, source.size, LEVELS])
    skill, found, names = (
        skill_of(2, ACCURACIES[0]),
        np.zeros(3, int),
        [f"variant{number}" for number in range(VARIANTS)],
    )
    with threadpool_limits(1):
        for _ in range(CHUNK):
            levels = {}
            for level in range(LEVELS):
                test, scores = drawn(source, [skill] * VARIANTS, rng)
                levels["s", str(level)] = test, {name: each.estimates for name, each in zip(names, scores, strict=True)}
            first = pd.DataFrame(gap_rows("home", "accuracy", names[:1], levels, 0.95))
            found[0] += ((first["gap_low"] > 0) | (first["gap_high"] < 0)).any()
            for place, some in enumerate((names[:3], names), 1):
                gaps = corrected(pd.DataFrame(gap_rows("home", "accuracy", some, levels, 0.95), columns=list(GAPS)))
                found[place] += (gaps["p_corrected"] < 0.05).any()
    return found


def error_of(repetitions: int) -> str:
    """Return the standard error, in percent, of a share of 95 or 5 %."""
    return f"{100 * np.sqrt(0.95 * 0.05 / repetitions):.1f}"


INTRODUCTION = f"""\
# Coverage of drops, gaps and rankings

Percentages of {SETS:,} pairs of simulated test sets whose 95 % interval contains the true value (standard error
{error_of(SETS)}). Accuracy is {ACCURACIES[0]} here and {ACCURACIES[1]} there; images of a group share half of
their noise. A drop is of an external set; a gap that of a subgroup with both sets as its levels. For a gap of equal
levels, both are equally easy, and the true gap is what different frequencies of classes leave."""

OF_TAU = f"""\
## Kendall's tau

Percentages of {STUDIES} pairs of test sets of a kind (standard error {error_of(STUDIES)}) whose interval of Kendall's
tau contains that of the true accuracies of five variants here and there, and its mean width. The interval spans the
rankings that paired tests do not exclude, so that it holds more often than 95 %. Percentiles of resampled taus would
hold far less often if variants are close: noise lowers tau, and resampling adds it once more."""

OF_GAPS = f"""\
## False gaps

Percentages of {STUDIES} studies of one subgroup with {LEVELS} equally easy levels (standard error of 5 %:
{error_of(STUDIES)}). Wrong interval: any of the 15 simultaneous intervals of a variant leaves out 0. False gap: any is
significant after the correction over all levels and variants."""


if __name__ == "__main__":
    main()
