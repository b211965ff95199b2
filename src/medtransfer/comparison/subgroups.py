"""Every variant in subgroups of the test images, and the largest gaps between these."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.evaluation_set import EvaluationSet, images_of
from medtransfer.comparison.results import GAPS, SUBGROUPS
from medtransfer.comparison.scores import Estimate, score
from medtransfer.data.targets.number_cells import with_points
from medtransfer.statistics.intervals import difference_interval, transformed_interval
from medtransfer.statistics.metrics import METRICS
from medtransfer.statistics.paired_tests import holm
from medtransfer.study import Study
from medtransfer.tasks.predictions import Predictions
from medtransfer.util.errors import UserError, near
from medtransfer.util.places import Places
from medtransfer.util.progress import in_parallel

HOME, UNKNOWN = "home", "unknown"
FEW = 10
"""Subgroups of fewer groups of images than this are shown, but no gap is measured with them."""

MOST_LEVELS = 20

Levels = dict[tuple[str, str], np.ndarray]
"""The paths of the images of each level of each subgroup."""


def compare_subgroups(
    study: Study, predictions: dict[str, Predictions], metrics: tuple[str, ...], places: Places
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `Comparison.subgroups` and `Comparison.gaps`: at home and on each external test set that has the columns.

    predictions: by variant. Raises `UserError` if no table of any set has a column.
    """
    if not study.params.comparison.subgroups:
        return pd.DataFrame(columns=SUBGROUPS), pd.DataFrame(columns=GAPS)
    sets = {HOME: predictions}
    for name in study.params.data.external:
        sets[name] = {variant: found.of_external(name) for variant, found in predictions.items()}
    rows: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    files = {place: places.columns if place == HOME else places.external(place) / "columns.parquet" for place in sets}
    columns = {place: pd.read_parquet(file) for place, file in files.items()}
    require_columns(study, columns)
    for place, each in sets.items():
        tests = {variant: found.of_role("test") for variant, found in each.items()}
        levels = levels_of(study, columns[place], next(iter(tests.values())).images["path"])
        found = {level: _scored(study, tests, paths, metrics, (place, *level)) for level, paths in levels.items()}
        for (subgroup, level), (test, estimates) in found.items():
            about = {"set": place, "subgroup": subgroup, "level": level, "images": len(test.images)}
            about |= {"groups": test.groups, "few": test.groups < FEW}
            rows += [
                about | {"variant": variant, "metric": metric} | estimates[variant][metric].columns("value")
                for metric in metrics
                for variant in tests
            ]
        for metric in metrics:
            gaps += gap_rows(place, metric, list(tests), found, study.params.comparison.confidence)
    return pd.DataFrame(rows, columns=list(SUBGROUPS)), corrected(pd.DataFrame(gaps, columns=list(GAPS)))


def require_columns(study: Study, columns: dict[str, pd.DataFrame]) -> None:
    """Raise `UserError` if no set has the column of a subgroup: an external set may have columns that home lacks."""
    for name, spec in study.params.comparison.subgroups.items():
        if not any(spec.column in each for each in columns.values()):
            raise UserError(
                f"comparison.subgroups.{name}: no table of the set has a column {spec.column!r}"
                f"{near(spec.column, columns[HOME].columns)}; data.tables adds the columns of further tables"
            )


def levels_of(study: Study, columns: pd.DataFrame, paths: pd.Series) -> Levels:
    """Return the test images of each level of each subgroup; those without a value are the level `unknown`.

    columns: path, and the columns of the set's tables as text; a subgroup whose column is missing has no levels. Raises
    `UserError` if a column has no clear numbers for bins, or too many values.
    """
    own = columns.set_index("path").reindex(paths)
    found: Levels = {}
    for name, spec in study.params.comparison.subgroups.items():
        if spec.column not in own:
            continue
        values = own[spec.column].fillna("").astype(str).str.strip()
        values = values if spec.bins is None else _ranges(values, spec.bins, name)
        if values.nunique() > MOST_LEVELS:
            raise UserError(
                f"comparison.subgroups.{name}: column {spec.column!r} has {values.nunique()} values on test images, "
                f"more than {MOST_LEVELS}; divide numbers by bins: [...], or name another column"
            )
        for level in sorted(set(values), key=_order):
            found[name, level or UNKNOWN] = own.index[values == level].to_numpy()
    return found


