"""Segmentation: the masks that every variant finds badly, and those that one finds better than another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.report.section import Material, Section
from medtransfer.report.thumbnails import Thumbnails, area_of, outline_of
from medtransfer.report.wording import in_figures
from medtransfer.tasks.masks.predictions import MASK, decode_mask

MOST_SHOWN, MOST_OF_A_PAIR, MOST_OVERLAYS = 20, 8, 2000


@dataclass(frozen=True)
class FoundMasks:
    """How well each variant found the mask of each test image; table: `Comparison.masks`."""

    table: pd.DataFrame
    names: list[str]

    @cached_property
    def dice(self) -> pd.DataFrame:
        """Dice, mean over runs: a row an image that has a mask or was given one, a column a variant."""
        spoken = self.table[(self.table["truth_pixels"] > 0) | (self.table["found_pixels"] > 0)]
        wide = spoken.pivot(index="path", columns="variant", values="dice")
        return wide.reindex(columns=self.names).dropna(how="all")

    def hardest(self, most: int) -> list[str]:
        """Give the images whose best Dice is the least."""
        return list(self.dice.max(axis=1).sort_values(kind="stable").index[:most])

    def telling(self, most: int) -> list[str]:
        """Choose at most `most` images so that each pair of variants has some on which it differs much.

        Pairs of good variants are served first, each with the images of its largest differences both ways.
        """
        dice, pool = self.dice.fillna(0.0), dict[str, None]()
        for a, b in sorted(combinations(range(len(self.names)), 2), key=sum):
            gaps = (dice.iloc[:, a] - dice.iloc[:, b]).sort_values(kind="stable")
            for path in [*gaps.index[: MOST_OF_A_PAIR // 2], *gaps.index[::-1][: MOST_OF_A_PAIR // 2]]:
                pool.setdefault(path)
        return list(pool)[:most]


def hard_masks_section(material: Material) -> Section | None:
    """Show the images whose best Dice is the least, with the true mask and the one that the best variant found."""
    found = material.found
    if found.masks.empty:
        return None
    prepared, best = Prepared(material.places.prepared), found.verdict.best
    masks = FoundMasks(found.masks, material.names)
    paths = masks.hardest(MOST_SHOWN)
    outlines, thumbnails = _outlines(material, best, paths), Thumbnails(prepared)
    images = [
        {
            "path": path,
            "thumbnail": thumbnails.of(path),
            "truth": _truth(prepared, thumbnails, path),
            "outline": outlines.get(path, ""),
            "best": in_figures(masks.dice.loc[path].max()),
            "name": masks.dice.loc[path].idxmax(),
        }
        for path in paths
    ]
    content = {"images": [image for image in images if image["thumbnail"]], "variant": best, "all": len(masks.dice)}
    return Section("hard_masks", "Masks that every variant finds badly", content)


def mask_choice(material: Material, names: list[str]) -> dict[str, Any]:
    """Give the page's script the images on which two variants differ: counts of all, pictures of some."""
    if material.found.masks.empty:
        return {"masks": []}
    prepared, masks = Prepared(material.places.prepared), FoundMasks(material.found.masks, names)
    paths = masks.telling(MOST_OVERLAYS // len(names))
    outlines, thumbnails = {name: _outlines(material, name, paths) for name in names}, Thumbnails(prepared)
    images = [
        {
            "path": path,
            "thumbnail": thumbnails.of(path),
            "truth": _truth(prepared, thumbnails, path),
            "outlines": [outlines[name].get(path, "") for name in names],
            "dice": [None if np.isnan(value) else round(value, 3) for value in masks.dice.loc[path]],
        }
        for path in paths
    ]
    dice = masks.dice.to_numpy(float)
    better = (dice[:, :, None] > dice[:, None, :]).sum(axis=0)
    shown = [image for image in images if image["thumbnail"]]
    return {"masks": shown, "betterMask": better.tolist(), "mostMasks": MOST_OF_A_PAIR}


def _truth(prepared: Prepared, thumbnails: Thumbnails, path: str) -> str:
    return area_of(prepared.targets(np.array([thumbnails.row[path]]))[0])


def _outlines(material: Material, name: str, paths: list[str]) -> dict[str, str]:
    """Draw the outlines of the masks that a variant's first run found in some images."""
    columns = ["path", "role", "fold", "seed", MASK]
    table = pd.read_parquet(material.places.predictions(name), columns=columns, filters=[("path", "in", paths)])
    first = table[table["role"] == "test"].sort_values(["fold", "seed"], kind="stable").drop_duplicates("path")
    return {row["path"]: outline_of(decode_mask(row[MASK])) for row in first.to_dict("records")}
