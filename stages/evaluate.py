"""DVC stage `evaluate@variant`: predictions, metrics and a figure of a variant on the test rows."""

from __future__ import annotations

import sys
from dataclasses import replace

from medtransfer.study import Study, item_of, load_study
from medtransfer.tracking.tracker import Tracker
from medtransfer.util.command import run
from medtransfer.util.places import HERE


def main(name: str) -> None:
    """Evaluate the variant `name`."""
    study = load_study()
    study.variant(name)
    with Tracker(study.params.study.name, name) as tracker:
        evaluate(study, name, tracker)


def evaluate(study: Study, name: str, tracker: Tracker) -> None:
    """Import torch only here: that takes seconds, during which the tracker starts."""
    import pandas as pd

    from medtransfer.data.prepared import Prepared
    from medtransfer.deployment.trained import predict_variant
    from medtransfer.tasks import TASKS
    from medtransfer.tasks.predictions import write_rows
    from medtransfer.training.model_files import HISTORY, read_card
    from medtransfer.util.compute import choose_compute
    from medtransfer.util.files import write_json

    model, prepared = HERE.model(name), Prepared(HERE.prepared)
    task = TASKS[prepared.task]
    compute = replace(choose_compute(study.params.training.device), precision=read_card(model)["precision"])
    variant = study.variant(name)
    frames = list(predict_variant(variant, prepared, model, compute))
    for each in study.params.data.external:
        frames += predict_variant(variant, Prepared(HERE.external(each)), model, compute, external=each)
    smaller = predict_variant(variant, prepared, model, compute, smaller=True)
    write_rows(HERE.predictions(name), [*frames, *smaller])
    table = pd.concat(frames, ignore_index=True)
    found = task.summary(table, prepared)
    if study.params.data.external:
        predictions = task.predictions(table)
        found["external"] = {each: predictions.of_external(each).tests.summary() for each in study.params.data.external}
    figure = HERE.figure(name)
    task.figure(name, model / HISTORY, table, found, prepared, figure)
    write_json(HERE.metrics(name), found)
    tracker.evaluation(model, found, figure)


if __name__ == "__main__":
    run(lambda: main(item_of(sys.argv[1])))