def _ranges(values: pd.Series, bins: list[float], name: str) -> pd.Series:
    texts, unclear = with_points(values)
    if unclear is not None and "," in unclear:
        raise UserError(
            f"comparison.subgroups.{name}: {unclear!r} may have decimals after its comma, or thousands before it; "
            "write decimals with a point, and no separators of thousands"
        )
    first = texts.str.extract(r"(-?\d+(?:[.,]\d+)?)", expand=False).str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(first, errors="coerce")
    if numbers.isna().all():
        raise UserError(f"comparison.subgroups.{name}: bins need numbers, but the column holds {values.iloc[0]!r}")
    labels = [f"{low:g} to {high:g}" for low, high in pairwise(bins)]
    cut = pd.cut(numbers, [*bins[:-1], np.nextafter(bins[-1], np.inf)], right=False, labels=labels)
    return cut.astype(object).where(cut.notna(), "")


def _order(level: str) -> tuple[bool, float, str]:
    """Sort levels by their first number, or else by name, with the unknown last."""
    number = pd.to_numeric(level.split(" to ", maxsplit=1)[0], errors="coerce") if level else math.nan
    return level == "", float(number) if np.isfinite(number) else math.inf, level


def _scored(
    study: Study, tests: dict[str, Predictions], paths: np.ndarray, metrics: tuple[str, ...], key: tuple[str, ...]
) -> tuple[EvaluationSet, dict[str, dict[str, Estimate]]]:
    inside = {name: replace(found, table=found.table[found.table["path"].isin(paths)]) for name, found in tests.items()}
    test = images_of(next(iter(inside.values())), study.params.comparison, "bootstrap", study.params.study.seed, *key)
    found = in_parallel(lambda each: score(each, test, metrics).estimates, inside.values())
    return test, dict(zip(inside, found, strict=True))


def gap_rows(
    place: str,
    metric: str,
    variants: list[str],
    scored: dict[tuple[str, str], tuple[EvaluationSet, dict[str, dict[str, Estimate]]]],
    confidence: float,
) -> list[dict[str, Any]]:
    """Return all gaps of a metric: one row per subgroup, variant and pair of levels that are large enough.

    Levels count as independent samples, which is too cautious where one patient has images in both. The interval holds
    for all pairs of the subgroup at once (Bonferroni).
    """
    rows, bounds = [], METRICS[metric].bounds
    for subgroup in dict.fromkeys(name for name, _ in scored):
        large = [
            level
            for name, level in scored
            if name == subgroup and level != UNKNOWN and scored[name, level][0].groups >= FEW
        ]
        pairs = list(combinations(large, 2))
        level_of = 1 - (1 - confidence) / max(len(pairs), 1)
        for variant in variants:
            for pair in pairs:
                first, second = (scored[subgroup, level][1][variant][metric] for level in pair)
                low, high = difference_interval(
                    *(
                        (each.value, *transformed_interval(each.value, each.error, each.freedom, level_of, bounds))
                        for each in (first, second)
                    )
                )
                if not math.isfinite(low + high):
                    continue
                gap, sign = first.value - second.value, 1 if first.value >= second.value else -1
                ends = sorted((sign * low, sign * high))
                named = {"set": place, "subgroup": subgroup, "variant": variant, "metric": metric, "pairs": len(pairs)}
                named |= dict(zip(("higher", "lower"), pair[::sign], strict=True))
                rows.append(named | {"gap": abs(gap), "gap_low": ends[0], "gap_high": ends[1], "p": _p(first, second)})
    return rows


def _p(first: Estimate, second: Estimate) -> float:
    """Return the p value of Welch's test (1947) of two independent values."""
    from scipy.special import stdtr

    parts = [_error(each) ** 2 for each in (first, second)]
    if sum(parts) == 0:
        return 1.0 if first.value == second.value else 0.0
    freedom = sum(parts) ** 2 / sum(part**2 / each.freedom for part, each in zip(parts, (first, second), strict=True))
    return float(2 * stdtr(freedom, -abs(first.value - second.value) / math.sqrt(sum(parts))))


def _error(found: Estimate) -> float:
    """Return the standard error; of a value at its bound, in which no resample varies, from the interval's width."""
    from scipy.special import stdtrit

    return found.error or (found.high - found.low) / 2 / float(stdtrit(found.freedom, 0.975))


def corrected(gaps: pd.DataFrame) -> pd.DataFrame:
    """Keep the largest gap of each set, subgroup, variant and metric; with its own p value, corrected for all gaps.

    Holm's rule corrects over all subgroups, pairs of levels and variants of a set and metric.
    """
    if gaps.empty:
        return gaps
    for _, rows in gaps.groupby(["set", "metric"]):
        gaps.loc[rows.index, "p_corrected"] = holm(rows["p"].to_numpy(float))
    keys = ["set", "subgroup", "variant", "metric"]
    largest = gaps.loc[gaps.groupby(keys, sort=False)["gap"].idxmax()]
    return largest[list(GAPS)].reset_index(drop=True)
