"""Which test images are looked at; The same network with random weights, whose maps cannot know anything; Maps of a variant's test images: a contact sheet, and how well the maps point where masks are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.data.images.packed import Images
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.explain.maps import Explainer, open_explainer
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
from medtransfer.models.weights import without_weights
from medtransfer.statistics.resampling import draw, the_sample
from medtransfer.study import METHODS, Explain, Study, Variant
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.training.model_files import read_card
from medtransfer.util.compute import Compute
from medtransfer.util.errors import UserError, near
from medtransfer.util.seeds import generator

RIGHT, WRONG = "right", "wrong"


@dataclass(frozen=True)
class Case:
    """A test image, its label and the most probable class, both by number, and that one's probability."""

    path: str
    label: int
    predicted: int
    probability: float


def cases_of(test: ClassPredictions) -> list[Case]:
    """List the test images of one run."""
    ((labels, scores),) = test.runs().values()
    best = scores.argmax(axis=1)
    return [
        Case(str(path), int(label), int(number), float(row[number]))
        for path, label, number, row in zip(test.table["path"], labels, best, scores, strict=True)
    ]


def choose_cases(cases: list[Case], explain: Explain) -> dict[str, list[Case]]:
    """Choose the images of the contact sheet: those that are named, or by class the surest right and wrong ones.

    Raises `UserError` for names that are no test images of the run.
    """
    if explain.images:
        known = {case.path: case for case in cases}
        missing = [name for name in explain.images if name not in known]
        if missing:
            raise UserError([f"explain.images: no test image {name!r}{near(name, known)}" for name in missing])
        return {"chosen": [known[name] for name in explain.images]}
    return {
        RIGHT: _surest([case for case in cases if case.predicted == case.label], explain.of_each),
        WRONG: _surest([case for case in cases if case.predicted != case.label], explain.of_each),
    }


