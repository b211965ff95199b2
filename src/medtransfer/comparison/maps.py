"""How well the maps of variants point at what masks show, as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from medtransfer.comparison.results import MAPS
from medtransfer.study import Study
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places
from medtransfer.util.text import in_figures


def maps_table(study: Study, places: Places) -> pd.DataFrame:
    """Read what `explain` left of the variants that are explained; see `Comparison.maps`.

    Raises `UserError` where it has not run.
    """
    names = study.params.explain.variants
    missing = [name for name in names if not places.explained(name).exists()]
    if missing:
        raise UserError([f"metrics/explain/{name}.json is missing; `dvc repro explain@{name}`" for name in missing])
    table = pd.DataFrame([row for name in names for row in _rows(name, places)], columns=MAPS)
    return table.astype(dict.fromkeys(MAPS[MAPS.index("mask_share") :], float))  # None, not defined, becomes nan


def maps_legend(maps: pd.DataFrame) -> str:
    """Say what the columns of a table of maps mean; nothing where there are none."""
    if maps.empty:
        return ""
    first = maps.iloc[0]
    return (
        f"Maps of the labelled class on {first['images']} test images with a mask ({first['groups']} groups), run "
        f"{first['run']}. Pointing game: share of maps whose highest point lies within the mask. Inside: mean share of "
        f"a map's sum within it; of a map that is the same everywhere, {in_figures(first['mask_share'])}. Untrained: "
        "the same network with random weights; gain: the paired difference. Likeness: rank correlation of the maps of "
        "both; where it is near 1, a map shows the image and not what was learned (Adebayo et al. 2018). The maps: "
        "`plots/explain`."
    )


def _rows(name: str, places: Places) -> Iterator[dict[str, Any]]:
    found = json.loads(places.explained(name).read_text(encoding="utf-8"))
    maps = found["maps"]
    if maps is None:  # there are no masks
        return
    for method, figures in maps["methods"].items():
        row = {"variant": name, "method": method, "run": found["run"], "block": found["block"]}
        row |= {"images": maps["images"], "groups": maps["groups"], "mask_share": maps["mask_share"]["value"]}
        for figure, value in figures.items():
            row |= {figure: value["value"], f"{figure}_low": value["low"], f"{figure}_high": value["high"]}
        yield row
