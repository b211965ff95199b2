"""Predicts the validation and test rows with every run of a variant: the only place that reads test rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.features.embedder import embedder_of
from medtransfer.study import Variant
from medtransfer.tasks.scoring import SCORINGS
from medtransfer.tasks.training import TASKS
from medtransfer.training.batches import ImageExamples
from medtransfer.training.model_files import load_run, read_card
from medtransfer.training.prediction import predict_batches
from medtransfer.util.compute import Compute


def predict_variant(variant: Variant, prepared: Prepared, model: Path, compute: Compute) -> Iterator[pd.DataFrame]:
    """Give the predictions of each run and role of a trained variant, as rows that the task's scoring makes."""
    task, scoring = TASKS[prepared.task], SCORINGS[prepared.task]
    for run in read_card(model)["runs"]:
        fold, seed = run["fold"], run["seed"]
        network = load_run(model, fold, seed).to(compute.device)
        embedder = embedder_of(network, int(prepared.images.shape[1]), compute) if task.flat_features else None
        if embedder is not None:
            embedder.plan(len(prepared.table))
        roles = prepared.roles(fold)
        for role, rows in (("validation", roles.validation), ("test", roles.test)):
            examples = ImageExamples(prepared, rows, embedder)
            batches = predict_batches(embedder.rest if embedder else network, examples, compute)
            answers = [task.answers(logits, variant.strategy.loss) for logits, _ in batches]
            yield scoring.frame(prepared, rows, np.concatenate(answers), fold, seed, role)
