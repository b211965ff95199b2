"""A comparison of variants that segment: the same tables and tests as of classes, from metrics by image."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import tiny_pairs
from scipy import stats

from medtransfer.comparison.compare import compare
from medtransfer.comparison.results import Comparison
from medtransfer.comparison.warnings import chance_warnings
from medtransfer.data.prepared import PIXEL, Prepared
from medtransfer.report.page import write_report
from medtransfer.statistics.metrics import headline_metrics
from medtransfer.statistics.resampling import the_sample
from medtransfer.study import check_study
from medtransfer.tasks import TASKS
from medtransfer.tasks.masks.predictions import MaskPredictions
from medtransfer.tasks.predictions import write_rows
from medtransfer.util.files import write_json
from medtransfer.util.places import Places

Build = Callable[..., Prepared]
SCORING = TASKS["segmentation"]
MASK_METRICS = headline_metrics("segmentation")
SHIFTS = {"close": 1, "far": 4, "again": 1}
"""By how many pixels each variant misses."""


def study_of(metric: str = "dice") -> Any:
    line = {"backbone": "unet", "strategy": "scratch", "augmentation": "none"}
    return check_study(
        {
            "study": {"name": "masks", "title": "Masks", "task": "segmentation"},
            "data": {
                "source": "phantom",
                "phantom": {},
                "folder": ".",
                "layout": "one_hot_csv",
                "masks": {"folder": "masks"},
                "group": {"pattern": r"^(patient\d+)_"},
                "image_size": 32,
                "resize": "stretch",
                "split": {"method": "published"},
                "leakage": "fail",
            },
            "augmentation": {"none": {"transforms": []}},
            "backbones": {"unet": {"weights": "none"}},
            "strategies": {"scratch": {"init": "random", "train": "all"}},
            "training": {"seeds": [0, 1]},
            "variants": {name: line | {"epochs": 1 + number} for number, name in enumerate(SHIFTS)},
            "explain": {"variants": []},
            "comparison": {
                "metric": metric,
                "resamples": 400,
                "reference": {"source": "a paper", "rows": {"close": {"dice": 0.99}}},
            },
        },
        "params.yaml",
    )


def write_variant(places: Places, prepared: Prepared, name: str, tables: list[pd.DataFrame]) -> None:
    table = write_rows(places.predictions(name), tables)
    write_json(places.metrics(name), SCORING.summary(table, prepared))


def ellipses(count: int) -> np.ndarray:
    """Draw masks of all sizes, every fifth of them empty."""
    rows, columns = np.mgrid[:32, :32]
    sizes = np.random.default_rng(5).uniform(4, 11, (count, 2, 1, 1))
    masks = ((rows - 15) / sizes[:, 0]) ** 2 + ((columns - 13) / sizes[:, 1]) ** 2 < 1
    masks[::5] = False
    return masks.astype(np.uint8)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, build_prepared: Build) -> Places:
    """Return a root where three variants have predicted 40 test images of 20 patients, two of them alike."""
    root = tmp_path_factory.mktemp("root")
    places = Places(root)
    masks = ellipses(60)
    columns: dict[str, Any] = {"split": ["train"] * 16 + ["val"] * 4 + ["test"] * 40, "label_index": [0] * 60}
    columns |= {"group": [f"patient{number // 2}" for number in range(60)], PIXEL[0]: 2.0, PIXEL[1]: 1.0}
    built = build_prepared(images=masks[..., None] * 200, masks=masks, **columns)
    places.prepared.parent.mkdir(parents=True)
    built.folder.rename(places.prepared)
    prepared = Prepared(places.prepared)
    rows = prepared.roles(0).test
    for number, (name, shift) in enumerate(SHIFTS.items()):
        found = [np.roll(prepared.targets(rows), shift + seed, axis=2) for seed in (0, 1)]
        frames = [SCORING.frame(prepared, rows, masks, 0, seed, "test") for seed, masks in enumerate(found)]
        write_variant(places, prepared, name, frames)
        columns = ["fold", "seed", "epoch", "lr", "train_loss", "train_dice", "validation_loss", "validation_dice"]
        history = pd.DataFrame(
            [[0, 0, 0, 1e-3, 1.0, 0.5, 0.9, 0.6], [0, 0, 1, 1e-3, 0.5, 0.7, 0.6, 0.7]], columns=columns
        )
        places.model(name).mkdir(parents=True)
        history.to_csv(places.model(name) / "history.csv", index=False)
        sizes = {"parameters": 10 + number, "trainable_parameters": 10, "multiply_adds": 20}
        card = {"runs": [{"fold": 0, "seed": 0}, {"fold": 0, "seed": 1}], "weights": {"source": "none"}, **sizes}
        card["precision"] = "float32"
        write_json(places.model(name) / "card.json", card)
        cost = {
            "frozen_seconds": 0.0,
            "train_seconds": 1.0,
            "stage_seconds": 2.0,
            "seconds_an_image": 0.1,
            "peak_memory_mb": 9.0,
        }
        cost |= {"device": "cpu: x", "threads": 1, "runs": {"fold0_seed0": {}}}
        write_json(root / "metrics/cost" / f"{name}.json", cost)
    for name in SCORING.baselines:
        write_variant(places, prepared, name, list(SCORING.baseline_frames(name, prepared)))
    small = root / "small"
    tiny_pairs(small)
    (small / "metrics/data.json").rename(root / "metrics/data.json")
    return places


@pytest.fixture(scope="module")
def found(places: Places) -> Comparison:
    return compare(study_of(), places)


def rows_of(found: Comparison) -> pd.DataFrame:
    return found.table[found.table["kind"] == "variant"].set_index("variant")


def test_values_are_means_over_images_and_runs_in_order(found: Comparison, places: Places) -> None:
    assert list(found.table["variant"][found.table["kind"] == "variant"]) == ["close", "again", "far"]
    for name in SHIFTS:
        own = pd.read_parquet(places.predictions(name)).groupby("seed")[list(MASK_METRICS)].mean()
        for metric in MASK_METRICS:
            assert rows_of(found).loc[name, metric] == pytest.approx(own[metric].mean())
            assert rows_of(found).loc[name, f"{metric}_sd"] == pytest.approx(own[metric].std())
            low, high = (rows_of(found).loc[name, f"{metric}_{end}"] for end in ("low", "high"))
            assert low < own[metric].mean() < high
    assert found.metrics == MASK_METRICS


def test_undefined_recalls_are_left_out(found: Comparison, places: Places) -> None:
    """The standard error of a mean over groups of different sizes, of which some have nothing, as a ratio's."""
    table = pd.read_parquet(places.predictions("far"))
    recall = table.groupby("path")["recall"].mean()
    group = table.drop_duplicates("path").set_index("path")["group"][recall.index]
    assert recall.isna().sum() > 2
    known = recall.notna().groupby(group.to_numpy()).sum()
    total = recall.fillna(0).groupby(group.to_numpy()).sum()
    mean, number = total.sum() / known.sum(), len(known)
    error = np.sqrt(((total - mean * known) ** 2).sum() * number / (number - 1)) / known.sum()
    assert rows_of(found).loc["far", "recall"] == pytest.approx(mean)
    assert rows_of(found).loc["far", "recall_se"] == pytest.approx(error, rel=0.25)


