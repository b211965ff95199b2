"""The explanation of a variant: a contact sheet of test images, and scores of its maps if masks are known.

All maps are compared with those of the same network with random weights, which cannot know anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.images.packed import Images, without_ignored
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.explain.explainer import Explainer, open_explainer
from medtransfer.deployment.explain.methods import METHODS
from medtransfer.deployment.explain.pointing import (
    DIFFERENCE,
    Evidence,
    energy_inside,
    pointing_hits,
    rank_correlations,
)
from medtransfer.deployment.explain.sheet import Picture, caption, write_sheet
from medtransfer.deployment.trained import load_run
from medtransfer.models.assemble import Weights, assemble
from medtransfer.models.heads import HEADS
from medtransfer.models.network import Network
from medtransfer.models.weights_card import without_weights
from medtransfer.statistics.resampling import draw, the_sample
from medtransfer.study import Explain, Study, Variant
from medtransfer.tasks import TASKS
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.training.model_files import read_card
from medtransfer.util.compute import Compute
from medtransfer.util.errors import UserError, near
from medtransfer.util.places import Places, run_name
from medtransfer.util.seeds import generator


def explain_variant(
    study: Study, name: str, test: ClassPredictions, places: Places, compute: Compute, sheet: Path
) -> Any:
    """Draw a variant's contact sheet to `sheet`, and return the scores of its maps as plain values.

    test: the variant's test predictions. The sheet shows maps of the predicted class. The scores compare maps of the
    labelled class with masks, where these are known; see `pointing`. Intervals are over groups.
    """
    prepared, explain = Prepared(places.prepared), study.params.explain
    pair = open_pair(study, name, places.model(name), compute)
    table = test.table
    cases = cases_of(ClassPredictions(table[(table["fold"] == pair.fold) & (table["seed"] == pair.seed)]))
    chosen = choose_cases(cases, explain)
    blocks = {title: _pictures(study, prepared, pair, group) for title, group in chosen.items()}
    block, run = pair.trained.block.name, run_name(pair.fold, pair.seed)
    note = f"block {block}, run {run}; grey: no evidence"
    write_sheet(f"{name}: evidence for the predicted class", note, blocks, sheet)
    return {
        "run": run,
        "block": block,
        "sheet": {title: group.to_dict("records") for title, group in chosen.items()},
        "maps": _scores(study, prepared, pair, set(cases["path"])),
    }


def cases_of(test: ClassPredictions) -> pd.DataFrame:
    """Return a row for each test image of one run: path, label and the most probable class with its probability."""
    ((labels, scores),) = test.runs().values()
    best = scores.argmax(axis=1)
    probability = scores[np.arange(len(best)), best].astype(np.float64)
    return pd.DataFrame(
        {"path": test.table["path"].to_numpy(), "label": labels, "predicted": best, "probability": probability}
    )


def choose_cases(cases: pd.DataFrame, explain: Explain) -> dict[str, pd.DataFrame]:
    """Choose the images of the contact sheet: those named, or the most confident right and wrong ones of each class.

    Raises `UserError` for names that are not test images of the run.
    """
    if explain.images:
        known = cases.set_index("path", drop=False)
        missing = [name for name in explain.images if name not in known.index]
        if missing:
            raise UserError([f"explain.images: no test image {name!r}{near(name, known.index)}" for name in missing])
        return {"chosen": known.loc[explain.images]}
    order = cases.sort_values(["label", "probability", "path"], ascending=[True, False, True])
    right = order["predicted"] == order["label"]
    return {
        title: order[chosen].groupby("label").head(explain.of_each)
        for title, chosen in (("right", right), ("wrong", ~right))
    }


def choose_masked(masks: Images, rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Draw at most `most` of the rows whose masks [all rows, h, w] are not empty; return them in order."""
    shown = np.array([row for row in rows if without_ignored(masks[row]).any()], dtype=np.int64)
    return np.sort(rng.permutation(shown)[:most])


@dataclass(frozen=True)
class Pair:
    """Explainers of the first run of a trained variant, and of the same network untrained."""

    fold: int
    seed: int
    trained: Explainer
    untrained: Explainer


