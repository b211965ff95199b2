"""How often variants that are alike are called different: in twos, and in studies of ten.

    python benchmarks/equal_variants.py        # a quarter of an hour; writes benchmarks/results/equal_variants.md

Studies are simulated (`simulation.py`) and tested as `compare` tests them.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
from simulation import METRICS, Population, processes, scored, skill_of
from threadpoolctl import threadpool_limits

from medtransfer.comparison.pairs import all_pairs
from medtransfer.statistics.metrics import title_of
from medtransfer.util.text import markdown_table

RESULTS = Path(__file__).parent / "results" / "equal_variants.md"
RESAMPLES, CHUNK, STUDIES = 1000, 25, 1000
ACCURACY = {2: 0.85, 5: 0.75}
CASES = [
    Population(2, 139),
    Population(2, 624),
    Population(2, 14, 10),
    Population(2, 14, 10, label_of_group=True),
    Population(2, 60, 10, label_of_group=True),
    Population(5, 139),
    Population(5, 14, 10),
    Population(5, 60, 10, label_of_group=True),
]


def main() -> None:
    """Measure, and write the table."""
    started = time.perf_counter()
    with processes() as pool:
        rows = [row for population in CASES for row in measure(pool, population)]
    header = ["Classes", "Test images", "Metric", "pairs, p < .05", "studies of two", "studies of ten"]
    table = markdown_table(header, rows, left=3)
    minutes = (time.perf_counter() - started) / 60
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"{INTRODUCTION}\n\n{table}\n\nMeasured in {minutes:.0f} minutes.\n", encoding="utf-8")


def measure(pool: Executor, population: Population) -> list[list[str]]:
    """Give a row a metric: per cent of pairs and studies in which a difference is found that is not there."""
    skill = skill_of(population.classes, ACCURACY[population.classes])
    found = sum(pool.map(partial(count_found, population, skill), range(STUDIES // CHUNK)))
    rows = []
    for metric, shares in zip(METRICS, 100 * found / STUDIES, strict=True):
        what = [str(population.classes), population.describe(), title_of(metric)]
        rows.append([*what, *(f"{share:.1f}" for share in shares)])
        print("  ".join(rows[-1]), flush=True)
    return rows


def count_found(population: Population, skill: float, chunk: int) -> np.ndarray:
    """Count [metric, (pairs with p below .05, as a share; studies of two; studies of ten) with a difference found]."""
    rng = np.random.default_rng([chunk, population.images, population.classes, population.label_of_group])
    resamples = population.resamples(RESAMPLES, rng)
    found = np.zeros((len(METRICS), 3))
    with threadpool_limits(1):
        for _ in range(CHUNK):
            labels, variants = population.draw([skill] * 10, rng)
            test = population.test_set(labels, resamples)
            ten = scored(labels, variants, test)
            for place, count in ((2, 10), (1, 2)):
                chosen = dict(list(ten.items())[:count])
                pairs = all_pairs(chosen, METRICS, test, None, 0.95).groupby("metric", sort=False)
                found[:, place] += pairs["different"].any().loc[list(METRICS)]
                if count == 10:
                    found[:, 0] += pairs["p"].agg(lambda p: (p < 0.05).mean()).loc[list(METRICS)]
    return found


INTRODUCTION = f"""\
# How often variants that are alike are called different

In per cent. {STUDIES:,} simulated studies of ten variants each, all of one skill, whose scores share half of their
noise; images of a group share half of theirs. `pairs, p < .05`: of the 45 pairs of a study, without any correction.
`studies of two`: the first two variants alone. `studies of ten`: at least one of the 45 pairs is called different,
corrected by Holm's rule, as `compare` does. A share of 5 % is known to .7 (one standard error)."""


if __name__ == "__main__":
    main()