def choose_masked(masks: Images, rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Draw at most `most` of the rows whose masks [all rows, h, w] are not empty; give them in order."""
    shown = np.array([row for row in rows if masks[row].any()], dtype=np.int64)
    return np.sort(rng.permutation(shown)[:most])


def _surest(cases: list[Case], of_each: int) -> list[Case]:
    """Take the most probable cases of each class of labels, class by class."""
    found = []
    for label in sorted({case.label for case in cases}):
        own = [case for case in cases if case.label == label]
        found += sorted(own, key=lambda case: (-case.probability, case.path))[:of_each]
    return found


def untrained(card: dict[str, Any], trained: Network, fold: int, seed: int) -> Network:
    """Build the network of a model's card with a random body and head, and the trained one's normalisation.

    A head that is fitted rather than trained knows nothing before and gives no gradient; a random dense layer stands in
    for it. Its weights are drawn from (fold, seed), apart from those that the training began with.
    """
    variant = Variant.from_card(card)
    changes: dict[str, Any] = {"init": "random", "train": "head"}
    if HEADS[variant.strategy.head].fitted:
        changes["head"] = "linear"
    variant = replace(variant, strategy=variant.strategy.model_copy(update=changes))
    weights = Weights(None, without_weights(variant.model), None)
    key = ("untrained", seed, fold)
    return assemble(variant, weights, len(card["classes"]), card["image_size"], trained.normalise, key)


Maps = dict[str, tuple[np.ndarray, np.ndarray]]
"""By method the maps [n, h, w] of the trained network and of the untrained one."""


@dataclass(frozen=True)
class Pair:
    """The first run of a trained variant, and the same network untrained."""

    fold: int
    seed: int
    trained: Explainer
    blank: Explainer

    def maps(self, methods: Sequence[str], pixels: np.ndarray, classes: np.ndarray) -> Maps:
        """Map what speaks for `classes` [n] in packed images [n, size, size, channels]."""
        return {
            method: (self.trained.maps(method, pixels, classes), self.blank.maps(method, pixels, classes))
            for method in methods
        }


def explain_variant(study: Study, name: str, test: ClassPredictions, root: Path, compute: Compute, sheet: Path) -> Any:
    """Draw a variant's contact sheet to `sheet`, and give what its maps come to, as plain values.

    test: the variant's test predictions. The sheet shows what speaks for the predicted class. Where masks are known,
    what speaks for the labelled class is held against them: see `pointing`; intervals are over groups.
    """
    prepared, explain = Prepared(root / "data/prepared"), study.params.explain
    pair = open_pair(study, name, root / "models" / name, compute)
    table = test.table
    cases = cases_of(ClassPredictions(table[(table["fold"] == pair.fold) & (table["seed"] == pair.seed)]))
    chosen = choose_cases(cases, explain)
    blocks = {title: _pictures(study, prepared, pair, group) for title, group in chosen.items()}
    block = pair.trained.block.name
    note = f"block {block}, run {_run(pair)}; all grey: nothing does"
    write_sheet(f"{name}: what speaks for the predicted class", note, blocks, sheet)
    return {
        "run": _run(pair),
        "block": block,
        "sheet": {title: [vars(case) for case in group] for title, group in chosen.items()},
        "maps": _scores(study, prepared, pair, {case.path for case in cases}),
    }


def open_pair(study: Study, name: str, model: Path, compute: Compute) -> Pair:
    """Load the first run of a variant and build its untrained counterpart, both with the block that is mapped."""
    card, backbone = read_card(model), study.variant(name).backbone_name
    fold, seed = card["runs"][0]["fold"], card["runs"][0]["seed"]
    network = load_run(model, fold, seed)
    where, block = f"explain.blocks.{backbone}", study.params.explain.blocks.get(backbone)
    both = (network, untrained(card, network, fold, seed))
    return Pair(fold, seed, *(open_explainer(found, card, block, where, compute) for found in both))


def _pictures(study: Study, prepared: Prepared, pair: Pair, cases: list[Case]) -> list[Picture]:
    if not cases:
        return []
    rows = _rows(prepared, [case.path for case in cases])
    pixels, predicted = prepared.images[rows], np.array([case.predicted for case in cases], dtype=np.int64)
    methods = study.params.explain.methods
    shown = {METHODS[method]: pair.trained.maps(method, pixels, predicted) for method in methods}
    shown[f"{METHODS[methods[0]]}, untrained"] = pair.blank.maps(methods[0], pixels, predicted)
    classes = prepared.classes
    return [
        Picture(
            np.array(prepared.images[row]),
            None if prepared.masks is None else np.array(prepared.masks[row]),
            caption(case.path, classes[case.label], classes[case.predicted], case.probability),
            {title: found[number] for title, found in shown.items()},
        )
        for number, (row, case) in enumerate(zip(rows, cases, strict=True))
    ]


def _scores(study: Study, prepared: Prepared, pair: Pair, paths: set[str]) -> dict[str, Any] | None:
    """Hold maps of the labelled class against the masks of test images; None where no mask shows anything."""
    explain, seed = study.params.explain, study.params.study.seed
    if prepared.masks is None:
        return None
    rows = choose_masked(prepared.masks, _rows(prepared, sorted(paths)), explain.scored, generator("explain", seed))
    if not len(rows):
        return None
    masks = np.asarray(prepared.masks[rows]) > 0
    groups = prepared.table["group"].to_numpy()[rows]
    settings = study.params.comparison
    resamples = draw(groups, settings.resamples, generator("explain intervals", seed))
    evidence = Evidence(the_sample(groups), resamples, settings.confidence)
    labels = prepared.table["label_index"].to_numpy()[rows]
    maps = pair.maps(list(explain.methods), prepared.images[rows], labels)
    return {
        "images": len(rows),
        "groups": evidence.sample.groups,
        "mask_share": evidence.mean(masks.mean(axis=(1, 2))),
        "methods": {method: _held_against(masks, *found, evidence) for method, found in maps.items()},
    }


def _held_against(masks: np.ndarray, trained: np.ndarray, blank: np.ndarray, evidence: Evidence) -> dict[str, Any]:
    """Score the maps of both networks, and what training gained, image by image."""
    found = {}
    for name, measure in (("pointing_game", pointing_hits), ("energy_inside", energy_inside)):
        ours, theirs = measure(trained, masks), measure(blank, masks)
        found[name] = evidence.mean(ours)
        found[f"{name}_untrained"] = evidence.mean(theirs)
        found[f"{name}_gain"] = evidence.mean(ours - theirs, DIFFERENCE)
    return found | {"likeness_to_untrained": evidence.mean(rank_correlations(trained, blank), DIFFERENCE)}


def _rows(prepared: Prepared, paths: list[str]) -> np.ndarray:
    number = {path: row for row, path in enumerate(prepared.table["path"])}
    return np.array([number[path] for path in paths], dtype=np.int64)


def _run(pair: Pair) -> str:
    return f"fold{pair.fold}_seed{pair.seed}"