def test_pairs_are_tested_on_the_same_images(found: Comparison, places: Places) -> None:
    pairs = found.pairs[found.pairs["metric"] == "dice"].set_index(["a", "b"])
    same, other = pairs.loc[("close", "again")], pairs.loc[("close", "far")]
    assert (same["difference"], same["p"], bool(same["different"])) == (0.0, 1.0, False)
    assert other["difference"] > 0
    assert other["different"]
    dice = {name: pd.read_parquet(places.predictions(name)) for name in ("close", "far")}
    by_group = {name: table.groupby("group")["dice"].mean() for name, table in dice.items()}
    plain = stats.ttest_rel(by_group["close"], by_group["far"])
    assert other["p"] == pytest.approx(plain.pvalue, rel=3, abs=1e-4)
    assert rows_of(found)["tied_with_best"].loc[["close", "again"]].all()


def test_smaller_distances_are_better(places: Places) -> None:
    by_distance = compare(study_of("hd95"), places)
    assert by_distance.verdict.best == "close"
    assert by_distance.verdict.worse.keys() == {"far"}
    shown = by_distance.table[by_distance.table["kind"] == "variant"]
    assert shown["hd95"].is_monotonic_increasing
    assert shown["difference_to_best"].iloc[-1] > 0


@pytest.mark.parametrize(("low", "high", "warned"), [(31.0, 36.0, True), (20.0, 29.0, False), (40.0, 50.0, True)])
def test_a_distance_not_smaller_than_the_majority_baselines_is_warned_of(low: float, high: float, warned: bool) -> None:
    rows = [("close", "variant", 5.0, 6.0), ("far", "variant", low, high), ("again", "variant", 5.0, 7.0)]
    rows += [("constant", "baseline", 28.0, 34.0)]
    table = pd.DataFrame(rows, columns=["variant", "kind", "hd95_low", "hd95_high"])
    table["hd95"] = (table["hd95_low"] + table["hd95_high"]) / 2
    found = chance_warnings(study_of("hd95"), table)
    assert ["HD95" in text and ": far (" in text for text in found] == [True] * warned


def test_the_files_describe_masks(found: Comparison, places: Places) -> None:
    page = (places.results / "comparison.md").read_text(encoding="utf-8")
    for told in ("Dice", "HD95", "pixels of the original images", "both empty", "| *constant*", "a paper"):
        assert told in page
    summary = json.loads((places.results / "summary.json").read_text(encoding="utf-8"))
    assert list(summary["far"]) == ["dice", "hd95"]
    learned = pd.read_csv(places.plots / "points/learning_curves.csv")
    assert learned["validation_score"].tolist() == [0.6, 0.7] * 3
    for name in ("roc_curves", "confusion"):
        assert pd.read_csv(places.plots / "points" / f"{name}.csv").empty


def test_the_report_can_be_written(found: Comparison, places: Places) -> None:
    write_report(found, places)
    page = (places.root / "report/index.html").read_text(encoding="utf-8")
    assert "Examples of masks" in page
    assert "true masks and predictions of close" in page
    assert (places.plots / "figures/masks-close.png").stat().st_size > 3000


def test_two_comparisons_are_equal(places: Places) -> None:
    compare(study_of(), places)
    before = (places.results / "comparison.csv").read_bytes()
    compare(study_of("hd95"), places)
    compare(study_of(), places)
    assert (places.results / "comparison.csv").read_bytes() == before


def test_outcomes_are_by_image(places: Places, found: Comparison) -> None:
    tests = MaskPredictions(pd.read_parquet(places.predictions("close"))).tests
    runs = tests.outcomes(the_sample(tests.images["group"].to_numpy()))
    assert len(runs) == 2
    for run in runs:
        assert run.right is None
        assert set(run.values) == set(MASK_METRICS)
        assert run.values["dice"].shape == (found.test["images"],)