def open_pair(study: Study, name: str, model: Path, compute: Compute) -> Pair:
    """Load the first run of a variant and build its untrained counterpart, with the same block."""
    card, backbone = read_card(model), study.variant(name).backbone_name
    fold, seed = card["runs"][0]["fold"], card["runs"][0]["seed"]
    network = load_run(model, fold, seed)
    where, block = f"explain.blocks.{backbone}", study.params.explain.blocks.get(backbone)
    both = (network, untrained(card, network, fold, seed))
    return Pair(fold, seed, *(open_explainer(found, card, block, where, compute) for found in both))


def untrained(card: dict[str, Any], trained: Network, fold: int, seed: int) -> Network:
    """Build the network of a model's card with a random body and head, and the trained one's normalisation.

    A fitted head, which has no gradient before it is fitted, is replaced by a random dense layer. The weights are drawn
    from (fold, seed), but differ from those that training started with.
    """
    variant = Variant.from_card(card)
    changes: dict[str, Any] = {"init": "random", "train": "head"}
    if HEADS[variant.strategy.head].fitted:
        changes["head"] = "linear"
    variant = replace(variant, strategy=variant.strategy.model_copy(update=changes))
    weights = Weights(None, without_weights(variant.model), None)
    key = ("untrained", seed, fold)
    outputs = TASKS[card["task"]].width(len(card["classes"]), variant.strategy.loss)
    return assemble(variant, weights, outputs, card["image_size"], trained.normalise, key)


def _pictures(study: Study, prepared: Prepared, pair: Pair, cases: pd.DataFrame) -> list[Picture]:
    if cases.empty:
        return []
    rows = _rows(prepared, list(cases["path"]))
    pixels, predicted = prepared.images[rows], cases["predicted"].to_numpy(np.int64)
    methods = study.params.explain.methods
    shown = {METHODS[method].title: pair.trained.maps(method, pixels, predicted) for method in methods}
    shown[f"{METHODS[methods[0]].title}, untrained"] = pair.untrained.maps(methods[0], pixels, predicted)
    classes = prepared.classes
    return [
        Picture(
            np.array(prepared.images[row]),
            None if prepared.masks is None else without_ignored(prepared.masks[row]),
            caption(case["path"], classes[case["label"]], classes[case["predicted"]], case["probability"]),
            {title: found[number] for title, found in shown.items()},
        )
        for number, (row, case) in enumerate(zip(rows, cases.to_dict("records"), strict=True))
    ]


def _scores(study: Study, prepared: Prepared, pair: Pair, paths: set[str]) -> dict[str, Any] | None:
    """Compare maps of the labelled class with the masks of test images; return None if no mask shows anything."""
    explain, settings, seed = study.params.explain, study.params.comparison, study.params.study.seed
    if prepared.masks is None:
        return None
    rows = choose_masked(prepared.masks, _rows(prepared, sorted(paths)), explain.scored, generator("explain", seed))
    if not len(rows):
        return None
    pixels, masks = prepared.images[rows], without_ignored(prepared.masks[rows]) > 0
    groups, labels = (prepared.table[name].to_numpy()[rows] for name in ("group", "label_index"))
    resamples = draw(groups, settings.resamples, generator("explain intervals", seed))
    evidence = Evidence(the_sample(groups), resamples, settings.confidence)
    methods = {}
    for method in explain.methods:
        trained, random = (explainer.maps(method, pixels, labels) for explainer in (pair.trained, pair.untrained))
        methods[method] = _compared(masks, trained, random, evidence)
    return {
        "images": len(rows),
        "groups": evidence.sample.groups,
        "mask_share": evidence.mean(masks.mean(axis=(1, 2))),
        "methods": methods,
    }


def _compared(masks: np.ndarray, trained: np.ndarray, random: np.ndarray, evidence: Evidence) -> dict[str, Any]:
    """Score the maps of the trained and the untrained network, and the gain from training, image by image."""
    found = {}
    for name, measure in (("pointing_game", pointing_hits), ("energy_inside", energy_inside)):
        ours, theirs = measure(trained, masks), measure(random, masks)
        found[name] = evidence.mean(ours)
        found[f"{name}_untrained"] = evidence.mean(theirs)
        found[f"{name}_gain"] = evidence.mean(ours - theirs, DIFFERENCE)
    return found | {"likeness_to_untrained": evidence.mean(rank_correlations(trained, random), DIFFERENCE)}


def _rows(prepared: Prepared, paths: list[str]) -> np.ndarray:
    number = {path: row for row, path in enumerate(prepared.table["path"])}
    return np.array([number[path] for path in paths], dtype=np.int64)
