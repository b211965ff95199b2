"""DVC stage `explain@variant`: maps of where a variant looks, and how well they point."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from medtransfer.study import Study, load_study
from medtransfer.tracking.tracker import Tracker
from medtransfer.util.command import run


def main(name: str) -> None:
    """Explain the variant `name`."""
    study = load_study()
    study.variant(name)
    with Tracker(study.params.study.name, name) as tracker:
        explain(study, name, tracker)


def explain(study: Study, name: str, tracker: Tracker) -> None:
    """Explain with torch, imported here: it takes seconds, in which the tracker starts beside it."""
    from medtransfer.deployment.explain.explain import explain_variant
    from medtransfer.tasks.classes.predictions import ClassPredictions
    from medtransfer.training.model_files import read_card
    from medtransfer.util.compute import choose_compute
    from medtransfer.util.files import write_json

    model, sheet = Path("models") / name, Path(f"plots/explain/{name}.png")
    compute = replace(choose_compute(study.params.training.device), precision=read_card(model)["precision"])
    test = ClassPredictions(pd.read_parquet(f"predictions/{name}.parquet")).of_role("test")
    found = explain_variant(study, name, test, Path(), compute, sheet)
    write_json(Path(f"metrics/explain/{name}.json"), found)
    tracker.explanation(model, found, sheet)


if __name__ == "__main__":
    run(lambda: main(sys.argv[1]))
