"""Segmentation: the test images that every variant segments badly."""

from __future__ import annotations

from typing import Any

from medtransfer.data.prepared import Prepared
from medtransfer.report.answers import MaskAnswers, masks_of_first_run
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.thumbnails import Thumbnails, outline_of
from medtransfer.util.text import typeset

MOST_SHOWN = 20


def content(material: Material) -> dict[str, Any]:
    """Show the images with the lowest best Dice, with their true mask and the one that the best variant predicts."""
    best, masks = material.found.verdict.best, MaskAnswers(material.found.masks, material.names)
    paths, thumbnails = masks.hardest(MOST_SHOWN), Thumbnails(Prepared(material.places.prepared))
    predicted = masks_of_first_run(material, best, paths)
    images = [
        {
            "path": path,
            "thumbnail": thumbnails.of(path),
            "truth": thumbnails.true_area(path),
            "outline": outline_of(predicted[path]) if path in predicted else "",
            "best": typeset(masks.dice.loc[path].max()),
            "name": masks.dice.loc[path].idxmax(),
        }
        for path in paths
    ]
    return {"images": [image for image in images if image["thumbnail"]], "variant": best, "all": len(masks.dice)}


SECTIONS.register("hard_masks", Section(120, "Images that every variant segments badly", content, "masks"))
