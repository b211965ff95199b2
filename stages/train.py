"""DVC stage `train@variant`: all runs of a variant, one per fold and seed."""

from __future__ import annotations

import sys

from medtransfer.study import Study, item_of, load_study
from medtransfer.tracking.tracker import Tracker
from medtransfer.util.command import run
from medtransfer.util.places import HERE


def main(name: str) -> None:
    """Train the variant `name`."""
    study = load_study()
    study.variant(name)
    with Tracker(study.params.study.name, name) as tracker:
        train(study, name, tracker)


def train(study: Study, name: str, tracker: Tracker) -> None:
    """Train the variant. Importing torch takes seconds, in which the tracker starts in parallel."""
    from medtransfer.augmentation.store import open_views
    from medtransfer.data.prepared import Prepared
    from medtransfer.models.assemble import read_weights
    from medtransfer.tasks import TASKS
    from medtransfer.training.runs import Inputs, job_key, with_precision
    from medtransfer.training.variant import train_variant
    from medtransfer.util.compute import choose_compute

    params, variant = study.params, study.variant(name)
    prepared = Prepared(HERE.prepared)
    inputs = Inputs(
        variant=variant,
        task=TASKS[prepared.task],
        prepared=prepared,
        views=open_views(prepared, variant.policy, params.study.seed),
        weights=read_weights(HERE.weights(variant.backbone_name)),
        compute=choose_compute(params.training.device),
        seeds=params.training.seeds,
        study_seed=params.study.seed,
    )
    inputs = with_precision(inputs, params.training.precision)
    tracker.start(variant.resolved(), job_key(inputs), prepared.about["pixels_sha256"])
    folder, score = HERE.model(name), inputs.task.score
    train_variant(
        inputs,
        folder,
        HERE.cost(name),
        report=lambda fold, seed, epoch: tracker.epoch(fold, seed, epoch.named(score)),
    )
    tracker.history(folder)


if __name__ == "__main__":
    run(lambda: main(item_of(sys.argv[1])))
