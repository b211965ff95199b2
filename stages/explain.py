"""DVC stage `explain@variant`: maps of the evidence for a class, and how well they match masks."""

from __future__ import annotations

import sys
from dataclasses import replace

import pandas as pd

from medtransfer.study import Study, item_of, load_study
from medtransfer.tracking.tracker import Tracker
from medtransfer.util.command import run
from medtransfer.util.places import HERE


def main(name: str) -> None:
    """Explain the variant `name`."""
    study = load_study()
    study.variant(name)
    with Tracker(study.params.study.name, name) as tracker:
        explain(study, name, tracker)


def explain(study: Study, name: str, tracker: Tracker) -> None:
    """Explain the variant; torch is imported here, while the tracker starts."""
    from medtransfer.deployment.explain.explain import explain_variant
    from medtransfer.tasks.classes.predictions import ClassPredictions
    from medtransfer.training.model_files import read_card
    from medtransfer.util.compute import choose_compute
    from medtransfer.util.files import write_json

    model, sheet = HERE.model(name), HERE.contact_sheet(name)
    compute = replace(choose_compute(study.params.training.device), precision=read_card(model)["precision"])
    test = ClassPredictions(pd.read_parquet(HERE.predictions(name))).of_role("test")
    found = explain_variant(study, name, test, HERE, compute, sheet)
    write_json(HERE.explained(name), found)
    tracker.explanation(model, found, sheet)


if __name__ == "__main__":
    run(lambda: main(item_of(sys.argv[1])))
