"""The results of a comparison as tables, from which its pages, figures and files are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd

from medtransfer.data.prepared import unit_of
from medtransfer.study import Study


def _with_intervals(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


PAIRS = (
    "metric", "a", "b", "difference", "se", "freedom", "low", "high", "p", "p_corrected", "different", "mcnemar_p",
    "delong_p", "resampled_t_p",
)  # fmt: skip
EFFECTS = (
    "metric", "factor", "a", "b", "contexts", "difference", "low", "high", "p", "p_corrected", "smallest", "largest",
)  # fmt: skip
CALIBRATION = (
    "variant", "ece", "ece_null", "ece_null_high", "p_calibrated", "log_loss", "brier", "temperature", "ece_scaled",
    "log_loss_scaled", "brier_scaled",
)  # fmt: skip
RELIABILITY = ("variant", "scaled", "bin", "from", "to", "images", "confidence", *_with_intervals("accuracy"))
OPERATING = ("variant", "positive", "rule", "threshold", *_with_intervals("sensitivity", "specificity", "precision"))
CURVES = ("variant", "curve", "x", "y", "low", "high")
PER_CLASS = ("variant", "class", "images", "groups", *_with_intervals("precision", "recall", "f1"))
CONFUSION = ("variant", "label", "predicted", "count", "share")
LEARNING = ("variant", "epoch", "train_loss", "validation_loss", "validation_score")
IMAGES = ("variant", "path", "group", "label", "predicted", "right", "probability")
MASKS = ("variant", "path", "group", "truth_pixels", "found_pixels", "dice")
PER_FINDING = (
    "variant", "finding", "images", "known", "groups", *_with_intervals("roc_auc", "pr_auc", "f1"), "threshold", "ece",
)  # fmt: skip
SURE_ERRORS = ("variant", "path", "finding", "present", "probability")
NUMBERS = ("variant", "path", "group", "truth", "predicted", "low", "high")
AGREEMENT = ("variant", "images", "groups", *_with_intervals("lower", "bias", "upper"))
RANGES = ("variant", "range", "images", "groups", *_with_intervals("mae", "bias"))
POINTING = tuple(f"{name}{of}" for name in ("pointing_game", "energy_inside") for of in ("", "_untrained", "_gain"))
MAPS = (
    "variant", "method", "run", "block", "images", "groups", "mask_share",
    *_with_intervals(*POINTING, "likeness_to_untrained"),
)  # fmt: skip
MARGINS = (
    "variant", "margin", "difference", "se", "detectable", "p_not_inferior", "not_inferior", "p_equivalent",
    "equivalent", "worse", "outcome",
)  # fmt: skip
TRIALS = (
    "variant", "fold", "seed", "fraction", "trial", "state", "kept", "epochs", "validation_loss", "validation_score",
)  # fmt: skip
SUBGROUPS = (
    "set", "subgroup", "level", "variant", "metric", "images", "groups", "few", *_with_intervals("value"),
)  # fmt: skip
GAPS = (
    "set", "subgroup", "variant", "metric", "higher", "lower", *_with_intervals("gap"), "pairs", "p", "p_corrected",
)  # fmt: skip
EXTERNAL = ("set", "variant", "metric", "images", "groups", *_with_intervals("value", "home", "drop"))
RANKINGS = ("set", "metric", "variants", *_with_intervals("tau"), "best_at_home", "best_there")
FRACTIONS = ("variant", "fraction", "images", *_with_intervals("value"), "sd")
FRACTION_PAIRS = ("fraction", "a", "b", "difference", "low", "high", "p", "p_corrected")
PROJECTIONS = ("variant", "images", *_with_intervals("value", "gain"), "reason")
ENSEMBLES = (
    "ensemble", "members", "views", "variants", "reference", *_with_intervals("difference"), "p_corrected",
    "parameters", "multiply_adds",
)  # fmt: skip
PUBLISHED = ("variant", "metric", "published", "ours", "low", "high", "differs", "source")


@dataclass(frozen=True)
class Verdict:
    """The outcome of the comparison by the study's metric.

    best: the best variant; value, low, high: its value and interval. tied: the other variants whose difference from it
    is not significant (Holm over all pairs), in the table's order. worse: the rest, with their corrected p values.
    margin: the largest difference that does not matter; None if the study names none. not_inferior: the other variants
    shown to be within it; recommended: the cheapest of these and the best.
    """

    metric: str
    best: str
    value: float
    low: float
    high: float
    tied: tuple[str, ...]
    worse: dict[str, float]
    margin: float | None = None
    not_inferior: tuple[str, ...] = ()
    recommended: str = ""


@dataclass(frozen=True)
class Comparison:
    """The results of a study. Variants have the names of their lines in the params; shares are in [0, 1].

    `low` and `high` are the ends of intervals of `confidence`; undefined values are nan. All tables but `costs` are
    identical in two runs on the same inputs. A table that does not apply has its columns and no rows.

    metrics: the metrics with intervals and tests, the study's own first. classes: the names of the classes, by number;
    empty if the task has none.
    table: one row per variant, baseline and published result (`kind`), from the best to the worst of its kind:
        backbone, strategy, augmentation, runs; METRIC (mean over runs), METRIC_sd (standard deviation over runs: the
        effect of training again), METRIC_se (standard error: the effect of other test images), METRIC_low, METRIC_high;
        METRIC_validation, the study's metric on validation images;
        ece without an interval; parameters, trainable_parameters, multiply_adds; difference_to_best, difference_low,
        difference_high, p_corrected, tied_with_best by the study's metric; source of a published result.
    pairs: one row per metric and pair of variants. difference: a - b, with se, its degrees of freedom (freedom), low
        and high; p of the paired test; p_corrected by Holm's rule over all pairs of the metric; different: whether
        that is below 1 - confidence. mcnemar_p: exact, over groups and runs, for accuracy; delong_p for ROC-AUC;
        resampled_t_p (Nadeau and Bengio) if folds take turns in testing.
    effects: one row per metric, factor (backbone, augmentation, strategy, or a field of it) and pair of its levels that
        occur together in two or more contexts, the rest of a variant: the mean difference a - b over these, its
        interval and test (Holm over all effects of the metric), and the smallest and largest difference of a context.
    calibration: one row per variant: ece; its mean and upper quantile for a calibrated model on as many images
        (ece_null, ece_null_high) and the p value of the hypothesis that the model is calibrated (p_calibrated);
        log_loss, brier; the temperature fitted on validation rows (mean over runs), and ece, log_loss and brier with it
        (_scaled).
    reliability: one row per variant, scaled (with or without temperature) and bin (from, to] of the largest
        probability: images (over all runs), mean confidence, accuracy.
    operating: binary tasks only: one row per variant and rule that chose the threshold on the probability of class
        `positive` on validation rows: sensitivity, specificity and precision on the test rows.
    curves: points x, y of `curve` roc (x: false, y: true positive rate) and precision_recall (x: recall, y: precision),
        the mean over classes if there are more than two; and net_benefit (x: threshold probability; binary tasks only,
        with `treat all` and `treat none` as variants).
    per_class: one row per variant or baseline, and class: its test images and groups; precision, recall, f1.
    confusion: one row per variant, label and predicted class: count over all runs, and share of the label's.
    learning: one row per variant and epoch, mean over runs; the score is that of the task.
    costs: one row per variant; see `cost_table`.
    images: one row per variant and test image: right (share of runs), predicted (by the mean probabilities),
        probability (mean, of the image's label).
    masks: segmentation only: one row per variant and test image: the pixels of the true and of the found mask, and
        their Dice, mean over runs.
    per_finding: several findings only: one row per variant or baseline, and finding: the test images that have it,
        those of which it is known, and the groups that limit its precision (of images with it or, if fewer, without
        it); roc_auc, pr_auc, f1; the threshold chosen on validation rows and the calibration error, means over runs.
    sure_errors: several findings only: for each variant the 20 predictions of the highest probability, mean over runs,
        that are wrong: the image, the finding, whether it is present, and its probability.
    numbers: regression only: one row per variant and test image: the true number, the predicted one, and the ends of
        the predicted interval, mean over runs. agreement: its bias, and its lower and upper limit of agreement.
    ranges: regression only: one row per variant or baseline, and range of the true number: mean absolute error, bias.
    maps: one row per explained variant and method, if masks are known: the number of test images and groups whose maps
        are compared with masks, and the mean share of an image that a mask covers (mask_share); pointing_game, the
        share of maps with their highest point in the mask, and energy_inside, the share of a map's sum in it, each for
        the trained network, the same network untrained (_untrained), and their difference (_gain);
        likeness_to_untrained, Spearman's correlation between the maps of both.
    ensembles: one row per mean of the predictions of several variants, of all and of those that are tied with the best
        on validation images, and per variant with test-time augmentation (views > 1): its metrics with intervals, its
        difference by the study's metric from the best single variant, or from the variant without augmentation
        (reference), p_corrected (Holm over these rows), and parameters and multiply-adds over members and views.
    margins: one row per variant, by the study's metric: its difference from the best with its standard error; the true
        difference from the best that would be found with a power of 80 % (detectable; at the level of Holm's first
        step); with a margin, the corrected p values of being inferior to any other variant by the margin, and of not
        being equivalent to the best; worse: significantly different from the best; outcome: best, equivalent, not
        inferior, worse or undecided.
    trials: one row per trial of a search: its run, whether it was complete, pruned or diverged and whether it was kept,
        its epochs, the loss and the task's score on validation images; then a column for each value that was searched.
    subgroups: one row per test set (`home`, or an external one), subgroup, level of it, metric and variant: the images
        and groups, whether these are few, and the value with its interval.
    gaps: the largest gap between two levels that are not few of each test set, subgroup, metric and variant, with its
        interval, simultaneous over the `pairs` of levels, and the p value of its Welch's test; p_corrected by Holm's
        rule over all subgroups, pairs of levels and variants of the set and metric.
    external: one row per external test set, metric and variant: its value there; that at home, of the classes that
        occur there; and the drop, by which the value there is worse, whose interval takes both test sets as samples.
    rankings: one row per external test set and metric: Kendall's tau between the variants' values at home and there,
        its interval (of all rankings that the paired tests on both sets do not exclude), and the best variant of each.
    external_tables: further tables of the task on the external sets, by name, with a first column `set`; thresholds and
        temperatures are those of the study's own validation images.
    fractions: one row per variant and fraction of the training images that it was trained on: their mean number, the
        study's metric (value) with its interval, and its standard deviation over runs.
    fraction_pairs: one row per fraction and pair of variants that were trained on it: the difference a - b, its
        interval and test; Holm's rule corrects over all rows.
    projections: one row per variant with such a curve: what twice as many images would bring by a power law, the gain
        over the fitted value at all images, or the reason why there is no projection.
    published: one row per published value: ours with its interval, and whether that excludes it (differs).
    audit: `metrics/data.json`. about: `data/prepared/dataset.json`. test: the numbers of images, groups and resamples.
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
    learning: pd.DataFrame
    costs: pd.DataFrame
    maps: pd.DataFrame
    published: pd.DataFrame
    audit: dict[str, Any]
    about: dict[str, Any]
    calibration: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=CALIBRATION))
    reliability: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=RELIABILITY))
    operating: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=OPERATING))
    curves: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=CURVES))
    per_class: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=PER_CLASS))
    confusion: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=CONFUSION))
    images: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=IMAGES))
    masks: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=MASKS))
    per_finding: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=PER_FINDING))
    sure_errors: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=SURE_ERRORS))
    numbers: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=NUMBERS))
    agreement: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=AGREEMENT))
    ranges: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=RANGES))
    trials: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=TRIALS))
    fractions: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=FRACTIONS))
    fraction_pairs: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=FRACTION_PAIRS))
    projections: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=PROJECTIONS))
    ensembles: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=ENSEMBLES))
    margins: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=MARGINS))
    subgroups: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=SUBGROUPS))
    gaps: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=GAPS))
    external: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=EXTERNAL))
    rankings: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=RANKINGS))
    external_tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """The unit of what is measured; empty if it has none."""
        return unit_of(self.about)

    @property
    def metric(self) -> str:
        """The metric that the variants are ranked by."""
        return self.study.params.comparison.metric

    @property
    def confidence(self) -> float:
        """The confidence of all intervals."""
        return self.study.params.comparison.confidence
