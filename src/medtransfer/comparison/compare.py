"""Brings the predictions of all variants of a study together: tables, figures and the flat summary."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.comparison.bootstrap import draw_counts
from medtransfer.comparison.cost import cost_page, cost_table
from medtransfer.comparison.markdown import comparison_page
from medtransfer.comparison.plots import confusion_table, learning_table, roc_table, write_plots
from medtransfer.comparison.results import CALIBRATION, EFFECTS, OPERATING, PER_CLASS, RELIABILITY, Comparison, frame
from medtransfer.comparison.rows import difference_columns, order_rows, published_rows, variant_row
from medtransfer.comparison.scores import HEADLINE, Scores, score
from medtransfer.comparison.tables import image_table, published_table, verdict_of
from medtransfer.comparison.ties import all_pairs, differences_to_best
from medtransfer.errors import UserError
from medtransfer.evaluation.predictions import Predictions, read_predictions
from medtransfer.files import write_json, write_text
from medtransfer.seeding import generator
from medtransfer.study import BASELINES, Study

SUMMARY = ("accuracy", "f1_macro", "roc_auc")


@dataclass(frozen=True)
class Places:
    """Where the stages' files lie: the root of the repository."""

    root: Path = Path()

    def predictions(self, name: str) -> Path:
        """Give the predictions of a variant."""
        return self.root / "predictions" / f"{name}.parquet"

    def metrics(self, name: str) -> Path:
        """Give the metrics of a variant."""
        return self.root / "metrics" / "variants" / f"{name}.json"

    def model(self, name: str) -> Path:
        """Give the folder of a trained variant."""
        return self.root / "models" / name


def compare(study: Study, places: Places = Places()) -> Comparison:
    """Compare the variants of the params, and write the tables, plots and figures.

    Files of other variants are named in a warning and left alone. Raises `UserError` where the predictions of
    one are missing.
    """
    comparison = _results(study, places)
    _write(comparison, places)
    return comparison


def _results(study: Study, places: Places) -> Comparison:
    predictions = _read_all(study, places)
    _warn_of_orphans(study, places)
    scores, test = _score_all(study, predictions)
    about = json.loads((places.root / "data/prepared/dataset.json").read_text(encoding="utf-8"))
    tests = {name: predictions[name].of_role("test") for name in study.variants}
    table = _table(study, places, scores)
    own = {name: scores[name] for name in study.variants}
    pairs = all_pairs(own, study.params.comparison.confidence)
    metric = study.params.comparison.metric
    return Comparison(
        study=study,
        metrics=(metric, *(name for name in HEADLINE if name != metric)),
        classes=tuple(next(iter(tests.values())).classes),
        test=test,
        warnings=tuple(about["warnings"]),
        verdict=verdict_of(table, metric),
        table=table,
        pairs=pairs,
        effects=frame(EFFECTS, []),
        calibration=frame(CALIBRATION, []),
        reliability=frame(RELIABILITY, []),
        operating=frame(OPERATING, []),
        curves=roc_table(tests),
        per_class=frame(PER_CLASS, []),
        confusion=confusion_table(tests),
        learning=learning_table({name: places.model(name) / "history.csv" for name in study.variants}),
        costs=cost_table(list(study.variants), places.root / "metrics" / "cost"),
        images=image_table(tests),
        published=published_table(table),
        audit=json.loads((places.root / "metrics" / "data.json").read_text(encoding="utf-8")),
        about=about,
    )


def _write(found: Comparison, places: Places) -> None:
    metrics = places.root / "metrics"
    write_text(metrics / "comparison.csv", found.table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    title = found.study.params.study.title
    notes = found.test | {"warnings": found.warnings}
    page = comparison_page(title, found.table, found.metric, found.confidence, notes)
    write_text(metrics / "comparison.md", page)
    write_json(metrics / "summary.json", _summary(found))
    write_text(metrics / "cost.csv", found.costs.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    write_text(metrics / "cost.md", cost_page(found.costs))
    write_plots(places.root / "plots" / "points", found)


def _read_all(study: Study, places: Places) -> dict[str, Predictions]:
    names = [*study.variants, *BASELINES]
    missing = [name for name in names if not places.predictions(name).exists()]
    if missing:
        raise UserError([f"predictions/{name}.parquet is missing; `dvc repro evaluate@{name}`" for name in missing])
    return {name: read_predictions(places.predictions(name)) for name in names}


def _warn_of_orphans(study: Study, places: Places) -> None:
    known = {*study.variants, *BASELINES}
    folder = places.root / "predictions"
    orphans = sorted(path.stem for path in folder.glob("*.parquet") if path.stem not in known)
    if orphans:
        names = ", ".join(orphans)
        print(  # noqa: T201
            f"warning: left over from variants that params.yaml no longer has: {names}; "
            "delete their files, or `dvc gc --workspace` their cache",
            file=sys.stderr,
        )


def _score_all(study: Study, predictions: dict[str, Predictions]) -> tuple[dict[str, Scores], dict[str, int]]:
    tests = {name: found.of_role("test") for name, found in predictions.items()}
    images = next(iter(tests.values())).images
    for name, test in tests.items():
        if not test.images.equals(images):
            raise UserError(f"predictions/{name}.parquet covers other test images; `dvc repro` brings them in line")
    rng = generator("bootstrap", study.params.study.seed)
    groups = images["group"].to_numpy()
    counts = draw_counts(groups, study.params.comparison.resamples, rng)
    notes = {
        "images": len(images),
        "groups": len(np.unique(groups)),
        "resamples": study.params.comparison.resamples,
    }
    return {name: score(test, counts) for name, test in tests.items()}, notes


def _table(study: Study, places: Places, scores: dict[str, Scores]) -> pd.DataFrame:
    metric = study.params.comparison.metric
    values = {name: scores[name].value[metric] for name in study.variants}
    best = max(values, key=lambda name: values[name])
    resampled = {name: scores[name].resampled[metric] for name in study.variants}
    differences = differences_to_best(values, resampled, best, study.params.comparison.confidence)
    rows = []
    for name, found in scores.items():
        further = json.loads(places.metrics(name).read_text(encoding="utf-8"))["mean"]
        card = None
        if name in study.variants:
            card = json.loads((places.model(name) / "card.json").read_text(encoding="utf-8"))
        rows.append(variant_row(study, name, found, further, card) | difference_columns(name, differences))
    return order_rows(rows + published_rows(study.params.comparison.reference), metric)


def _summary(found: Comparison) -> dict[str, dict[str, float]]:
    """Give the few numbers of each variant that `dvc metrics diff` shows."""
    wanted = dict.fromkeys((*SUMMARY, found.metric))
    rows = found.table[found.table["kind"] == "variant"].set_index("variant")
    return {
        name: {metric: round(float(rows.loc[name, metric]), 4) for metric in wanted} for name in found.study.variants
    }
