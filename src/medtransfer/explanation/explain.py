"""Maps of a variant's test images: a contact sheet, and how well the maps point where masks are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.comparison.statistics.resampling import draw, the_sample
from medtransfer.compute import Compute
from medtransfer.dataset.prepared import Prepared
from medtransfer.evaluation.predictions import Predictions
from medtransfer.explanation.choice import Case, cases_of, choose_cases, choose_masked
from medtransfer.explanation.maps import Explainer, open_explainer
from medtransfer.explanation.pointing import DIFFERENCE, Evidence, energy_inside, pointing_hits, rank_correlations
from medtransfer.explanation.sheet import Picture, caption, write_sheet
from medtransfer.explanation.untrained import untrained
from medtransfer.seeding import generator
from medtransfer.study import METHODS, Study
from medtransfer.training.model_files import load_run, read_card

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


def explain_variant(study: Study, name: str, test: Predictions, root: Path, compute: Compute, sheet: Path) -> Any:
    """Draw a variant's contact sheet to `sheet`, and give what its maps come to, as plain values.

    test: the variant's test predictions. The sheet shows what speaks for the predicted class. Where masks are known,
    what speaks for the labelled class is held against them: see `pointing`; intervals are over groups.
    """
    prepared, explain = Prepared(root / "data/prepared"), study.params.explain
    pair = open_pair(study, name, root / "models" / name, compute)
    table = test.table
    cases = cases_of(Predictions(table[(table["fold"] == pair.fold) & (table["seed"] == pair.seed)]))
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
