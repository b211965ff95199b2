"""Labels that a person corrected: `data.labels.corrections`, a CSV as `medtransfer suspects` writes it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.targets import Target
from medtransfer.data.targets.findings import SEPARATOR, UNKNOWN
from medtransfer.util.errors import UserError, many, near

PATH, LABEL, CORRECTED, LEAVE_OUT = "path", "label", "corrected", "-"
LEFT_OUT = "left out by data.labels.corrections"


def correct_labels(
    table: pd.DataFrame, file: Path, target: Target, elsewhere: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Apply the corrections to the column label of a set as read, by path.

    An empty cell leaves a label as it is, `-` leaves the image out. Returns the new table, the paths that are left out,
    and the entry of the audit. elsewhere: paths of the set that have no row, whose lines are ignored. Raises
    `UserError` with all lines that name an unknown image or label, or that were made for another label.
    """
    lines = _read(file)
    current = dict(zip(table["path"], table["label"], strict=True))
    known = sorted(set(target.names(table["label"]).explode()))
    problems, changed, out = [], {}, []
    paths = {*current, *elsewhere}
    unknown = [line[PATH] for line in lines if line[PATH] not in paths]
    problems += many(unknown, "is not an image of the set")
    for line in lines:
        path, new = line[PATH], line[CORRECTED].strip()
        if path not in current or new in ("", current[path]):
            continue
        names = target.names(pd.Series([new]))[0]
        unheard = [name for name in names if not _is_known(name, known)]
        if not _is_same(line.get(LABEL, ""), current[path]):
            problems.append(f"{path}: was corrected from {line[LABEL]!r}, but its label is {current[path]!r}")
        elif new == LEAVE_OUT:
            out.append(path)
        elif unheard:
            problems.append(f"{path}: no label {unheard[0]!r}{near(unheard[0], known)}")
        else:
            changed[path] = new if UNKNOWN in new or len(names) < 2 else SEPARATOR.join(sorted(names))
    if problems:
        raise UserError([f"{file}: {problem}" for problem in problems])
    kept = table[~table["path"].isin(out)].reset_index(drop=True)
    kept["label"] = [changed.get(path, label) for path, label in zip(kept["path"], kept["label"], strict=True)]
    listed = [[path, current[path], new] for path, new in sorted(changed.items())]
    return kept, out, {"file": file.name, "reviewed": len(lines), "changed": len(changed), "labels": listed}


def _is_same(said: str, label: str) -> bool:
    """Return whether a line is about this label; numbers are compared as they are trained on."""
    if _is_number(said) and _is_number(label):
        return np.float32(said) == np.float32(label)
    return said in ("", label)


def _is_known(name: str, known: Sequence[str]) -> bool:
    return name in known or (_is_number(name) and all(map(_is_number, known)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise UserError(f"data.labels.corrections: {file} is not a file")
    with file.open(newline="", encoding="utf-8-sig") as opened:
        reader = csv.DictReader(opened)
        lacking = [name for name in (PATH, CORRECTED) if name not in (reader.fieldnames or ())]
        if lacking:
            raise UserError(f"{file}: no column {lacking[0]!r}; expected {PATH}, {LABEL} and {CORRECTED}")
        lines = [{name: value or "" for name, value in line.items() if name} for line in reader]
    counts = Counter(line[PATH] for line in lines)
    if twice := sorted(path for path, count in counts.items() if count > 1):
        raise UserError([f"{file}: {problem}" for problem in many(twice, "has several lines")])
    return lines
