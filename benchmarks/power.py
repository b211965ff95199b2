"""Measure how often a true difference of .05 in accuracy on 624 test images is found by paired and unpaired tests.

    python benchmarks/power.py        # a few minutes; writes benchmarks/results/power.md

Studies are simulated (`simulation.py`) and tested as `compare` tests them.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
from simulation import Population, processes, scored, skill_of
from statsmodels.stats.proportion import proportions_ztest, test_proportions_2indep
from threadpoolctl import threadpool_limits

from medtransfer.comparison.pairs import all_pairs
from medtransfer.util.text import markdown_table

RESULTS = Path(__file__).parent / "results" / "power.md"
RESAMPLES, CHUNK, STUDIES = 1000, 50, 2000
BETTER, WORSE = 0.90, 0.85
CASES = [
    (population, shared)
    for population in (Population(2, 624), Population(2, 62, 10, label_of_group=True))
    for shared in (0.0, 0.5, 0.8)
]
TESTS = ("compare", "McNemar, exact", "two proportions, z", "two proportions, score")


def main() -> None:
    """Measure and write the table."""
    started = time.perf_counter()
    with processes() as pool:
        rows = [measure(pool, population, shared) for population, shared in CASES]
    header = ["Test images", "shared noise", *TESTS]
    table = markdown_table(header, rows)
    minutes = (time.perf_counter() - started) / 60
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"{INTRODUCTION}\n\n{table}\n\n{NOTE}\n\nMeasured in {minutes:.0f} minutes.\n", encoding="utf-8")


def measure(pool: Executor, population: Population, shared: float) -> list[str]:
    """Return a table row: the percentage of studies in which each test finds the difference."""
    skills = skill_of(2, BETTER), skill_of(2, WORSE)
    found = sum(pool.map(partial(count_found, population, skills, shared), range(STUDIES // CHUNK)))
    shares = [f"{share:.1f}" for share in 100 * found / STUDIES]
    if population.size > 1:
        shares[2:] = ["–", "–"]
    row = [population.describe(), f"{shared:.0%}", *shares]
    print("  ".join(row), flush=True)
    return row


def count_found(population: Population, skills: tuple[float, float], shared: float, chunk: int) -> np.ndarray:
    """Count the studies in which each test has p < .05."""
    rng = np.random.default_rng([chunk, population.size, round(10 * shared)])
    resamples = population.resamples(RESAMPLES, rng)
    found = np.zeros(len(TESTS))
    with threadpool_limits(1):
        for _ in range(CHUNK):
            labels, variants = population.draw(skills, rng, shared)
            test = population.test_set(labels, resamples)
            scores = scored(labels, variants, test)
            pair = all_pairs(scores, ("accuracy",), test, None).iloc[0]
            right = [int(found.right.sum()) for found in scores.values()]
            trials = [population.images] * 2
            unpaired = proportions_ztest(right, trials)[1]
            score = test_proportions_2indep(right[0], trials[0], right[1], trials[1], method="score").pvalue
            found += np.array([pair["p"], pair["mcnemar_p"], unpaired, score]) < 0.05
    return found


INTRODUCTION = f"""\
# Power to detect a difference of .05

Percentages of {STUDIES:,} simulated studies of two variants with true accuracies of {BETTER:.2f} and {WORSE:.2f} on 624
test images (620 in groups of ten), at p < .05. `shared noise`: how similar the errors of the two variants are."""

NOTE = """\
`compare` is the paired test in the project's tables; the tests of two proportions treat the two variants' images as
different ones. They are invalid for grouped images, like any test that counts images: their rate of false positives is
far too high. The standard error of 50 % is 1.1."""


if __name__ == "__main__":
    main()
