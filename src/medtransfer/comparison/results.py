"""All that a comparison found, as tables: what every page, figure and file of it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from medtransfer.study import Study

PAIRS = (
    "metric", "a", "b", "difference", "se", "low", "high", "p", "p_corrected", "different", "mcnemar_p", "delong_p",
    "resampled_t_p",
)  # fmt: skip
EFFECTS = (
    "metric", "factor", "a", "b", "contexts", "difference", "low", "high", "p", "p_corrected", "smallest", "largest",
)  # fmt: skip
CALIBRATION = (
    "variant", "ece", "ece_null", "ece_null_high", "p_calibrated", "log_loss", "brier", "temperature", "ece_scaled",
    "log_loss_scaled", "brier_scaled",
)  # fmt: skip
RELIABILITY = (
    "variant", "scaled", "bin", "from", "to", "images", "confidence", "accuracy", "accuracy_low", "accuracy_high",
)  # fmt: skip
OPERATING = (
    "variant", "positive", "rule", "threshold", "sensitivity", "sensitivity_low", "sensitivity_high", "specificity",
    "specificity_low", "specificity_high", "precision", "precision_low", "precision_high",
)  # fmt: skip
CURVES = ("variant", "curve", "x", "y", "low", "high")
PER_CLASS = (
    "variant", "class", "images", "groups", "precision", "precision_low", "precision_high", "recall", "recall_low",
    "recall_high", "f1", "f1_low", "f1_high",
)  # fmt: skip
CONFUSION = ("variant", "label", "predicted", "count", "share")
LEARNING = ("variant", "epoch", "train_loss", "validation_loss", "validation_score")
IMAGES = ("variant", "path", "group", "label", "predicted", "right", "probability")
MASKS = ("variant", "path", "group", "truth_pixels", "found_pixels", "dice")
MAPS = (
    "variant", "method", "run", "block", "images", "groups", "mask_share",
    "pointing_game", "pointing_game_low", "pointing_game_high",
    "pointing_game_untrained", "pointing_game_untrained_low", "pointing_game_untrained_high",
    "pointing_game_gain", "pointing_game_gain_low", "pointing_game_gain_high",
    "energy_inside", "energy_inside_low", "energy_inside_high",
    "energy_inside_untrained", "energy_inside_untrained_low", "energy_inside_untrained_high",
    "energy_inside_gain", "energy_inside_gain_low", "energy_inside_gain_high",
    "likeness_to_untrained", "likeness_to_untrained_low", "likeness_to_untrained_high",
)  # fmt: skip
PUBLISHED = ("variant", "metric", "published", "ours", "low", "high", "differs", "source")


@dataclass(frozen=True)
class Verdict:
    """What the comparison comes to, by the study's metric.

    best: the variant with the highest value; value, low, high: that value and its interval. tied: the other variants
    whose difference from the best may be chance (Holm over all pairs), in the table's order. worse: the rest, each
    with its corrected p value.
    """

    metric: str
    best: str
    value: float
    low: float
    high: float
    tied: tuple[str, ...]
    worse: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """The results of a study. Variants are named by their lines of the params; shares lie in [0, 1].

    `low` and `high` bound intervals of `confidence`; undefined values are nan. All but `costs` is the same, bit for
    bit, in two runs on the same inputs. A table that does not apply has its columns and no rows.

    metrics: the metrics with intervals and tests, in the order of the table; the study's own stands first.
    classes: the classes by number; empty where the task has none.
    table: a row a variant, baseline and published line (`kind`), from the best to the worst within its kind:
        backbone, strategy, augmentation, runs; METRIC (mean over runs), METRIC_sd (standard deviation over seeds:
        what another training would change), METRIC_se (standard error: what other test images would change),
        METRIC_low, METRIC_high; ece without an interval; parameters, trainable_parameters,
        multiply_adds; difference_to_best, difference_low, difference_high, p_corrected, tied_with_best by the study's
        metric; source of a published line.
    pairs: a row a metric and pair of variants, `difference` being a - b: se, low, high; p of the paired test,
        p_corrected by Holm's rule over all pairs of the metric, different (p_corrected < 1 - confidence). Beside it,
        nan elsewhere: for accuracy mcnemar_p, exact, over groups and runs; for ROC-AUC delong_p; resampled_t_p where
        folds take turns in testing (Nadeau and Bengio).
    effects: a row a metric, factor (backbone, augmentation, strategy, or one field of it) and pair of its levels that
        occur together in at least two contexts, all else of a variant: mean `difference` a - b over them,
        its interval and test (Holm over all effects of the metric), and a context's smallest and largest difference.
    calibration: a row a variant: ece, and what it would be, on average and at most, for a calibrated model with as
        many images (ece_null, ece_null_high), p_calibrated, the p value that such a model's ece is as large;
        log_loss, brier; the temperature fitted on validation rows (mean over runs), and ece, log_loss and brier
        with it (_scaled).
    reliability: a row a variant, scaled (by temperature or not) and bin of the largest probability (from, to]:
        images (over all runs), mean confidence, accuracy.
    operating: binary tasks only: a row a variant and rule by which the threshold on the probability of class
        `positive` was chosen on validation rows; sensitivity, specificity and precision of the test rows with
        it.
    curves: points x, y of `curve` roc (x false, y true positive rate) and precision_recall (x recall, y precision),
        both the mean over classes for more than two; net_benefit (x threshold probability; binary tasks only, with
        `treat all` and `treat none` as variants).
    per_class: a row a variant, or baseline, and class: its test images and groups; precision, recall, f1.
    confusion: a row a variant, label and predicted class: count over all runs, share of the label's.
    learning: a row a variant and epoch, mean over runs; the score is accuracy or Dice.
    costs: a row a variant, see `cost_table`.
    images: a row a variant and test image: right (share of runs), predicted (by the mean probabilities),
        probability (mean, of the image's label).
    masks: segmentation only: a row a variant and test image: pixels of the true mask and of the found one, and Dice
        between both, means over runs.
    maps: a row a variant of `explain` and method, where masks are known: of how many test images maps of the labelled
        class are held against them, and the mean share of an image that a mask covers (mask_share); pointing_game, the
        share of maps whose highest point lies within the mask, energy_inside, the share of a map's sum that does, both
        for the trained network, for the same one untrained (_untrained) and their difference (_gain);
        likeness_to_untrained, Spearman's correlation between the maps of both.
    published: a row a published figure: ours with its interval, and whether that excludes it (`differs`).
    audit: `metrics/data.json`. about: `data/prepared/dataset.json`. test: images, groups and resamples by number.
    warnings: sentences that belong on every page and figure.
    """

    study: Study
    metrics: tuple[str, ...]
    classes: tuple[str, ...]
    test: dict[str, int]
    warnings: tuple[str, ...]
    verdict: Verdict
    table: pd.DataFrame
    pairs: pd.DataFrame
    effects: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    operating: pd.DataFrame
    curves: pd.DataFrame
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    learning: pd.DataFrame
    costs: pd.DataFrame
    images: pd.DataFrame
    masks: pd.DataFrame
    maps: pd.DataFrame
    published: pd.DataFrame
    audit: dict[str, Any]
    about: dict[str, Any]

    @property
    def metric(self) -> str:
        """The metric that the variants are ranked by."""
        return self.study.params.comparison.metric

    @property
    def confidence(self) -> float:
        """The confidence of all intervals."""
        return self.study.params.comparison.confidence
