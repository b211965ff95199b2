"""The networks of trained variants, loaded from disk, and the predictions of every run.

Only `predict_variant` reads test rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import load_file

from medtransfer.augmentation.tta import TestTimeViews
from medtransfer.data.prepared import Prepared
from medtransfer.features.embedder import embedder_of
from medtransfer.models.assemble import Weights
from medtransfer.models.network import Network, Normalise, load_tensors
from medtransfer.models.weights_card import WeightsCard
from medtransfer.study import Variant
from medtransfer.tasks import TASKS
from medtransfer.tasks.predictions import EXTERNAL, role_at
from medtransfer.training.batches import ImageExamples
from medtransfer.training.model_files import BASE, CARD, as_body, read_card
from medtransfer.training.prediction import batches_of_views, predict_batches
from medtransfer.util.compute import Compute
from medtransfer.util.places import run_name

ROLES = ("validation", "test")


def load_run(folder: Path, fold: int, seed: int, fraction: float | None = None) -> Network:
    """Load the network of a run from a variant's folder, in eval mode, with exactly the tensors that were saved.

    fraction: that of the training images, if it is a run on fewer than those of the table.
    """
    card = read_card(folder)
    weights = _read_base(folder, (folder / CARD).stat().st_mtime_ns)
    run = load_file(folder / f"{run_name(fold, seed, fraction)}.safetensors")
    variant = Variant.from_card(card)
    strategy = variant.strategy
    known = card["runs"] if fraction is None else card["smaller_runs"]
    about = next(each for each in known if (each["fold"], each["seed"], each.get("fraction")) == (fold, seed, fraction))
    values = about.get("values", {}) | ({"features": about["features"]} if about.get("features") else {})
    variant = replace(variant, strategy=strategy.at(values))
    if weights.state is None:  # the run's file holds every tensor
        variant = replace(variant, strategy=variant.strategy.model_copy(update={"init": "random"}))
    identity = Normalise((0.0,) * 3, (1.0,) * 3)
    task = TASKS[card["task"]]
    outputs = task.width(len(card["classes"]), strategy.loss)
    network = task.assemble(variant, weights, outputs, card["image_size"], identity, (seed, fold))
    if weights.card.transform_input and strategy.init == "pretrained":
        network.body.transform_input = True  # type: ignore[assignment]
    task.as_finished(network, strategy.loss, len(card["classes"]))
    own = network.state_dict()
    load_tensors(network, {name: tensor for name, tensor in as_body(weights.state or {}).items() if name in own} | run)
    return network.eval()


@lru_cache(maxsize=1)
def _read_base(folder: Path, _changed: int) -> Weights:
    """Read the weights that all runs of a folder share; `_changed`, its time of change, invalidates the cache."""
    card = WeightsCard.model_validate(read_card(folder)["weights"])
    return Weights(load_file(folder / BASE) if (folder / BASE).exists() else None, card, folder / BASE)


def predict_variant(
    variant: Variant,
    prepared: Prepared,
    model: Path,
    compute: Compute,
    *,
    smaller: bool = False,
    views: TestTimeViews | None = None,
    external: str = "",
) -> Iterator[pd.DataFrame]:
    """Yield the predictions of a trained variant for each run and role, as rows in the task's format.

    smaller: take the runs on smaller fractions of the training images; see `role_at`. views: of each image, whose mean
    is taken. external: the name of the external test set that `prepared` is; all of its images have this role.
    """
    task, loss = TASKS[prepared.task], variant.strategy.loss
    for run in read_card(model).get("smaller_runs" if smaller else "runs", []):
        fold, seed = run["fold"], run["seed"]
        network = load_run(model, fold, seed, run.get("fraction")).to(compute.device)
        embedder = None if task.per_pixel else embedder_of(network, int(prepared.images.shape[1]), compute)
        if embedder is not None:
            embedder.plan(len(prepared.table) * (1 if views is None else views.count))
        roles = prepared.roles(min(fold, prepared.folds - 1))  # an external set is the same in all folds
        for role in ROLES[1:] if external else ROLES:
            rows: np.ndarray = getattr(roles, role)
            rest = embedder.rest if embedder else network
            if views is None:
                batches = predict_batches(rest, ImageExamples(prepared, rows, embedder), compute)
                answers = [task.answers(logits, loss) for logits, _ in batches]
            else:
                together = batches_of_views(rest, views, prepared, rows, embedder, compute)
                answers = [task.joint_answers(logits, loss) for logits in together]
            named = role_at(role, run["fraction"]) if "fraction" in run else role
            named = f"{EXTERNAL}{external}" if external else named
            yield task.frame(prepared, rows, np.concatenate(answers), fold, seed, named)
