"""Several findings of an image: the most confident wrong predictions of the best variant."""

from __future__ import annotations

from typing import Any

from medtransfer.data.prepared import Prepared
from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.report.thumbnails import Thumbnails
from medtransfer.util.text import typeset


def content(material: Material) -> dict[str, Any]:
    """Show the images, each with the finding that is missed or that it does not have."""
    best, thumbnails = material.names[0], Thumbnails(Prepared(material.places.prepared))
    table = material.found.sure_errors
    images = [
        {
            "path": row["path"],
            "finding": row["finding"],
            "present": row["present"],
            "probability": typeset(row["probability"]),
            "thumbnail": thumbnails.of(row["path"]),
        }
        for row in table[table["variant"] == best].to_dict("records")
    ]
    return {"images": [image for image in images if image["thumbnail"]], "best": best}


SECTIONS.register("sure_errors", Section(110, "Most confident wrong predictions", content, "sure_errors"))
