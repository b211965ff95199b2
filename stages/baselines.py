"""DVC stage `baselines`: what no network and no training get right."""

from __future__ import annotations

from pathlib import Path

from medtransfer.dataset.prepared import Prepared
from medtransfer.errors import run
from medtransfer.evaluation.baselines import BASELINES
from medtransfer.evaluation.predictions import write_predictions
from medtransfer.evaluation.summary import evaluate_predictions
from medtransfer.files import write_json


def main() -> None:
    """Predict and evaluate the majority class and the nearest neighbours."""
    prepared = Prepared(Path("data/prepared"))
    for name, predict in BASELINES.items():
        predictions = write_predictions(Path(f"predictions/{name}.parquet"), list(predict(prepared)))
        write_json(Path(f"metrics/variants/{name}.json"), evaluate_predictions(predictions))


if __name__ == "__main__":
    run(main)
