"""Which test images are looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtransfer.dataset.packed import Images
from medtransfer.errors import UserError
from medtransfer.evaluation.predictions import Predictions
from medtransfer.study import Explain, near

RIGHT, WRONG = "right", "wrong"


@dataclass(frozen=True)
class Case:
    """A test image, its label and the most probable class, both by number, and that one's probability."""

    path: str
    label: int
    predicted: int
    probability: float


def cases_of(test: Predictions) -> list[Case]:
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
