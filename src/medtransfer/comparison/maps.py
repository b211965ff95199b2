"""The table of how well the maps of variants point at the masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from medtransfer.comparison.results import MAPS
from medtransfer.study import Study
from medtransfer.util.errors import UserError
from medtransfer.util.files import read_json
from medtransfer.util.places import Places
from medtransfer.util.text import in_figures


def maps_table(study: Study, places: Places) -> pd.DataFrame:
    """Read the results of `explain` for the variants that are explained; see `Comparison.maps`.

    Raises `UserError` if it has not run.
    """
    names = study.params.explain.variants
    missing = [name for name in names if not places.explained(name).exists()]
    if missing:
        raise UserError([f"metrics/explain/{name}.json is missing; `dvc repro explain@{name}`" for name in missing])
    table = pd.DataFrame([row for name in names for row in _rows(name, places)], columns=MAPS)
    return table.astype(dict.fromkeys(MAPS[MAPS.index("mask_share") :], float))  # None, not defined, becomes nan


def maps_legend(maps: pd.DataFrame) -> str:
    """Explain the columns of a table of maps; empty if there are none."""
    if maps.empty:
        return ""
    first = maps.iloc[0]
    return (
        f"Maps of the labelled class on {first['images']} test images with a mask ({first['groups']} groups), run "
        f"{first['run']}. Pointing game: share of maps with their highest point in the mask. Inside: mean share of a "
        f"map's sum in the mask; for a constant map, {in_figures(first['mask_share'])}. Untrained: the same network "
        "with random weights; gain: the paired difference. Similarity: rank correlation between the maps of both; near "
        "1, a map shows the image rather than anything learned (Adebayo et al. 2018). The maps are in `plots/explain`."
    )


def _rows(name: str, places: Places) -> Iterator[dict[str, Any]]:
    found = read_json(places.explained(name))
    maps = found["maps"]
    if maps is None:  # no masks
        return
    for method, figures in maps["methods"].items():
        row = {"variant": name, "method": method, "run": found["run"], "block": found["block"]}
        row |= {"images": maps["images"], "groups": maps["groups"], "mask_share": maps["mask_share"]["value"]}
        for figure, value in figures.items():
            row |= {figure: value["value"], f"{figure}_low": value["low"], f"{figure}_high": value["high"]}
        yield row
