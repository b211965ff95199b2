"""Read the predictions, metrics, cards and costs that the other stages wrote."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.comparison.pairs import Folds
from medtransfer.data.prepared import Prepared
from medtransfer.study import BASELINES, Study
from medtransfer.tasks import TASKS
from medtransfer.tasks.predictions import Predictions, split_fractions
from medtransfer.util.errors import UserError
from medtransfer.util.files import read_json
from medtransfer.util.places import Places


@dataclass(frozen=True)
class StageOutputs:
    """Predictions and metrics by variant and baseline, cards by variant, and the two reports of `prepare`.

    smaller: the predictions of variants that were also trained on smaller fractions of their images, by these. views:
    those of variants with test-time augmentation.
    """

    predictions: dict[str, Predictions]
    metrics: dict[str, dict[str, Any]]
    cards: dict[str, dict[str, Any]]
    about: dict[str, Any]
    audit: dict[str, Any]
    smaller: dict[str, dict[float, Predictions]]
    views: dict[str, Predictions]


def read_inputs(study: Study, places: Places) -> StageOutputs:
    """Read the outputs of the variants of the params and of the baselines; warn of files of other variants.

    Raises `UserError` if predictions are missing, or cover other test images than the first's.
    """
    settings = study.params.comparison
    names, views = [*study.variants, *BASELINES], settings.tta
    missing = [
        f"{name}.parquet is missing; `dvc repro evaluate@{name}`"
        for name in names
        if not places.predictions(name).exists()
    ]
    missing += [
        f"tta/{name}.parquet is missing; `dvc repro tta@{name}`" for name in views if not places.tta(name).exists()
    ]
    if missing:
        raise UserError([f"predictions/{line}" for line in missing])
    orphans = sorted(path.stem for path in places.predictions("x").parent.glob("*.parquet") if path.stem not in names)
    if orphans:
        print(  # noqa: T201
            f"warning: predictions of variants that params.yaml no longer has: {', '.join(orphans)}; "
            "delete their files, or free their cache with `dvc gc --workspace`",
            file=sys.stderr,
        )

    def of(table: pd.DataFrame) -> Predictions:
        return TASKS[study.params.study.task].predictions(table).for_comparison(settings)

    tables = {name: split_fractions(pd.read_parquet(places.predictions(name))) for name in names}
    predictions = {name: of(table) for name, (table, _) in tables.items()}
    of_views = {name: of(pd.read_parquet(places.tta(name))) for name in views}
    images = predictions[names[0]].of_role("test").images
    for name, found in (predictions | {f"tta/{name}": each for name, each in of_views.items()}).items():
        if not found.tests.images.equals(images):
            raise UserError(f"predictions/{name}.parquet covers other test images; `dvc repro` updates it")
    return StageOutputs(
        predictions,
        metrics={name: read_json(places.metrics(name)) for name in names},
        cards={name: read_json(places.model(name) / "card.json") for name in study.variants},
        about=read_json(places.prepared / "dataset.json"),
        audit=read_json(places.results / "data.json"),
        smaller={name: {fraction: of(rows) for fraction, rows in found.items()} for name, (_, found) in tables.items()},
        views=of_views,
    )


def read_folds(metrics: dict[str, dict[str, Any]], prepared: Prepared) -> Folds | None:
    """Return the metrics of each fold, averaged over seeds, if folds take turns in testing, else None.

    metrics: by variant, its `runs` by the name `foldF_seedS`.
    """
    if prepared.folds < 2 or not (prepared.table["split"] == "rotating").any():
        return None
    roles = [prepared.roles(fold) for fold in range(prepared.folds)]
    share = np.mean([len(role.test) for role in roles]) / np.mean([len(role.train) for role in roles])
    values: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for name, found in metrics.items():
        runs = pd.DataFrame.from_dict(found["runs"], orient="index").astype(float)
        by_fold = runs.groupby(runs.index.str.extract(r"^fold(\d+)_", expand=False).astype(int)).mean()
        for metric in by_fold:
            values[str(metric)][name] = by_fold[metric].to_numpy()
    return Folds(dict(values), float(share))
