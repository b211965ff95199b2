"""Classification: the test images that every variant gets wrong."""

from __future__ import annotations

from typing import Any

from medtransfer.data.prepared import Prepared
from medtransfer.report.answers import ClassAnswers
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.thumbnails import Thumbnails

MOST_SHOWN = 40


def content(material: Material) -> dict[str, Any]:
    """Show the images that no run of any variant gets right, the lowest probability of the label first."""
    answers = ClassAnswers(material.found.images, material.names)
    wrong, thumbnails = answers.hardest(), Thumbnails(Prepared(material.places.prepared))
    shown = [_image(answers, int(row), thumbnails) for row in wrong[:MOST_SHOWN]]
    missed, total = answers.labels.iloc[wrong].value_counts(), answers.labels.value_counts()
    return {
        "images": [image for image in shown if image["thumbnail"]],
        "wrong": len(wrong),
        "all": len(answers.paths),
        "by_class": [(name, int(missed.get(name, 0)), int(total.get(name, 0))) for name in material.found.classes],
        "variants": len(material.names),
    }


def _image(answers: ClassAnswers, row: int, thumbnails: Thumbnails) -> dict[str, Any]:
    votes = answers.predicted.iloc[row].value_counts()
    return {
        "path": answers.paths[row],
        "label": answers.labels.iloc[row],
        "predicted": votes.index[0],
        "votes": int(votes.iloc[0]),
        "thumbnail": thumbnails.of(answers.paths[row]),
    }


def _applies(material: Material) -> bool:
    return bool(material.found.classes) and not material.found.images.empty


SECTIONS.register("hard_images", Section(110, "Images that every variant gets wrong", content, _applies))
