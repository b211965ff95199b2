"""The gate that no leaking set passes unless its user says so: counts, one line, and a picture to look at."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medtransfer.dataset.leakage import Crossing, find_crossing, refusal, splits_in_use
from medtransfer.dataset.packed import Images
from medtransfer.dataset.pair_sheet import write_pair_sheet
from medtransfer.dataset.siblings import count_kinds, divided_pairs
from medtransfer.dataset.split import require_published
from medtransfer.errors import UserError
from medtransfer.files import shown
from medtransfer.study import Data


def pass_gate(table: pd.DataFrame, pairs: pd.DataFrame, images: Images, data: Data, picture: Path) -> Crossing | None:
    """Say what crosses the published splits of a table (columns path, label, split, group, key, sha256).

    None where the rows are to be split anew. `pairs` are the table's sibling pairs. Raises `UserError` where
    something crosses and `data.leakage` is `fail`; the pairs are drawn to `picture` first, which must not be an
    out of a stage, because DVC removes those of a failed one. A picture of an earlier failure is removed.
    """
    picture.unlink(missing_ok=True)
    if data.split.method != "published":
        return None
    require_published(table)
    crossing = find_crossing(table, data.split)
    if crossing.groups and data.leakage == "fail":
        leaking = pairs[divided_pairs(pairs, splits_in_use(table, data.split))]
        write_pair_sheet(images, table, leaking, picture)
        raise UserError(refusal(crossing, count_kinds(table, leaking), shown(picture)))
    return crossing
