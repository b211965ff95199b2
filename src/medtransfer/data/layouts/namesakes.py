"""Images that are there several times under names that differ in what says nothing: another format, a `_thumb`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from glob import escape

import pandas as pd

from medtransfer.data.layouts.evidence import Evidence
from medtransfer.data.layouts.files import IMAGE_SUFFIXES, stem_of

LEAST_TWINS = 0.5
"""The least share of images with a namesake for the set to hold every image twice."""
ENDING = re.compile(r"^(.+?)([ _-]+[A-Za-z]+)$")
MOST_FORMATS = 3


def same_names(evidence: Evidence) -> Iterator[str]:
    """Find images that are there in two formats, or again with a word after their name."""
    paths = pd.Series(evidence.table["path"].unique())
    names = paths.map(_without_format)
    twins = paths[names.duplicated(keep=False)]
    if len(twins) >= LEAST_TWINS * len(paths):
        formats = list(twins.str.rpartition(".")[2].value_counts().index[:MOST_FORMATS])
        ways = " or ".join(f"{{exclude: {json.dumps([f'*.{each}'])}}}" for each in formats)
        both = " and ".join(twins[names[twins.index] == names[twins.index[0]]][:2])
        yield (
            f"{len(twins)} of {len(paths)} images differ only in their extension, such as {both}; to leave one of each "
            f"out: data.files: {ways}"
        )
    parts = paths.map(stem_of).str.extract(ENDING)
    known = set(paths.map(stem_of))
    again = parts[parts[0].isin(known)]
    if 2 * len(again) >= LEAST_TWINS * len(paths) and again[1].nunique() <= MOST_FORMATS:
        endings = sorted(again[1].unique())
        patterns = [f"*{escape(ending)}.*" for ending in endings]
        yield (
            f"{len(again)} of {len(paths)} images have the name of another and {' or '.join(endings)}, such "
            f"as {paths[again.index[0]]}; if they are copies, leave them out: "
            f"data.files: {{exclude: {json.dumps(patterns, ensure_ascii=False)}}}"
        )


def _without_format(path: str) -> str:
    """Return a path without its extension, and without folders that are named as formats, such as `PNG`."""
    parts = stem_of(path).split("/")
    return "/".join(part for part in parts if f".{part.lower()}" not in IMAGE_SUFFIXES)
