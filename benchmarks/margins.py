"""Measure how often non-inferiority by a margin is claimed, wrongly and rightly, in studies of ten variants.

    python benchmarks/margins.py        # a few minutes; writes benchmarks/results/margins.md

Studies are simulated (`simulation.py`) and judged as `compare` judges them.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from simulation import Population, processes, scored, skill_of
from threadpoolctl import threadpool_limits

from medtransfer.comparison.margins import margin_table
from medtransfer.comparison.pairs import all_pairs
from medtransfer.comparison.rows import differences_to
from medtransfer.util.text import markdown_table

RESULTS = Path(__file__).parent / "results" / "margins.md"
RESAMPLES, CHUNK, STUDIES, VARIANTS = 1000, 25, 1000, 10
BEST, MARGIN = 0.85, 0.05
CASES = [
    (Population(2, 139), "inferior"),
    (Population(2, 624), "inferior"),
    (Population(2, 60, 10, label_of_group=True), "inferior"),
    (Population(2, 624), "mixed"),
    (Population(2, 624), "equal"),
    (Population(2, 2000), "equal"),
]
SETTINGS = {
    "inferior": ("one best, nine worse by the margin", [BEST, *[BEST - MARGIN] * 9]),
    "mixed": ("five best, five worse by the margin", [*[BEST] * 5, *[BEST - MARGIN] * 5]),
    "equal": ("ten equal", [BEST] * VARIANTS),
}


def main() -> None:
    """Measure and write the table."""
    started = time.perf_counter()
    with processes() as pool:
        rows = [measure(pool, population, setting) for population, setting in CASES]
    header = ["Test images", "True accuracies", "studies with a wrong claim", "good variants found", "detectable"]
    table = markdown_table(header, rows, left=2)
    minutes = (time.perf_counter() - started) / 60
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"{INTRODUCTION}\n\n{table}\n\nMeasured in {minutes:.0f} minutes.\n", encoding="utf-8")


def measure(pool: Executor, population: Population, setting: str) -> list[str]:
    """Return a row: the percentages of studies with a wrong claim and of good variants with a right one."""
    told, accuracies = SETTINGS[setting]
    skills = [skill_of(2, accuracy) for accuracy in accuracies]
    wrong, right, detectable = (
        sum(pool.map(partial(count_claims, population, skills), range(STUDIES // CHUNK))) / STUDIES
    )
    has_inferior = min(accuracies) < BEST
    row = [population.describe(), told, f"{100 * wrong:.1f}" if has_inferior else "–"]
    row += [f"{100 * right:.1f}", f"{detectable:.3f}"]
    print("  ".join(row), flush=True)
    return row


def count_claims(population: Population, skills: list[float], chunk: int) -> np.ndarray:
    """Sum over studies: whether a claim is wrong, the share of good variants claimed, the detectable difference."""
    rng = np.random.default_rng([chunk, population.images, population.size, len(set(skills))])
    resamples, found = population.resamples(RESAMPLES, rng), np.zeros(3)
    good = {f"variant{number}" for number, skill in enumerate(skills) if skill == max(skills)}
    with threadpool_limits(1):
        for _ in range(CHUNK):
            labels, variants = population.draw(skills, rng)
            test = population.test_set(labels, resamples)
            scores = scored(labels, variants, test)
            pairs = all_pairs(scores, ("accuracy",), test, None)
            values = {name: score.estimates["accuracy"].value for name, score in scores.items()}
            names = sorted(values, key=values.__getitem__, reverse=True)
            rows = [{"variant": name, "kind": "variant"} | differences_to(names[0], pairs)[name] for name in names]
            judged = margin_table(pd.DataFrame(rows), pairs, "accuracy", MARGIN, 0.95)
            claimed = set(judged.loc[judged["not_inferior"].astype(bool), "variant"])
            found += bool(claimed - good), len(claimed & good) / len(good), judged["detectable"].median()
    return found


INTRODUCTION = f"""\
# How often non-inferiority is claimed

{STUDIES:,} simulated studies of ten variants, whose scores share half of their noise, with a margin of {MARGIN} in
accuracy. A claim is wrong if the variant is worse than the truly best by the margin; these are worse by exactly the
margin, the hardest case. The standard error of 5 % is 0.7. Good variants found: the percentage of the truly best
variants that are claimed. Detectable: the median smallest detectable difference."""


if __name__ == "__main__":
    main()
