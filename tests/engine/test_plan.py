"""Estimates count each image that a stage runs, and cached features only once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import tiny_prepared
from tiny import tiny_data

from medtransfer.data.prepared import Prepared
from medtransfer.engine.plan import Estimate, Estimator, by_backbone, page
from medtransfer.engine.probe import Probe
from medtransfer.study import Study, load_study
from medtransfer.util.disk_cache import LIMIT_VARIABLE

STUDY = (
    "study: {name: tiny, title: Tiny, task: classification, seed: 1}\n"
    + tiny_data("null")
    + """\
augmentation:
  none: {views: 1, transforms: []}
  flips: {views: 4, transforms: [HorizontalFlip: {p: 0.5}]}
  fresh: {views: fresh, transforms: [HorizontalFlip: {p: 0.5}]}
backbones: {resnet18: {weights: DEFAULT}}
strategies:
  frozen: {train: head, epochs: 10}
  whole: {train: all, epochs: 3}
  last: {train: {last: 2}, epochs: 3}
  few: {shots: 2, head: prototypes}
  none: {train: none}
training: {seeds: [0, 1]}
variants:
  plain: {backbone: resnet18, strategy: frozen, augmentation: none}
  flipped: {backbone: resnet18, strategy: frozen, augmentation: flips}
  flipped_again: {backbone: resnet18, strategy: frozen, augmentation: flips, lr: 0.1}
  fresh: {backbone: resnet18, strategy: frozen, augmentation: fresh}
  last: {backbone: resnet18, strategy: last, augmentation: flips}
  whole: {backbone: resnet18, strategy: whole, augmentation: flips}
  few: {backbone: resnet18, strategy: few, augmentation: none}
  zero: {backbone: resnet18, strategy: none, augmentation: none}
comparison: {metric: accuracy, resamples: 200}
explain: {variants: []}
"""
)
FROZEN = Probe(start=0.0, prefix=1.0, features="whole body", row_bytes=2000, step=0.0, forward=0.0, memory=300.0)
WHOLE = Probe(start=0.0, prefix=0.0, features=None, row_bytes=0, step=1.0, forward=0.0, memory=300.0)
SEEDS = 2


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("estimate"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    path = tmp_path_factory.mktemp("study") / "params.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return load_study(path)


@pytest.fixture
def estimator(study: Study, prepared: Prepared) -> Estimator:
    return Estimator(study, prepared)


def test_frozen_layers_run_once_per_view_for_all_variants(
    estimator: Estimator, study: Study, prepared: Prepared
) -> None:
    images, train = len(prepared.table), len(prepared.roles(0).train)
    names = ("plain", "flipped", "flipped_again", "zero", "few")
    seconds = [estimator.train(study.variant(name), FROZEN).seconds for name in names]
    assert seconds == [images, 4 * train, 0, 0, 0]


def test_fresh_views_are_as_many_as_epochs(estimator: Estimator, study: Study, prepared: Prepared) -> None:
    images, train = len(prepared.table), len(prepared.roles(0).train)
    found = estimator.train(study.variant("fresh"), FROZEN)
    assert found.seconds == images + 10 * train
    assert found.disk == pytest.approx((images + 10 * train) * 2000 / 1e6)
    assert estimator.augment("fresh") is None
    assert estimator.augment("none") is None


def test_other_frozen_layers_share_no_features(estimator: Estimator, study: Study, prepared: Prepared) -> None:
    images, train = len(prepared.table), len(prepared.roles(0).train)
    estimator.train(study.variant("flipped"), FROZEN)
    assert estimator.train(study.variant("last"), replace(FROZEN, features="part")).seconds == images + 3 * train


def test_trained_layers_run_in_every_epoch_of_every_run(estimator: Estimator, study: Study, prepared: Prepared) -> None:
    roles = prepared.roles(0)
    found = estimator.train(study.variant("whole"), WHOLE)
    assert found.seconds == SEEDS * 3 * len(roles.train)
    forward = replace(WHOLE, step=0.0, forward=1.0)
    assert estimator.train(study.variant("whole"), forward).seconds == SEEDS * 3 * len(roles.validation)
    assert estimator.evaluate(study.variant("whole"), forward).seconds == SEEDS * (
        len(roles.validation) + len(roles.test)
    )
    assert found.memory == 300


def test_features_too_large_to_cache_are_computed_in_every_epoch(
    estimator: Estimator, study: Study, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    roles = prepared.roles(0)
    found = estimator.train(study.variant("plain"), FROZEN)
    assert found.seconds == SEEDS * 10 * (len(roles.train) + len(roles.validation))
    assert found.disk == 0


def test_the_size_of_views_is_that_of_their_pixels(estimator: Estimator, prepared: Prepared) -> None:
    found = estimator.augment("flips")
    assert found is not None
    assert found.disk == pytest.approx(4 * len(prepared.roles(0).train) * 32 * 32 / 1e6)
    assert found.seconds > 0


def test_every_fold_counts(study: Study, tmp_path: Path) -> None:
    folded = tiny_prepared(tmp_path, method="kfold", folds=3)
    found = Estimator(study, folded).train(study.variant("whole"), WHOLE)
    assert found.seconds == SEEDS * 3 * sum(len(folded.roles(fold).train) for fold in range(3))
    plain = Estimator(study, folded).train(study.variant("plain"), FROZEN)
    assert plain.seconds == len(folded.table)


def test_each_backbone_has_the_time_of_its_stages_and_their_largest_memory(study: Study) -> None:
    found = {
        "augment@flips": Estimate(5.0, None, 1.0, "views"),
        "train@whole": Estimate(60.0, 300.0, 0.0, "runs"),
        "evaluate@whole": Estimate(5.0, 800.0, 0.0, "images"),
        "compare": None,
    }
    (row,) = [line for line in by_backbone(found, study).splitlines() if line.startswith("| resnet18")]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["resnet18", "resnet18", "1:05", "800"]
    assert by_backbone({"compare": None}, study) == ""


def test_on_a_terminal_the_plan_fits(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medtransfer.util.text.terminal_width", lambda: 80)
    monkeypatch.setattr("medtransfer.engine.plan.terminal_width", lambda: 80)
    found = {f"train@{'long_' * 5}{name}": Estimate(60.0, 1300.0, 12_000.0, "15 runs, 50 epochs, 9,000 training images")
             for name in ("one", "two")}  # fmt: skip
    text = page(found, dict.fromkeys(found, "strategies.frozen changed"))
    assert max(map(len, text.splitlines())) <= 80
    assert all(name in text.splitlines() for name in found)
