"""Measure how often equal variants are reported as different, in pairs and in studies of ten.

    python benchmarks/equal_variants.py        # 15 minutes; writes benchmarks/results/equal_variants.md

Studies are simulated (`simulation.py`) and tested as `compare` tests them.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
from simulation import METRICS, UNEVEN, Population, Uneven, processes, scored, skill_of
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
    """Measure and write the table."""
    started = time.perf_counter()
    with processes() as pool:
        rows = [row for population in (*CASES, *UNEVEN) for row in measure(pool, population)]
    header = ["Classes", "Test images", "Metric", "pairs, p < .05", "studies of two", "studies of ten"]
    table = markdown_table(header, rows, left=3)
    minutes = (time.perf_counter() - started) / 60
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"{INTRODUCTION}\n\n{table}\n\nMeasured in {minutes:.0f} minutes.\n", encoding="utf-8")


def measure(pool: Executor, population: Population | Uneven) -> list[list[str]]:
    """Return one row per metric: the percentages of pairs and studies with a false positive."""
    skill = skill_of(classes_of(population), ACCURACY[classes_of(population)])
    found = sum(pool.map(partial(count_found, population, skill), range(STUDIES // CHUNK)))
    rows = []
    for metric, shares in zip(METRICS, 100 * found / STUDIES, strict=True):
        what = [str(classes_of(population)), population.describe(), title_of(metric)]
        rows.append([*what, *(f"{share:.1f}" for share in shares)])
        print("  ".join(rows[-1]), flush=True)
    return rows


def classes_of(population: Population | Uneven) -> int:
    """Return the number of classes; uneven groups have two."""
    return 2 if isinstance(population, Uneven) else population.classes


def count_found(population: Population | Uneven, skill: float, chunk: int) -> np.ndarray:
    """Count false positives: [metric, (share of pairs with p < .05, studies of two, studies of ten)]."""
    rng = np.random.default_rng([chunk, *population.describe().encode()])
    found = np.zeros((len(METRICS), 3))
    with threadpool_limits(1):
        for _ in range(CHUNK):
            drawn = population.realised(rng) if isinstance(population, Uneven) else population
            labels, variants = drawn.draw([skill] * 10, rng)
            test = drawn.test_set(labels, drawn.resamples(RESAMPLES, rng))
            ten = scored(labels, variants, test)
            for place, count in ((2, 10), (1, 2)):
                chosen = dict(list(ten.items())[:count])
                pairs = all_pairs(chosen, METRICS, test, None).groupby("metric", sort=False)
                found[:, place] += pairs["different"].any().loc[list(METRICS)]
                if count == 10:
                    found[:, 0] += pairs["p"].agg(lambda p: (p < 0.05).mean()).loc[list(METRICS)]
    return found


INTRODUCTION = f"""\
# How often equal variants are reported as different

Percentages of {STUDIES:,} simulated studies of ten variants of equal skill, whose scores share half of their noise;
images of a group share half of theirs. `pairs, p < .05`: the 45 pairs of a study, without correction. `studies of
two`: only the first two variants. `studies of ten`: at least one of the 45 pairs is reported as different after Holm's
correction, as in `compare`. The standard error of 5 % is 0.7."""


if __name__ == "__main__":
    main()
